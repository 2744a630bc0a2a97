//! A passing message.

/// A passing message.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Notice {
    /// One line.
    pub text: String,
    /// How much it matters.
    pub severity: Severity,
}

impl Notice {
    /// A message that is good to know.
    pub fn info(text: impl Into<String>) -> Self {
        Self { text: text.into(), severity: Severity::Info }
    }

    /// A message that needs attention.
    pub fn warning(text: impl Into<String>) -> Self {
        Self { text: text.into(), severity: Severity::Warning }
    }
}

/// How much a message matters.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Severity {
    /// Good to know.
    #[default]
    Info,
    /// Needs attention.
    Warning,
}
