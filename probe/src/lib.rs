//! The tracing allocator of memtop.
#![cfg_attr(memtop_preload, no_std)]

pub mod ledger;
pub mod session;
