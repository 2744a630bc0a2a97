//! The tracing allocator of memtop.
#![cfg_attr(memtop_preload, no_std)]

mod fast;
pub mod hook;
pub mod ledger;
pub mod process;
pub mod ring;
pub mod session;
pub mod shadow;
mod sys;
pub mod thread;
mod tls;

#[cfg(memtop_preload)]
mod preload;

/// The preload library, whole, as `build.rs` built it for the same target.
#[cfg(feature = "preload-image")]
pub mod image {
    /// The bytes of the shared library.
    pub static BYTES: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/libmemtop_preload.so"));
    /// Names them by content, so that two versions never overwrite each other.
    pub const HASH: &str = env!("MEMTOP_PRELOAD_HASH");
}
