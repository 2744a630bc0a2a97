//! A recording that keeps to a size: the oldest detail is left out, and what is left out is
//! marked.
//!
//! ```text
//!  segments, oldest first       1 events are left out
//!  | 1 | 2 | 3 | 4 | 5 |        2 ticks and changes of sites are left out: a segment then shows
//!   ───────────▶ until it fits    what it begins with
//!                               3 a segment becomes part of the one before it
//! ```
//!
//! What is said once (processes, modules, stacks, names, marks, ends) and the timeline stay, and
//! so do the last segment and the beginning of the first.

use std::{
    io::{self, Write},
    time::Duration,
};

use super::{
    Gap, MAGIC, ReadError, VERSION,
    file::{Bytes, File},
    frame_crc,
    index::{ANCHOR, Entry, Index},
    kind,
    reader::Frame,
    schema::Record,
};

/// What became of a recording.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Thinned {
    /// Bytes of it now.
    pub bytes: u64,
    /// Its frames.
    pub frames: u64,
    /// Where its last index is.
    pub last_index: Option<u64>,
    /// Up to when, since the launch, something is left out.
    pub until: Option<Duration>,
}

/// Writes what there is of a recording that is not complete, in at most so many bytes if that
/// can be.
///
/// # Errors
/// When the recording cannot be read, or `out` cannot be written.
pub fn thin<B: Bytes>(file: &File<B>, most: u64, out: impl Write) -> Result<Thinned, ReadError> {
    let (mut pieces, known) = pieces(file)?;
    let mut gap = [known, leave_out(&mut pieces, most)].into_iter().flatten().reduce(|one, two| {
        Gap { from: one.from.min(two.from), to: one.to.max(two.to), reason: Gap::THINNED }
    });
    let until = gap.as_ref().map(|gap| gap.to);
    let mut copy = Copy { out, offset: 0, frames: 0, index: Index::default() };
    copy.write(&[&MAGIC[..], &VERSION.to_le_bytes()].concat())?;
    for piece in &pieces {
        copy.piece(file, piece, gap.take())?;
    }
    let last_index = copy.index.previous;
    Ok(Thinned { bytes: copy.offset, frames: copy.frames, last_index, until })
}

/// A segment, and what is to be left of it.
struct Piece {
    /// Frames and their lengths.
    frames: Vec<(Entry, u64)>,
    from: u64,
    to: u64,
}

impl Piece {
    fn bytes(&self) -> u64 {
        self.frames.iter().map(|(_, bytes)| bytes).sum()
    }

    /// True when there was any.
    fn drop_frames(&mut self, unwanted: impl Fn(u8) -> bool) -> bool {
        let before = self.frames.len();
        self.frames.retain(|(entry, _)| !unwanted(entry.kind));
        self.frames.len() < before
    }
}

/// All segments, and the gap that an earlier thinning left, which is in none of them.
fn pieces<B: Bytes>(file: &File<B>) -> Result<(Vec<Piece>, Option<Gap>), ReadError> {
    let (mut pieces, mut known) = (Vec::new(), None);
    for (segment, (from, to)) in file.stretches().enumerate() {
        let mut piece = Piece { frames: Vec::new(), from, to };
        for entry in file.entries(segment)? {
            let gap = match entry.kind {
                kind::GAP => file.frame(&entry)?,
                _ => None,
            };
            match gap {
                Some(Frame::Gap(gap)) if gap.reason == Gap::THINNED => known = Some(gap),
                _ => piece.frames.push((entry, file.frame_bytes(entry.offset)?)),
            }
        }
        pieces.push(piece);
    }
    Ok((pieces, known))
}

/// What a segment begins with.
fn is_anchor(kind: u8) -> bool {
    kind & ANCHOR != 0 || kind == kind::WINDOW
}

fn is_events(kind: u8) -> bool {
    kind == kind::EVENTS
}

fn is_change(kind: u8) -> bool {
    matches!(kind, kind::TICKS | kind::CELLS)
}

/// The stretch of which something was left out.
fn leave_out(pieces: &mut Vec<Piece>, most: u64) -> Option<Gap> {
    let mut bytes: u64 = pieces.iter().map(Piece::bytes).sum();
    let mut thinned: Option<(u64, u64)> = None;
    for unwanted in [is_events, is_change] {
        let older = pieces.len().saturating_sub(1);
        for piece in &mut pieces[..older] {
            if bytes <= most {
                break;
            }
            let before = piece.bytes();
            if piece.drop_frames(unwanted) {
                bytes -= before - piece.bytes();
                let (from, to) = thinned.unwrap_or((piece.from, piece.to));
                thinned = Some((from.min(piece.from), to.max(piece.to)));
            }
        }
    }
    // Every second one, so that what is left is spread over the time there is.
    let mut at = 1;
    while bytes > most && at + 1 < pieces.len() {
        let mut piece = pieces.remove(at);
        let before = piece.bytes();
        piece.drop_frames(is_anchor);
        bytes -= before - piece.bytes();
        pieces[at - 1].frames.append(&mut piece.frames);
        pieces[at - 1].to = piece.to;
        at = if at + 2 < pieces.len() { at + 1 } else { 1 };
    }
    let (from, to) = thinned?;
    let [from, to] = [from, to].map(Duration::from_nanos);
    Some(Gap { from, to, reason: Gap::THINNED })
}

/// The new recording so far.
struct Copy<W> {
    out: W,
    offset: u64,
    frames: u64,
    index: Index,
}

impl<W: Write> Copy<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.offset += bytes.len() as u64;
        self.out.write_all(bytes)
    }

    fn frame(&mut self, kind: u8, payload: &[u8]) -> io::Result<()> {
        let length = (payload.len() as u32).to_le_bytes();
        let crc = frame_crc(length, kind, payload).to_le_bytes();
        self.frames += 1;
        self.write(&[&length[..], &[kind], &crc, payload].concat())
    }

    fn piece<B: Bytes>(
        &mut self,
        file: &File<B>,
        piece: &Piece,
        gap: Option<Gap>,
    ) -> Result<(), ReadError> {
        self.index.start = self.offset;
        (self.index.from, self.index.to) = (piece.from, piece.to);
        for (entry, _) in &piece.frames {
            // A frame that cannot be read any more would have been the cut.
            let Some(payload) = file.payload(entry)? else { continue };
            self.index.entries.push(Entry { offset: self.offset, ..*entry });
            self.frame(entry.kind & !ANCHOR, &payload)?;
        }
        if let Some(gap) = gap {
            let at = gap.from.as_nanos() as u64;
            let entry = Entry { offset: self.offset, kind: kind::GAP, image: None, at };
            self.index.entries.push(entry);
            let mut payload = Vec::new();
            gap.put_fields(&mut payload);
            self.frame(kind::GAP, &payload)?;
        }
        let (offset, mut payload) = (self.offset, Vec::new());
        self.index.put(&mut payload);
        self.frame(kind::INDEX, &payload)?;
        self.index = Index { previous: Some(offset), ..Index::default() };
        Ok(())
    }
}
