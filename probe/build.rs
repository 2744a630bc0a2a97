//! With feature `preload-image`: builds this same package once more, as the preload library,
//! and leaves its bytes in `OUT_DIR` for `include_bytes!`. Without it (programs that embed the
//! allocator) nothing happens.
//!
//! `cargo install` copies binaries and never libraries, so the library has to travel inside
//! the binary; and cargo's artifact dependencies, made for this, are not stable.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::{Command, exit},
};

const NAME: &str = "libmemtop_preload.so";
const RUSTFLAGS: &str = "--cfg memtop_preload -Crelocation-model=pic \
     -Clink-arg=-Wl,-z,defs -Clink-arg=-Wl,-z,nodelete -Clink-arg=-Wl,-z,now \
     -Clink-arg=-Wl,-soname,libmemtop_preload.so";
const PROFILE: [&str; 7] = [
    "panic=\"abort\"",
    "lto=\"fat\"",
    "codegen-units=1",
    "opt-level=3",
    "debug=0",
    "strip=\"debuginfo\"",
    "overflow-checks=false",
];

fn main() {
    for input in ["build.rs", "src", "Cargo.toml"] {
        println!("cargo::rerun-if-changed={input}");
    }
    println!("cargo::rerun-if-env-changed=MEMTOP_PRELOAD_SO");
    if env::var_os("CARGO_FEATURE_PRELOAD_IMAGE").is_none() {
        return;
    }
    let out = PathBuf::from(variable("OUT_DIR"));
    // A packager, or an editor that wants fast checks, may hand in a ready one.
    let library = match env::var_os("MEMTOP_PRELOAD_SO") {
        Some(path) => PathBuf::from(path),
        None => build(&out),
    };
    let bytes = fs::read(&library).unwrap_or_else(|error| panic!("{}: {error}", library.display()));
    fs::write(out.join(NAME), &bytes).expect("OUT_DIR is writable");
    println!("cargo::rustc-env=MEMTOP_PRELOAD_HASH={:016x}", hash(&bytes));
}

fn build(out: &Path) -> PathBuf {
    let target = variable("TARGET");
    let folder = out.join("preload");
    let mut cargo = Command::new(variable("CARGO"));
    forget_outer_build(&mut cargo);
    cargo
        .current_dir(variable("CARGO_MANIFEST_DIR"))
        .args(["rustc", "--lib", "--crate-type", "cdylib", "--release"])
        .args(["--no-default-features", "--target", &target])
        // Both folders are set and not merely unset: a configured one would be the outer
        // cargo's, locked, and the two would wait for each other for ever.
        .env("CARGO_TARGET_DIR", &folder)
        .env("CARGO_BUILD_BUILD_DIR", folder.join("build"))
        .env("RUSTFLAGS", RUSTFLAGS);
    for setting in PROFILE {
        cargo.args(["--config", &format!("profile.release.{setting}")]);
    }
    if !cargo.status().is_ok_and(|status| status.success()) {
        eprintln!("building the preload library failed: {cargo:?}");
        exit(1);
    }
    folder.join(target).join("release/libmemtop_probe.so")
}

/// Nothing that the outer cargo set for its own rustc may reach this one: features, profiles,
/// coverage or sanitizer flags, clippy's wrapper.
fn forget_outer_build(cargo: &mut Command) {
    const PREFIXES: [&str; 4] = ["CARGO_FEATURE_", "CARGO_CFG_", "CARGO_PROFILE_", "DEP_"];
    const NAMES: [&str; 4] = [
        "RUSTC_WORKSPACE_WRAPPER",
        "RUSTC_WRAPPER",
        "CARGO_ENCODED_RUSTFLAGS",
        "LLVM_PROFILE_FILE",
    ];
    for (name, _) in env::vars_os() {
        let text = name.to_string_lossy();
        if PREFIXES.iter().any(|prefix| text.starts_with(prefix)) || NAMES.contains(&&*text) {
            cargo.env_remove(&name);
        }
    }
}

fn variable(name: &str) -> String {
    env::var(name).unwrap_or_else(|_| panic!("{name} is not set: not run by cargo?"))
}

/// FNV-1a: names the library in the user's cache folder by its content.
fn hash(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, &byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3)
    })
}
