//! The C symbols.

use core::{
    arch::naked_asm,
    ffi::{c_int, c_void},
    ptr::null_mut,
};

use super::{
    bootstrap, entrances, next,
    record::{record, record_carefully, record_usual},
    start::ORIGIN,
};
use crate::{
    fast::{self, Entry, Step},
    hook::{self, Allocation},
    session::layout::Slot,
    shadow::COARSE,
    stack::Caller,
};

pub type Pointer = *mut c_void;

/// What a block's size, its caller's registers and its address come to, behind the call of the
/// next allocator: `sp` leads to the return address of the allocation function.
extern "C" fn recorded(block: Pointer, size: usize, sp: usize, bp: usize) -> Pointer {
    record(block, size, Caller { sp, bp })
}

/// The same for a function of which an allocator may call another on the way, by the symbol that
/// it exports: then the block has been recorded.
pub extern "C" fn recorded_once(block: Pointer, size: usize, sp: usize, bp: usize) -> Pointer {
    let caller = Caller { sp, bp };
    match next::glibc_usable_size(block) {
        Some(usable) => record_usual(block, size, usable, caller),
        None if entrances::is_counted(block) => block,
        None => record_carefully(block, size, caller),
    }
}

/// The body of a function that asks the next allocator for `$size` bytes, a register, and hands
/// what it got to `$recorded`, with the caller's registers. The size waits on the stack; rbp
/// comes back from the call as it was; an exception passes by the unwinding rules alone.
macro_rules! ask_and_record {
    ($($first:literal),* ; $size:literal, $next:path, $recorded:path) => {
        core::arch::naked_asm!(
            ".cfi_startproc",
            $($first,)*
            concat!("push ", $size),
            ".cfi_adjust_cfa_offset 8",
            "call [rip + {next}]",
            "pop rsi",
            ".cfi_adjust_cfa_offset -8",
            "mov rdi, rax",
            "mov rdx, rsp",
            "mov rcx, rbp",
            "jmp {recorded}",
            ".cfi_endproc",
            next = sym $next,
            recorded = sym $recorded,
        )
    };
}
pub(super) use ask_and_record;

/// # Safety
/// As C's `malloc`.
#[unsafe(naked)]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn malloc(bytes: usize) -> Pointer {
    ask_and_record!(; "rdi", next::pointers::malloc, recorded)
}

/// # Safety
/// As C's `calloc`.
#[unsafe(naked)]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn calloc(count: usize, bytes: usize) -> Pointer {
    // A product that overflows makes the allocator fail, and then it is not recorded.
    ask_and_record!(
        "mov rax, rdi", "imul rax, rsi"; "rax", next::pointers::calloc, recorded_once
    )
}

/// # Safety
/// As C's `free`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn free(block: Pointer) {
    let Some(usable) = next::glibc_usable_size(block) else { return free_carefully(block) };
    match fast::enter_release::<COARSE>(block.addr()) {
        Entry::Idle => next::free(block),
        Entry::Counted(slot) => free_counted(block, usable, slot),
        Entry::Captured(slot) => free_with_stack(block, usable, slot),
        Entry::Unusual => free_carefully(block),
    }
}

#[inline(never)]
fn free_counted(block: Pointer, usable: u64, slot: &'static Slot) {
    match fast::count_release::<COARSE>(block.addr(), usable, slot) {
        Step::Done => next::free(block),
        Step::Unsettled => settle_and_free(block),
        Step::Untold(word) => tell_and_free(block, word),
        Step::Behind(word) => free_behind(block, usable, slot, word),
        Step::Unusual => free_carefully(block),
    }
}

#[inline(never)]
fn free_behind(block: Pointer, usable: u64, slot: &'static Slot, word: u64) {
    fast::catch_up_release(slot, word);
    free_counted(block, usable, slot);
}

#[inline(never)]
fn free_with_stack(block: Pointer, usable: u64, slot: &'static Slot) {
    match fast::release_with_stack::<COARSE>(block.addr(), usable, slot) {
        Step::Done => next::free(block),
        Step::Unsettled => settle_and_free(block),
        Step::Untold(word) => tell_and_free(block, word),
        Step::Behind(word) => free_behind_with_stack(block, usable, slot, word),
        Step::Unusual => free_carefully(block),
    }
}

#[inline(never)]
fn free_behind_with_stack(block: Pointer, usable: u64, slot: &'static Slot, word: u64) {
    match fast::catch_up_release(slot, word) {
        true => free_with_stack(block, usable, slot),
        false => free_carefully(block),
    }
}

#[inline(never)]
fn free_carefully(block: Pointer) {
    if !block.is_null() && !bootstrap::holds(block.cast()) {
        note_release(block);
        next::free(block);
    }
}

/// Records that a block of the next allocator is about to be released, in any case there is.
#[inline(always)]
pub fn note_release(block: Pointer) {
    if !block.is_null() && !entrances::is_unseen() {
        let (address, usable) = (block.addr(), next::usable_size(block));
        match next::is_glibc() || usable == hook::UNKNOWN {
            true => hook::released_carefully(&ORIGIN, address, usable),
            false => hook::released(&ORIGIN, address, usable),
        }
    }
}

#[inline(never)]
fn tell_and_free(block: Pointer, word: u64) {
    fast::tell_release(block.addr(), word);
    next::free(block);
}

#[inline(never)]
fn settle_and_free(block: Pointer) {
    fast::settle_release();
    next::free(block);
}

/// # Safety
/// As C23's `free_sized`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn free_sized(block: Pointer, _: usize) {
    // SAFETY: a sized free is a free.
    unsafe { free(block) }
}

/// # Safety
/// As C23's `free_aligned_sized`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn free_aligned_sized(block: Pointer, _: usize, _: usize) {
    // SAFETY: a sized free is a free.
    unsafe { free(block) }
}

/// Makes a C function of one that takes its caller's registers as two more arguments.
macro_rules! with_caller {
    ($(#[$doc:meta])* $name:ident ( $($argument:ident : $type:ty),* ) -> $result:ty,
     $sp:literal, $bp:literal, $inner:ident) => {
        $(#[$doc])*
        #[unsafe(naked)]
        #[unsafe(no_mangle)]
        pub unsafe extern "C" fn $name($($argument: $type),*) -> $result {
            naked_asm!(
                concat!("mov ", $sp, ", rsp"),
                concat!("mov ", $bp, ", rbp"),
                "jmp {inner}",
                inner = sym $inner,
            )
        }
    };
}

with_caller! {
    /// # Safety
    /// As C's `realloc`.
    realloc(block: Pointer, bytes: usize) -> Pointer, "rdx", "rcx", realloc_for
}

extern "C" fn realloc_for(block: Pointer, bytes: usize, sp: usize, bp: usize) -> Pointer {
    let caller = Caller { sp, bp };
    if block.is_null() {
        return record(next::realloc(block, bytes), bytes, caller);
    }
    if bootstrap::holds(block.cast()) {
        return leave_bootstrap(block, bytes, caller);
    }
    let old = hook::take(block.addr(), next::usable_size(block));
    let new = entrances::unseen(|| next::realloc(block, bytes));
    if !new.is_null() {
        let usable = next::usable_size(new);
        let size = bytes as u64;
        hook::moved(&ORIGIN, old, Allocation { address: new.addr(), size, usable }, caller);
    } else if bytes == 0 {
        hook::vanished(&ORIGIN, old);
    } else {
        hook::put_back(old);
    }
    new
}

#[cold]
fn leave_bootstrap(block: Pointer, bytes: usize, caller: Caller) -> Pointer {
    let new = record(next::malloc(bytes), bytes, caller);
    if !new.is_null() {
        let length = bootstrap::length(block.cast()).min(bytes);
        // SAFETY: both blocks are at least that long and do not overlap.
        unsafe { core::ptr::copy_nonoverlapping(block.cast::<u8>(), new.cast(), length) };
    }
    new
}

with_caller! {
    /// # Safety
    /// As glibc's `reallocarray`.
    reallocarray(block: Pointer, count: usize, bytes: usize) -> Pointer, "rcx", "r8", reallocarray_for
}

extern "C" fn reallocarray_for(
    block: Pointer,
    count: usize,
    bytes: usize,
    sp: usize,
    bp: usize,
) -> Pointer {
    match count.checked_mul(bytes) {
        Some(total) => realloc_for(block, total, sp, bp),
        None => {
            // SAFETY: errno's location is valid for the calling thread.
            unsafe { *libc::__errno_location() = libc::ENOMEM };
            null_mut()
        }
    }
}

with_caller! {
    /// # Safety
    /// As POSIX's `posix_memalign`.
    posix_memalign(place: *mut Pointer, alignment: usize, bytes: usize) -> c_int, "rcx", "r8", posix_memalign_for
}

extern "C" fn posix_memalign_for(
    place: *mut Pointer,
    alignment: usize,
    bytes: usize,
    sp: usize,
    bp: usize,
) -> c_int {
    let status = next::posix_memalign(place, alignment, bytes);
    if status == 0 {
        // SAFETY: the call succeeded, so the place holds a block.
        recorded_once(unsafe { *place }, bytes, sp, bp);
    }
    status
}

with_caller! {
    /// # Safety
    /// As C's `aligned_alloc`.
    aligned_alloc(alignment: usize, bytes: usize) -> Pointer, "rdx", "rcx", aligned_alloc_for
}

extern "C" fn aligned_alloc_for(alignment: usize, bytes: usize, sp: usize, bp: usize) -> Pointer {
    recorded_once(next::aligned_alloc(alignment, bytes), bytes, sp, bp)
}

with_caller! {
    /// # Safety
    /// As `memalign`.
    memalign(alignment: usize, bytes: usize) -> Pointer, "rdx", "rcx", memalign_for
}

extern "C" fn memalign_for(alignment: usize, bytes: usize, sp: usize, bp: usize) -> Pointer {
    recorded_once(next::memalign(alignment, bytes), bytes, sp, bp)
}

with_caller! {
    /// # Safety
    /// As `valloc`.
    valloc(bytes: usize) -> Pointer, "rsi", "rdx", valloc_for
}

extern "C" fn valloc_for(bytes: usize, sp: usize, bp: usize) -> Pointer {
    recorded_once(next::valloc(bytes), bytes, sp, bp)
}

with_caller! {
    /// # Safety
    /// As `pvalloc`.
    pvalloc(bytes: usize) -> Pointer, "rsi", "rdx", pvalloc_for
}

extern "C" fn pvalloc_for(bytes: usize, sp: usize, bp: usize) -> Pointer {
    recorded_once(next::pvalloc(bytes), bytes, sp, bp)
}

/// # Safety
/// As `malloc_usable_size`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn malloc_usable_size(block: Pointer) -> usize {
    if block.is_null() {
        return 0;
    }
    if bootstrap::holds(block.cast()) {
        return bootstrap::length(block.cast());
    }
    next::malloc_usable_size(block)
}
