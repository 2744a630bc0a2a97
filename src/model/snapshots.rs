//! Moments that a person marked, to be compared with later ones.
//!
//! A mark keeps the figures of every stack. Most stacks do not change between two marks, so
//! figures are kept in chunks, and a chunk that is the same as in the mark before is shared
//! with it: many marks of a program with very many stacks stay affordable, and what they take
//! is bounded by [`MOST_BYTES`]. Beyond it the oldest marks lose their sites, not their sums.
//! Marks of a process that is not shown any more are kept aside until it is shown again.

use std::{collections::BTreeMap, mem::size_of, sync::Arc, time::Duration};

use super::{ProcessState, SiteFigures, StackId, Tally};

/// Figures in a chunk.
const CHUNK: usize = 256;

/// Most memory that the figures of all marks may take.
pub const MOST_BYTES: usize = 256 << 20;

/// The figures of every stack at a moment.
#[derive(Debug, Clone, Default)]
pub struct Figures {
    chunks: Vec<Arc<[SiteFigures]>>,
    sums: SiteFigures,
}

impl Figures {
    /// A copy of `figures`, sharing what is the same with `before`.
    pub fn of(figures: &[SiteFigures], before: Option<&Self>) -> Self {
        let shared = |(at, chunk): (usize, &[SiteFigures])| {
            let same = before.and_then(|before| before.chunks.get(at));
            same.filter(|same| ***same == *chunk).map_or_else(|| chunk.into(), Arc::clone)
        };
        let mut sums = SiteFigures::default();
        figures.iter().for_each(|figures| sums.add(figures));
        Self { chunks: figures.chunks(CHUNK).enumerate().map(shared).collect(), sums }
    }

    /// What all of them come to.
    pub fn sums(&self) -> &SiteFigures {
        &self.sums
    }

    /// The figures of a stack; nothing for one that came later.
    pub fn get(&self, stack: StackId) -> SiteFigures {
        let at = stack.0 as usize;
        let chunk = self.chunks.get(at / CHUNK);
        chunk.and_then(|chunk| chunk.get(at % CHUNK)).copied().unwrap_or_default()
    }

    /// All of them, by stack.
    pub fn iter(&self) -> impl Iterator<Item = &SiteFigures> {
        self.chunks.iter().flat_map(|chunk| chunk.iter())
    }
}

/// A marked moment.
#[derive(Debug, Clone, Default)]
pub struct Snapshot {
    /// Seconds since the session began.
    pub t_s: f64,
    /// What the person calls it.
    pub name: Option<String>,
    /// All other figures then, without sites, names and timeline; `None` where there were none
    /// yet.
    pub state: Option<ProcessState>,
    /// Figures by stack; `None` where they are not known.
    pub figures: Option<Figures>,
    /// Of when those are, where that is before the mark.
    pub sites_as_of: Option<Duration>,
    /// They were known, and had to make room.
    pub made_room: bool,
}

impl Snapshot {
    /// Live bytes and blocks of a stack then.
    pub fn tally(&self, stack: StackId) -> Tally {
        let figures = self.figures.as_ref().map(|figures| figures.get(stack)).unwrap_or_default();
        Tally::new(figures.current_bytes, figures.current_blocks)
    }
}

/// Pid and generation of a process image.
type Image = (u32, u32);

/// All marks of the image that is shown, by number.
#[derive(Debug, Default)]
pub struct Snapshots {
    marks: BTreeMap<u32, Snapshot>,
    shown: Option<Image>,
    /// Those of the images that were shown before.
    aside: BTreeMap<Image, BTreeMap<u32, Snapshot>>,
}

impl Snapshots {
    /// From now on marks are of this image, pid and generation: those that it had are there again.
    /// What was marked before any image was known is the first one's.
    pub fn show(&mut self, image: (u32, u32)) {
        let Some(former) = self.shown.replace(image).filter(|former| *former != image) else {
            return;
        };
        let had = self.aside.remove(&image).unwrap_or_default();
        let former_marks = std::mem::replace(&mut self.marks, had);
        if !former_marks.is_empty() {
            self.aside.insert(former, former_marks);
        }
    }

    /// Keeps a moment under a number; `figures` are those of every stack. Returns the marks
    /// that lost their sites to make room.
    pub fn insert(&mut self, number: u32, snapshot: Snapshot, figures: &[SiteFigures]) -> Vec<u32> {
        let before = self.marks.values().rev().find_map(|mark| mark.figures.as_ref());
        // Where nothing was allocated yet, it is known that no stack held anything.
        let nothing = |state: &ProcessState| state.totals.allocations == 0;
        let known = !figures.is_empty() || snapshot.state.as_ref().is_none_or(nothing);
        let kept = known.then(|| Figures::of(figures, before));
        self.marks.insert(number, Snapshot { figures: kept, ..snapshot });
        self.make_room(number, MOST_BYTES)
    }

    /// Keeps what is known of a moment without its sites.
    pub fn insert_without_sites(&mut self, number: u32, snapshot: Snapshot) {
        self.marks.insert(number, Snapshot { figures: None, ..snapshot });
    }

    fn make_room(&mut self, newest: u32, most: usize) -> Vec<u32> {
        let mut lost = Vec::new();
        while self.bytes() > most {
            let aside = self.aside.values_mut().flatten();
            let shown = self.marks.iter_mut().filter(|(at, _)| **at != newest);
            let Some((number, mark)) = aside.chain(shown).find(|(_, mark)| mark.figures.is_some())
            else {
                break;
            };
            mark.figures = None;
            mark.made_room = true;
            lost.push(*number);
        }
        lost
    }

    /// Memory that the figures of all marks take, whosever they are.
    pub fn bytes(&self) -> usize {
        let mut chunks: Vec<(*const SiteFigures, usize)> = Vec::new();
        let marks = self.aside.values().chain([&self.marks]).flat_map(BTreeMap::values);
        for figures in marks.filter_map(|mark| mark.figures.as_ref()) {
            chunks.extend(figures.chunks.iter().map(|chunk| (chunk.as_ptr(), chunk.len())));
        }
        chunks.sort_unstable();
        chunks.dedup();
        chunks.iter().map(|(_, length)| length * size_of::<SiteFigures>()).sum()
    }

    /// A mark.
    pub fn get(&self, number: u32) -> Option<&Snapshot> {
        self.marks.get(&number)
    }

    /// All marks, in order of their numbers.
    pub fn iter(&self) -> impl Iterator<Item = (u32, &Snapshot)> {
        self.marks.iter().map(|(number, mark)| (*number, mark))
    }

    /// A mark gets a name, or loses it.
    pub fn rename(&mut self, number: u32, name: Option<String>) {
        if let Some(mark) = self.marks.get_mut(&number) {
            mark.name = name;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn figures(count: usize) -> Vec<SiteFigures> {
        (0..count as u64)
            .map(|at| SiteFigures { current_bytes: at, ..Default::default() })
            .collect()
    }

    const EACH: usize = size_of::<SiteFigures>();

    #[test]
    fn marks_share_what_did_not_change() {
        let mut marks = Snapshots::default();
        let mut now = figures(10 * CHUNK);
        assert!(marks.insert(1, Snapshot::default(), &now).is_empty());
        assert_eq!(marks.bytes(), 10 * CHUNK * EACH);
        now[3 * CHUNK].current_bytes = 7;
        now.extend(figures(10));
        marks.insert(2, Snapshot::default(), &now);
        assert_eq!(marks.bytes(), (11 * CHUNK + 10) * EACH);
        let tally = |number, stack| marks.get(number).expect("a mark").tally(StackId(stack)).bytes;
        let changed = 3 * CHUNK as u32;
        assert_eq!((tally(1, changed), tally(2, changed)), (i64::from(changed), 7));
        assert_eq!((tally(1, 10 * CHUNK as u32 + 3), tally(2, 10 * CHUNK as u32 + 3)), (0, 3));
        let all = marks.get(2).and_then(|mark| mark.figures.as_ref()).expect("figures");
        assert!(all.iter().copied().eq(now));
    }

    #[test]
    fn the_oldest_marks_make_room() {
        let mut marks = Snapshots::default();
        for number in 1..=4 {
            let mut now = figures(CHUNK);
            now[0].current_bytes = 100 + u64::from(number);
            marks.insert(number, Snapshot { t_s: 1.0, ..Snapshot::default() }, &now);
        }
        assert_eq!(marks.make_room(4, 2 * CHUNK * EACH), [1, 2]);
        assert!(marks.get(1).is_some_and(|mark| mark.figures.is_none() && mark.t_s == 1.0));
        assert!(marks.get(3).is_some_and(|mark| mark.figures.is_some()));
        assert_eq!(marks.make_room(4, 0), [3]);
        assert!(marks.get(4).is_some_and(|mark| mark.figures.is_some()), "the newest stays");
    }

    #[test]
    fn marks_of_a_process_are_there_again_when_it_is_and_count_meanwhile() {
        let mut marks = Snapshots::default();
        let insert = |marks: &mut Snapshots, number| {
            let mut now = figures(CHUNK);
            now[0].current_bytes = 100 + u64::from(number);
            marks.insert(number, Snapshot::default(), &now);
        };
        insert(&mut marks, 1);
        marks.show((7, 0));
        assert!(marks.get(1).is_some(), "set before the process was known");
        marks.show((7, 1));
        assert!(marks.iter().next().is_none());
        insert(&mut marks, 2);
        assert_eq!(marks.bytes(), 2 * CHUNK * EACH);
        marks.show((7, 0));
        let numbers: Vec<u32> = marks.iter().map(|(number, _)| number).collect();
        assert_eq!(
            (numbers, marks.get(1).map(|mark| mark.tally(StackId(0)).bytes)),
            (vec![1], Some(101))
        );
        // Those that are not shown make room first.
        insert(&mut marks, 3);
        assert_eq!(marks.make_room(3, 2 * CHUNK * EACH), [2]);
        marks.show((7, 1));
        assert!(marks.get(2).is_some_and(|mark| mark.made_room));
    }
}
