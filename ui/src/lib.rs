//! The screens of memtop.
