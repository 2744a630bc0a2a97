//! The preload library: the C allocation functions, each forwarded to the next allocator in
//! line and recorded. Compiled only into the library that `build.rs` builds and embeds.

mod bootstrap;
mod entrances;
mod exports;
mod locking;
mod next;
mod record;
mod relocations;
mod sandbox;
mod scope;
mod start;
mod unloading;

/// Something that cannot happen did; there is nobody to tell.
#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    // SAFETY: abort has no preconditions.
    unsafe { libc::abort() }
}
