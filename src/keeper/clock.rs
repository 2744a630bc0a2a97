//! When to look, and when tracing starts and stops by itself.

use std::time::Duration;

use memtop_probe::session::{control, layout::Header};

/// When tracing starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Start {
    /// With the program.
    #[default]
    Now,
    /// When somebody says so.
    Paused,
    /// So long after the launch.
    After(Duration),
}

/// Regular moments, never a burst of them after a delay (a stopped terminal, a suspended
/// machine).
#[derive(Debug)]
pub struct Ticker {
    every_ns: u64,
    next_ns: u64,
}

impl Ticker {
    /// The first tick comes one period after `now_ns`.
    pub fn new(every: Duration, now_ns: u64) -> Self {
        let every_ns = nanoseconds(every).max(1);
        Self { every_ns, next_ns: now_ns.saturating_add(every_ns) }
    }

    /// True once for every period that begins; periods that were missed are skipped.
    pub fn is_due(&mut self, now_ns: u64) -> bool {
        if now_ns < self.next_ns {
            return false;
        }
        let missed = (now_ns - self.next_ns) / self.every_ns;
        let passed = (missed + 1).saturating_mul(self.every_ns);
        self.next_ns = self.next_ns.saturating_add(passed);
        true
    }

    /// How long until the next one.
    pub fn remaining(&self, now_ns: u64) -> Duration {
        Duration::from_nanos(self.next_ns.saturating_sub(now_ns))
    }
}

/// The start and the stop that were asked for beforehand. Each is carried out once; what
/// somebody does by hand in between stays.
#[derive(Debug)]
pub struct Schedule {
    start_ns: Option<u64>,
    stop_ns: Option<u64>,
    /// The stop of a trace that somebody starts by hand: so long after that.
    stop_after_start: Option<Duration>,
    /// What the times above count from; `None` once that is settled.
    counts_from_ns: Option<u64>,
}

impl Schedule {
    /// Both times count from the launch, until [`began`](Self::began) knows better; the stop of a trace that starts paused counts from
    /// its start, and is met at the next tick.
    pub fn new(start: Start, stop_after: Option<Duration>, launched_ns: u64) -> Self {
        let at = |delay| launched_ns.saturating_add(nanoseconds(delay));
        Self {
            start_ns: match start {
                Start::Now => Some(launched_ns),
                Start::Paused => None,
                Start::After(delay) => Some(at(delay)),
            },
            stop_ns: stop_after.filter(|_| start != Start::Paused).map(at),
            stop_after_start: stop_after.filter(|_| start == Start::Paused),
            counts_from_ns: (start != Start::Paused).then_some(launched_ns),
        }
    }

    /// The program's own time began then, some milliseconds after the launch: what is due at
    /// one second is due when its clock shows one second.
    pub fn began(&mut self, began_ns: u64) {
        let Some(before) = self.counts_from_ns.take() else { return };
        let late = began_ns.saturating_sub(before);
        for due in [&mut self.start_ns, &mut self.stop_ns].into_iter().flatten() {
            *due = due.saturating_add(late);
        }
    }

    /// How long until something is due; `None` when nothing is left to do.
    pub fn remaining(&self, now_ns: u64) -> Option<Duration> {
        let next = self.start_ns.into_iter().chain(self.stop_ns).min()?;
        Some(Duration::from_nanos(next.saturating_sub(now_ns)))
    }

    /// Does what is due.
    pub fn apply(&mut self, header: &Header, now_ns: u64) {
        if self.start_ns.take_if(|at| *at <= now_ns).is_some() {
            control::set_tracing(header, true, now_ns);
        }
        if control::is_tracing(header)
            && let Some(delay) = self.stop_after_start.take()
        {
            self.stop_ns = Some(now_ns.saturating_add(nanoseconds(delay)));
        }
        if self.stop_ns.take_if(|at| *at <= now_ns).is_some() {
            control::set_tracing(header, false, now_ns);
        }
    }
}

/// A duration in nanoseconds; 584 years at most.
pub fn nanoseconds(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use memtop_probe::session::{
        memory::{LEAST_SIZE, Memory, Settings},
        reader::Reader,
    };

    #[test]
    fn missed_ticks_are_skipped() {
        let mut ticker = Ticker::new(Duration::from_nanos(100), 1000);
        assert_eq!(ticker.remaining(1030), Duration::from_nanos(70));
        assert!(!ticker.is_due(1099));
        assert!(ticker.is_due(1100));
        assert!(!ticker.is_due(1150));
        assert!(ticker.is_due(1555));
        assert!(!ticker.is_due(1599));
        assert!(ticker.is_due(1600));
    }

    #[test]
    fn tracing_starts_and_stops_by_itself_once() {
        let settings = Settings {
            size: LEAST_SIZE,
            nonce: 1,
            now_ns: 1000,
            tick_ns: 100,
            limit: LEAST_SIZE,
            frames: 0,
        };
        let (memory, fd) = Memory::create(&settings).unwrap();
        drop(crate::sys::descriptor::adopt(fd));
        let reader = Reader::over(memory);
        let nanos = Duration::from_nanos;
        let mut schedule = Schedule::new(Start::After(nanos(50)), Some(nanos(90)), 1000);
        let mut tracing_at = |now| {
            schedule.apply(reader.header(), now);
            control::is_tracing(reader.header())
        };
        assert!(!tracing_at(1049));
        assert!(tracing_at(1051));
        control::set_tracing(reader.header(), false, 1060);
        assert!(!tracing_at(1070));
        control::set_tracing(reader.header(), true, 1075);
        assert!(!tracing_at(1095));
        let intervals = reader.clock().intervals;
        assert_eq!(intervals, [(1051, Some(1060)), (1075, Some(1095))]);
    }

    #[test]
    fn times_count_from_the_programs_own_beginning() {
        let mut schedule = Schedule::new(
            Start::After(Duration::from_nanos(50)),
            Some(Duration::from_nanos(90)),
            1000,
        );
        schedule.began(1007);
        schedule.began(5000);
        assert_eq!((schedule.start_ns, schedule.stop_ns), (Some(1057), Some(1097)));
    }

    #[test]
    fn a_stop_after_a_start_by_hand_counts_from_that_start() {
        let settings = Settings {
            size: LEAST_SIZE,
            nonce: 1,
            now_ns: 0,
            tick_ns: 1,
            limit: LEAST_SIZE,
            frames: 0,
        };
        let (memory, descriptor) = Memory::create(&settings).unwrap();
        drop(crate::sys::descriptor::adopt(descriptor));
        let reader = Reader::over(memory);
        let mut schedule = Schedule::new(Start::Paused, Some(Duration::from_nanos(50)), 0);
        schedule.apply(reader.header(), 100);
        control::set_tracing(reader.header(), true, 110);
        schedule.apply(reader.header(), 120);
        schedule.apply(reader.header(), 169);
        assert!(control::is_tracing(reader.header()));
        schedule.apply(reader.header(), 170);
        assert!(!control::is_tracing(reader.header()));
    }
}
