//! memtop.
