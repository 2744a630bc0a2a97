//! The memory limit that a process stands under: the tightest control group on the way from its
//! own to the root.

use std::{
    fs,
    path::{Path, PathBuf},
};

/// A limit and what is used of it, by everybody in the group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GroupLimit {
    /// Bytes allowed.
    pub limit: u64,
    /// Bytes used.
    pub used: u64,
}

impl GroupLimit {
    /// Bytes left.
    pub fn headroom(&self) -> u64 {
        self.limit.saturating_sub(self.used)
    }
}

/// Limits of version 1 that mean none are close to the greatest number.
const NONE: u64 = 1 << 60;

/// The limit that leaves a process the least, if it stands under any.
pub fn limit_of(pid: u32) -> Option<GroupLimit> {
    let groups = fs::read_to_string(format!("/proc/{pid}/cgroup")).ok()?;
    tightest(&groups, Path::new("/sys/fs/cgroup"))
}

/// In version 2 (one tree) and in version 1 (a tree of its own for memory).
pub fn tightest(groups: &str, root: &Path) -> Option<GroupLimit> {
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
    let limits = found.filter_map(|(top, path, files)| least_on_the_way(&top, &path, files));
    limits.min_by_key(GroupLimit::headroom)
}

fn least_on_the_way(top: &Path, path: &str, files: [&str; 2]) -> Option<GroupLimit> {
    let read = |folder: &PathBuf, file: &str| -> Option<u64> {
        fs::read_to_string(folder.join(file)).ok()?.trim().parse().ok()
    };
    let folders = top.join(path);
    let upwards = folders.ancestors().take_while(|folder| folder.starts_with(top));
    let limits = upwards.filter_map(|folder| {
        let folder = folder.to_owned();
        // "max", no limit, is not a number.
        let limit = read(&folder, files[0]).filter(|limit| *limit < NONE)?;
        Some(GroupLimit { limit, used: read(&folder, files[1])? })
    });
    limits.min_by_key(GroupLimit::headroom)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tightest_group_on_the_way_counts() {
        let root = std::env::temp_dir().join(format!("memtop-groups-{}", std::process::id()));
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
        write("memory/d/memory.limit_in_bytes", "9223372036854771712\n");
        write("memory/d/memory.usage_in_bytes", "100\n");
        let found = tightest("0::/a/b\n", &root).unwrap();
        assert_eq!((found.limit, found.used, found.headroom()), (1000, 400, 600));
        let found = tightest("3:cpu,memory:/c\n1:name=x:/\n", &root).unwrap();
        assert_eq!(found.headroom(), 0);
        assert_eq!(tightest("3:memory:/d\n", &root), None);
        assert_eq!(tightest("0::/gone\n", &root), None);
        fs::remove_dir_all(&root).unwrap();
    }
}
