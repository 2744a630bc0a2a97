//! Where the lock-free protocols get their atomics from: one place, so that `tests/loom` can give
//! the same source files others, whose every interleaving it goes through.

pub use core::sync::atomic::{AtomicI64, AtomicU32, AtomicU64};
