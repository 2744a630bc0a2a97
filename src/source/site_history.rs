//! The history of a site at a moment of the past: read out of the recording a slice at a time.
//!
//! A recording may go over a day, and nothing of it is kept in memory; so what the stacks of the
//! site that is looked at held is summed up while the person looks on, from the beginning to the
//! moment shown. What was read stays good while the moment moves, forward and back.

use std::time::{Duration, Instant};

use crate::{
    keeper::history::History,
    model::{Point, SiteHistory, StackId},
    recording::{Bytes, File, SiteStep, SiteWalk},
};

/// The site that is looked at.
#[derive(Debug, Clone)]
pub struct OpenedSite {
    /// Which, by a key that the asker has for it.
    pub of: u64,
    /// All its stacks, those that hold most first.
    pub stacks: Vec<StackId>,
    /// How many stacks were known when these were chosen.
    pub known: usize,
}

/// A site's history so far.
#[derive(Debug, Clone, Default)]
pub(super) struct HistoryReader {
    of: u64,
    image: usize,
    /// Which of the stacks that were known belong to the site.
    chosen: Vec<bool>,
    walk: SiteWalk,
    points: History,
    /// What was before the first point is of other stacks.
    is_void_before: bool,
}

impl HistoryReader {
    /// Goes on after the recording was opened anew.
    pub(super) fn reopen(&mut self) {
        self.walk.reopen();
    }

    /// The history up to a moment of the image since its session began, as far as it was read
    /// when `slice` is over; a frame of the recording more at most.
    pub(super) fn read<B: Bytes>(
        &mut self,
        file: &File<B>,
        image: usize,
        site: &OpenedSite,
        until: Duration,
        slice: Duration,
    ) -> SiteHistory {
        let began = Instant::now();
        self.read_while(file, image, site, until, || began.elapsed() < slice)
    }

    fn read_while<B: Bytes>(
        &mut self,
        file: &File<B>,
        image: usize,
        site: &OpenedSite,
        until: Duration,
        goes_on: impl FnMut() -> bool,
    ) -> SiteHistory {
        self.choose(image, site, until);
        let Self { walk, chosen, points, is_void_before, .. } = self;
        let belongs = |stack: StackId| chosen.get(stack.0 as usize).copied().unwrap_or(false);
        let through = walk.step(file, until, belongs, goes_on, |step| match step {
            SiteStep::Held(at, bytes) => points.push(point(at, bytes)),
            SiteStep::Void => (*points, *is_void_before) = (History::default(), true),
        });
        // A recording that cannot be read any more shows what was read.
        self.told(site.of, until, through.unwrap_or(true))
    }

    /// Begins anew unless what was read is of the same site.
    fn choose(&mut self, image: usize, site: &OpenedSite, until: Duration) {
        let mut chosen = vec![false; site.known];
        for stack in &site.stacks {
            if let Some(place) = chosen.get_mut(stack.0 as usize) {
                *place = true;
            }
        }
        let both = chosen.len().min(self.chosen.len());
        let same =
            (self.of, self.image) == (site.of, image) && chosen[..both] == self.chosen[..both];
        let first = self.points.points().first().map(|point| point.at);
        let is_void = self.is_void_before && first.is_none_or(|first| until < first);
        if !same || is_void {
            let walk = SiteWalk::new(image);
            *self = Self { of: site.of, image, walk, ..Self::default() };
        }
        // Stacks that came later had held nothing before.
        if chosen.len() > self.chosen.len() {
            self.chosen = chosen;
        }
    }

    fn told(&self, of: u64, until: Duration, through: bool) -> SiteHistory {
        let last = self.walk.last().filter(|_| through);
        let last = last.map(|(at, bytes)| point(at, bytes));
        let points = self.points.points().iter().copied().chain(last);
        let points: Vec<Point> = points.take_while(|point| point.at <= until).collect();
        let read_to = points.last().map_or(Duration::ZERO, |point| point.at);
        SiteHistory { of, points, read_to: (!through).then_some(read_to) }
    }
}

fn point(at: Duration, current_bytes: u64) -> Point {
    Point { at, current_bytes, max_bytes: current_bytes, ..Point::default() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        model::{Location, LocationId, Node, NodeId, SiteFigures, SitesUpdate, Stack},
        recording::{Look, Recorder},
    };

    /// Stack `n` comes in second `10 n` and holds a byte more every second from then on, `n + 1`
    /// of them.
    fn recording(seconds: u64) -> File<Vec<u8>> {
        let mut recorder = Recorder::new(Vec::new(), &[], Duration::ZERO).expect("memory");
        let mut known = 0;
        for second in 0..seconds {
            let at = Duration::from_secs(second);
            let mut sites = SitesUpdate { restart: second == 0, ..SitesUpdate::default() };
            if second.is_multiple_of(10) {
                let location = LocationId(known);
                sites.locations.push(Location { module: None, address: u64::from(known) });
                sites.nodes.push(Node { parent: None, location });
                sites.stacks.push(Stack { node: Some(NodeId(known)), cut: false });
                known += 1;
            }
            sites.changed =
                (0..known).map(|stack| (StackId(stack), figures(stack, second))).collect();
            let point = Point { at, ..Point::default() };
            let look = Look { sites, point, ..Look::default() };
            recorder.tick(at, vec![look]).expect("memory");
        }
        File::new(recorder.finish(None).expect("memory")).expect("a recording")
    }

    fn figures(stack: u32, second: u64) -> SiteFigures {
        let since = (second + 1).saturating_sub(10 * u64::from(stack));
        let current_bytes = since * (u64::from(stack) + 1);
        SiteFigures { current_bytes, allocations: 1, ..SiteFigures::default() }
    }

    fn site(stacks: &[u32], known: usize) -> OpenedSite {
        OpenedSite { of: 7, stacks: stacks.iter().copied().map(StackId).collect(), known }
    }

    fn held(history: &SiteHistory) -> Vec<(u64, u64)> {
        history.points.iter().map(|point| (point.at.as_secs(), point.current_bytes)).collect()
    }

    fn expected(stacks: &[u32], until: u64) -> Vec<(u64, u64)> {
        let of = |second| stacks.iter().map(|stack| figures(*stack, second).current_bytes).sum();
        (0..=until).map(|second| (second, of(second))).collect()
    }

    #[test]
    fn it_is_read_slice_by_slice_and_says_how_far() {
        let file = recording(200);
        let (mut reader, site) = (HistoryReader::default(), site(&[0, 3], 15));
        let mut slices = 0;
        let whole = loop {
            let mut frames = 0;
            let goes_on = || {
                frames += 1;
                frames < 20
            };
            let history = reader.read_while(&file, 0, &site, Duration::from_secs(150), goes_on);
            slices += 1;
            let Some(to) = history.read_to else { break history };
            assert_eq!(held(&history), expected(&[0, 3], to.as_secs()), "slice {slices}");
        };
        assert!((5..20).contains(&slices), "{slices}");
        assert_eq!(held(&whole), expected(&[0, 3], 150));
    }

    #[test]
    fn what_was_read_stays_good_while_the_moment_moves() {
        let file = recording(200);
        let mut reader = HistoryReader::default();
        let mut read = |stacks: &[u32], known, until| {
            let mut frames = 0;
            let goes_on = || {
                frames += 1;
                true
            };
            let until = Duration::from_secs(until);
            let history = reader.read_while(&file, 0, &site(stacks, known), until, goes_on);
            (held(&history), frames)
        };
        assert_eq!(read(&[0], 5, 49).0, expected(&[0], 49));
        let (history, frames) = read(&[0], 5, 20);
        assert_eq!((history, frames), (expected(&[0], 20), 0));
        // A stack that came at 60 s belongs to the site as well.
        let (history, frames) = read(&[6, 0], 8, 75);
        assert_eq!(history, expected(&[0, 6], 75));
        assert!(frames < 40, "{frames}");
        let (history, frames) = read(&[0], 3, 29);
        assert_eq!((history, frames), (expected(&[0, 6], 29), 0));
        // Another site is read from the beginning.
        assert_eq!(read(&[1], 8, 75).0, expected(&[1], 75));
    }

    #[test]
    fn a_recording_that_grew_is_read_on() {
        let mut reader = HistoryReader::default();
        let mut read = |seconds, until: u64| {
            let file = recording(seconds);
            reader.reopen();
            let (until, slice) = (Duration::from_secs(until), Duration::from_secs(60));
            held(&reader.read(&file, 0, &site(&[0, 1], 4), until, slice))
        };
        assert_eq!(read(100, 90), expected(&[0, 1], 90));
        assert_eq!(read(190, 170), expected(&[0, 1], 170));
        assert_eq!(read(190, 40), expected(&[0, 1], 40));
    }
}
