//! A file's bytes, without reading them all.

use std::{fs::File, io, ops::Deref, os::fd::AsRawFd, ptr::NonNull};

/// A file mapped for reading, as long as it was when it was mapped.
///
/// Who writes into the file changes the bytes: they must be read as what anybody may have
/// put there. A file that is cut short while it is mapped cannot be read behind its new end
/// (the kernel sends SIGBUS); compilers and package managers replace files instead.
#[derive(Debug)]
pub struct Mapped {
    start: NonNull<u8>,
    length: usize,
}

// SAFETY: the mapping belongs to this value alone, is only ever read, and is not tied to the
// thread that made it.
unsafe impl Send for Mapped {}
// SAFETY: as above; readers do not disturb one another.
unsafe impl Sync for Mapped {}

impl Mapped {
    /// Maps the whole of a regular file.
    ///
    /// # Errors
    /// When it cannot be mapped: an empty or irregular file, or one larger than memory can be
    /// addressed.
    pub fn new(file: &File) -> io::Result<Self> {
        let facts = file.metadata()?;
        let length = usize::try_from(facts.len()).map_err(|_| io::ErrorKind::FileTooLarge)?;
        if !facts.is_file() || length == 0 {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        let (protection, flags) = (libc::PROT_READ, libc::MAP_PRIVATE);
        // SAFETY: a fresh mapping at an address of the kernel's choice.
        let start = unsafe {
            libc::mmap(std::ptr::null_mut(), length, protection, flags, file.as_raw_fd(), 0)
        };
        match NonNull::new(start.cast::<u8>()) {
            Some(start) if start.as_ptr().cast() != libc::MAP_FAILED => Ok(Self { start, length }),
            _ => Err(io::Error::last_os_error()),
        }
    }
}

impl Deref for Mapped {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        // SAFETY: `new` mapped so many readable bytes there, and they stay until the drop.
        unsafe { std::slice::from_raw_parts(self.start.as_ptr(), self.length) }
    }
}

impl Drop for Mapped {
    fn drop(&mut self) {
        // SAFETY: the range is the one that `new` mapped, and no borrow of it outlives `self`.
        unsafe { libc::munmap(self.start.as_ptr().cast(), self.length) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bytes_are_those_of_the_file() {
        let path = "/proc/self/exe";
        let mapped = Mapped::new(&File::open(path).unwrap()).unwrap();
        assert!(mapped.starts_with(b"\x7fELF"));
        assert_eq!(mapped.len() as u64, std::fs::metadata(path).unwrap().len());
    }

    #[test]
    fn what_has_no_bytes_is_refused() {
        assert!(Mapped::new(&File::open("/dev/null").unwrap()).is_err());
        assert!(Mapped::new(&File::open("/proc/self/status").unwrap()).is_err());
    }
}
