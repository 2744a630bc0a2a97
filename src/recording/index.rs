//! Index frames: which frame of a segment is where.

use super::{
    block,
    column::{Column, put_column},
    value::Field,
    wire::{Fields, Malformed, put_field, take_uint},
};

/// Most frames of one segment that an index lists; what a hostile one may say.
pub(super) const MAX_ENTRIES: usize = 1 << 17;
/// Set in the kind of a frame that stands by itself: what follows counts from it.
pub(super) const ANCHOR: u8 = 128;

/// Where a frame is and what it is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) offset: u64,
    /// Its kind, with [`ANCHOR`] where that applies.
    pub(super) kind: u8,
    pub(super) image: Option<u32>,
    /// Since the image's session began; for a frame about no image since the launch.
    pub(super) at: u64,
}

/// One segment.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Index {
    pub(super) previous: Option<u64>,
    pub(super) start: u64,
    /// Since the launch, nanoseconds.
    pub(super) from: u64,
    pub(super) to: u64,
    pub(super) entries: Vec<Entry>,
}

impl Index {
    pub(super) fn put(&self, out: &mut Vec<u8>) {
        self.previous.put(1, out);
        self.start.put(2, out);
        self.from.put(3, out);
        self.to.put(4, out);
        let mut frames = Vec::new();
        put_column(1, self.entries.iter().map(|one| one.offset), &mut frames);
        put_column(2, self.entries.iter().map(|one| u64::from(one.kind)), &mut frames);
        let images =
            self.entries.iter().map(|one| one.image.map_or(0, |image| u64::from(image) + 1));
        put_column(3, images, &mut frames);
        put_column(4, self.entries.iter().map(|one| one.at), &mut frames);
        put_field(5, &block::pack(&frames), out);
    }

    pub(super) fn read(payload: &[u8]) -> Result<Self, Malformed> {
        let mut index = Self::default();
        for field in Fields(payload) {
            let (tag, mut value) = field?;
            match tag {
                1 => index.previous = Some(take_uint(&mut value)?),
                2 => index.start = take_uint(&mut value)?,
                3 => index.from = take_uint(&mut value)?,
                4 => index.to = take_uint(&mut value)?,
                5 => index.entries = read_entries(&block::unpack(value)?)?,
                _ => {}
            }
        }
        Ok(index)
    }
}

fn read_entries(fields: &[u8]) -> Result<Vec<Entry>, Malformed> {
    let mut columns = [Column::default(); 4];
    for field in Fields(fields) {
        if let (tag @ 1..=4, value) = field? {
            columns[tag as usize - 1] = Column::new(value);
        }
    }
    let [mut offset, mut kind, mut image, mut at] = columns;
    let mut entries = Vec::new();
    while !offset.is_done() {
        if entries.len() == MAX_ENTRIES {
            return Err(Malformed);
        }
        entries.push(Entry {
            offset: offset.next()?,
            kind: u8::try_from(kind.next()?).map_err(|_| Malformed)?,
            image: image.next_id()?,
            at: at.next()?,
        });
    }
    Ok(entries)
}
