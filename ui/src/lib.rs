//! The screens of memtop.

pub mod format;
