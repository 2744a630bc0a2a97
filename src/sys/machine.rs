//! What this machine is.

use std::ffi::{CStr, c_char};

/// Release and architecture, as the kernel says them.
pub fn kernel() -> (String, String) {
    // SAFETY: plain data that uname fills; it cannot fail with a valid pointer.
    let names = unsafe {
        let mut names: libc::utsname = std::mem::zeroed();
        libc::uname(&mut names);
        names
    };
    (text(&names.release), text(&names.machine))
}

fn text(chars: &[c_char]) -> String {
    let bytes: Vec<u8> = chars.iter().take_while(|c| **c != 0).map(|c| *c as u8).collect();
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Version of the C library.
pub fn c_library() -> String {
    // SAFETY: a constant string of the C library's.
    let version = unsafe { CStr::from_ptr(libc::gnu_get_libc_version()) };
    version.to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_named() {
        let (release, architecture) = kernel();
        assert!(release.contains('.') && !architecture.is_empty());
        assert!(c_library().starts_with(char::is_numeric));
    }
}
