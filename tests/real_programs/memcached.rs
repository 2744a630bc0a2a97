//! A server with threads, under load from several clients at once.

use std::{
    io::{BufRead, BufReader, Read, Write},
    os::unix::net::UnixStream,
    path::Path,
    process::Child,
    thread,
};

use super::{others::face_without_clients, *};

const CLIENTS: usize = 4;
/// Requests of a client; each names a prefix of its own, of which memcached keeps figures in two
/// blocks of memory.
const REQUESTS: usize = 70_000;
/// Requests that are on their way at once.
const AT_ONCE: usize = 50;

struct Client(BufReader<UnixStream>);

impl Client {
    fn connect(socket: &Path) -> Option<Self> {
        UnixStream::connect(socket).ok().map(|stream| Self(BufReader::new(stream)))
    }

    fn send(&mut self, words: &[u8]) {
        self.0.get_mut().write_all(words).unwrap();
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        assert!(self.0.read_line(&mut line).unwrap() > 0, "memcached closed the connection");
        line.trim_end().to_owned()
    }

    fn lines_to_end(&mut self) -> Vec<String> {
        std::iter::repeat_with(|| self.line()).take_while(|line| line != "END").collect()
    }

    fn ask(&mut self, words: &str) -> Vec<String> {
        self.send(format!("{words}\r\n").as_bytes());
        self.lines_to_end()
    }

    /// Stores a value and reads it again.
    fn keep(&mut self, key: &str, value: &[u8]) {
        let head = format!("set {key} 0 0 {}\r\n", value.len());
        self.send(&[head.as_bytes(), value, b"\r\n"].concat());
        assert_eq!(self.line(), "STORED");
        self.send(format!("get {key}\r\n").as_bytes());
        assert_eq!(self.line(), format!("VALUE {key} 0 {}", value.len()));
        let mut back = vec![0; value.len() + 2];
        self.0.read_exact(&mut back).unwrap();
        assert!(back.starts_with(value), "{key} came back changed");
        assert_eq!((self.line().as_str(), &back[value.len()..]), ("END", &b"\r\n"[..]));
    }
}

/// What one client does, and the answers that it got.
fn work(socket: &Path, number: usize) -> usize {
    let mut client = Client::connect(socket).unwrap();
    let mut answers = 0;
    for first in (0..REQUESTS).step_by(AT_ONCE) {
        let requests: String =
            (first..first + AT_ONCE).map(|n| format!("get c{number}n{n}:key\r\n")).collect();
        client.send(requests.as_bytes());
        answers += (0..AT_ONCE).filter(|_| client.line() == "END").count();
        client.keep(&format!("kept{number}n{}", first % 1000), &[b'v'; 600]);
        if number == 0 && first % 5000 == 0 {
            // Gives the figures of all prefixes back, whose lists would grow long.
            client.send(b"stats reset\r\n");
            assert_eq!(client.line(), "RESET");
        }
    }
    // One that is kept in several pieces.
    client.keep(&format!("large{number}"), &vec![b'0' + number as u8; 900_000]);
    answers
}

fn start(memcached: &Path, home: &Home, before: &[&str]) -> Child {
    let socket = home.path("memcached.sock");
    let _ = fs::remove_file(&socket);
    // It refuses to be root's unless it is told so.
    let arguments = ["-u", "root", "-s", socket.to_str().unwrap(), "-t", "4", "-m", "256"];
    let work = Work::new(memcached.to_owned(), &[&arguments[..], &["-D", ":"]].concat());
    let mut command = work.command(home, before);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command.spawn().unwrap()
}

#[test]
fn memcached_under_load() {
    let home = Home::new();
    let memcached = need("memcached", "memcached");
    let serve = |before: &[&str]| {
        let mut child = start(&memcached, &home, before);
        let socket = home.path("memcached.sock");
        let mut client = end_to_end::wait_for("memcached answers", || {
            assert!(child.try_wait().unwrap().is_none(), "memcached ended");
            Client::connect(&socket)
        });
        let about = client.ask("stats");
        let pid = about.iter().find_map(|line| line.strip_prefix("STAT pid ")).unwrap().to_owned();
        let clients = (0..CLIENTS).map(|number| {
            let socket = socket.clone();
            thread::spawn(move || work(&socket, number))
        });
        let clients: Vec<_> = clients.collect();
        let answers: usize = clients.into_iter().map(|client| client.join().unwrap()).sum();
        assert_eq!(answers, CLIENTS * REQUESTS);
        drop(client);
        let face = face_without_clients(&pid);
        signal(pid.parse().unwrap(), libc::SIGTERM);
        let output = child.wait_with_output().unwrap();
        (face, output.status.code(), text(&output.stdout), text(&output.stderr))
    };
    let plain = serve(&[]);
    assert_eq!(serve(&RECORD), plain, "descriptors, signals, status and words");
    assert_eq!(plain.1, Some(0));
    let report = home.report();
    assert!(report["threads"].as_array().unwrap().len() > CLIENTS, "{}", report["threads"]);
    let heaptrack = need("heaptrack", "heaptrack");
    let (_, _, out, said) = serve(&[heaptrack.to_str().unwrap(), "-o", "heaptrack"]);
    assert_counts(&report, 500_000, heaptracks_count(&(out + &said)));
}
