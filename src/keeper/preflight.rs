//! Can the program be traced? Asked before it starts, so that the answer is a sentence and
//! not a dashboard that stays empty.
//!
//! The program is found as `execvp` would find it, scripts are followed to their interpreter,
//! and what remains must be a dynamically linked ELF file of this machine whose loader heeds
//! `LD_PRELOAD`.

mod elf;
mod refusal;
mod running;
mod search;

use std::{
    ffi::{OsStr, OsString},
    fs::File,
    io::Read,
    os::unix::{ffi::OsStrExt, fs::MetadataExt},
    path::{Path, PathBuf},
};

pub use refusal::{Reason, Refusal};
pub use running::{Untraceable, by_environment, by_mappings, why_untraced};

use crate::sys::file::{self, Credentials};

/// The kernel follows this many `#!` lines.
const MOST_INTERPRETERS: usize = 5;
/// The kernel looks at this much of a `#!` line.
const LINE: usize = 256;

/// A program that can be traced.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checked {
    /// The file to execute.
    pub file: PathBuf,
    /// What is likely to make figures incomplete, each with its remedy.
    pub warnings: Vec<String>,
}

/// Finds the program along `PATH` and checks it.
///
/// # Errors
/// A [`Refusal`] with the reason and the remedy when it cannot be run, or cannot be traced.
pub fn check(program: &OsStr) -> Result<Checked, Refusal> {
    check_along(program, std::env::var_os("PATH"))
}

/// As [`check`], along a given search path.
///
/// # Errors
/// As [`check`].
pub fn check_along(program: &OsStr, path: Option<OsString>) -> Result<Checked, Refusal> {
    let refuse = |reason| Refusal::new(program, reason);
    let file = search::find(program, path.as_deref()).map_err(refuse)?;
    let warnings = check_file(&file, &file::credentials()).map_err(refuse)?;
    Ok(Checked { file, warnings })
}

/// Checks a file and, where it is a script, the interpreters behind it.
fn check_file(file: &Path, user: &Credentials) -> Result<Vec<String>, Reason> {
    let mut file = file.to_owned();
    for _ in 0..=MOST_INTERPRETERS {
        search::check_executable(&file)?;
        match content(&file)? {
            Content::Elf => return check_elf(&file, user),
            Content::Script(interpreter) => file = interpreter_of(&file, interpreter)?,
            Content::Text => file = PathBuf::from("/bin/sh"),
            Content::Other => return Err(Reason::NotAProgram { file }),
        }
    }
    Err(Reason::TooManyInterpreters { file })
}

fn interpreter_of(script: &Path, interpreter: PathBuf) -> Result<PathBuf, Reason> {
    if interpreter.exists() {
        return Ok(interpreter);
    }
    Err(Reason::NoInterpreter { script: script.to_owned(), interpreter })
}

fn check_elf(file: &Path, user: &Credentials) -> Result<Vec<String>, Reason> {
    let facts = elf::inspect(file)?;
    check_privileges(file, user)?;
    let warning = facts.allocator.map(|name| match facts.embeds {
        false => format!(
            "{} carries an allocator of its own ({name}): what it allocates by itself is not \
             seen. To trace it, link the allocator as a shared library; or embed memtop's tracing \
             allocator, start the program by itself, and join it with memtop",
            file.display()
        ),
        true => format!(
            "{} carries an allocator of its own ({name}) with memtop's around it, which steps \
             aside here: nothing that passes through it is seen. Start the program by itself, and \
             join it with memtop",
            file.display()
        ),
    });
    Ok(warning.into_iter().collect())
}

/// The loader ignores `LD_PRELOAD` where exec gains privileges.
fn check_privileges(file: &Path, user: &Credentials) -> Result<(), Reason> {
    if user.no_new_privileges {
        return Ok(());
    }
    let data = file.metadata().map_err(|error| Reason::unreadable(file, &error))?;
    let gains = if data.mode() & libc::S_ISUID != 0 && data.uid() != user.user {
        "is set-user-ID"
    } else if is_set_group(data.mode()) && data.gid() != user.group {
        "is set-group-ID"
    } else if user.user != 0 && file::has_capabilities(file) {
        "has file capabilities"
    } else {
        return Ok(());
    };
    Err(Reason::Privileged { file: file.to_owned(), gains })
}

/// Without the group's execute bit, set-group-ID means mandatory locking.
fn is_set_group(mode: u32) -> bool {
    mode & libc::S_ISGID != 0 && mode & libc::S_IXGRP != 0
}

enum Content {
    Elf,
    Script(PathBuf),
    /// No `#!`, but text: `execvp` has the shell run it.
    Text,
    Other,
}

fn content(file: &Path) -> Result<Content, Reason> {
    let mut bytes = Vec::new();
    File::open(file)
        .and_then(|opened| opened.take(LINE as u64).read_to_end(&mut bytes))
        .map_err(|error| Reason::unreadable(file, &error))?;
    Ok(match bytes.as_slice() {
        [0x7F, b'E', b'L', b'F', ..] => Content::Elf,
        [b'#', b'!', line @ ..] => match interpreter(line) {
            Some(path) => Content::Script(path),
            None => Content::Text,
        },
        text if !text.contains(&0) => Content::Text,
        _ => Content::Other,
    })
}

/// The path in a `#!` line, as the kernel cuts it.
fn interpreter(line: &[u8]) -> Option<PathBuf> {
    let line = line.split(|&byte| byte == b'\n').next()?.trim_ascii_start();
    let end = line.iter().position(|byte| b" \t\0".contains(byte));
    let path = &line[..end.unwrap_or(line.len())];
    (!path.is_empty()).then(|| PathBuf::from(OsStr::from_bytes(path)))
}

#[cfg(test)]
mod tests;
