//! `mlockall`, without filling session memory.
//!
//! Session memory is a sparse mapping of many gigabytes. Locking all of a process would make
//! the kernel fill it, page by page, and take the program along. So the call is passed on with
//! `MCL_ONFAULT`: what the program touches is locked from then on, as it asked, and what
//! nobody touches stays a hole. The one difference it can notice is that memory it has not
//! touched yet is not filled ahead.

use core::ffi::c_int;

/// # Safety
/// As POSIX's `mlockall`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mlockall(flags: c_int) -> c_int {
    // SAFETY: the system call touches no memory of ours; the C library sets errno.
    unsafe { libc::syscall(libc::SYS_mlockall, flags | libc::MCL_ONFAULT) as c_int }
}
