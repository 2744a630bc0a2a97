//! What is asked of the hooks, seen from the reader's side.

use core::sync::atomic::Ordering::Relaxed;

use super::{control::*, layout::UNWATCHED};
use crate::session::{
    memory::{LEAST_SIZE, Memory, Settings},
    reader::Reader,
};

/// Session memory of time 1000, with ticks of 10.
fn reader() -> Reader {
    let size = LEAST_SIZE;
    let settings = Settings { size, nonce: 1, now_ns: 1000, tick_ns: 10, limit: size, frames: 0 };
    let (memory, fd) = Memory::create(&settings).unwrap();
    // SAFETY: nobody else knows the descriptor; the mapping stays.
    unsafe { libc::close(fd) };
    Reader::over(memory)
}

#[test]
fn time_goes_on_and_never_back() {
    let reader = reader();
    let header = reader.header();
    set_tracing(header, true, 1000);
    clear(header, 1000);
    let flags = header.pulse.load(Relaxed);
    for (now, tick) in [(1019, 1), (1039, 3), (1020, 3), (900, 3), (1050, 5)] {
        catch_up(header, now);
        assert_eq!(current_tick(header), tick);
    }
    advance_to(header, 4);
    assert_eq!(header.pulse.load(Relaxed), flags | 5 << 32);
    assert_eq!(reader.clock().unwatched, []);
    advance_to(header, u64::MAX);
    assert_eq!(header.pulse.load(Relaxed), flags | u64::from(u32::MAX) << 32);
}

#[test]
fn stretches_without_a_look_are_remembered() {
    let reader = reader();
    let header = reader.header();
    for now in [1305, 1310, 1320, 1400, 1410] {
        catch_up(header, now);
    }
    let clock = reader.clock();
    assert_eq!(clock.unwatched, [(0, 30), (32, 40)]);
    let known = [0, 29, 30, 31, 32, 39, 40, 41].map(|tick| clock.unwatched_until(tick));
    let first = Some(30);
    assert_eq!(known, [first, first, None, None, Some(40), Some(40), None, None]);
}

#[test]
fn what_lies_before_forgotten_stretches_is_unknown() {
    let reader = reader();
    let stretches = UNWATCHED as u64 + 2;
    (1..=stretches).for_each(|number| catch_up(reader.header(), 1000 + number * 100));
    let clock = reader.clock();
    assert_eq!(clock.unwatched.len(), UNWATCHED);
    assert_eq!(clock.unwatched[..2], [(0, 30), (30, 40)]);
    assert_eq!(clock.unwatched_until(7), Some(30));
}
