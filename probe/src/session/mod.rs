//! Session memory: the one piece of shared memory through which a traced program and memtop
//! know each other.
//!
//! ```text
//!  0        4 KiB            516 KiB                                    memory_size
//!  ├ Header ─┼ session table ──┼ piece │ piece │ piece │ …  (sparse) ──────┤
//!                │ offset          ▲
//!                └─────────────────┘   Session ── slot table ──▶ Slot (one a thread)
//! ```
//!
//! It is a memfd of fixed size, sealed against growing and shrinking, mostly holes. A launch
//! has one; every process image of the tree claims a [`layout::Session`] in it, every thread
//! a [`layout::Slot`]. Only the owner of a slot writes it, with plain stores; readers only
//! read. Nothing is ever moved or freed while a reader may look, so a reader needs no lock,
//! and what is there stays there when the program is killed.
//!
//! Readers treat every offset, count and length in it as hostile: a traced program can
//! scribble over its own session. See [`reader`].

pub mod control;
pub mod layout;
pub mod memory;
#[cfg(feature = "std")]
pub mod reader;
mod regions;
pub mod size_class;
pub mod stacks;
#[cfg(all(test, not(miri)))]
mod tests;
