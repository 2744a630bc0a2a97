//! Where readings come from, and how they become plain state.

pub mod session;
