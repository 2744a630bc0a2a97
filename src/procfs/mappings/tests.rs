use super::*;

fn line(range: &str, mode: &str, name: &str, kib: u64) -> String {
    format!(
        "{range} {mode} 00000000 00:00 0                          {name}\nSize: 8 kB\nRss:    {kib:>8} kB\nVmFlags: rd\n"
    )
}

fn of(lines: &[(&str, &str, &str, u64)]) -> Mappings {
    let text: String = lines.iter().map(|(r, m, n, kib)| line(r, m, n, *kib)).collect();
    parse(text.as_bytes()).unwrap()
}

#[test]
fn names_tell_what_a_mapping_is_for() {
    let found = of(&[
        ("55550000-55560000", "r-xp", "/usr/bin/a b (deleted)", 10),
        ("55570000-55580000", "rw-p", "[heap]", 20),
        ("7f0000100000-7f0000200000", "rw-s", "/memfd:memtop-session (deleted)", 30),
        ("7f0000200000-7f0000300000", "r-xp", "/home/u/.cache/memtop/memtop-probe-1.so", 5),
        ("7f0000400000-7f0000500000", "rw-s", "/dev/shm/x", 40),
        ("7ffc00000000-7ffc00010000", "rw-p", "[stack]", 50),
        ("7ffc00020000-7ffc00021000", "r-xp", "[vdso]", 1),
    ]);
    let kib = |n: u64| n * 1024;
    assert_eq!((found.files, found.heap, found.tracer), (kib(11), kib(20), kib(35)));
    assert_eq!((found.shared, found.stacks, found.mapped), (kib(40), kib(50), 0));
}

#[test]
fn anonymous_memory_is_told_by_its_neighbours() {
    let found = of(&[
        // An arena and the rest of it.
        ("7f0000000000-7f0000100000", "rw-p", "", 100),
        ("7f0000100000-7f0004000000", "---p", "", 0),
        // A guard and a stack.
        ("7f0010000000-7f0010001000", "---p", "", 0),
        ("7f0010001000-7f0010801000", "rw-p", "", 12),
        // A block of its own.
        ("7f0020000000-7f0020100000", "rw-p", "", 1024),
        // Aligned, and nothing behind it.
        ("7f0040000000-7f0040100000", "rw-p", "", 2048),
    ]);
    let kib = |n: u64| n * 1024;
    assert_eq!((found.heap, found.stacks, found.mapped), (kib(100), kib(12), kib(3072)));
}

#[test]
fn runtimes_give_themselves_away() {
    let with = |name| of(&[("7f0000000000-7f0000100000", "r-xp", name, 1)]).runtime;
    assert_eq!(with("/usr/lib/jvm/java-17/lib/server/libjvm.so"), Some(Runtime::Java));
    assert_eq!(with("/usr/bin/node"), Some(Runtime::V8));
    assert_eq!(with("[anon: Go: heap]"), Some(Runtime::Go));
    assert_eq!(with("/usr/bin/nodeterm"), Some(Runtime::V8), "a name alone cannot tell");
    assert_eq!(with("/usr/lib/libc.so.6"), None);
}

#[test]
fn what_is_not_of_the_kernel_is_survived() {
    assert_eq!(parse(&b""[..]), None);
    assert_eq!(parse(&b"Rss: 5 kB\n"[..]), None);
    assert_eq!(parse(&b"x-y rw-p\n\xff\xfe\nRss: lots kB\n"[..]), None);
}

#[test]
fn this_process_adds_up_to_its_resident_size() {
    let own = std::process::id();
    let thread = std::thread::spawn(|| std::thread::sleep(std::time::Duration::from_millis(300)));
    let held = std::hint::black_box(vec![1_u8; 32 << 20]);
    let found = read(own).unwrap();
    let resident = crate::sys::process::resident_bytes(own).unwrap();
    let sum = found.heap + found.mapped + found.stacks + found.files + found.shared + found.tracer;
    // Other tests allocate meanwhile, and the kernel counts in batches.
    assert!(sum.abs_diff(resident) < 16 << 20, "{found:?} is not {resident}");
    assert!(found.mapped >= held.len() as u64 && found.files > 0 && found.stacks > 0);
    thread.join().unwrap();
}
