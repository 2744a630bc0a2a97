//! What an open recording holds of one image, read piece by piece.

use std::time::Duration;

use super::{Bytes, File};
use crate::{
    model::Point,
    recording::{Events, Frame, ReadError, index::Entry, kind, reader::Envelope, value::nanos},
};

impl<B: Bytes> File<B> {
    /// Shows `with` the points of an image's timeline frames that begin before `until`, since
    /// its session began.
    ///
    /// # Errors
    /// When the system refuses to read.
    pub fn each_point(
        &self,
        image: usize,
        until: Duration,
        with: &mut impl FnMut(Point),
    ) -> Result<(), ReadError> {
        let entries = self.images.get(image).map(|facts| &facts.timeline[..]).unwrap_or_default();
        let until = nanos(until);
        for entry in entries.iter().filter(|entry| entry.at < until) {
            if let Some(Frame::Timeline { points, .. }) = self.frame(entry)? {
                points.into_iter().for_each(&mut *with);
            }
        }
        Ok(())
    }

    /// The samples of an image right before and behind a moment, since its session began.
    ///
    /// # Errors
    /// When the system refuses to read.
    pub fn neighbours(
        &self,
        image: usize,
        at: Duration,
    ) -> Result<(Option<Duration>, Option<Duration>), ReadError> {
        let entries = self.images.get(image).map(|facts| &facts.timeline[..]).unwrap_or_default();
        let behind = entries.partition_point(|entry| entry.at <= nanos(at));
        let near = behind.saturating_sub(2)..(behind + 1).min(entries.len());
        let (mut before, mut after) = (None, None);
        for entry in &entries[near] {
            if let Some(Frame::Timeline { points, .. }) = self.frame(entry)? {
                let times = || points.iter().map(|point| point.at);
                before = times().rfind(|time| *time < at).or(before);
                after = after.or_else(|| times().find(|time| *time > at));
            }
        }
        Ok((before, after))
    }

    /// Shows `with` what threads of an image did: every block of events that may hold some from
    /// a stretch of time since its session began, in no order.
    ///
    /// # Errors
    /// When the system refuses to read.
    pub fn each_events(
        &self,
        image: usize,
        stretch: (Duration, Duration),
        with: &mut impl FnMut(Events),
    ) -> Result<(), ReadError> {
        for entry in self.events_entries(image, stretch)? {
            if let Some(Frame::Events { events, .. }) = self.frame(&entry)? {
                with(events);
            }
        }
        Ok(())
    }

    /// Whether anything was recorded of what threads of an image did, one by one.
    pub fn has_events(&self, image: usize) -> bool {
        let all = self.events_entries(image, (Duration::ZERO, Duration::MAX));
        all.is_ok_and(|entries| !entries.is_empty())
    }

    /// What a block of events says, before it is decoded; `None` when it is damaged.
    pub(in crate::recording) fn events_fields(
        &self,
        entry: &Entry,
    ) -> Result<Option<Vec<u8>>, ReadError> {
        let payload = self.payload(entry)?.filter(|_| entry.kind == kind::EVENTS);
        Ok(payload.and_then(|payload| Envelope::read(&payload).ok()).map(|one| one.fields))
    }

    /// Where these blocks of events are.
    pub(in crate::recording) fn events_entries(
        &self,
        image: usize,
        (from, until): (Duration, Duration),
    ) -> Result<Vec<Entry>, ReadError> {
        let mut found = Vec::new();
        let Some(facts) = self.images.get(image) else {
            return Ok(found);
        };
        let since_launch = |own: Duration| facts.identity.started.saturating_add(own);
        let first = self.segment_at(since_launch(from)).unwrap_or(0);
        // Events are written a moment after they happened, and later where a disk was slow.
        let last = self.segment_at(since_launch(until.saturating_add(LATE))).unwrap_or(0);
        for segment in first..=last {
            for entry in self.entries(segment)? {
                let own = entry.kind == kind::EVENTS && self.position(&entry) == Some(image);
                let near = entry.at <= nanos(until)
                    && entry.at.saturating_add(nanos(LONGEST)) >= nanos(from);
                if own && near {
                    found.push(entry);
                }
            }
        }
        Ok(found)
    }
}

/// Events stand in the file within so long after they happened.
const LATE: Duration = Duration::from_secs(5);
/// The events of one frame go over no more than so long.
const LONGEST: Duration = Duration::from_secs(60);
