//! What the code at an address is called: function, source file and line.
//!
//! The probe notes addresses only. Their names are looked up here, in memtop, off the
//! program's time, from the files the program was loaded from and whatever debug
//! information belongs to them:
//!
//! ```text
//!  Module (path, build id)          Location (module, address of the file)
//!        │ search: the file the process had, then its debug files
//!        ▼
//!     Image ──▶ SymbolTable   one name an address, at hand at once    ("rough")
//!        └────▶ DebugInfo     inlined calls, files and lines; a thread of its own, because
//!                             a gigabyte of it takes seconds to get ready    ("fine")
//! ```
//!
//! Always holds:
//!
//! - a file with another build id than the process had names nothing;
//! - all files are hostile: parsers check every read, and what is damaged names nothing;
//! - an address that nothing names has one [`Function`] without a name, and the reader shows
//!   module and offset.
//!
//! [`Resolver`] waits for the answer, for reports, recordings and exports; [`Service`] never
//! makes its caller wait, for the dashboard.
//! [`Plumbing`] tells the allocator's own functions from the code that a person wrote.

mod clerk;
mod debug_info;
mod demangle;
mod image;
mod module;
pub mod plumbing;
mod resolver;
mod search;
mod service;
mod table;

pub use demangle::readable;
pub use module::{NamesFrom, Trouble};
pub use plumbing::Plumbing;
pub use resolver::Resolver;
pub use search::Search;
pub use service::Service;

use crate::model::Function;

/// The functions at one address, innermost first; never none.
pub type Functions = Vec<Function>;
