//! memtop: a live memory dashboard for the terminal.
//!
//! Data runs one way: the probe inside the program keeps a ledger in shared session memory,
//! a [`source`] reads it, the [`model`] keeps what it means over time, a [`query`] cuts what a
//! screen can show, and the view draws it.
//!
//! ```text
//!  program ─ probe ─▶ session memory ─▶ source ─▶ model ─▶ query ─▶ memtop_ui
//!     ▲                     ▲             ▲                            │
//!     └── keeper (pty, exit status, clock, socket) ◀── app (keys) ◀────┘
//!                           └────▶ recording ─▶ report
//! ```

pub mod app;
pub mod chooser;
pub mod cli;
pub mod commands;
pub mod config;
pub mod demo;
pub mod doctor;
pub mod error;
pub mod export;
pub mod keeper;
pub mod launch;
pub mod model;
pub mod procfs;
pub mod query;
pub mod recording;
pub mod report;
pub mod snapshot_file;
pub mod source;
pub mod symbols;
pub mod sys;
pub mod terminal;
pub mod view;

pub use error::Error;
