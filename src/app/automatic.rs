//! Marks that set themselves: where live memory passes a size, and where it is higher than ever.

use memtop_ui::format::bytes;

use crate::cli::MarkAt;

/// Marks of one kind before they become rarer: each keeps the sites of its moment.
const BEFORE_RARER: u32 = 16;

/// A new peak is one that is higher by so many percent, and comes so many seconds later.
const HIGHER: u64 = 10;
const LATER_S: f64 = 10.0;

/// What was marked so far.
#[derive(Debug, Default)]
pub(super) struct AutomaticMarks {
    steps: Vec<Steps>,
    peaks: Option<Peaks>,
    /// Whose moments they are.
    of: Option<usize>,
}

#[derive(Debug)]
struct Steps {
    size: u64,
    passed: u64,
    marks: u32,
}

#[derive(Debug, Default)]
struct Peaks {
    highest: u64,
    at_s: f64,
}

impl AutomaticMarks {
    /// None so far.
    pub(super) fn new(wanted: &[MarkAt]) -> Self {
        let size = |at: &MarkAt| match at {
            MarkAt::Each(size) => Some(Steps { size: *size, passed: 0, marks: 0 }),
            MarkAt::Peak => None,
        };
        let peaks = wanted.contains(&MarkAt::Peak).then(Peaks::default);
        Self { steps: wanted.iter().filter_map(size).collect(), peaks, of: None }
    }

    /// What this moment of a process is to be marked for, if it is.
    pub(super) fn observe(
        &mut self,
        process: usize,
        (live, peak): (u64, u64),
        now_s: f64,
    ) -> Option<String> {
        let begins = self.of.replace(process) != Some(process);
        let mut reason = None;
        for steps in &mut self.steps {
            if begins {
                // What it held before anybody looked was passed at an unknown moment.
                steps.passed = live / steps.size * steps.size;
            }
            if let Some(size) = steps.pass(live) {
                reason = Some(format!("passed {}", bytes(size)));
            }
        }
        let Some(peaks) = &mut self.peaks else { return reason };
        if begins {
            *peaks = Peaks { highest: peak, at_s: now_s };
        }
        // A program that just grows has a new peak all the time.
        let higher = peaks.highest.saturating_add(peaks.highest / 100 * HIGHER).max(1);
        if peak >= higher && now_s - peaks.at_s >= LATER_S {
            *peaks = Peaks { highest: peak, at_s: now_s };
            reason = reason.or_else(|| Some(format!("peak {}", bytes(peak))));
        }
        reason
    }
}

impl Steps {
    /// The multiple that is passed for the first time.
    fn pass(&mut self, live: u64) -> Option<u64> {
        let multiple = live / self.size * self.size;
        if multiple <= self.passed {
            return None;
        }
        self.passed = multiple;
        self.marks += 1;
        if self.marks.is_multiple_of(BEFORE_RARER) {
            self.size = self.size.saturating_mul(2);
        }
        Some(multiple)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u64 = 1 << 20;

    #[test]
    fn each_multiple_is_marked_once() {
        let mut marks = AutomaticMarks::new(&[MarkAt::Each(10 * MIB)]);
        let mut at = |live: u64| marks.observe(0, (live * MIB, 0), 0.0);
        assert_eq!(at(12), None, "it began there");
        assert_eq!(at(19), None);
        assert_eq!(at(20).as_deref(), Some("passed 20.0 MiB"));
        assert_eq!(at(5), None);
        assert_eq!(at(25), None, "again");
        assert_eq!(at(47).as_deref(), Some("passed 40.0 MiB"), "two at once");
        assert_eq!(marks.observe(1, (90 * MIB, 0), 0.0), None, "another process begins there");
    }

    #[test]
    fn marks_become_rarer() {
        let mut marks = AutomaticMarks::new(&[MarkAt::Each(MIB)]);
        let mut at = |live: u64| marks.observe(0, (live * MIB, 0), 0.0);
        let made = (0..1000).filter(|live| at(*live).is_some()).count();
        assert!((70..110).contains(&made), "{made}");
    }

    #[test]
    fn a_peak_is_marked_when_it_is_clearly_higher_and_not_all_the_time() {
        let mut marks = AutomaticMarks::new(&[MarkAt::Peak]);
        let mut at = |peak: u64, now_s| marks.observe(0, (0, peak), now_s);
        assert_eq!(at(1000, 0.0), None);
        assert_eq!(at(2000, 5.0), None, "too soon");
        assert_eq!(at(2000, 10.0).as_deref(), Some("peak 2.0 KiB"));
        assert_eq!(at(2100, 60.0), None, "not much higher");
        assert!(at(3000, 61.0).is_some());
    }
}
