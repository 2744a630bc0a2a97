//! Of which moment sites are: they are looked at less often than totals.

use std::time::Duration;

use super::{ProcessState, SiteFigures};

impl ProcessState {
    /// Whether its sites come to its totals. No block came or went between a look at the ones and
    /// a look at the others then, since counts of allocations only grow.
    pub fn sites_add_up(&self) -> bool {
        let mut sum = SiteFigures::default();
        self.sites.figures.iter().for_each(|figures| sum.add(figures));
        let totals = &self.totals;
        let whole = (totals.allocations, totals.current_blocks, totals.current_bytes);
        (sum.allocations, sum.current_blocks, sum.current_bytes) == whole
    }

    /// Notes when its sites were looked at, if that was before its last sample and something has
    /// changed meanwhile.
    pub fn date_sites(&mut self, looked_at: Option<Duration>) {
        let shown = self.timeline.last().map_or(Duration::ZERO, |point| point.at);
        // What was written as a whole has no time of its own.
        let is_earlier = |at: &Duration| *at < shown && !at.is_zero();
        self.sites.as_of = looked_at.filter(is_earlier);
        if self.sites.as_of.is_some() && self.sites_add_up() {
            self.sites.as_of = None;
        }
    }
}
