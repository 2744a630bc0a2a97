//! Stacks that a thread has walked before, and the words that prove them unchanged.
//!
//! ```text
//!  hints   tag of a return address | distance of the next one
//!  index   2048 sets of 8: tag | position          recent: the way of a set that was right last
//!  arena   ┌ address ┬ sp ┬ rbp ┬ mask ┬ end ┬ id, words ┬ cell ┬ values: n ┬ distances: n / 4 ┐ …
//! ```
//!
//! A set is chosen by the stack pointer and the two innermost return addresses: many programs
//! allocate through one function of theirs, whose own address tells nothing. Where the second
//! one stands is only a hint; what is found by a wrong hint is compared like everything else.
//!
//! Words are compared four at a time, the innermost first; their number is padded by words that
//! stand there already. Where one differs, those beyond are not read: only as far as the words
//! are what they were is it certain where the next one is. When the arena is full, all is
//! forgotten.

use core::{cell::Cell as Place, ptr::with_exposed_provenance};

use super::{Caller, bounds::Stretch, walk::Word};
use crate::session::layout::Cell;

const SETS: usize = 2048;
const WAYS: usize = 8;
const POSITION_BITS: u32 = 19;
/// Words of the arena: 4 MiB, of which what is used takes memory.
pub const ARENA: usize = 1 << POSITION_BITS;
/// Words before the values of an entry.
const HEAD: usize = 7;
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

/// The memo of a thread. Zero-filled memory is an empty one.
#[repr(C)]
pub struct Memo {
    hints: [Place<u32>; HINTS],
    index: [Place<u32>; SETS * WAYS],
    recent: [Place<u8>; SETS],
    used: usize,
    /// Words that may be used; 0 until [`limit`](Memo::limit) says.
    most: usize,
    arena: [u64; ARENA],
}

#[inline(always)]
fn spread_out(value: u64) -> u64 {
    value.wrapping_mul(0x9E37_79B9_7F4A_7C15)
}

/// What tells the return addresses of one place among the hints apart.
#[inline(always)]
fn hint_tag(first: u64) -> u32 {
    (first >> 38) as u32 & 0xFFFF
}

/// Set, and what stands before the position in the index.
#[inline(always)]
fn spread(hash: u64) -> (usize, u32) {
    ((hash >> 53) as usize % SETS, (hash >> 22) as u32 & !(ARENA as u32 - 1))
}

impl Memo {
    /// The stack of a caller, if it is known and the words say that it is the same.
    ///
    /// A function of its own, because its loop wants all registers.
    ///
    /// # Safety
    /// The registers are those of the calling thread, whose stack is readable within `bounds`.
    #[inline(never)]
    pub unsafe fn find(&self, caller: Caller, bounds: &Stretch) -> Option<Hit> {
        // SAFETY: at the stack pointer stands the return address.
        let address = unsafe { with_exposed_provenance::<u64>(caller.sp).read() };
        // SAFETY: upheld by the caller.
        let (set, tag) = unsafe { self.set_of(address, caller.sp, bounds) };
        let way = usize::from(self.recent[set].get()) % WAYS;
        let at = self.index[set * WAYS + way].get() ^ tag;
        if at < ARENA as u32 {
            // SAFETY: positions lead to entries of this arena, 0 to a zero that no return
            // address equals; the rest is upheld by the caller.
            let hit = unsafe { self.compare(at as usize, address, caller, bounds) };
            if hit.is_some() {
                return hit;
            }
        }
        // SAFETY: as above.
        unsafe { self.find_in(caller, bounds) }
    }

    /// Looks at all entries of a set. Takes what [`find`](Self::find) takes, so that it is
    /// reached by a jump, and `find` keeps nothing for it.
    ///
    /// # Safety
    /// As for `find`.
    #[inline(never)]
    unsafe fn find_in(&self, caller: Caller, bounds: &Stretch) -> Option<Hit> {
        // SAFETY: at the stack pointer stands the return address; the rest is upheld by the
        // caller.
        let (address, (set, tag)) = unsafe {
            let address = with_exposed_provenance::<u64>(caller.sp).read();
            (address, self.set_of(address, caller.sp, bounds))
        };
        let ways = &self.index[set * WAYS..][..WAYS];
        let of_tag = |way: &usize| (ways[*way].get() ^ tag) < ARENA as u32;
        (0..WAYS).filter(of_tag).find_map(|way| {
            let at = (ways[way].get() ^ tag) as usize;
            // SAFETY: as in `find`.
            let hit = unsafe { self.compare(at, address, caller, bounds) };
            hit.inspect(|_| self.recent[set].set(way as u8))
        })
    }

    #[inline(always)]
    fn hint_of(&self, first: u64) -> &Place<u32> {
        &self.hints[(first >> 54) as usize % HINTS]
    }

    /// Set and tag of a stack.
    ///
    /// # Safety
    /// As for [`find`](Self::find).
    #[inline(always)]
    unsafe fn set_of(&self, address: u64, sp: usize, bounds: &Stretch) -> (usize, u32) {
        let first = spread_out(address);
        let hint = self.hint_of(first).get();
        let known = hint >> 16 == hint_tag(first);
        let second = sp + if known { (hint & 0xFFFF) as usize * 8 } else { 0 };
        // Where a hint leads out of the stack, the first address counts twice.
        let second = if second >= bounds.low && second < bounds.high { second } else { sp };
        // SAFETY: memory within the bounds is readable.
        let next = unsafe { with_exposed_provenance::<u64>(second).read() };
        spread(spread_out(first ^ next ^ (sp as u64).rotate_left(17)))
    }

    #[inline(always)]
    unsafe fn compare(
        &self,
        at: usize,
        address: u64,
        caller: Caller,
        bounds: &Stretch,
    ) -> Option<Hit> {
        // SAFETY: an entry lies within the arena, with as many words as it says; its words lie
        // between the stack pointer and its end.
        unsafe {
            let entry = self.arena.as_ptr().add(at);
            let other = (*entry ^ address)
                | (*entry.add(1) ^ caller.sp as u64)
                | ((*entry.add(2) ^ caller.bp as u64) & *entry.add(3));
            let inside = caller.sp >= bounds.low && *entry.add(4) <= bounds.high as u64;
            if other != 0 || !inside {
                return None;
            }
            let counts = *entry.add(5);
            let words = (counts >> 32) as usize;
            let value = entry.add(HEAD);
            let distance = value.add(words).cast::<u16>();
            let mut at = 0;
            while at < words {
                if !is_as_it_was(caller.sp, value.add(at), distance.add(at)) {
                    return None;
                }
                at += 4;
            }
            let cell = &*with_exposed_provenance::<Cell>(*entry.add(6) as usize);
            Some(Hit { id: counts as u32, cell })
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
        let (mut count, mut fits, mut farthest) = (0, true, 0);
        let mut put = |value: u64, distance: usize| {
            let four = &mut distances[count / 4];
            let shift = count % 4 * 16;
            *four = *four & !(0xFFFF << shift) | (distance as u64) << shift;
            values[count] = value;
            count += 1;
            count
        };
        let mut told = 0;
        words(&mut |word| {
            let distance = word.address.wrapping_sub(caller.sp) / 8;
            fits &= told < MOST_WORDS - 4 && distance <= usize::from(u16::MAX);
            if fits {
                told = put(word.value, distance);
                farthest = farthest.max(distance);
            }
        });
        while fits && !told.is_multiple_of(4) {
            told = put(address, 0);
        }
        if !fits {
            return;
        }
        let cell = core::ptr::from_ref(hit.cell).expose_provenance() as u64;
        let mask = if uses_base { u64::MAX } else { 0 };
        let end = (caller.sp + (farthest + 1) * 8) as u64;
        let counts = (told as u64) << 32 | u64::from(hit.id);
        let registers = [address, caller.sp as u64, caller.bp as u64];
        head[..3].copy_from_slice(&registers);
        head[3..].copy_from_slice(&[mask, end, counts, cell]);
        let (first, distance) = (spread_out(address), distances[0] as u32 & 0xFFFF);
        // Whoever comes first stays, or two addresses of one place would hide each other.
        if self.hint_of(first).get() == 0 && told != 0 {
            self.hint_of(first).set(hint_tag(first) << 16 | distance);
        }
        let values = at + HEAD;
        let behind = values + MOST_WORDS;
        self.arena.copy_within(behind..behind + told / 4, values + told);
        self.used = values + told + told / 4;
        // SAFETY: the registers of the calling thread, as in `find`.
        let (set, tag) = unsafe { self.set_of(address, caller.sp, bounds) };
        self.enter(set, tag, at);
    }

    /// Puts an entry into its set: in an empty place, or instead of any but the one that was
    /// right last.
    fn enter(&self, set: usize, tag: u32, at: usize) {
        let ways = &self.index[set * WAYS..][..WAYS];
        let recent = usize::from(self.recent[set].get());
        // Entries have many lengths, so this is as good as chance.
        let any = (recent + 1 + at % (WAYS - 1)) % WAYS;
        let way = ways.iter().position(|way| way.get() == 0).unwrap_or(any);
        self.recent[set].set(way as u8);
        ways[way].set(tag | at as u32);
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

    /// Words of the arena that were ever used since all was forgotten.
    pub fn used(&self) -> usize {
        self.used
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
