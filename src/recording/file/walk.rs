//! Finds the segments of a recording: from its end, or from its beginning where that is missing.

use std::{collections::HashMap, time::Duration};

use super::{Bytes, File};
use crate::recording::{
    FRAME_HEADER_BYTES, Frame, MAGIC, ReadError, TRAILER_BYTES,
    index::{ANCHOR, Entry, Index},
    kind,
    reader::decode,
    value::nanos,
    wire::{Fields, take_uint},
};

/// A segment on the way in.
pub(super) type Found = (Option<u64>, Index);

impl<B: Bytes> File<B> {
    /// All indices of a recording that is complete, found from its end; `None` when it is not.
    pub(super) fn chain(&mut self) -> Result<Option<Vec<Found>>, ReadError> {
        let Some(trailer) = self.length.checked_sub(TRAILER_BYTES as u64) else {
            return Ok(None);
        };
        let mut bytes = [0; TRAILER_BYTES];
        self.bytes.read_at(trailer, &mut bytes)?;
        let (offset, magic) = bytes.split_at(8);
        let offset = u64::from_le_bytes(offset.try_into().unwrap_or_default());
        let end = match magic == MAGIC {
            true => self.raw_frame(offset)?.filter(|raw| raw.kind == kind::END),
            false => None,
        };
        let Some(end) = end.filter(|raw| raw.end == trailer) else {
            return Ok(None);
        };
        let Ok(Frame::End { index: mut next, .. }) = decode(kind::END, &end.payload) else {
            return Ok(None);
        };
        let (mut found, mut limit) = (Vec::new(), offset);
        while let Some(at) = next {
            let Some((index, behind)) = self.index(at)?.filter(|_| at < limit) else {
                return Ok(None);
            };
            // Index and next segment are neighbours, so none is left out.
            if behind != limit {
                return Ok(None);
            }
            limit = index.start;
            next = index.previous;
            found.push((Some(at), Index { entries: notable(index.entries), ..index }));
        }
        found.reverse();
        self.good_bytes = trailer;
        Ok((limit == 12).then_some(found))
    }

    /// All indices of a recording whose end is missing, and what stands behind the last one.
    pub(super) fn walk(&mut self) -> Result<Vec<Found>, ReadError> {
        let (mut found, mut start) = (Vec::new(), 12);
        let mut at = start;
        while let Some(header) = self.header(at)? {
            if header.kind == kind::INDEX {
                let Some((index, end)) = self.index(at)?.filter(|(one, _)| one.start == start)
                else {
                    break;
                };
                found.push((Some(at), Index { entries: notable(index.entries), ..index }));
                (start, at) = (end, end);
                continue;
            }
            at += FRAME_HEADER_BYTES as u64 + u64::from(header.length);
        }
        let from = found.last().map_or(0, |(_, index): &Found| index.to);
        let tail = self.walk_tail(start, from)?;
        if !tail.entries.is_empty() {
            found.push((None, tail));
        }
        Ok(found)
    }

    /// Checks every frame from `start` on, up to the first bad one.
    fn walk_tail(&mut self, start: u64, from: u64) -> Result<Index, ReadError> {
        let mut tail = Index { start, from, to: from, ..Index::default() };
        let mut started = HashMap::new();
        self.good_bytes = start;
        self.cut = true;
        while let Some(raw) = self.raw_frame(self.good_bytes)? {
            let Ok(frame) = decode(raw.kind, &raw.payload) else {
                break;
            };
            if let Frame::Process { image, identity } = &frame {
                started.insert(*image, identity.started);
            }
            let entry = entry_of(self.good_bytes, raw.kind, &frame, &raw.payload);
            tail.to = tail.to.max(self.time_of(&entry, &frame, &started));
            tail.entries.push(entry);
            self.good_bytes = raw.end;
            if matches!(frame, Frame::End { .. }) {
                self.cut = false;
                break;
            }
        }
        Ok(tail)
    }

    /// When the last thing in a frame was, since the launch.
    fn time_of(&self, entry: &Entry, frame: &Frame, started: &HashMap<u64, Duration>) -> u64 {
        let image = entry.image.map(u64::from);
        let base = image.and_then(|image| started.get(&image)).copied();
        let base = base.map_or(0, nanos);
        let own = match frame {
            Frame::Ticks { ticks, .. } => {
                entry.at.saturating_add(ticks.scan().map_or(0, |(_, span)| span))
            }
            Frame::Timeline { points, .. } => points.last().map_or(0, |point| nanos(point.at)),
            Frame::Exit { ended, .. } => {
                return ended.map_or(0, nanos);
            }
            _ => entry.at,
        };
        base.saturating_add(own)
    }
}

/// Entries that say what [`File::note`] looks at; the others are many, and read again when
/// their segment is.
fn notable(mut entries: Vec<Entry>) -> Vec<Entry> {
    let bulk = [kind::TICKS, kind::CELLS, kind::CELLS | ANCHOR, kind::WINDOW, kind::EVENTS];
    entries.retain(|entry| !bulk.contains(&entry.kind));
    entries.shrink_to_fit();
    entries
}

/// What an index would say of a frame.
fn entry_of(offset: u64, raw_kind: u8, frame: &Frame, payload: &[u8]) -> Entry {
    let anchor = match frame {
        Frame::Along { .. } => true,
        Frame::Cells { cells, .. } => cells.reset,
        _ => false,
    };
    let place_of_time = match raw_kind {
        kind::WINDOW | kind::STATE => 3,
        _ => 2,
    };
    let about_image = matches!(raw_kind, 2..=6 | 16..=21 | kind::TICKS | kind::MARK);
    let mut entry =
        Entry { offset, kind: raw_kind | if anchor { ANCHOR } else { 0 }, image: None, at: 0 };
    for (tag, mut value) in Fields(payload).flatten() {
        match tag {
            1 if about_image => {
                entry.image = take_uint(&mut value).ok().and_then(|one| u32::try_from(one).ok());
            }
            tag if tag == place_of_time && has_time(raw_kind) => {
                entry.at = take_uint(&mut value).unwrap_or(0);
            }
            _ => {}
        }
    }
    if let Frame::Timeline { points, .. } = frame {
        entry.at = points.first().map_or(0, |point| nanos(point.at));
    }
    entry
}

/// Kinds whose payload says when.
fn has_time(kind: u8) -> bool {
    matches!(kind, kind::WINDOW | kind::STATE | kind::MARK | kind::TICKS | 16..=21)
}
