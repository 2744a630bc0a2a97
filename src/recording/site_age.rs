//! Of when the figures of sites are: how long they stay right after a look.
//!
//! Sites are looked at once a second, and written where they changed. As long as nothing is
//! allocated and freed, they are right at every tick, written or not; and where they come to the
//! totals of a tick, they are right at that tick. Both can be told from what is recorded, so that
//! an idle program's sites are of now.

use std::time::Duration;

use crate::model::{SiteFigures, Totals};

/// Up to when figures of sites are right. Times are since the image's session began.
#[derive(Debug, Clone, Default)]
pub(super) struct SitesAge {
    /// What all sites come to.
    pub(super) sum: SiteFigures,
    /// What had happened in all when they were looked at, if that is known.
    counts: Option<[u64; 3]>,
    right_until: Option<Duration>,
}

impl SitesAge {
    /// Sites were looked at; `tick` is the last one there was.
    pub(super) fn looked(&mut self, at: Duration, tick: Option<(Duration, &Totals)>) {
        self.right_until = Some(at);
        self.counts = None;
        let Some((time, totals)) = tick else { return };
        if time == at {
            self.counts = Some(counts(totals));
        }
        if time >= at {
            self.tick(time, totals);
        }
    }

    /// A tick shows these totals.
    pub(super) fn tick(&mut self, at: Duration, totals: &Totals) {
        let now = counts(totals);
        if self.right_until.is_some() && (self.counts == Some(now) || adds_up(&self.sum, totals)) {
            self.right_until = Some(at);
            self.counts = Some(now);
        }
    }

    /// Whether something had happened by a tick that no look has seen.
    pub(super) fn is_behind(&self, totals: &Totals) -> bool {
        self.counts.is_some_and(|counted| counted != counts(totals))
    }

    /// The last tick, or look, at which they were right for certain.
    pub(super) fn right_until(&self) -> Option<Duration> {
        self.right_until
    }
}

/// Numbers of which one changes with every block that comes or goes.
fn counts(totals: &Totals) -> [u64; 3] {
    [totals.allocations, totals.frees, totals.current_bytes]
}

/// Counts of allocations only grow: what comes to as many is of the same moment.
fn adds_up(sum: &SiteFigures, totals: &Totals) -> bool {
    let whole = (totals.allocations, totals.current_blocks, totals.current_bytes);
    (sum.allocations, sum.current_blocks, sum.current_bytes) == whole
}

#[cfg(test)]
mod tests {
    use super::*;

    fn totals(allocations: u64) -> Totals {
        Totals { allocations, current_bytes: 7, current_blocks: 1, ..Totals::default() }
    }

    const fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn sites_stay_right_while_nothing_happens() {
        let mut age = SitesAge::default();
        age.tick(at(1), &totals(0));
        assert_eq!(age.right_until(), None);
        age.looked(at(2), Some((at(2), &totals(5))));
        age.tick(at(3), &totals(5));
        assert_eq!(age.right_until(), Some(at(3)));
        age.tick(at(4), &totals(6));
        age.tick(at(5), &totals(6));
        assert_eq!(age.right_until(), Some(at(3)));
        assert!(age.is_behind(&totals(6)));
    }

    #[test]
    fn sites_that_come_to_the_totals_are_right() {
        let mut age = SitesAge::default();
        age.sum = SiteFigures { allocations: 6, current_bytes: 7, current_blocks: 1, ..age.sum };
        // What a look finds may be newer than the totals of its tick.
        age.looked(at(2), Some((at(2), &totals(5))));
        age.tick(at(3), &totals(6));
        assert_eq!(age.right_until(), Some(at(3)));
        age.tick(at(4), &totals(7));
        assert_eq!(age.right_until(), Some(at(3)));
    }

    #[test]
    fn what_a_segment_begins_with_is_as_old_as_it_says() {
        let mut age = SitesAge::default();
        age.looked(at(2), Some((at(3), &totals(9))));
        age.tick(at(4), &totals(9));
        assert_eq!(age.right_until(), Some(at(2)));
    }
}
