//! How a preloaded process comes by its session: by the path that the launcher put into its
//! environment, `MEMTOP_SESSION=/proc/KEEPER/fd/N:NONCE`.

use core::{
    ffi::{CStr, c_char, c_int},
    slice,
};

use super::{next, sandbox, unloading};
use crate::{
    lineage,
    process::{self, Origin},
    session::{
        layout::{COMMAND, Session, entry},
        memory::Memory,
    },
    thread,
};

/// Longest path that is taken.
const PATH: usize = 64;

/// The origin of every preloaded session.
pub static ORIGIN: Origin = Origin {
    is_ready: has_environment,
    memory: open_memory,
    entry: entry::PRELOAD,
    describe,
    traced: false,
};

/// By this symbol an allocator that is embedded in the program finds that it must step aside.
#[unsafe(no_mangle)]
pub static memtop_preload_version: u32 = crate::session::layout::VERSION;

/// Every process has a session, also one that never allocates.
#[used]
#[unsafe(link_section = ".init_array")]
static START: extern "C" fn(c_int, *const *const c_char) = start;

extern "C" fn start(count: c_int, arguments: *const *const c_char) {
    next::prepare();
    unloading::prepare();
    sandbox::prepare();
    let _ = thread::find_place(&ORIGIN);
    if process::header().is_null() || arguments.is_null() || count < 1 {
        return;
    }
    let session = process::session();
    let mut text = [0u8; COMMAND];
    let mut length = 0;
    for index in 0..count as usize {
        // SAFETY: the loader passes the program's argument vector, `count` C strings.
        let argument = unsafe { CStr::from_ptr(*arguments.add(index)) }.to_bytes_with_nul();
        let room = (COMMAND - length).min(argument.len());
        text[length..length + room].copy_from_slice(&argument[..room]);
        length += room;
    }
    lineage::write_command(session, &text[..length]);
}

fn describe(_: &Session) {}

/// What runs before libc's own start, in `.preinit_array` say, has no environment yet.
fn has_environment() -> bool {
    unsafe extern "C" {
        static environ: *const *const c_char;
    }
    // SAFETY: libc's variable; nobody else runs this early, and later it is never null.
    unsafe { !environ.is_null() }
}

fn open_memory() -> Option<Memory> {
    // SAFETY: the name is a C string.
    let value = unsafe { libc::getenv(c"MEMTOP_SESSION".as_ptr()) };
    if value.is_null() {
        return None;
    }
    // SAFETY: getenv returns a C string that nobody changes this early.
    let value = unsafe { CStr::from_ptr(value) }.to_bytes();
    let colon = value.iter().rposition(|&byte| byte == b':')?;
    let nonce = parse_hex(&value[colon + 1..])?;
    let mut path = [0u8; PATH];
    path.get_mut(..colon)?.copy_from_slice(&value[..colon]);
    // SAFETY: the path ends in a NUL, since `colon` < PATH is checked below.
    let path =
        unsafe { slice::from_raw_parts(path.as_ptr(), (colon < PATH).then_some(colon + 1)?) };
    map_path(path, nonce)
}

fn map_path(path: &[u8], nonce: u64) -> Option<Memory> {
    // SAFETY: the path ends in a NUL; the descriptor is closed right after mapping, so that
    // the program's table is unchanged.
    unsafe {
        let fd = libc::open(path.as_ptr().cast(), libc::O_RDWR | libc::O_CLOEXEC);
        if fd < 0 {
            return None;
        }
        let memory = Memory::map(fd, Some(nonce));
        libc::close(fd);
        memory.ok()
    }
}

fn parse_hex(text: &[u8]) -> Option<u64> {
    if text.is_empty() || text.len() > 16 {
        return None;
    }
    text.iter()
        .try_fold(0u64, |value, &digit| Some(value << 4 | u64::from((digit as char).to_digit(16)?)))
}
