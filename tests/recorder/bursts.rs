//! When the sites of a tick are kept: once a second, and sooner where live bytes move far.

use super::*;

/// A program of one stack that holds so many bytes.
fn look(at: Duration, bytes: u64, peak_bytes: u64) -> Look {
    let figures = SiteFigures { current_bytes: bytes, allocations: 1, ..SiteFigures::default() };
    let totals = Totals { current_bytes: bytes, peak_bytes, ..Totals::default() };
    Look {
        state: ProcessState { totals, ..ProcessState::default() },
        point: Point { at, current_bytes: bytes, ..Point::default() },
        sites: SitesUpdate { changed: vec![(StackId(0), figures)], ..SitesUpdate::default() },
        ..Look::default()
    }
}

/// At which ticks sites are kept, where `bytes` are live.
fn kept(bytes: impl Fn(u32) -> u64, ticks: u32) -> Vec<u32> {
    let mut recorder = Recorder::new(Vec::new(), &[], Duration::ZERO).expect("memory");
    let (mut kept, mut peak) = (Vec::new(), 0);
    for tick in 1..=ticks {
        let now = TICK * tick;
        peak = bytes(tick).max(peak);
        let looks = vec![look(now, bytes(tick), peak)];
        recorder.ask_for_sites_of_a_burst(now, &looks);
        if recorder.wants_sites(now) {
            kept.push(tick);
        }
        recorder.tick(now, looks).expect("memory");
    }
    kept
}

const MIB: u64 = 1 << 20;

#[test]
fn sites_of_a_steady_program_are_kept_once_a_second() {
    assert_eq!(kept(|_| 100 * MIB, 45), [10, 20, 30, 40]);
    // Less than a tenth of the peak is no burst, however often it comes.
    assert_eq!(kept(|tick| (100 - u64::from(tick % 2) * 9) * MIB, 45), [10, 20, 30, 40]);
}

#[test]
fn a_burst_is_kept_at_once_unless_sites_just_were() {
    // From tick 16 to 19, and over before the second is.
    let burst = |tick| if (16..20).contains(&tick) { 150 * MIB } else { 100 * MIB };
    assert_eq!(kept(burst, 45), [10, 16, 20, 30, 40]);
    // At tick 21 they were kept just before: a quarter of a second has to pass.
    let soon = |tick| if (21..26).contains(&tick) { 150 * MIB } else { 100 * MIB };
    assert_eq!(kept(soon, 45), [10, 20, 23, 26, 36]);
    // Memory that falls is as far away as memory that grows.
    let falls = |tick| if tick < 15 { 100 * MIB } else { 89 * MIB };
    assert_eq!(kept(falls, 30), [10, 15, 25]);
}

#[test]
fn bursts_without_end_are_kept_four_times_a_second() {
    let growing = |tick: u32| (1 << tick) * 1024;
    let kept = kept(growing, 29);
    assert!(kept.windows(2).all(|two| two[1] - two[0] == 3), "{kept:?}");
    assert!(kept.len() >= 8, "{kept:?}");
}
