//! How much memory there is to use, and limits that a tracer may run into.

use std::fs;

use crate::procfs::group;

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

/// Most bytes that a process may map, if there is a limit.
pub fn address_space() -> Option<u64> {
    soft_limit(libc::RLIMIT_AS)
}

/// A limit of this process, which a program inherits, that the tracer's memory counts
/// against. It is said and never changed. (Locked memory is limited on every machine by
/// default, and concerns only programs that lock all they map; to name it each time would
/// only teach people not to read warnings.)
pub fn warning() -> Option<String> {
    address_space().map(|bytes| {
        format!(
            "the program's address space is limited to {} MiB (ulimit -v), and the tracer's \
             memory counts against it; if the program runs out of memory, raise the limit",
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
    const ALL: [(&str, &str, libc::__rlimit_resource_t, u64); 4] = [
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

fn soft_limit(kind: libc::__rlimit_resource_t) -> Option<u64> {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: `limit` is writable and of the right type.
    let done = unsafe { libc::getrlimit(kind, &mut limit) } == 0;
    (done && limit.rlim_cur != libc::RLIM_INFINITY).then_some(limit.rlim_cur)
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
