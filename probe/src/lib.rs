//! The tracing allocator of memtop.
