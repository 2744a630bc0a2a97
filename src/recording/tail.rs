//! The last events before a moment of an open recording.

use std::{cmp::Reverse, time::Duration};

use super::{
    EventRecord, Events, Frame, ReadError,
    file::{Bytes, File},
    index::Entry,
};

/// Frames that are looked into, those of different threads among them.
const FRAMES: usize = 16;
/// Most events that are shown.
const MOST: usize = 1000;

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
        let mut entries = file.events_entries(image, (at.saturating_sub(REACH), at))?;
        entries.sort_by_key(|entry| Reverse(entry.at));
        entries.truncate(FRAMES);
        let mut frames = Vec::new();
        for entry in entries {
            let known = self.frames.iter().position(|(one, _)| *one == entry);
            match known.map(|known| self.frames.swap_remove(known)) {
                Some(frame) => frames.push(frame),
                None => {
                    if let Some(Frame::Events { events, .. }) = file.frame(&entry)? {
                        frames.push((entry, events));
                    }
                }
            }
        }
        self.frames = frames;
        let mut all: Vec<_> =
            self.frames.iter().rev().flat_map(|(_, events)| last_before(events, at)).collect();
        all.sort_by_key(|one| one.at);
        all.drain(..all.len().saturating_sub(MOST));
        Ok(all)
    }
}

/// Events of which none was in the last seconds are not looked for.
const REACH: Duration = Duration::from_secs(10);

fn last_before(events: &Events, at: Duration) -> Vec<Moment> {
    let tid = events.tid;
    let timed = events.timed().map(|(event, began)| Moment {
        tid,
        at: Duration::from_nanos(began.unwrap_or(0)),
        event: *event,
    });
    let mut before: Vec<_> = timed.filter(|one| one.at < at).collect();
    before.drain(..before.len().saturating_sub(MOST));
    before
}
