//! Memory for the loader while the next allocator is being looked up: `dlsym` may allocate.
//!
//! Blocks are cut from a static buffer and never come back; their length stands before them.

use core::{
    cell::UnsafeCell,
    ptr::null_mut,
    sync::atomic::{AtomicUsize, Ordering::Relaxed},
};

const BYTES: usize = 64 * 1024;
const HEAD: usize = 16;
/// Stands where a glibc block has its chunk's size, and reads as a mapping of its own: such
/// blocks go the careful way, which asks whether they are ours.
const MARK: usize = 2;

#[repr(align(16))]
struct Buffer(UnsafeCell<[u8; BYTES]>);

// SAFETY: every part is handed out once, by an atomic counter.
unsafe impl Sync for Buffer {}

static BUFFER: Buffer = Buffer(UnsafeCell::new([0; BYTES]));
#[unsafe(link_section = ".data")]
static USED: AtomicUsize = AtomicUsize::new(0);

/// A zero-filled block, 16-aligned; null when the buffer is used up.
pub fn allocate(bytes: usize) -> *mut u8 {
    let Some(length) =
        bytes.checked_next_multiple_of(16).and_then(|length| length.checked_add(HEAD))
    else {
        return null_mut();
    };
    let start = USED.fetch_add(length.min(BYTES), Relaxed);
    if length > BYTES || start > BYTES - length {
        return null_mut();
    }
    // SAFETY: the range lies within the buffer and belongs to this call alone.
    unsafe {
        let block = BUFFER.0.get().cast::<u8>().add(start);
        block.cast::<usize>().write(bytes);
        block.cast::<usize>().add(1).write(MARK);
        block.add(HEAD)
    }
}

/// Whether a block is one of these.
#[inline(always)]
pub fn holds(block: *const u8) -> bool {
    block.addr().wrapping_sub(BUFFER.0.get().addr()) < BYTES
}

/// The length a block was asked for with.
pub fn length(block: *const u8) -> usize {
    // SAFETY: `allocate` wrote the length right before the block.
    unsafe { block.sub(HEAD).cast::<usize>().read() }
}
