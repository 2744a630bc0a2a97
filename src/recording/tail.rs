//! The last events before a moment of an open recording.

use std::{cmp::Reverse, collections::HashMap, time::Duration};

use super::{
    EventRecord, Events, ReadError,
    file::{Bytes, File},
    index::Entry,
};

/// Frames that are decoded, and those that are looked at: of a thread whose last events are known
/// no more are decoded.
const FRAMES: (usize, usize) = (16, 64);
/// Most events that are shown.
const MOST: usize = 1000;
/// Events of which none was in the last seconds are not looked for.
const REACH: Duration = Duration::from_secs(10);

/// An event, by whom and when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment {
    /// Thread id.
    pub tid: u32,
    /// When its tick began, since the image's session did.
    pub at: Duration,
    /// The event.
    pub event: EventRecord,
}

/// Keeps the frames around the moment that was asked for last: playing on reads few new ones.
#[derive(Debug, Default)]
pub struct Tail {
    frames: Vec<(Entry, Events)>,
}

impl Tail {
    /// The newest events of an image before a moment since its session began, oldest first.
    ///
    /// # Errors
    /// When the system refuses to read.
    pub fn before<B: Bytes>(
        &mut self,
        file: &File<B>,
        image: usize,
        at: Duration,
    ) -> Result<Vec<Moment>, ReadError> {
        self.frames = self.newest_frames(file, image, at)?;
        let mut all: Vec<_> =
            self.frames.iter().rev().flat_map(|(_, events)| last_before(events, at)).collect();
        all.sort_by_key(|one| one.at);
        all.drain(..all.len().saturating_sub(MOST));
        Ok(all)
    }

    /// Those that may hold some of the last events of any thread, newest first.
    fn newest_frames<B: Bytes>(
        &mut self,
        file: &File<B>,
        image: usize,
        at: Duration,
    ) -> Result<Vec<(Entry, Events)>, ReadError> {
        let mut entries = file.events_entries(image, (at.saturating_sub(REACH), at))?;
        // Of those that begin in the same tick the last one was written last.
        entries.reverse();
        entries.sort_by_key(|entry| Reverse(entry.at));
        let mut frames: Vec<(Entry, Events)> = Vec::new();
        let mut found: HashMap<u32, usize> = HashMap::new();
        for entry in entries.into_iter().take(FRAMES.1) {
            if frames.len() == FRAMES.0 {
                break;
            }
            let is_enough = |tid: u32| found.get(&tid).is_some_and(|count| *count >= MOST);
            if let Some(events) = self.frame(file, &entry, is_enough)? {
                *found.entry(events.tid).or_default() += before(&events, at).count();
                frames.push((entry, events));
            }
        }
        Ok(frames)
    }

    /// The frame of an entry, unless it is of a thread of which no more is wanted.
    fn frame<B: Bytes>(
        &mut self,
        file: &File<B>,
        entry: &Entry,
        is_enough: impl Fn(u32) -> bool,
    ) -> Result<Option<Events>, ReadError> {
        if let Some(known) = self.frames.iter().position(|(one, _)| one == entry) {
            let (_, events) = self.frames.swap_remove(known);
            return Ok(Some(events).filter(|events| !is_enough(events.tid)));
        }
        let fields = file.events_fields(entry)?.unwrap_or_default();
        let wanted = Events::tid_of(&fields).is_ok_and(|tid| !is_enough(tid));
        Ok(wanted.then(|| Events::read(&fields).ok()).flatten())
    }
}

/// The events of a frame before a moment, in order.
fn before(events: &Events, at: Duration) -> impl Iterator<Item = Moment> {
    let tid = events.tid;
    let timed = events.timed().map(move |(event, began)| Moment {
        tid,
        at: Duration::from_nanos(began.unwrap_or(0)),
        event: *event,
    });
    timed.filter(move |one| one.at < at)
}

fn last_before(events: &Events, at: Duration) -> impl Iterator<Item = Moment> {
    before(events, at).skip(before(events, at).count().saturating_sub(MOST))
}
