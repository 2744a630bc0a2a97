//! Session memory, as far as it is checked.

#[path = "../../../probe/src/session/control.rs"]
pub mod control;
pub mod layout;
#[path = "../../../probe/src/session/reader/rings.rs"]
pub mod rings;
