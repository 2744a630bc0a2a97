//! Bytes on a keeper's socket that no viewer of ours would send.

use std::{
    fs,
    io::{Read, Write},
    os::unix::net::UnixStream,
};

use memtop::{
    keeper::{
        Options,
        client::Connection,
        protocol::{FromViewer, Purpose, VERSION},
        rendezvous,
    },
    model::Exit,
    sys::pty::Size,
};

use crate::{
    launcher::{spawn, try_spawn, wait_until},
    random::random,
};

fn knock(connection: &Connection) -> UnixStream {
    rendezvous::connect(connection.hello().keeper).unwrap()
}

fn resident_pages(pid: u32) -> u64 {
    let text = fs::read_to_string(format!("/proc/{pid}/statm")).unwrap();
    text.split(' ').nth(1).unwrap().parse().unwrap()
}

#[test]
fn hostile_viewers_lose_their_connection_and_nothing_else() {
    let (connection, mut viewer) = spawn("read word; echo got $word");
    for noise in [&[0xFF; 100][..], &[0, 0, 0, 0], &[2, 0, 0, 0, 3, 65], b"\x05\0\0\0\x01"] {
        let mut socket = knock(&connection);
        socket.write_all(noise).unwrap();
    }
    connection.send(&FromViewer::Input(b"well\r".to_vec())).unwrap();
    viewer.until(&connection, "got well");
    assert_eq!(viewer.until_exit(&connection), Exit::Code(0));
}

/// One frame of each kind that a viewer may send.
fn frames() -> Vec<Vec<u8>> {
    let options = Options::new(vec!["/bin/true".into()]);
    let messages = [
        FromViewer::Open { version: VERSION, purpose: Purpose::Watch },
        FromViewer::Open { version: VERSION, purpose: Purpose::Ask },
        FromViewer::Open { version: VERSION + 1, purpose: Purpose::Watch },
        FromViewer::Start { options, size: Size::default() },
        FromViewer::Input(b"never\r".to_vec()),
        FromViewer::Resize(Size { columns: u16::MAX, rows: 1 }),
        FromViewer::Tracing(false),
        FromViewer::Clear,
        FromViewer::EndProgram,
        FromViewer::Record("/dev/null".into()),
        FromViewer::EndRecording,
    ];
    messages.iter().map(FromViewer::encode).collect()
}

/// For a moment, or for longer with `MEMTOP_LONG`.
#[test]
fn whatever_others_say_the_program_and_its_viewer_go_on() {
    let (connection, mut viewer) = spawn("read word; echo got $word; stty size; exit 5");
    let (frames, mut random) = (frames(), random());
    let rounds = if std::env::var_os("MEMTOP_LONG").is_some() { 20_000 } else { 200 };
    let mut answer = [0; 4096];
    for _ in 0..rounds {
        let mut said = Vec::new();
        for _ in 0..1 + random(6) {
            let mut frame = frames[random(frames.len())].clone();
            let at = random(frame.len());
            match random(4) {
                0 => frame[at] ^= 1 << random(8),
                1 => frame.truncate(at),
                _ => {}
            }
            said.extend(frame);
        }
        let mut socket = knock(&connection);
        // It may be shut in the middle of a word.
        let _ = socket.write_all(&said);
        if random(2) == 0 {
            socket.set_nonblocking(true).unwrap();
            let _ = socket.read(&mut answer);
        }
    }
    assert!(connection.reader().clock().tracing);
    connection.send(&FromViewer::Input(b"well\r".to_vec())).unwrap();
    assert_eq!(viewer.until_exit(&connection), Exit::Code(5));
    assert_eq!(viewer.text(), "well\r\ngot well\r\n24 80\r\n");
}

#[test]
fn who_asks_again_and_again_and_never_listens_is_answered_once_and_let_go() {
    let long = "x".repeat(60_000);
    let connection = try_spawn(&["/bin/sh", "-c", "read word", &long]).unwrap();
    let keeper = connection.hello().keeper;
    let before = resident_pages(keeper);
    let question = FromViewer::Open { version: VERSION, purpose: Purpose::Ask }.encode();
    let mut asking: Vec<_> = (0..8).map(|_| knock(&connection)).collect();
    for socket in &mut asking {
        socket.write_all(&question.repeat(10_000)).unwrap();
    }
    let ticks = connection.reader().clock().tick;
    wait_until(|| connection.reader().clock().tick > ticks + 3);
    let grown = (resident_pages(keeper).saturating_sub(before)) * 4096;
    assert!(grown < 16 << 20, "the keeper has grown by {grown} bytes");
    // Its place is given to others, whether it listens or not.
    let mut last = &asking[0];
    wait_until(|| last.write_all(&question).is_err());
    connection.send(&FromViewer::Input(b"word\r".to_vec())).unwrap();
    drop(connection);
    wait_until(|| !is_there(keeper));
}

/// Whether a process runs; a zombie does not.
fn is_there(pid: u32) -> bool {
    memtop::sys::process::incarnation(pid).is_some()
}
