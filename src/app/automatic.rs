//! Marks that set themselves: where live memory passes a size, and where it is higher than ever.
//!
//! They are set as the dashboard looks. When it did not look for a while, because it was stopped
//! or looked at the past, the timeline that was kept meanwhile says when it was.

use std::time::Duration;

use memtop_ui::format::{bytes, span};

use crate::{cli::MarkAt, model::Point};

/// Marks of one kind before they become rarer: each keeps the sites of its moment.
const BEFORE_RARER: u32 = 16;

/// A new peak is one that is higher by so many percent, and comes so many seconds later.
const HIGHER: u64 = 10;
const LATER_S: f64 = 10.0;

/// Who looks so rarely, in seconds, has to be told when something was: a look at least, and so
/// many of them.
const RARELY_S: f64 = 1.0;
const RARELY_TICKS: u32 = 3;

/// So many looks the timeline may take to arrive after that.
const PATIENCE: u32 = 10;

/// A moment that is to be marked.
#[derive(Debug, PartialEq)]
pub(super) struct Found {
    /// When, in seconds since the session began; of what is seen just now, that is now.
    pub(super) at_s: f64,
    /// It is over: its figures are those that are kept of it.
    pub(super) is_past: bool,
    /// Why.
    pub(super) reason: String,
}

impl Found {
    /// The same where nothing is kept of moments that are over: now is marked instead, and the
    /// reason says how long ago it was.
    pub(super) fn of_now(self, now_s: f64) -> Self {
        if !self.is_past {
            return self;
        }
        let reason = format!("{}, {} before", self.reason, span(now_s - self.at_s));
        Self { at_s: now_s, is_past: false, reason }
    }
}

/// What was marked so far.
#[derive(Debug, Default)]
pub(super) struct AutomaticMarks {
    steps: Vec<Steps>,
    peaks: Option<Peaks>,
    /// Whose moments they are.
    of: Option<usize>,
    /// When that was looked at last, in seconds, and how long that may be ago.
    looked_s: f64,
    rarely_s: f64,
    /// Looks since then that were not told what was in between.
    waited: u32,
}

#[derive(Debug)]
struct Steps {
    size: u64,
    passed: u64,
    marks: u32,
}

#[derive(Debug, Default)]
struct Peaks {
    /// The highest that was marked, and when.
    highest: u64,
    at_s: f64,
    /// The highest that was seen, and when it was first.
    seen: u64,
    seen_s: f64,
}

impl AutomaticMarks {
    /// None so far, where a look is taken at each `tick`.
    pub(super) fn new(wanted: &[MarkAt], tick: Duration) -> Self {
        let size = |at: &MarkAt| match at {
            MarkAt::Each(size) => Some(Steps { size: *size, passed: 0, marks: 0 }),
            MarkAt::Peak => None,
        };
        let peaks = wanted.contains(&MarkAt::Peak).then(Peaks::default);
        let steps = wanted.iter().filter_map(size).collect();
        let rarely_s = (tick * RARELY_TICKS).as_secs_f64().max(RARELY_S);
        Self { steps, peaks, rarely_s, ..Self::default() }
    }

    /// What is to be marked after a look at `figures`, live and peak, of a process, whose
    /// `timeline` it is.
    pub(super) fn look(
        &mut self,
        process: usize,
        figures: (u64, u64),
        now_s: f64,
        timeline: &[Point],
    ) -> Vec<Found> {
        let (mut found, mut before_s) = (Vec::new(), self.looked_s);
        if self.of.replace(process) != Some(process) {
            self.begin(figures, now_s);
        } else if now_s - self.looked_s > self.rarely_s {
            if self.is_to_be_told(now_s, timeline) {
                return found;
            }
            before_s = self.look_back(now_s, timeline, &mut found);
        }
        (self.looked_s, self.waited) = (now_s, 0);
        self.observe(figures, (before_s, now_s), &mut found);
        for one in &mut found {
            one.is_past = now_s - one.at_s > self.rarely_s;
        }
        found
    }

    /// What it held before anybody looked was passed at an unknown moment.
    fn begin(&mut self, (live, peak): (u64, u64), now_s: f64) {
        for steps in &mut self.steps {
            steps.passed = live / steps.size * steps.size;
        }
        if let Some(peaks) = &mut self.peaks {
            *peaks = Peaks { highest: peak, at_s: now_s, seen: peak, seen_s: now_s };
        }
    }

    /// Whether the timeline does not say yet what was since the last look, and may.
    fn is_to_be_told(&mut self, now_s: f64, timeline: &[Point]) -> bool {
        let told = timeline.last().map_or(0.0, |point| point.at.as_secs_f64());
        self.waited += 1;
        now_s - told > self.rarely_s && self.waited <= PATIENCE
    }

    /// What was to be marked between the last look and now; up to when that is known.
    fn look_back(&mut self, now_s: f64, timeline: &[Point], found: &mut Vec<Found>) -> f64 {
        let mut before_s = self.looked_s;
        let first = timeline.partition_point(|point| point.at.as_secs_f64() <= before_s);
        for point in &timeline[first..] {
            let (at_s, live) = (point.at.as_secs_f64(), point.current_bytes.max(point.max_bytes));
            if at_s < now_s {
                self.observe((live, live), (before_s, at_s), found);
                before_s = at_s;
            }
        }
        before_s
    }

    /// Finds what is to be marked of a moment, which came after another.
    fn observe(
        &mut self,
        (live, peak): (u64, u64),
        (before_s, at_s): (f64, f64),
        found: &mut Vec<Found>,
    ) {
        let passed = self.steps.iter_mut().filter_map(|steps| steps.pass(live)).last();
        let size = passed.map(|size| (at_s, format!("passed {}", bytes(size))));
        let marked_s = size.as_ref().map(|(at_s, _)| *at_s).or(found.last().map(|one| one.at_s));
        let peak = self.peaks.as_mut().and_then(|peaks| peaks.pass(peak, at_s));
        let peak = peak.filter(|(at_s, _)| Some(*at_s) != marked_s);
        let peak = peak.map(|(at_s, peak)| (at_s, format!("peak {}", bytes(peak))));
        let within_s = at_s - before_s;
        for (at_s, reason) in peak.into_iter().chain(size) {
            let reason = said_of(reason, within_s, self.rarely_s);
            found.push(Found { at_s, is_past: false, reason });
        }
    }
}

/// The reason, of a moment that is known to so many seconds only.
fn said_of(reason: String, within_s: f64, rarely_s: f64) -> String {
    match within_s > rarely_s {
        true => format!("{reason}, up to {} before", span(within_s)),
        false => reason,
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

impl Peaks {
    /// The peak that is to be marked, and when it was seen first. A program that just grows has a
    /// new one all the time.
    fn pass(&mut self, peak: u64, now_s: f64) -> Option<(f64, u64)> {
        if peak > self.seen {
            (self.seen, self.seen_s) = (peak, now_s);
        }
        let higher = self.highest.saturating_add(self.highest / 100 * HIGHER).max(1);
        if self.seen < higher || now_s - self.at_s < LATER_S {
            return None;
        }
        (self.highest, self.at_s) = (self.seen, now_s);
        Some((self.seen_s, self.seen))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u64 = 1 << 20;
    const TICK: Duration = Duration::from_millis(100);

    /// A point each tick until `now_s`, of so many MiB from so many seconds on.
    fn timeline(now_s: f64, held: &[(f64, u64)]) -> Vec<Point> {
        let at = |tick: u32| TICK * tick;
        let live = |at: Duration| held.iter().rfind(|one| one.0 <= at.as_secs_f64()).unwrap().1;
        let point = |at| Point { at, current_bytes: live(at) * MIB, ..Point::default() };
        (0..(now_s * 10.0) as u32).map(|tick| point(at(tick))).collect()
    }

    fn reasons(found: Vec<Found>) -> Vec<String> {
        found.into_iter().map(|one| one.reason).collect()
    }

    #[test]
    fn each_multiple_is_marked_once() {
        let mut marks = AutomaticMarks::new(&[MarkAt::Each(10 * MIB)], TICK);
        let mut at = |live: u64| reasons(marks.look(0, (live * MIB, 0), 0.0, &[]));
        assert!(at(12).is_empty(), "it began there");
        assert!(at(19).is_empty());
        assert_eq!(at(20), ["passed 20.0 MiB"]);
        assert!(at(5).is_empty());
        assert!(at(25).is_empty(), "again");
        assert_eq!(at(47), ["passed 40.0 MiB"], "two at once");
        assert_eq!(marks.look(1, (90 * MIB, 0), 0.0, &[]), [], "another process begins there");
    }

    #[test]
    fn marks_become_rarer() {
        let mut marks = AutomaticMarks::new(&[MarkAt::Each(MIB)], TICK);
        let mut at = |live: u64| marks.look(0, (live * MIB, 0), 0.0, &[]).len();
        let made: usize = (0..1000).map(&mut at).sum();
        assert!((70..110).contains(&made), "{made}");
    }

    #[test]
    fn a_peak_is_marked_when_it_is_clearly_higher_and_not_all_the_time() {
        let mut marks = AutomaticMarks::new(&[MarkAt::Peak], Duration::from_secs(60));
        let mut at = |live: u64, peak: u64, now_s| marks.look(0, (live, peak), now_s, &[]);
        assert_eq!(at(1000, 1000, 0.0), []);
        assert_eq!(at(2000, 2000, 5.0), [], "too soon");
        // It is marked later, at the moment at which it was.
        let found = at(10, 2000, 10.0);
        assert_eq!((found[0].at_s, &*found[0].reason), (5.0, "peak 2.0 KiB"));
        assert_eq!(at(2100, 2100, 60.0), [], "not much higher");
        let found = at(3000, 3000, 61.0);
        assert_eq!((found.len(), found[0].at_s), (1, 61.0));
    }

    #[test]
    fn where_no_moment_is_kept_now_is_marked() {
        let mut marks = AutomaticMarks::new(&[MarkAt::Peak], TICK);
        let mut found = Vec::new();
        for (tick, now_s) in (0..).map(|tick| (tick, f64::from(tick) / 10.0)).take(110) {
            let peak = if tick < 50 { 1000 } else { 2000 };
            found.extend(marks.look(0, (0, peak), now_s, &[]));
        }
        let found = found.pop().unwrap();
        assert!(found.is_past && found.at_s == 5.0, "{found:?}");
        let marked =
            Found { at_s: 10.0, is_past: false, reason: "peak 2.0 KiB, 5.0 s before".into() };
        assert_eq!(found.of_now(10.0), marked);
    }

    #[test]
    fn what_was_passed_while_nobody_looked_is_dated_by_the_timeline() {
        let held = [(0.0, 1), (21.0, 12), (25.0, 33), (26.0, 2), (40.0, 38), (41.0, 2)];
        let mut marks = AutomaticMarks::new(&[MarkAt::Each(10 * MIB), MarkAt::Peak], TICK);
        assert_eq!(marks.look(0, (MIB, MIB), 20.0, &timeline(20.0, &held)), []);
        // What is known ends before the stop: it is waited for.
        let now = (2 * MIB, 38 * MIB);
        assert_eq!(marks.look(0, now, 60.0, &timeline(20.1, &held)), []);
        let found = marks.look(0, now, 60.1, &timeline(60.1, &held));
        assert!(found.iter().all(|one| one.is_past));
        let found: Vec<_> = found.iter().map(|one| (one.at_s, &*one.reason)).collect();
        let right = [(21.0, "passed 10.0 MiB"), (25.0, "passed 30.0 MiB"), (40.0, "peak 38.0 MiB")];
        assert_eq!(found, right);
        assert_eq!(marks.look(0, now, 60.2, &timeline(60.2, &held)), []);
    }

    #[test]
    fn what_nobody_can_tell_is_said_to_be_of_the_look() {
        let mut marks = AutomaticMarks::new(&[MarkAt::Each(10 * MIB)], TICK);
        let _ = marks.look(0, (MIB, MIB), 1.0, &[]);
        let looks = (0..20).map(|look| marks.look(0, (11 * MIB, 0), 50.0 + f64::from(look), &[]));
        let found: Vec<Found> = looks.flatten().collect();
        assert_eq!(reasons(found), ["passed 10.0 MiB, up to 59.0 s before"]);
        // An embedded program's time stood still: the look is a point of its own timeline.
        let point = |at| Point { at, current_bytes: 30 * MIB, ..Point::default() };
        let sparse = [1, 80].map(|at| point(Duration::from_secs(at)));
        let found = marks.look(0, (30 * MIB, 0), 80.0, &sparse);
        assert!(!found[0].is_past);
        assert_eq!(reasons(found), ["passed 30.0 MiB, up to 11.0 s before"]);
    }
}
