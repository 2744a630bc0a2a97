//! What is shown of the past of a session that lives, beside what goes on.

use std::{sync::Arc, time::Duration};

use super::Live;
use crate::{model::Reading, source::past::Past};

impl Live {
    /// The reading of a moment of the past, of the image that `present` shows, beside what goes
    /// on now; `None` where none is looked at, or nothing is kept of it.
    pub(super) fn rewound(&mut self, present: &Reading) -> Option<Reading> {
        let image = present.images.get(present.shown)?;
        let then = self.rewind.as_mut()?.read(image)?;
        Some(Reading {
            images: present.images.clone(),
            shown: present.shown,
            tree: Arc::clone(&present.tree),
            tree_at: present.tree_at,
            goes_on_untraced: present.goes_on_untraced,
            given_back: present.given_back,
            tracing: present.tracing,
            stopped: present.stopped,
            exit: present.exit,
            left_behind: present.left_behind,
            connected: present.connected,
            ..then
        })
    }

    /// What there is to go through: up to now, whatever moment is shown.
    pub(super) fn look_back(&mut self, present: &Reading, shown: &Reading) {
        let Some(rewind) = &mut self.rewind else { return };
        let image = present.images.get(present.shown);
        let (marks, last_mark) = image.map(|image| rewind.marks(image)).unwrap_or_default();
        if rewind.past().is_none() {
            return;
        }
        let own = |seconds| Duration::try_from_secs_f64(seconds).unwrap_or_default();
        let (now, at) = (own(present.now_s), own(shown.now_s));
        let points = &present.timeline;
        let state = present.state.as_ref();
        let kept = rewind.past().filter(|_| rewind.is_past());
        let (before, after) = match kept {
            Some(kept) => (kept.before, kept.after),
            None => (points.iter().rev().map(|point| point.at).find(|tick| *tick < at), None),
        };
        let gaps = kept.map(|kept| kept.gaps.clone()).unwrap_or_default();
        let first = points.first().map_or(Duration::ZERO, |point| point.at);
        let has_stacks = self.index.is_some_and(|index| self.reader.has_stacks(index));
        self.past = Past {
            recording: None,
            first,
            last: now,
            at,
            before,
            after,
            points: points.as_slice().into(),
            intervals: state.map(|state| state.window.intervals.clone()).unwrap_or_default(),
            cleared: state.and_then(|state| state.window.cleared),
            peak: state.and_then(|state| Some((state.totals.peak_at?, state.totals.peak_bytes))),
            sites_from: has_stacks.then_some(first),
            marks,
            last_mark,
            ended: state.and_then(|state| state.identity.ended.map(|_| now)),
            gaps,
        };
    }
}
