//! Children of traced processes that are not traced themselves, and traced processes that went
//! on as a program that is not, and why.
//!
//! A traced process may start programs into which the probe cannot come: static ones, set-user-ID
//! ones, ones of another architecture, or ones whose environment was emptied. They are part of
//! the tree all the same, and whoever looks at the tree must see them.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    time::Duration,
};

use memtop_probe::session::reader::{Reader, RefusedProcess};

use crate::{
    keeper::preflight::{self, Untraceable},
    model::UntracedProcess,
    sys::process::{self, Incarnation},
};

/// A process of the tree that is not traced.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Untraced {
    /// Process id.
    pub pid: u32,
    /// Process id of the parent, which may be untraced too.
    pub parent: u32,
    /// Its command line, or its name where it has none.
    pub command: Vec<Vec<u8>>,
    /// Why, as far as its file and its environment tell.
    pub reason: Untraceable,
    /// Resident bytes; `None` once it has ended.
    pub resident: Option<u64>,
    /// When it began, or became a program that is not traced, `CLOCK_MONOTONIC` nanoseconds.
    pub started_ns: u64,
    /// The same, as it was found.
    began_ns: u64,
    /// When it was met, `CLOCK_MONOTONIC` nanoseconds.
    met_ns: u64,
    /// When it was seen to be gone.
    pub ended_ns: Option<u64>,
    /// What its process executed before was traced, and is not yet known to have ended.
    follows_traced: bool,
    /// What its process executed before was not traced either.
    follows_untraced: bool,
    /// It was seen for longer than a look takes.
    has_lasted: bool,
    /// Another one means another program.
    incarnation: Option<Incarnation>,
    /// Another one means another process.
    birth: Option<u64>,
}

impl Untraced {
    /// Whether it does; a zombie does not.
    fn still_runs(&self) -> bool {
        let is_it = || self.birth.is_some() && process::birth(self.pid) == self.birth;
        self.ended_ns.is_none() && runs(self.pid) && is_it()
    }

    /// Whether it is known not to be traced: who never allocated, or was gone before it was looked
    /// at, may have had nothing to be traced.
    pub fn is_certain(&self) -> bool {
        match self.reason {
            Untraceable::Quiet => false,
            Untraceable::Hidden => self.has_lasted,
            _ => true,
        }
    }

    /// A later look at the same program.
    fn look_again(&mut self, parent: u32, now_ns: u64) {
        self.parent = parent;
        self.resident = process::resident_bytes(self.pid);
        self.ended_ns = None;
        let lasts = now_ns.saturating_sub(self.met_ns) >= LOADER_NS;
        self.has_lasted |= lasts && self.resident.is_some();
        // It may have been met in the middle of an exec.
        self.reason = match self.reason {
            Untraceable::Quiet => preflight::by_environment(self.pid),
            Untraceable::Hidden => preflight::why_untraced(self.pid),
            known => known,
        };
        if self.reason == Untraceable::Quiet && lasts {
            self.reason = preflight::by_mappings(self.pid);
        }
    }

    /// What its process was before has ended then, as far as that was noticed; who found no room
    /// said so itself.
    fn follow(&mut self, ended_ns: u64) {
        if self.reason != Untraceable::Room && !self.follows_untraced {
            self.began_ns = ended_ns;
            self.met_ns = self.met_ns.min(ended_ns);
        }
    }

    /// It said itself when it was; 0 where it could not.
    fn began_at(&mut self, at_ns: u64, now_ns: u64) {
        if (1..=now_ns).contains(&at_ns) {
            (self.began_ns, self.started_ns, self.met_ns) = (at_ns, at_ns, at_ns);
        }
    }

    /// What a recording says of it, of a tree that was launched then.
    pub fn recorded(&self, launched_ns: u64) -> UntracedProcess {
        let since_launch = |at: u64| Duration::from_nanos(at.saturating_sub(launched_ns));
        UntracedProcess {
            pid: self.pid,
            parent: (self.parent != 0).then_some(self.parent),
            command: self.command.clone(),
            // As the keeper saw it: before, its process may have been in an image that is recorded.
            started: since_launch(self.met_ns),
            ended: self.ended_ns.map(since_launch),
            why: Some(self.reason.words().to_owned()),
        }
    }
}

/// A traced process that went on as a program that is not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Former {
    /// Process id.
    pub pid: u32,
    /// Process id of its parent.
    pub parent: u32,
    /// When its traced image ended, `CLOCK_MONOTONIC` nanoseconds.
    pub ended_ns: u64,
}

/// A process that is not heard of for so long is not in its loader any more.
const LOADER_NS: u64 = 500_000_000;

/// Processes kept, and looked at in one go; a tree of more is cut.
const MOST: usize = 1024;

/// All that were seen since the beginning.
#[derive(Debug, Default)]
pub struct Children {
    /// By process id.
    seen: BTreeMap<u32, Untraced>,
    /// How many of those that found no room were heard of.
    refused: u32,
    /// Which of them had not written its number yet.
    late: Option<u32>,
}

impl Children {
    /// Hears of those that found no room for a session, who say so themselves: of short ones, too.
    pub fn hear(&mut self, reader: &Reader, now_ns: u64) {
        let (refused, next, is_late) = reader.refused(self.refused);
        // Who is late is waited for once.
        let is_over = is_late && self.late == Some(next);
        self.late = is_late.then_some(next);
        self.refused = next.wrapping_add(u32::from(is_over));
        for RefusedProcess { pid, is_fork, at_ns } in refused {
            self.meet(pid, process::parent(pid).unwrap_or(0), now_ns);
            if let Some(child) = self.seen.get_mut(&pid) {
                child.reason = Untraceable::Room;
                child.follows_traced = !is_fork;
                child.ended_ns = (!runs(pid)).then_some(now_ns);
                child.began_at(at_ns, now_ns);
            }
        }
    }

    /// Looks at the children of all processes in `traced`, and at theirs, and at those that are
    /// `gone_untraced`.
    pub fn observe(&mut self, traced: &BTreeSet<u32>, gone_untraced: &[Former], now_ns: u64) {
        let mut seen = BTreeSet::new();
        let mut next: Vec<u32> = traced.iter().copied().collect();
        for former in gone_untraced {
            if runs(former.pid) && seen.insert(former.pid) {
                // Anew each time: others may know better when it was.
                self.meet(former.pid, former.parent, now_ns);
                self.seen.entry(former.pid).and_modify(|one| one.follow(former.ended_ns));
                next.push(former.pid);
            }
        }
        while let Some(parent) = next.pop() {
            for pid in children_of(parent) {
                if !traced.contains(&pid) && seen.len() < MOST && seen.insert(pid) {
                    self.meet(pid, parent, now_ns);
                    next.push(pid);
                }
            }
        }
        self.seen.retain(|pid, child| {
            child.follows_traced &= traced.contains(pid);
            child.follows_traced || !traced.contains(pid)
        });
        // Their parents may have ended before them.
        let unseen = self.seen.values().filter(|child| !seen.contains(&child.pid));
        let (orphans, ended): (Vec<_>, Vec<_>) = unseen.cloned().partition(Untraced::still_runs);
        for orphan in orphans {
            self.meet(orphan.pid, orphan.parent, now_ns);
        }
        let ended: BTreeSet<u32> = ended.iter().map(|child| child.pid).collect();
        for (_, child) in self.seen.iter_mut().filter(|(pid, _)| ended.contains(pid)) {
            child.ended_ns.get_or_insert(now_ns);
            child.resident = None;
        }
        self.date();
        self.seen.retain(|_, child| child.ended_ns.is_none() || child.is_certain());
        while self.seen.len() > MOST {
            self.seen.pop_first();
        }
    }

    /// That a traced process went on untraced is noticed late, and its children began after that.
    fn date(&mut self) {
        let found: BTreeMap<u32, (u32, u64)> =
            self.seen.values().map(|one| (one.pid, (one.parent, one.began_ns))).collect();
        for child in self.seen.values_mut() {
            let (mut above, mut started_ns) = (child.parent, child.began_ns);
            // No further than the tree can be deep, whatever the process ids say.
            for _ in 0..found.len() {
                let Some((next, began_ns)) = found.get(&above) else { break };
                (above, started_ns) = (*next, started_ns.max(*began_ns));
            }
            child.started_ns = started_ns.min(child.ended_ns.unwrap_or(u64::MAX));
        }
    }

    /// Those seen, by process id.
    pub fn all(&self) -> impl Iterator<Item = &Untraced> {
        self.seen.values()
    }

    fn meet(&mut self, pid: u32, parent: u32, now_ns: u64) {
        let incarnation = process::incarnation(pid);
        let known = self.seen.get_mut(&pid).filter(|known| known.incarnation == incarnation);
        match known {
            Some(known) => known.look_again(parent, now_ns),
            None => {
                let birth = process::birth(pid);
                // The same process, now another program, or met in the middle of its exec.
                let is_known = self.seen.get(&pid).is_some_and(|known| known.birth == birth);
                let began_ns = process::birth_ns(pid).filter(|_| !is_known).unwrap_or(now_ns);
                let child = Untraced {
                    pid,
                    parent,
                    command: command(pid),
                    reason: preflight::why_untraced(pid),
                    resident: process::resident_bytes(pid),
                    started_ns: began_ns.min(now_ns),
                    began_ns: began_ns.min(now_ns),
                    met_ns: now_ns,
                    ended_ns: None,
                    follows_traced: false,
                    follows_untraced: is_known,
                    has_lasted: false,
                    incarnation,
                    birth,
                };
                self.seen.insert(pid, child);
            }
        }
    }
}

/// Whether a process does, whoever it belongs to; a zombie has no memory any more.
fn runs(pid: u32) -> bool {
    process::resident_bytes(pid).is_some()
}

/// Children of all threads of a process.
fn children_of(pid: u32) -> Vec<u32> {
    let tasks = fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
    let lists = tasks.filter_map(|task| fs::read_to_string(task.path().join("children")).ok());
    let numbers = |list: String| {
        list.split_ascii_whitespace().filter_map(|pid| pid.parse().ok()).collect::<Vec<u32>>()
    };
    lists.flat_map(numbers).collect()
}

fn command(pid: u32) -> Vec<Vec<u8>> {
    let bytes = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    let text = bytes.strip_suffix(&[0]).unwrap_or(&bytes);
    if text.is_empty() {
        return process::thread_name(pid, pid).map(String::into_bytes).into_iter().collect();
    }
    text.split(|&byte| byte == 0).map(<[u8]>::to_vec).collect()
}

#[cfg(test)]
mod tests;
