//! Where the lock-free protocols get their atomics from: one place, so that `tests/loom` can give
//! the same source files others, whose every interleaving it goes through.

use core::arch::asm;
use core::sync::atomic::Ordering::{AcqRel, Acquire};
pub use core::sync::atomic::{AtomicI64, AtomicU32, AtomicU64};

/// Two words that change in one step, by an instruction that every x86-64 processor but the very
/// first has. This is the file to write for another architecture.
#[repr(C, align(16))]
#[derive(Default)]
pub struct AtomicPair {
    first: AtomicU64,
    second: AtomicU64,
}

impl AtomicPair {
    /// The first word.
    #[inline(always)]
    pub fn first(&self) -> u64 {
        self.first.load(Acquire)
    }

    /// The second word.
    #[inline(always)]
    pub fn second(&self) -> u64 {
        self.second.load(Acquire)
    }

    /// Both words: the first as it was while the second stayed the same.
    #[inline]
    pub fn load(&self) -> (u64, u64) {
        loop {
            let (second, first) = (self.second(), self.first());
            if self.second() == second {
                return (first, second);
            }
        }
    }

    /// Sets both words if they are `old`; else says what they are.
    #[inline]
    pub fn compare_exchange(&self, old: (u64, u64), new: (u64, u64)) -> Result<(), (u64, u64)> {
        let (first, second, same): (u64, u64, u64);
        // SAFETY: exchanges the 16 aligned bytes of this pair. LLVM keeps rbx for itself, so it is
        // put back.
        unsafe {
            asm!(
                "xchg {new}, rbx",
                "lock cmpxchg16b xmmword ptr [rdi]",
                "sete cl",
                "mov rbx, {new}",
                new = inout(reg) new.0 => _,
                in("rdi") core::ptr::from_ref(self),
                inout("rcx") new.1 => same,
                inout("rax") old.0 => first,
                inout("rdx") old.1 => second,
                options(nostack),
            );
        }
        if same as u8 != 0 { Ok(()) } else { Err((first, second)) }
    }
}

/// Raises what never falls in a window, and tells whether it was lower. Mostly it is not, and then
/// it is only read: threads that write to one place wait for each other.
#[inline(always)]
pub fn raise(place: &AtomicI64, value: i64) -> bool {
    value > place.load(Acquire) && place.fetch_max(value, AcqRel) < value
}
