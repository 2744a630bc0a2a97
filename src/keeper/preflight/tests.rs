//! Small real programs, made by the C compiler, and bytes of what no compiler here makes.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::Command,
    sync::atomic::{AtomicU32, Ordering::Relaxed},
};

use super::*;

struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name =
            format!("memtop-preflight-{}-{}", std::process::id(), NEXT.fetch_add(1, Relaxed));
        let folder = std::env::temp_dir().join(name);
        fs::create_dir_all(&folder).unwrap();
        Self(folder)
    }

    fn file(&self, name: &str, bytes: &[u8], mode: u32) -> PathBuf {
        let path = self.0.join(name);
        fs::write(&path, bytes).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        path
    }

    fn compile(&self, name: &str, code: &str, flags: &[&str]) -> PathBuf {
        let source = self.file(&format!("{name}.c"), code.as_bytes(), 0o644);
        let output = self.0.join(name);
        let mut compiler = Command::new("cc");
        compiler.arg(&source).arg("-o").arg(&output).args(flags);
        assert!(compiler.status().unwrap().success());
        output
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn refusal(program: impl AsRef<OsStr>) -> Refusal {
    check(program.as_ref()).unwrap_err()
}

fn says(refusal: &Refusal, code: u8, parts: &[&str]) {
    let text = refusal.to_string();
    assert_eq!(refusal.exit_code(), code, "{text}");
    for part in parts {
        assert!(text.contains(part), "{part:?} is not in {text:?}");
    }
}

const EMPTY: &str = "int main(void) { return 0; }";

#[test]
fn an_ordinary_program_is_found_on_the_path() {
    let found = check_along(OsStr::new("sh"), Some("/nonexistent:/bin".into())).unwrap();
    assert_eq!(found.file, Path::new("/bin/sh"));
    assert_eq!(found.warnings, Vec::<String>::new());
    let found = check_along(OsStr::new("sh"), None).unwrap();
    assert_eq!(found.file, Path::new("/bin/sh"));
}

#[test]
fn what_is_not_there_is_127() {
    says(&refusal("memtop-no-such"), 127, &["memtop-no-such", "not found", "PATH"]);
    says(&refusal("/nonexistent/x"), 127, &["/nonexistent/x", "not found"]);
    says(&refusal(""), 127, &["not found"]);
}

#[test]
fn what_cannot_be_executed_is_126() {
    let folder = Folder::new();
    let file = folder.file("plain", b"#!/bin/sh\n", 0o644);
    says(&refusal(&file), 126, &["not executable", "chmod +x"]);
    says(&refusal(&folder.0), 126, &["directory"]);
    let along = check_along(OsStr::new("plain"), Some(folder.0.clone().into()));
    says(&along.unwrap_err(), 126, &["not executable"]);
    let noise = folder.file("noise", b"\x01\x00\x02garbage", 0o755);
    says(&refusal(noise), 126, &["neither an ELF program nor a script"]);
}

#[test]
fn scripts_lead_to_their_interpreter() {
    let folder = Folder::new();
    let script = folder.file("script", b"#! /bin/sh -e\nexit\n", 0o755);
    assert_eq!(check(script.as_os_str()).unwrap().file, script);
    let second = format!("#!{}\n", script.display());
    let second = folder.file("second", second.as_bytes(), 0o755);
    assert!(check(second.as_os_str()).is_ok());
    let bare = folder.file("bare", b"exit 0\n", 0o755);
    assert!(check(bare.as_os_str()).is_ok());
    let lost = folder.file("lost", b"#!/nonexistent/python9 -E\n", 0o755);
    says(&refusal(lost), 126, &["/nonexistent/python9", "interpreter", "first line of"]);
    let own = folder.0.join("loop");
    let text = format!("#!{}\n", own.display());
    says(&refusal(folder.file("loop", text.as_bytes(), 0o755)), 126, &["interpreter is a script"]);
}

#[test]
fn a_static_program_is_refused() {
    let folder = Folder::new();
    for (name, flag) in [("static", "-static"), ("static-pie", "-static-pie")] {
        let file = folder.compile(name, EMPTY, &[flag]);
        says(&refusal(file), 126, &["statically linked", "dynamically linked build"]);
    }
}

#[test]
fn a_foreign_program_is_named_by_its_architecture() {
    let folder = Folder::new();
    let header = |class: u8, order: u8, machine: [u8; 2]| {
        let mut bytes = vec![0x7F, b'E', b'L', b'F', class, order, 1, 0];
        bytes.resize(18, 0);
        bytes.extend(machine);
        bytes.resize(64, 0);
        bytes
    };
    let cases = [
        (header(2, 1, [183, 0]), "aarch64"),
        (header(1, 1, [3, 0]), "i386"),
        (header(1, 1, [62, 0]), "x32"),
        (header(2, 2, [0, 21]), "64-bit PowerPC (big-endian)"),
        (header(2, 1, [0x34, 0x12]), "ELF machine 4660"),
    ];
    for (bytes, name) in cases {
        says(
            &refusal(folder.file("foreign", &bytes, 0o755)),
            126,
            &[name, "a build for this machine"],
        );
    }
    let cut = folder.file("cut", b"\x7fELF\x02\x01", 0o755);
    says(&refusal(cut), 126, &["damaged"]);
    let empty = folder.file("hollow", &header(2, 1, [62, 0]), 0o755);
    assert_eq!(refusal(empty).exit_code(), 126);
}

#[test]
fn the_loader_must_be_that_of_glibc() {
    let folder = Folder::new();
    let musl = ["-Wl,--dynamic-linker=/lib/ld-musl-x86_64.so.1"];
    let file = folder.compile("musl", EMPTY, &musl);
    says(&refusal(file), 126, &["musl", "ld-musl-x86_64", "glibc"]);
    let file = folder.compile("lost", EMPTY, &["-Wl,--dynamic-linker=/lib64/ld-none.so"]);
    says(&refusal(file), 126, &["/lib64/ld-none.so", "does not exist"]);
}

/// One symbol of each family that is linked into executables, and what it says of itself.
#[test]
fn an_allocator_of_its_own_is_a_warning() {
    let folder = Folder::new();
    let families = [
        ("je_malloc", "jemalloc", "<jemalloc>: Error"),
        ("_rjem_malloc", "jemalloc", "<jemalloc>: Error"),
        ("mi_malloc", "mimalloc", "mimalloc: error: "),
        ("tc_malloc", "tcmalloc", "tcmalloc: allocation failed"),
    ];
    for (symbol, name, words) in families {
        let code = format!(
            "char *volatile words = \"{words}\"; void *{symbol}(unsigned long n) {{ return words; }}
             int main(void) {{ return {symbol}(1) != 0; }}"
        );
        let warning = |options: &[&str]| {
            let file = folder.compile(symbol, &code, options);
            check(file.as_os_str()).unwrap().warnings.concat()
        };
        let found = warning(&[]);
        assert!(found.contains(&format!("own ({symbol})")) && found.contains("embed"), "{found}");
        let found = warning(&["-s"]);
        assert!(found.contains(&format!("own ({name})")) && found.contains("embed"), "{found}");
    }
    let calls = "#include <stdlib.h>\nint main(void) { free(malloc(3)); return 0; }";
    for options in [&[][..], &["-s"]] {
        let file = folder.compile("calls", calls, options);
        assert_eq!(check(file.as_os_str()).unwrap().warnings, Vec::<String>::new());
    }
}

#[test]
fn memtops_allocator_around_another_is_told_to_stand_alone() {
    let folder = Folder::new();
    let code = "void *mi_malloc(unsigned long n) { return 0; }
                void _ZN12memtop_probe5startE(void) {} int main(void) { return mi_malloc(1) != 0; }";
    let warnings = check(folder.compile("own", code, &[]).as_os_str()).unwrap().warnings;
    assert!(warnings[0].contains("steps aside here"), "{warnings:?}");
    assert!(warnings[0].contains("join it with memtop"), "{warnings:?}");
}

#[test]
fn a_sanitizer_is_refused() {
    let folder = Folder::new();
    let code = "void __asan_init(void) {} int main(void) { return 0; }";
    let file = folder.compile("asan", code, &[]);
    says(&refusal(file), 126, &["AddressSanitizer", "without it"]);
}

#[test]
fn gaining_privileges_is_refused_unless_nothing_is_gained() {
    let folder = Folder::new();
    let file = folder.compile("gains", EMPTY, &[]);
    let owner = file.metadata().unwrap();
    let user = Credentials {
        user: owner.uid(),
        effective_user: owner.uid(),
        group: owner.gid(),
        no_new_privileges: false,
    };
    let other = Credentials { user: owner.uid() + 1, group: owner.gid() + 1, ..user };
    let cases = [(0o4755, "set-user-ID"), (0o2755, "set-group-ID")];
    for (mode, what) in cases {
        fs::set_permissions(&file, fs::Permissions::from_mode(mode)).unwrap();
        assert!(check_file(&file, &user).is_ok());
        let reason = check_file(&file, &other).unwrap_err();
        says(&Refusal::new(file.as_os_str(), reason), 126, &[what, "LD_PRELOAD"]);
        let tied = Credentials { no_new_privileges: true, ..other };
        assert!(check_file(&file, &tied).is_ok());
    }
}
