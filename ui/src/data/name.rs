//! How a piece of code, or whatever else memory is counted by, is called on a screen.

/// Tells one row from another for as long as memtop runs, whatever is sorted or cut around it.
///
/// What the number stands for is the affair of whoever fills the rows; the same thing has the same
/// key in every frame, so that a selection follows the thing and not its place.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Key(pub u64);

/// The name of a row, and where it is to be found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Name {
    /// The function, demangled; or the file, the module, the thread. Empty while it is not known:
    /// then the place stands for it.
    pub text: String,
    /// Who called, where the text alone would not tell two rows apart: the innermost caller that
    /// does.
    pub via: Option<String>,
    /// Where it is.
    pub place: Place,
    /// The name is still being looked up.
    pub pending: bool,
}

impl Name {
    /// A name without a place: a thread, a module.
    pub fn plain(text: impl Into<String>) -> Self {
        Self { text: text.into(), ..Self::default() }
    }
}

/// Where code is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Place {
    /// In a source file.
    Source {
        /// The path as the compiler noted it; the view shortens it.
        file: String,
        /// The line, from one.
        line: Option<u32>,
    },
    /// In a program or library without line numbers.
    Module {
        /// The path of the file; the view shortens it.
        module: String,
        /// The address within it.
        offset: u64,
    },
    /// Nobody knows, or it is not code.
    #[default]
    Nowhere,
}
