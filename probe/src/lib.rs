//! The tracing allocator of memtop: counts, to the byte, what a program allocates and frees.
//!
//! A Rust program sets [`TracingAllocator`] as its global allocator and asks for the figures
//! itself, or lets `memtop` show them from another terminal:
//!
//! ```
//! use memtop_probe::TracingAllocator;
//!
//! #[global_allocator]
//! static ALLOCATOR: TracingAllocator = TracingAllocator::system();
//!
//! memtop_probe::start();
//! let words: Vec<String> = "one two three".split(' ').map(String::from).collect();
//! let memory = memtop_probe::traced_memory().expect("the allocator is installed");
//! println!("{} bytes now, {} at most", memory.current, memory.peak);
//! # assert!(memory.current >= words.iter().map(|word| word.capacity() as u64).sum());
//! ```
//!
//! In a test the same allocator holds code to a memory budget; see [`measure`](measure()):
//!
//! ```
//! # use memtop_probe::TracingAllocator;
//! # #[global_allocator]
//! # static ALLOCATOR: TracingAllocator = TracingAllocator::system();
//! let (sum, used) = memtop_probe::measure(|| (1..=10u64).collect::<Vec<_>>().iter().sum::<u64>());
//! assert_eq!(sum, 55);
//! used.assert_allocations(..=1).assert_peak_bytes(..=80).assert_nothing_left();
//! ```
//!
//! The names follow Python's `tracemalloc`: [`start`], [`stop`], [`is_tracing`],
//! [`traced_memory`], [`reset_peak`], [`clear`]; and further [`untracked_frees`],
//! [`tracer_memory`] and [`statistics`].
//!
//! Any other program is traced by the *preload library*, which is this same crate with the C
//! functions for its entry; `memtop` carries it inside. Both entries call [`hook`], which keeps
//! the [`ledger`] in [`session`] memory, where another process can read it at any time.
#![cfg_attr(memtop_preload, no_std)]

pub mod at_peak;
mod cost;
pub mod counter;
#[cfg(all(feature = "std", not(memtop_preload)))]
pub mod embed;
mod fast;
pub mod hook;
mod journal;
pub mod ledger;
mod lineage;
pub mod peak;
pub mod process;
pub mod ring;
pub mod session;
pub mod shadow;
pub mod stack;
mod sync;
mod sys;
pub mod thread;
mod tls;
pub mod window;

#[cfg(memtop_preload)]
mod preload;

/// What the README says of embedding compiles and holds.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct Readme;

#[cfg(all(feature = "std", not(memtop_preload)))]
pub use embed::{
    Frame, Measured, Site, Snapshot, TracedMemory, TracingAllocator, UntrackedFrees, Usage, clear,
    is_tracing, measure, measure_process, reset_peak, snapshot, start, statistics, stop,
    traced_memory, tracer_memory, untracked_frees,
};

/// The preload library, whole, as `build.rs` built it for the same target.
#[cfg(feature = "preload-image")]
pub mod image {
    /// The bytes of the shared library.
    pub static BYTES: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/libmemtop_preload.so"));
    /// Names them by content, so that two versions never overwrite each other.
    pub const HASH: &str = env!("MEMTOP_PRELOAD_HASH");
}
