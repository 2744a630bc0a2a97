//! Stacks that a thread has walked before, and the words that prove them unchanged.
//!
//! ```text
//!  followers  position of the stack that came after the one before
//!  hints      tag of a return address | distance of the next one
//!  index      512 sets of 8: tag | position       the first of a set is what was right last
//!  arena      ┌ address ┬ sp ┬ rbp ┬ mask ┬ end ┬ id, words ┬ cell ┬ values: n ┬ distances: n / 4 ┐ …
//! ```
//!
//! First comes the stack that followed the last one before (`followers`). If it is another, its set
//! is searched. A set is chosen by the stack pointer and the two innermost return addresses: many
//! programs allocate through one function of theirs, whose own address tells nothing. Where the
//! second one stands is only a hint; what is found by a wrong hint is compared like everything else.
//!
//! Words are compared four at a time, the innermost first; their number is padded by words that
//! stand there already. Where one differs, those beyond are not read: only as far as the words
//! are what they were is it certain where the next one is. When the arena is full, all is
//! forgotten.

use core::{cell::Cell as Place, ptr::with_exposed_provenance};

use super::{Caller, bounds::Stretch, followers::Followers, walk::Word};
use crate::session::layout::Cell;

const SETS: usize = 512;
const WAYS: usize = 8;
const POSITION_BITS: u32 = 19;
/// Words of the arena: 4 MiB, of which what is used takes memory.
pub const ARENA: usize = 1 << POSITION_BITS;
/// Words before the values of an entry.
const HEAD: usize = size_of::<Known>() / 8;
const HINTS: usize = 1024;
/// Stacks with more words are walked each time.
const MOST_WORDS: usize = 512;

/// A stack that was recognised.
#[derive(Clone, Copy)]
pub struct Hit {
    /// Its id.
    pub id: u32,
    /// The cell that goes with it.
    pub cell: &'static Cell,
}

/// A stack of the memo: the registers of the caller and what goes with it. Behind it are the
/// words that prove it.
#[repr(C)]
pub struct Known {
    address: u64,
    sp: usize,
    bp: usize,
    /// All ones, if the walk read the base pointer.
    bp_mask: usize,
    /// End of the farthest word.
    end: usize,
    id: u32,
    words: u32,
    cell: *const Cell,
}

impl Known {
    /// Its id and its cell.
    #[inline(always)]
    pub fn hit(&self) -> Hit {
        // SAFETY: set by `keep` from a reference that lives for ever.
        Hit { id: self.id, cell: unsafe { &*self.cell } }
    }

    /// Registers that lead to the same stack as those of the caller that was recognised.
    pub fn caller(&self) -> Caller {
        Caller { sp: self.sp, bp: self.bp }
    }
}

/// The memo of a thread. Zero-filled memory is an empty one.
#[repr(C)]
pub struct Memo {
    followers: Followers,
    hints: [Place<u32>; HINTS],
    index: [Place<u32>; SETS * WAYS],
    used: usize,
    /// Words that may be used; 0 until [`limit`](Memo::limit) says.
    most: usize,
    arena: [u64; ARENA],
}

#[inline(always)]
fn spread_out(value: u64) -> u64 {
    value.wrapping_mul(0x9E37_79B9_7F4A_7C15)
}

/// What tells the return addresses of one place among the hints apart, above the distance.
#[inline(always)]
fn hint_tag(first: u64) -> u32 {
    (first >> 22) as u32 & 0xFFFF_0000
}

/// Set, and what stands before the position in the index.
#[inline(always)]
fn spread(hash: u64) -> (usize, u32) {
    ((hash >> 55) as usize % SETS, (hash >> 22) as u32 & !(ARENA as u32 - 1))
}

impl Memo {
    /// The stack of a caller, if it is known and the words say that it is the same.
    ///
    /// A function of its own, because its loop wants all registers.
    ///
    /// # Safety
    /// The registers are those of the calling thread, whose stack is readable within `bounds`.
    #[inline(never)]
    pub unsafe fn find(&self, caller: Caller, bounds: &Stretch) -> Option<&Known> {
        // SAFETY: upheld by the caller.
        unsafe { self.find_expected(caller, bounds).or_else(|| self.search(caller, bounds)) }
    }

    /// The same, if it is the one expected.
    ///
    /// # Safety
    /// As for [`find`](Self::find).
    #[inline(always)]
    pub unsafe fn find_expected(&self, caller: Caller, bounds: &Stretch) -> Option<&Known> {
        if caller.sp < bounds.low {
            return None;
        }
        // SAFETY: positions lead to entries of this arena, 0 to a zero that no return address
        // equals; at the stack pointer stands the return address; the rest is upheld by the caller.
        unsafe {
            let address = with_exposed_provenance::<u64>(caller.sp).read();
            let at = self.followers.expected(address, caller.sp);
            let known = self.compare(at as usize, caller, bounds)?;
            self.followers.note(at);
            Some(known)
        }
    }

    /// The same, if it is in its set.
    ///
    /// # Safety
    /// As for [`find`](Self::find).
    #[inline(never)]
    pub unsafe fn search(&self, caller: Caller, bounds: &Stretch) -> Option<&Known> {
        if caller.sp < bounds.low {
            return None;
        }
        // SAFETY: as in `find_expected`.
        unsafe {
            let (set, tag) = self.set_of(caller.sp, bounds);
            let ways = &self.index[set * WAYS..][..WAYS];
            for way in ways {
                let at = way.get() ^ tag;
                if at >= ARENA as u32 {
                    continue;
                }
                if let Some(known) = self.compare(at as usize, caller, bounds) {
                    ways[0].swap(way);
                    self.followers.learn(known.address, caller.sp, at);
                    return Some(known);
                }
            }
        }
        None
    }

    #[inline(always)]
    fn hint_of(&self, first: u64) -> &Place<u32> {
        &self.hints[(first >> 54) as usize % HINTS]
    }

    /// Set and tag of a stack.
    ///
    /// # Safety
    /// As for [`find`](Self::find), and `sp` is not below the bounds.
    #[inline(always)]
    unsafe fn set_of(&self, sp: usize, bounds: &Stretch) -> (usize, u32) {
        // SAFETY: at the stack pointer stands the return address.
        let first = spread_out(unsafe { with_exposed_provenance::<u64>(sp).read() });
        let hint = self.hint_of(first).get() ^ hint_tag(first);
        let distance = if hint <= u32::from(u16::MAX) { hint as usize } else { 0 };
        let second = sp.wrapping_add(distance * 8);
        // Where a hint leads out of the stack, the first address counts twice.
        let second = if second < bounds.high { second } else { sp };
        // SAFETY: memory within the bounds is readable.
        let next = unsafe { with_exposed_provenance::<u64>(second).read() };
        spread(spread_out(first ^ next ^ (sp as u64).rotate_left(17)))
    }

    #[inline(always)]
    unsafe fn compare(&self, at: usize, caller: Caller, bounds: &Stretch) -> Option<&Known> {
        // SAFETY: an entry lies within the arena, with as many words as it says; its words lie
        // between the stack pointer and its end.
        unsafe {
            let known = &*self.arena.as_ptr().add(at).cast::<Known>();
            let address = with_exposed_provenance::<u64>(caller.sp).read();
            let other = (known.address ^ address)
                | (known.sp ^ caller.sp) as u64
                | ((known.bp ^ caller.bp) & known.bp_mask) as u64;
            if other != 0 || known.end > bounds.high {
                return None;
            }
            let words = known.words as usize;
            let value = core::ptr::from_ref(known).add(1).cast::<u64>();
            let distance = value.add(words).cast::<u16>();
            let mut at = 0;
            while at < words {
                if !is_as_it_was(caller.sp, value.add(at), distance.add(at)) {
                    return None;
                }
                at += 4;
            }
            Some(known)
        }
    }

    /// Keeps a stack whose words `words` tells, unless there are too many or they are too far.
    pub fn keep(
        &mut self,
        caller: Caller,
        bounds: &Stretch,
        hit: Hit,
        uses_base: bool,
        words: impl FnOnce(&mut dyn FnMut(Word)),
    ) {
        // SAFETY: at the stack pointer stands the return address.
        let address = unsafe { with_exposed_provenance::<u64>(caller.sp).read() };
        // The words are told once, so the distances wait behind the longest row of values.
        let at = self.room(HEAD + MOST_WORDS + MOST_WORDS / 4);
        let (head, rest) = self.arena[at..].split_at_mut(HEAD);
        let (values, distances) = rest.split_at_mut(MOST_WORDS);
        let mut row = Row { values, distances, told: 0, fits: true, farthest: 0 };
        words(&mut |word| row.tell(&word, caller.sp));
        row.complete(address);
        let Row { told, fits, farthest, .. } = row;
        if !fits {
            return;
        }
        let known = Known {
            address,
            sp: caller.sp,
            bp: caller.bp,
            bp_mask: if uses_base { usize::MAX } else { 0 },
            end: caller.sp + (farthest + 1) * 8,
            id: hit.id,
            words: told as u32,
            cell: hit.cell,
        };
        // SAFETY: the head has room for it, and words have its alignment.
        unsafe { head.as_mut_ptr().cast::<Known>().write(known) };
        let (first, distance) = (spread_out(address), distances[0] as u32 & 0xFFFF);
        // Whoever comes first stays, or two addresses of one place would hide each other.
        if self.hint_of(first).get() == 0 && told != 0 {
            self.hint_of(first).set(hint_tag(first) | distance);
        }
        let values = at + HEAD;
        let behind = values + MOST_WORDS;
        self.arena.copy_within(behind..behind + told / 4, values + told);
        self.used = values + told + told / 4;
        // SAFETY: the registers of the calling thread, whose stack was just walked.
        let (set, tag) = unsafe { self.set_of(caller.sp, bounds) };
        self.enter(set, tag | at as u32);
        self.followers.widen(self.used);
        self.followers.learn(address, caller.sp, at as u32);
    }

    /// Makes an entry the first of its set; the first goes to an empty place, or to that of any
    /// other.
    fn enter(&self, set: usize, entry: u32) {
        let ways = &self.index[set * WAYS..][..WAYS];
        // Entries have many lengths, so this is as good as chance.
        let any = 1 + entry as usize % (WAYS - 1);
        let way = ways.iter().position(|way| way.get() == 0).unwrap_or(any);
        ways[way].set(ways[0].get());
        ways[0].set(entry);
    }

    /// Where an entry of at most so many words goes.
    fn room(&mut self, words: usize) -> usize {
        if self.used == 0 || self.used + words > self.most {
            self.forget();
        }
        self.used
    }

    /// Lets it use so many words of the arena.
    pub fn limit(&mut self, words: usize) {
        self.most = words.min(ARENA);
    }

    /// Lets it use no more of the arena than goes into so many bytes with what is expected.
    pub fn stay_within(&mut self, bytes: usize) {
        self.limit(bytes.saturating_sub(self.followers.used()) / 8);
    }

    /// Bytes that were ever used since all was forgotten, but for the index.
    pub fn used(&self) -> usize {
        self.used * 8 + self.followers.used()
    }

    /// Forgets all stacks.
    pub fn forget(&mut self) {
        // Nothing was entered since: there is nothing to clear.
        if self.used == HEAD {
            return;
        }
        if self.used != 0 {
            self.clear();
        }
        // Position 0 is what an empty place of the index leads to.
        self.used = HEAD;
    }

    #[cold]
    fn clear(&self) {
        self.index.iter().for_each(|place| place.set(0));
        self.hints.iter().for_each(|place| place.set(0));
        self.followers.forget();
    }
}

/// The words of a stack as an entry holds them, while they are told.
struct Row<'a> {
    values: &'a mut [u64],
    /// Four to a word.
    distances: &'a mut [u64],
    /// How many there are.
    told: usize,
    /// There were not too many, and none was too far away.
    fits: bool,
    /// The largest distance, words.
    farthest: usize,
}

impl Row<'_> {
    fn tell(&mut self, word: &Word, sp: usize) {
        let distance = word.address.wrapping_sub(sp) / 8;
        self.fits &= self.told < MOST_WORDS - 4 && distance <= usize::from(u16::MAX);
        if self.fits {
            self.put(word.value, distance);
            self.farthest = self.farthest.max(distance);
        }
    }

    /// They are compared in fours: the return address, at distance 0, stands in for what lacks.
    fn complete(&mut self, address: u64) {
        while self.fits && !self.told.is_multiple_of(4) {
            self.put(address, 0);
        }
    }

    fn put(&mut self, value: u64, distance: usize) {
        let four = &mut self.distances[self.told / 4];
        let shift = self.told % 4 * 16;
        *four = *four & !(0xFFFF << shift) | (distance as u64) << shift;
        self.values[self.told] = value;
        self.told += 1;
    }
}

/// Whether four words are what they were.
#[inline(always)]
unsafe fn is_as_it_was(sp: usize, values: *const u64, distances: *const u16) -> bool {
    let same = |index: usize| {
        // SAFETY: within the bounds, which the caller has compared with the entry's end; values
        // and distances come in fours.
        unsafe {
            let distance = usize::from(*distances.add(index));
            with_exposed_provenance::<u64>(sp).add(distance).read() == *values.add(index)
        }
    };
    same(0) && same(1) && same(2) && same(3)
}
