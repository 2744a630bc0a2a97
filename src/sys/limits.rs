//! How much memory there is to use, and limits that a tracer may run into.
//!
//! Always holds: what memtop raises for itself, no program that it starts gets to see; `restore`
//! puts it back between fork and exec.

use std::{
    fs,
    sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
};

use super::check;
use crate::procfs::group;

type Kind = libc::__rlimit_resource_t;

/// Those that stop memtop itself, or kill it.
const RAISED: [Kind; 6] = [
    libc::RLIMIT_AS,
    libc::RLIMIT_DATA,
    libc::RLIMIT_FSIZE,
    libc::RLIMIT_NOFILE,
    libc::RLIMIT_NPROC,
    libc::RLIMIT_CPU,
];
/// What they were, soft and hard, where they were changed.
static BEFORE: [(AtomicBool, AtomicU64, AtomicU64); RAISED.len()] =
    [const { (AtomicBool::new(false), AtomicU64::new(0), AtomicU64::new(0)) }; RAISED.len()];

/// Raises the limits of this process as far as it may. Only at the start, before there are threads:
/// they would get memory by the old ones.
pub fn raise() {
    for (&kind, (is_changed, soft, hard)) in RAISED.iter().zip(&BEFORE) {
        let Some(before) = get(kind).filter(|one| one.rlim_cur != libc::RLIM_INFINITY) else {
            continue;
        };
        soft.store(before.rlim_cur, Relaxed);
        hard.store(before.rlim_max, Relaxed);
        // Beyond the hard one where memtop has the privilege. The kernel knows a largest number of
        // open files.
        let wishes = [libc::RLIM_INFINITY, before.rlim_max];
        let set_to = |all| set(kind, libc::rlimit { rlim_cur: all, rlim_max: all }).is_ok();
        is_changed.store(wishes.into_iter().any(set_to), Relaxed);
    }
    if get(libc::RLIMIT_AS).is_some_and(|limit| limit.rlim_cur != libc::RLIM_INFINITY) {
        // Each arena more reserves 64 MiB.
        // SAFETY: mallopt takes integers; one it does not know is refused.
        unsafe { libc::mallopt(libc::M_ARENA_MAX, 1) };
    }
}

/// Puts back what [`raise`] changed. Only in a child between fork and exec. Async-signal-safe.
pub(super) fn restore() {
    for (&kind, (is_changed, soft, hard)) in RAISED.iter().zip(&BEFORE) {
        if is_changed.load(Relaxed) {
            let before =
                libc::rlimit { rlim_cur: soft.load(Relaxed), rlim_max: hard.load(Relaxed) };
            let _ = set(kind, before);
        }
    }
}

fn get(kind: Kind) -> Option<libc::rlimit> {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: `limit` is writable and of the right type.
    (unsafe { libc::getrlimit(kind, &mut limit) } == 0).then_some(limit)
}

fn set(kind: Kind, limit: libc::rlimit) -> std::io::Result<()> {
    // SAFETY: `limit` is readable and of the right type.
    check(unsafe { libc::setrlimit(kind, &limit) }).map(drop)
}

/// Bytes that can still be used: the smaller of what the machine and what the control groups
/// of this process have left. `None` when neither can be read.
pub fn headroom() -> Option<u64> {
    let machine = available(&fs::read_to_string("/proc/meminfo").unwrap_or_default());
    let group = group::limit_of(std::process::id()).map(|limit| limit.headroom());
    machine.into_iter().chain(group).min()
}

fn available(meminfo: &str) -> Option<u64> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    let kibibytes: u64 = line.split_ascii_whitespace().next()?.parse().ok()?;
    Some(kibibytes.saturating_mul(1024))
}

/// What the tracer may use when the user does not say: the smaller of 4 GiB and a quarter of
/// the headroom.
pub fn default_tracer_limit() -> u64 {
    const MOST: u64 = 4 << 30;
    headroom().map_or(MOST, |bytes| (bytes / 4).min(MOST))
}

/// Most bytes that a program started by memtop may map, if there is a limit.
pub fn address_space() -> Option<u64> {
    soft_limit(libc::RLIMIT_AS)
}

/// Most bytes that memtop itself may map.
fn own_address_space() -> u64 {
    get(libc::RLIMIT_AS).map_or(libc::RLIM_INFINITY, |limit| limit.rlim_cur)
}

/// memtop needs so much address space for itself.
const OWN: u64 = 128 << 20;

/// A limit that a program is given, and that the tracer's memory counts against: it is said, and
/// the program keeps it, although [`raise`] raises memtop's own. (Locked memory is limited on every
/// machine by default, and concerns only programs that lock all they map; to name it each time
/// would only teach people not to read warnings.)
pub fn warning() -> Option<String> {
    address_space().map(|bytes| {
        let own = match own_address_space() < OWN {
            false => "",
            true => {
                ". memtop is limited likewise, and that may be too little for it: it may come to the \
                 end of its memory, after which the program runs on and its figures are lost; \
                 raise the hard limit (ulimit -Hv)"
            }
        };
        format!(
            "the program's address space is limited to {} MiB (ulimit -v), and the tracer's \
             memory counts against it; if the program runs out of memory, raise the limit{own}",
            bytes >> 20
        )
    })
}

/// A limit with a finite value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Named {
    name: &'static str,
    /// How `ulimit` calls it.
    option: &'static str,
    value: u64,
    /// Below this, tracing may suffer.
    least: u64,
}

impl Named {
    /// Whether the tracer could run into it.
    pub fn matters(&self) -> bool {
        self.value < self.least
    }

    /// As in `address space: 2147483648 (ulimit -v)`.
    pub fn words(&self) -> String {
        format!("{} is limited to {} (ulimit {})", self.name, self.value, self.option)
    }
}

/// The limits of this process that concern tracing, those that are finite.
pub fn named() -> Vec<Named> {
    const ALL: [(&str, &str, Kind, u64); 4] = [
        ("the address space", "-v", libc::RLIMIT_AS, u64::MAX),
        ("the number of open files", "-n", libc::RLIMIT_NOFILE, 64),
        ("the size of files", "-f", libc::RLIMIT_FSIZE, u64::MAX),
        ("the number of processes", "-u", libc::RLIMIT_NPROC, 64),
    ];
    let named = |&(name, option, kind, least): &(&'static str, &'static str, _, _)| {
        soft_limit(kind).map(|value| Named { name, option, value, least })
    };
    ALL.iter().filter_map(named).collect()
}

/// As memtop was started with it, and as every program that it starts has it.
fn soft_limit(kind: Kind) -> Option<u64> {
    let place = RAISED.iter().position(|&raised| raised == kind);
    let before =
        place.map(|place| &BEFORE[place]).filter(|(is_changed, ..)| is_changed.load(Relaxed));
    let soft = match before {
        Some((_, soft, _)) => soft.load(Relaxed),
        None => get(kind)?.rlim_cur,
    };
    (soft != libc::RLIM_INFINITY).then_some(soft)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn available_memory_is_read_in_kibibytes() {
        let text = "MemTotal: 10 kB\nMemAvailable:    2048 kB\n";
        assert_eq!(available(text), Some(2 << 20));
        assert_eq!(available("nothing"), None);
    }

    #[test]
    fn the_default_is_bounded() {
        assert!(default_tracer_limit() <= 4 << 30);
    }
}
