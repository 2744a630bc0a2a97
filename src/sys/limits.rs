//! How much memory there is to use, and limits that a tracer may run into.

use std::{
    fs,
    path::{Path, PathBuf},
};

/// Bytes that can still be used: the smaller of what the machine and what the control groups
/// of this process have left. `None` when neither can be read.
pub fn headroom() -> Option<u64> {
    let machine = available(&fs::read_to_string("/proc/meminfo").unwrap_or_default());
    let groups = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    let group = group_headroom(&groups, Path::new("/sys/fs/cgroup"));
    machine.into_iter().chain(group).min()
}

fn available(meminfo: &str) -> Option<u64> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    let kibibytes: u64 = line.split_ascii_whitespace().next()?.parse().ok()?;
    Some(kibibytes.saturating_mul(1024))
}

/// The least headroom on the way from the own group to the root, in version 2 (one tree) and
/// in version 1 (a tree of its own for memory).
fn group_headroom(groups: &str, root: &Path) -> Option<u64> {
    let own = |line: &str| {
        let mut fields = line.splitn(3, ':').skip(1);
        let (controllers, path) = (fields.next()?, fields.next()?.trim_start_matches('/'));
        match controllers {
            "" => Some((root.to_owned(), path.to_owned(), ["memory.max", "memory.current"])),
            list if list.split(',').any(|one| one == "memory") => {
                let files = ["memory.limit_in_bytes", "memory.usage_in_bytes"];
                Some((root.join("memory"), path.to_owned(), files))
            }
            _ => None,
        }
    };
    let found = groups.lines().filter_map(own);
    found.filter_map(|(top, path, files)| least_on_the_way(&top, &path, files)).min()
}

fn least_on_the_way(top: &Path, path: &str, files: [&str; 2]) -> Option<u64> {
    let read = |folder: &PathBuf, file: &str| -> Option<u64> {
        fs::read_to_string(folder.join(file)).ok()?.trim().parse().ok()
    };
    let folders = top.join(path);
    let upwards = folders.ancestors().take_while(|folder| folder.starts_with(top));
    upwards
        .filter_map(|folder| {
            let folder = folder.to_owned();
            // "max", no limit, is not a number.
            Some(read(&folder, files[0])?.saturating_sub(read(&folder, files[1])?))
        })
        .min()
}

/// What the tracer may use when the user does not say: the smaller of 4 GiB and a quarter of
/// the headroom.
pub fn default_tracer_limit() -> u64 {
    const MOST: u64 = 4 << 30;
    headroom().map_or(MOST, |bytes| (bytes / 4).min(MOST))
}

/// A limit of this process, which a program inherits, that the tracer's memory counts
/// against. It is said and never changed. (Locked memory is limited on every machine by
/// default, and concerns only programs that lock all they map; to name it each time would
/// only teach people not to read warnings.)
pub fn warning() -> Option<String> {
    soft_limit(libc::RLIMIT_AS).map(|bytes| {
        format!(
            "the program's address space is limited to {} MiB (ulimit -v), and the tracer's \
             memory counts against it; if the program runs out of memory, raise the limit",
            bytes >> 20
        )
    })
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
    fn the_tightest_group_on_the_way_counts() {
        let root = std::env::temp_dir().join(format!("memtop-limits-{}", std::process::id()));
        let write = |path: &str, text: &str| {
            let path = root.join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        write("a/b/memory.max", "max\n");
        write("a/b/memory.current", "5\n");
        write("a/memory.max", "1000\n");
        write("a/memory.current", "400\n");
        write("memory/c/memory.limit_in_bytes", "90\n");
        write("memory/c/memory.usage_in_bytes", "100\n");
        assert_eq!(group_headroom("0::/a/b\n", &root), Some(600));
        assert_eq!(group_headroom("3:cpu,memory:/c\n1:name=x:/\n", &root), Some(0));
        assert_eq!(group_headroom("0::/gone\n", &root), None);
        fs::remove_dir_all(&root).unwrap();
    }

    #[test]
    fn the_default_is_bounded() {
        assert!(default_tracer_limit() <= 4 << 30);
    }
}
