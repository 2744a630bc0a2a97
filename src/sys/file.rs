//! What `std::fs` does not say about a file.

use std::{ffi::CString, io, os::unix::ffi::OsStrExt, path::Path};

fn c_path(path: &Path) -> io::Result<CString> {
    CString::new(path.as_os_str().as_bytes()).map_err(io::Error::from)
}

/// Whether the effective user may execute the file, as `execve` would judge it.
pub fn may_execute(path: &Path) -> bool {
    let Ok(path) = c_path(path) else { return false };
    let flags = libc::AT_EACCESS;
    // SAFETY: `path` is a C string that outlives the call.
    unsafe { libc::faccessat(libc::AT_FDCWD, path.as_ptr(), libc::X_OK, flags) == 0 }
}

/// Whether the file carries capabilities.
pub fn has_capabilities(path: &Path) -> bool {
    let Ok(path) = c_path(path) else { return false };
    let name = c"security.capability".as_ptr();
    // SAFETY: both are C strings; with size 0 nothing is written.
    unsafe { libc::getxattr(path.as_ptr(), name, std::ptr::null_mut(), 0) > 0 }
}

/// Whether the file can be mapped as code: not so on a `noexec` mount.
pub fn can_map_code(file: &std::fs::File) -> io::Result<()> {
    use std::os::fd::AsRawFd;
    let protection = libc::PROT_READ | libc::PROT_EXEC;
    // SAFETY: a fresh private mapping at an address of the kernel's choice, never touched.
    let base = unsafe {
        libc::mmap(std::ptr::null_mut(), 4096, protection, libc::MAP_PRIVATE, file.as_raw_fd(), 0)
    };
    if base == libc::MAP_FAILED {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the range was just mapped and nothing points into it.
    unsafe { libc::munmap(base, 4096) };
    Ok(())
}

/// An anonymous file in memory.
pub fn in_memory(name: &std::ffi::CStr) -> io::Result<std::fs::File> {
    use std::os::fd::FromRawFd;
    // SAFETY: `name` is a C string.
    let fd = super::check(unsafe { libc::memfd_create(name.as_ptr(), libc::MFD_CLOEXEC) })?;
    // SAFETY: the descriptor was just made and is nobody else's.
    Ok(unsafe { std::fs::File::from_raw_fd(fd) })
}

/// Real and effective user and group of this process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Credentials {
    /// Real user.
    pub user: u32,
    /// Effective user.
    pub effective_user: u32,
    /// Real group.
    pub group: u32,
    /// True if exec may not gain privileges, so that set-user-ID bits mean nothing.
    pub no_new_privileges: bool,
}

/// Those of this process.
pub fn credentials() -> Credentials {
    // SAFETY: none of these calls has a precondition or touches memory.
    unsafe {
        Credentials {
            user: libc::getuid(),
            effective_user: libc::geteuid(),
            group: libc::getgid(),
            no_new_privileges: libc::prctl(libc::PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn execution_is_judged_by_the_mode() {
        assert!(may_execute(Path::new("/bin/sh")));
        assert!(!may_execute(Path::new("/etc/passwd")));
        assert!(!has_capabilities(Path::new("/etc/passwd")));
        assert!(!may_execute(Path::new("/nonexistent")));
    }
}
