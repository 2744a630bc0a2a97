//! A snapshot out of a file, to be compared with what is shown.

use std::path::PathBuf;

use super::ProcessState;

/// A process at a moment, out of a file.
#[derive(Debug, Clone, PartialEq)]
pub struct Loaded {
    /// Tells it from the others, from one.
    pub number: u32,
    /// What it is called on the screen: the name of the file.
    pub name: String,
    /// The file.
    pub path: PathBuf,
    /// What it holds.
    pub process: ProcessState,
}
