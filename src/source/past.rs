//! Going back in time: what there is to go through, and the moments worth a jump.

use std::{sync::Arc, time::Duration};

use crate::{
    keeper::protocol::FromKeeper,
    model::{
        Askers, Function, Interval, LocationId, Point, ProcessState, Reading, SiteFigures,
        SiteHistory, StackId, ThreadState,
    },
    recording::Mark,
    source::site_history::OpenedSite,
};

/// Where readings come from: a session that lives, or a recording.
pub trait Source {
    /// One look: at the image in position `wanted`, or the program's own newest.
    fn read(&mut self, wanted: Option<usize>) -> Reading;

    /// Number of the shown image's session, where one lives.
    fn session(&self) -> Option<usize> {
        None
    }

    /// What goes on while [`read`](Self::read) shows the past of a session that lives.
    fn read_present(&mut self) -> Option<Reading> {
        None
    }

    /// From now on everything is shown as it was so long after the shown image's session
    /// began; at none, as it is, or was at the end.
    fn seek(&mut self, at: Option<Duration>);

    /// What there is to go through of the shown image.
    fn past(&self) -> &Past;

    /// Names of the shown image's locations that were not told yet.
    fn take_names(&mut self) -> Vec<(LocationId, Vec<Function>)> {
        Vec::new()
    }

    /// What each thread of the shown image did under these stacks, without names; `None` where
    /// that is not known.
    fn threads_of(&self, _stacks: &[StackId]) -> Option<Vec<ThreadState>> {
        None
    }

    /// What a site of the shown image held up to the moment of the past that is shown, as far as
    /// that was read; `None` where the present is shown. To be asked at each look, as it is read
    /// bit by bit: for so long as a `slice` at a time, and a millisecond more at most.
    fn history_of(&mut self, _site: &OpenedSite, _slice: Duration) -> Option<SiteHistory> {
        None
    }

    /// Which thread of the shown image asked under which stacks; `None` where that is not known.
    fn askers(&self) -> Option<Askers> {
        None
    }

    /// What the shown image held at a moment since its session began, out of what is recorded;
    /// `None` where that is not known.
    fn recall(&mut self, _at: Duration) -> Option<Recalled> {
        None
    }

    /// From now on stacks are told that come later than the moment shown, up to this one: so that
    /// it can be compared with.
    fn foresee(&mut self, _until: Duration) {}

    /// Takes over what the keeper says.
    fn hear(&mut self, _message: &FromKeeper) {}

    /// Nobody answers any more.
    fn lost(&mut self) {}
}

/// What an image held at a moment.
#[derive(Debug, Clone)]
pub struct Recalled {
    /// Its figures, without sites, names and timeline.
    pub state: ProcessState,
    /// Figures by stack.
    pub figures: Vec<SiteFigures>,
    /// Of when those are, where that is before the moment.
    pub sites_as_of: Option<Duration>,
}

/// The moments of an image that can be shown. Times are since its session began.
#[derive(Debug, Clone, Default)]
pub struct Past {
    /// Name of the recording; `None` for a session that lives.
    pub recording: Option<String>,
    /// The first moment.
    pub first: Duration,
    /// The last one.
    pub last: Duration,
    /// The moment shown.
    pub at: Duration,
    /// The tick before it.
    pub before: Option<Duration>,
    /// The tick after it.
    pub after: Option<Duration>,
    /// All of the timeline, thinned.
    pub points: Arc<[Point]>,
    /// When tracing was on.
    pub intervals: Vec<Interval>,
    /// The last clear.
    pub cleared: Option<Duration>,
    /// The byte peak: when, and how high.
    pub peak: Option<(Duration, u64)>,
    /// From when on it is known which stacks held what; `None` where it never is.
    pub sites_from: Option<Duration>,
    /// Marks that were recorded, by number.
    pub marks: Vec<Mark>,
    /// The highest number of a recorded mark, of whichever image.
    pub last_mark: u32,
    /// When the image ended.
    pub ended: Option<Duration>,
    /// Stretches that are missing.
    pub gaps: Vec<(Duration, Duration)>,
}

/// Growth of so much of the highest live bytes, at least of [`LEAST_GROWTH`], is sudden ...
const SUDDEN: u64 = 10;
const LEAST_GROWTH: u64 = 64 << 10;
/// ... when it comes within so much of the time that there is, at least within a second.
const WITHIN: u32 = 50;

impl Past {
    /// The tick that has the peak: the peak's own time is that of the tick before, in which it
    /// began.
    pub fn peak_tick(&self) -> Option<Duration> {
        let (at, bytes) = self.peak?;
        // Of several threads the peak of a tick is known to some bytes only.
        let enough = bytes - bytes / 100;
        let has_it = |point: &&Point| point.at >= at && highest(point) >= enough;
        Some(self.points.iter().find(has_it).map_or(at, |point| point.at))
    }

    /// Moments at which live bytes began to grow suddenly, and by how much; they may have sunk
    /// again at once.
    pub fn growths(&self) -> Vec<(Duration, u64)> {
        let most = self.points.iter().map(highest).max().unwrap_or(0);
        let enough = (most / SUDDEN).max(LEAST_GROWTH);
        let span = self.last.saturating_sub(self.first) / WITHIN;
        let span = span.max(Duration::from_secs(1));
        let mut found: Vec<(Duration, u64)> = Vec::new();
        let (mut to, mut free_from) = (0, Duration::ZERO);
        for (from, point) in self.points.iter().enumerate() {
            let until = point.at.saturating_add(span);
            to = to.max(from);
            while self.points.get(to + 1).is_some_and(|next| next.at <= until) {
                to += 1;
            }
            let behind = self.points.get(from + 1..=to).unwrap_or_default();
            let reached = behind.iter().map(highest).max().unwrap_or(0);
            let grown = reached.saturating_sub(point.current_bytes);
            let begins = behind.first().is_some_and(|next| {
                highest(next).saturating_sub(point.current_bytes) >= enough / 8
            });
            if grown >= enough && begins && point.at >= free_from {
                found.push((point.at, grown));
                free_from = until;
            }
        }
        found
    }
}

/// What a tick ended with, or reached in between.
fn highest(point: &Point) -> u64 {
    point.current_bytes.max(point.max_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_peak_that_is_gone_at_once_is_found_at_the_tick_that_has_it() {
        let mut spike = past((0..100).map(|_| 1 << 20));
        let mut points = spike.points.to_vec();
        points[51].max_bytes = 50 << 20;
        spike.points = points.into();
        spike.peak = Some((Duration::from_millis(5000), 50 << 20));
        assert_eq!(spike.peak_tick(), Some(Duration::from_millis(5100)));
        assert_eq!(spike.growths(), [(Duration::from_millis(5000), 49 << 20)]);
    }

    fn past(bytes: impl IntoIterator<Item = u64>) -> Past {
        let points: Vec<_> = bytes
            .into_iter()
            .enumerate()
            .map(|(tick, current_bytes)| Point {
                at: Duration::from_millis(tick as u64 * 100),
                current_bytes,
                ..Point::default()
            })
            .collect();
        let last = points.last().map_or(Duration::ZERO, |point| point.at);
        Past { points: points.into(), last, ..Past::default() }
    }

    #[test]
    fn a_jump_is_found_and_a_slope_is_not() {
        let slope = (0..600).map(|tick| tick * 10_000);
        assert_eq!(past(slope).growths(), []);
        let jump = (0..600).map(|tick| if tick < 300 { 1 << 20 } else { 4 << 20 });
        assert_eq!(past(jump).growths(), [(Duration::from_millis(29_900), 3 << 20)]);
        assert_eq!(past([]).growths(), []);
    }
}
