//! memtop: a live memory dashboard for the terminal.
//!
//! Data runs one way: the probe inside the program keeps a ledger in shared session memory,
//! a source reads it, the model keeps what it means over time, a query cuts what a screen
//! can show, and the view draws it.

pub mod keeper;
pub mod model;
pub mod source;
pub mod sys;
