//! Why a process that runs is not traced, although its parent is.

use std::{fs, path::PathBuf};

use super::{Reason, check_elf};
use crate::{
    procfs::mappings::{self, OfTheTracer},
    sys::file,
};

/// The reasons, in the words of the process tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Untraceable {
    /// Statically linked: no loader, no probe.
    Static,
    /// It gained privileges by exec.
    Privileged,
    /// For another architecture.
    Foreign,
    /// Linked to musl.
    Musl,
    /// Built with a sanitizer.
    Sanitized,
    /// Its environment names no probe.
    Environment,
    /// The loader did not map the library: it lies outside of the process's root directory, say.
    Library,
    /// It has the library, no session, and left the place it was launched in: another user, or one
    /// of a user namespace, may not look at the keeper, and where `/proc` is another one, there is
    /// none.
    Session,
    /// It found no room for a session in the tracer's memory.
    Room,
    /// It belongs to somebody else, or cannot be looked at.
    Hidden,
    /// Nothing speaks against it, and nothing was heard of it yet: it has not allocated, or is in
    /// its loader, or a constructor.
    Quiet,
    /// Nobody said, or in words that this memtop does not know.
    Unknown,
}

impl Untraceable {
    /// Few words, as in `not traced: static`.
    pub fn words(self) -> &'static str {
        match self {
            Self::Static => "static",
            Self::Privileged => "gained privileges",
            Self::Foreign => "another architecture",
            Self::Musl => "linked to musl",
            Self::Sanitized => "has a sanitizer",
            Self::Environment => "environment emptied",
            Self::Library => "library not loaded",
            Self::Session => "session out of reach",
            Self::Room => "tracer memory full",
            Self::Hidden => "another user's",
            Self::Quiet => "not heard of",
            Self::Unknown => "reason unknown",
        }
    }

    /// Whether it is void once the process is traced: it is told from what it has not mapped, which
    /// it may still do, or what it executes next finds room.
    pub fn may_pass(self) -> bool {
        matches!(self, Self::Library | Self::Session | Self::Room)
    }

    /// The reason with these words, as a recording has them.
    pub fn of_words(words: &str) -> Option<Self> {
        let all = [
            Self::Static,
            Self::Privileged,
            Self::Foreign,
            Self::Musl,
            Self::Sanitized,
            Self::Environment,
            Self::Library,
            Self::Session,
            Self::Room,
            Self::Hidden,
            Self::Quiet,
        ];
        all.into_iter().find(|one| one.words() == words)
    }
}

/// Looks at the file that a process executes and at the environment it was started with.
pub fn why_untraced(pid: u32) -> Untraceable {
    let program = PathBuf::from(format!("/proc/{pid}/exe"));
    // The link cannot be followed by who may not look at the process, and then its file says
    // nothing about it.
    if fs::read_link(&program).is_err() {
        return Untraceable::Hidden;
    }
    match check_elf(&program, &file::credentials()) {
        Err(reason) => of_reason(&reason),
        Ok(_) => by_environment(pid),
    }
}

/// What its environment says of a process whose file can be traced.
pub fn by_environment(pid: u32) -> Untraceable {
    match is_prepared(pid) {
        Some(false) => Untraceable::Environment,
        _ => Untraceable::Quiet,
    }
}

/// What the mappings say of a process that runs for longer than a loader takes, and that nothing
/// was heard of.
pub fn by_mappings(pid: u32) -> Untraceable {
    match mappings::of_the_tracer(pid) {
        // A session begins with the first allocation, which may be long in coming.
        Some(OfTheTracer { session: false, library: true }) if is_elsewhere(pid) => {
            Untraceable::Session
        }
        Some(OfTheTracer { session: false, library: false }) => Untraceable::Library,
        // With a session mapped it is a fork that has not allocated yet.
        _ => Untraceable::Quiet,
    }
}

/// Whether it is another user than this process, or lives in other namespaces or below another
/// root directory: whatever can put a session out of reach.
fn is_elsewhere(pid: u32) -> bool {
    let differs = |one: &str| {
        let link = |whose: &str| fs::read_link(format!("/proc/{whose}/{one}")).ok();
        link(&pid.to_string()).is_some_and(|there| Some(there) != link("self"))
    };
    ["ns/user", "ns/pid", "ns/mnt", "root"].into_iter().any(differs)
        || owners(&pid.to_string()).is_some_and(|there| Some(there) != owners("self"))
}

/// The user and group ids of a process, all four of each, as the kernel prints them.
fn owners(pid: &str) -> Option<Vec<String>> {
    let text = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let is_of_owners = |line: &&str| line.starts_with("Uid:") || line.starts_with("Gid:");
    Some(text.lines().filter(is_of_owners).map(str::to_owned).collect())
}

fn of_reason(reason: &Reason) -> Untraceable {
    match reason {
        Reason::Static { .. } => Untraceable::Static,
        Reason::Privileged { .. } => Untraceable::Privileged,
        Reason::Foreign { .. } => Untraceable::Foreign,
        Reason::Musl { .. } => Untraceable::Musl,
        Reason::Sanitized { .. } => Untraceable::Sanitized,
        _ => Untraceable::Hidden,
    }
}

/// Whether it was started with a probe and a session in its environment. A program may write
/// over it later, but only over the values: an emptied one is empty.
fn is_prepared(pid: u32) -> Option<bool> {
    // In the middle of an exec there is neither, which says nothing yet.
    fs::read(format!("/proc/{pid}/cmdline")).ok().filter(|line| !line.is_empty())?;
    let environment = fs::read(format!("/proc/{pid}/environ")).ok()?;
    let has = |name: &[u8]| environment.split(|&byte| byte == 0).any(|one| one.starts_with(name));
    Some(has(b"LD_PRELOAD=") && has(b"MEMTOP_SESSION="))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    #[test]
    fn a_process_without_the_probe_in_its_environment_is_told() {
        let mut sleep = Command::new("/bin/sleep").arg("60").env_clear().spawn().unwrap();
        let mut prepared = Command::new("/bin/sleep")
            .arg("60")
            .env("LD_PRELOAD", "")
            .env("MEMTOP_SESSION", "x")
            .spawn()
            .unwrap();
        // The kernel shows the environment of a fresh image a moment after it runs.
        let shows = |pid, what| {
            (0..1000).any(|_| {
                std::thread::sleep(std::time::Duration::from_millis(10));
                why_untraced(pid) == what
            })
        };
        assert!(shows(sleep.id(), Untraceable::Environment), "{:?}", why_untraced(sleep.id()));
        assert!(shows(prepared.id(), Untraceable::Quiet), "{:?}", why_untraced(prepared.id()));
        for child in [&mut sleep, &mut prepared] {
            child.kill().unwrap();
            child.wait().unwrap();
        }
        assert_eq!(why_untraced(sleep.id()), Untraceable::Hidden);
    }
}
