//! The kernel, the C library, limits, and whether tracing works at all.

use std::fs;

use memtop_probe::session::memory::Memory;
use memtop_ui::format::{bytes, count};

use super::Finding;
use crate::{
    keeper::{LACKS_PAIRS, Options, record},
    procfs::{group, mappings},
    sys::{limits, machine},
};

/// A shell that does nothing allocates a little, everywhere.
pub(super) fn tracing() -> Finding {
    const NAME: &str = "tracing";
    const REMEDY: &str =
        "see the other lines; where a sandbox is in the way, run memtop outside it";
    let command = ["/bin/sh", "-c", ":"].map(Into::into).to_vec();
    match record::watch(&Options::new(command)) {
        Err(error) => Finding::broken(NAME, error.to_string(), REMEDY),
        Ok(tree) => match tree.processes.first() {
            Some(first) if first.totals.allocations > 0 => {
                let seen = count(first.totals.allocations);
                Finding::works(NAME, format!("/bin/sh was traced: {seen} allocations seen"))
            }
            Some(_) => Finding::broken(NAME, "/bin/sh ran, but no allocation was seen", REMEDY),
            None => {
                let words = "/bin/sh ran without the tracing library: LD_PRELOAD had no effect";
                Finding::broken(NAME, words, REMEDY)
            }
        },
    }
}

pub(super) fn kernel() -> Finding {
    const NAME: &str = "kernel";
    let (release, architecture) = machine::kernel();
    let words = format!("Linux {release} on {architecture}");
    match architecture.as_str() {
        "x86_64" => Finding::works(NAME, words),
        _ => Finding::broken(NAME, words, "memtop traces programs on x86-64 only"),
    }
}

pub(super) fn processor() -> Finding {
    judge_processor(Memory::suits_processor())
}

fn judge_processor(has_pairs: bool) -> Finding {
    const NAME: &str = "processor";
    match has_pairs {
        true => Finding::works(NAME, "it has all that tracing needs (cmpxchg16b)"),
        false => {
            Finding::broken(NAME, LACKS_PAIRS, "run memtop on a newer one; give virtual ones cx16")
        }
    }
}

pub(super) fn c_library() -> Finding {
    Finding::works("C library", format!("glibc {}", machine::c_library()))
}

/// What memtop reads of other processes.
pub(super) fn proc_files() -> Finding {
    const NAME: &str = "/proc";
    let own = std::process::id();
    if mappings::read(own).is_none() {
        let words =
            "/proc/PID/smaps cannot be read: what is resident beside the heap stays unknown";
        return Finding::limited(NAME, words, "mount /proc, in a container too");
    }
    if fs::metadata("/proc/1").is_err() {
        let words = "processes of other users are hidden (hidepid)";
        return Finding::limited(NAME, words, "nothing, as long as you trace programs of your own");
    }
    Finding::works(NAME, "mappings, children and threads can be read")
}

pub(super) fn memory_limits() -> Finding {
    const NAME: &str = "limits";
    let found = limits::named();
    let tight = found.iter().filter(|limit| limit.matters()).map(|limit| limit.words());
    let tight: Vec<String> = tight.collect();
    match tight.is_empty() {
        true => Finding::works(NAME, "none that the tracer could run into (ulimit)"),
        false => {
            Finding::limited(NAME, tight.join("; "), "raise them with ulimit before the start")
        }
    }
}

pub(super) fn group() -> Finding {
    const NAME: &str = "memory";
    let tracer = bytes(limits::default_tracer_limit());
    match group::limit_of(std::process::id()) {
        None => Finding::works(NAME, format!("no group limit; the tracer may take {tracer}")),
        Some(limit) => {
            let left = bytes(limit.headroom());
            let words = format!(
                "the control group's limit is {}, {left} are left, the tracer may take {tracer}",
                bytes(limit.limit)
            );
            match limit.headroom() < 256 << 20 {
                false => Finding::works(NAME, words),
                true => {
                    Finding::limited(NAME, words, "give the group more, or --max-tracer-memory")
                }
            }
        }
    }
}

/// For joining a process that was not started by memtop.
pub(super) fn ptrace() -> Finding {
    const NAME: &str = "ptrace";
    let scope = fs::read_to_string("/proc/sys/kernel/yama/ptrace_scope");
    match scope.as_deref().map(str::trim) {
        Ok("0") | Err(_) => Finding::works(NAME, "your own processes may be attached to"),
        Ok(scope) => Finding::limited(
            NAME,
            format!("processes may be attached to by their parents only (ptrace_scope {scope})"),
            "start programs with memtop run, which needs none of it",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::Verdict;

    #[test]
    fn a_processor_without_pairs_traces_nothing() {
        let flags = fs::read_to_string("/proc/cpuinfo").unwrap();
        assert_eq!(Memory::suits_processor(), flags.split_whitespace().any(|flag| flag == "cx16"));
        assert_eq!(judge_processor(true).verdict, Verdict::Works);
        let found = judge_processor(false);
        assert_eq!((found.verdict, found.words.as_str()), (Verdict::Broken, LACKS_PAIRS));
    }
}
