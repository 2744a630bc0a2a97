//! The C symbols.

use core::{
    ffi::{c_int, c_void},
    ptr::null_mut,
};

use super::{bootstrap, next, start::ORIGIN};
use crate::{
    fast::{self, Step},
    hook::{self, Allocation},
    shadow::COARSE,
};

type Pointer = *mut c_void;

/// Records a block that the next allocator returned, and returns it.
///
/// The usual case is a straight line that ends in a jump; whatever else there is, is reached
/// by a jump as well, so that the line needs no stack.
#[inline(always)]
fn record(block: Pointer, size: usize) -> Pointer {
    let address = block.addr();
    let Some(usable) = next::glibc_usable_size(block) else { return record_carefully(block, size) };
    let new = Allocation { address, size: size as u64, usable };
    match fast::allocated::<COARSE>(new) {
        Step::Done => block,
        Step::Unsettled => settle(block),
        Step::Untold(word) => tell(block, word),
        Step::Unusual => record_carefully(block, size),
    }
}

/// For an allocator of another kind, and whatever else is not usual.
#[inline(never)]
fn record_carefully(block: Pointer, size: usize) -> Pointer {
    if !block.is_null() && !bootstrap::holds(block.cast()) {
        let usable = next::usable_size(block);
        record_fine(Allocation { address: block.addr(), size: size as u64, usable });
    }
    block
}

fn record_fine(new: Allocation) {
    match next::is_glibc() || new.usable == hook::UNKNOWN {
        true => hook::allocated_carefully(&ORIGIN, new.address, new.size, new.usable),
        false => hook::allocated(&ORIGIN, new),
    }
}

#[inline(never)]
fn tell(block: Pointer, word: u64) -> Pointer {
    fast::tell_allocation(block.addr(), word);
    block
}

#[inline(never)]
fn settle(block: Pointer) -> Pointer {
    fast::settle_allocation();
    block
}

/// # Safety
/// As C's `malloc`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn malloc(bytes: usize) -> Pointer {
    record(next::malloc(bytes), bytes)
}

/// # Safety
/// As C's `calloc`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn calloc(count: usize, bytes: usize) -> Pointer {
    // A product that overflows makes the allocator fail, and then it is not recorded.
    record(next::calloc(count, bytes), count.wrapping_mul(bytes))
}

/// # Safety
/// As C's `free`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn free(block: Pointer) {
    let Some(usable) = next::glibc_usable_size(block) else { return free_carefully(block) };
    match fast::released::<COARSE>(block.addr(), usable) {
        Step::Done => next::free(block),
        Step::Unsettled => settle_and_free(block),
        Step::Untold(word) => tell_and_free(block, word),
        Step::Unusual => free_carefully(block),
    }
}

#[inline(never)]
fn free_carefully(block: Pointer) {
    if !block.is_null() && !bootstrap::holds(block.cast()) {
        let (address, usable) = (block.addr(), next::usable_size(block));
        match next::is_glibc() || usable == hook::UNKNOWN {
            true => hook::released_carefully(&ORIGIN, address, usable),
            false => hook::released(&ORIGIN, address, usable),
        }
        next::free(block);
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

/// # Safety
/// As C's `realloc`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn realloc(block: Pointer, bytes: usize) -> Pointer {
    if block.is_null() {
        return record(next::realloc(block, bytes), bytes);
    }
    if bootstrap::holds(block.cast()) {
        return leave_bootstrap(block, bytes);
    }
    let old = hook::take(block.addr(), next::usable_size(block));
    let new = next::realloc(block, bytes);
    if !new.is_null() {
        let usable = next::usable_size(new);
        let size = bytes as u64;
        hook::moved(&ORIGIN, old, Allocation { address: new.addr(), size, usable });
    } else if bytes == 0 {
        hook::vanished(&ORIGIN, old);
    } else {
        hook::put_back(old);
    }
    new
}

#[cold]
fn leave_bootstrap(block: Pointer, bytes: usize) -> Pointer {
    let new = record(next::malloc(bytes), bytes);
    if !new.is_null() {
        let length = bootstrap::length(block.cast()).min(bytes);
        // SAFETY: both blocks are at least that long and do not overlap.
        unsafe { core::ptr::copy_nonoverlapping(block.cast::<u8>(), new.cast(), length) };
    }
    new
}

/// # Safety
/// As glibc's `reallocarray`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn reallocarray(block: Pointer, count: usize, bytes: usize) -> Pointer {
    match count.checked_mul(bytes) {
        // SAFETY: passed on as it came.
        Some(total) => unsafe { realloc(block, total) },
        None => {
            // SAFETY: errno's location is valid for the calling thread.
            unsafe { *libc::__errno_location() = libc::ENOMEM };
            null_mut()
        }
    }
}

/// # Safety
/// As POSIX's `posix_memalign`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn posix_memalign(
    place: *mut Pointer,
    alignment: usize,
    bytes: usize,
) -> c_int {
    let status = next::posix_memalign(place, alignment, bytes);
    if status == 0 {
        // SAFETY: the call succeeded, so the place holds a block.
        record(unsafe { *place }, bytes);
    }
    status
}

/// # Safety
/// As C's `aligned_alloc`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn aligned_alloc(alignment: usize, bytes: usize) -> Pointer {
    record(next::aligned_alloc(alignment, bytes), bytes)
}

/// # Safety
/// As `memalign`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn memalign(alignment: usize, bytes: usize) -> Pointer {
    record(next::memalign(alignment, bytes), bytes)
}

/// # Safety
/// As `valloc`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn valloc(bytes: usize) -> Pointer {
    record(next::valloc(bytes), bytes)
}

/// # Safety
/// As `pvalloc`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pvalloc(bytes: usize) -> Pointer {
    record(next::pvalloc(bytes), bytes)
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
