//! Making, mapping and bounds-checking session memory.
//!
//! [`Memory`] is a mapping and nothing else: it never owns a descriptor. The keeper keeps the
//! one it made, the probe closes its own right after mapping.

use core::{ffi::CStr, mem::align_of, ptr::NonNull, sync::atomic::Ordering::Relaxed};

use super::layout::{Header, MAGIC, MAX_FRAMES, SESSIONS, Session, Slot, TABLE, VERSION};
use crate::sys;

/// Name of the memfd; `/proc/PID/fd` shows it as `/memfd:memtop-session (deleted)`.
pub const NAME: &CStr = c"memtop-session";

/// Sparse size of the memory of a launch: room for some 8,000 processes, or 30,000 threads, at
/// once.
///
/// Every process maps all of it, so a program that limits its own address space (`ulimit -v`)
/// must find room beside it.
pub const TREE_SIZE: u64 = 1 << 30;

/// Smallest memory that is worth having.
pub const LEAST_SIZE: u64 = 4 << 20;

/// Why session memory could not be made or mapped. The numbers are `errno`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MemoryError {
    /// `memfd_create` failed.
    Create(i32),
    /// `ftruncate` failed.
    Resize(i32),
    /// `mmap` failed.
    Map(i32),
    /// `fstat` failed.
    Inspect(i32),
    /// The file is not session memory, or of another version, or not the one expected.
    Foreign,
    /// The processor lacks the instruction by which two words change in one step.
    Processor,
}

/// What a new memory is to hold.
#[derive(Debug, Clone, Copy)]
pub struct Settings {
    /// Sparse size, bytes.
    pub size: u64,
    /// Random name of this memory.
    pub nonce: u64,
    /// `CLOCK_MONOTONIC`, nanoseconds.
    pub now_ns: u64,
    /// Nanoseconds between two ticks.
    pub tick_ns: u64,
    /// Tracer memory that may be used, bytes.
    pub limit: u64,
    /// Frames of a stack to keep; 0 = no stacks.
    pub frames: u32,
}

/// A mapping of session memory. It stays until the process ends: the probe can never know
/// that no thread is inside it; readers [`unmap`](Memory::unmap) when they are done.
#[derive(Debug, Clone, Copy)]
pub struct Memory {
    base: NonNull<u8>,
    length: u64,
}

// SAFETY: the mapping is shared memory made of atomics; any thread may use it.
unsafe impl Send for Memory {}
// SAFETY: as above.
unsafe impl Sync for Memory {}

fn errno() -> i32 {
    // SAFETY: errno's location is valid for the calling thread.
    unsafe { *libc::__errno_location() }
}

impl Memory {
    /// Whether this processor can do what is done in session memory.
    pub fn suits_processor() -> bool {
        sys::has_pairs()
    }

    /// Makes, sizes, seals and maps a new memory. The descriptor is close-on-exec. Where memory
    /// was made, the processor can do what is done in it, so that [`map`](Memory::map) need not
    /// ask, which takes microseconds in a virtual machine and happens at every exec.
    pub fn create(settings: &Settings) -> Result<(Memory, i32), MemoryError> {
        if !Memory::suits_processor() {
            return Err(MemoryError::Processor);
        }
        let flags = libc::MFD_CLOEXEC | libc::MFD_ALLOW_SEALING;
        // SAFETY: NAME is a C string.
        let fd = unsafe { libc::memfd_create(NAME.as_ptr(), flags) };
        if fd < 0 {
            return Err(MemoryError::Create(errno()));
        }
        let made = Memory::fill(fd, settings);
        if made.is_err() {
            // SAFETY: the descriptor is ours and nobody else knows it yet.
            unsafe { libc::close(fd) };
        }
        made.map(|memory| (memory, fd))
    }

    fn fill(fd: i32, settings: &Settings) -> Result<Memory, MemoryError> {
        // SAFETY: plain system calls on a descriptor of ours.
        unsafe {
            if libc::ftruncate(fd, settings.size as libc::off_t) != 0 {
                return Err(MemoryError::Resize(errno()));
            }
            // A size that cannot change is what keeps a reader from SIGBUS.
            let seals = libc::F_SEAL_SHRINK | libc::F_SEAL_GROW | libc::F_SEAL_SEAL;
            libc::fcntl(fd, libc::F_ADD_SEALS, seals);
        }
        let memory = Memory::map_length(fd, settings.size)?;
        memory.initialise(settings);
        Ok(memory)
    }

    fn initialise(&self, settings: &Settings) {
        let header = self.header();
        header.version.store(VERSION, Relaxed);
        // SAFETY: getpid has no preconditions.
        header.creator.store(unsafe { libc::getpid() } as u32, Relaxed);
        header.memory_size.store(settings.size, Relaxed);
        header.nonce.store(settings.nonce, Relaxed);
        header.created_ns.store(settings.now_ns, Relaxed);
        header.tick_ns.store(settings.tick_ns, Relaxed);
        header.limit.store(settings.limit, Relaxed);
        header.frames.store(settings.frames.min(MAX_FRAMES), Relaxed);
        header.magic.store(MAGIC, Relaxed);
    }

    /// Maps the memory behind a descriptor and checks that it is one of this version, and, if
    /// `nonce` is given, the very one expected. The descriptor stays the caller's.
    pub fn map(fd: i32, nonce: Option<u64>) -> Result<Memory, MemoryError> {
        // SAFETY: `stat` is plain data for fstat to fill.
        let mut stat: libc::stat = unsafe { core::mem::zeroed() };
        // SAFETY: `stat` is writable and of the right type.
        if unsafe { libc::fstat(fd, &mut stat) } != 0 {
            return Err(MemoryError::Inspect(errno()));
        }
        let length = stat.st_size as u64;
        // Without the seal, whoever made the memory could shrink it under our feet.
        // SAFETY: a plain question about a descriptor.
        let seals = unsafe { libc::fcntl(fd, libc::F_GET_SEALS) };
        if length < LEAST_SIZE || seals < 0 || seals & libc::F_SEAL_SHRINK == 0 {
            return Err(MemoryError::Foreign);
        }
        let memory = Memory::map_length(fd, length)?;
        if memory.is_expected(nonce) {
            return Ok(memory);
        }
        memory.unmap();
        Err(MemoryError::Foreign)
    }

    fn is_expected(&self, nonce: Option<u64>) -> bool {
        let header = self.header();
        header.magic.load(Relaxed) == MAGIC
            && header.version.load(Relaxed) == VERSION
            && header.memory_size.load(Relaxed) == self.length
            && nonce.is_none_or(|nonce| header.nonce.load(Relaxed) == nonce)
    }

    fn map_length(fd: i32, length: u64) -> Result<Memory, MemoryError> {
        let protection = libc::PROT_READ | libc::PROT_WRITE;
        let flags = libc::MAP_SHARED | libc::MAP_NORESERVE;
        // SAFETY: a fresh mapping at an address of the kernel's choice touches nothing of ours.
        let base =
            unsafe { libc::mmap(core::ptr::null_mut(), length as usize, protection, flags, fd, 0) };
        if base == libc::MAP_FAILED {
            return Err(MemoryError::Map(errno()));
        }
        // SAFETY: the range was just mapped. Nothing of ours belongs in a core dump.
        unsafe { libc::madvise(base, length as usize, libc::MADV_DONTDUMP) };
        let base = NonNull::new(base.cast()).ok_or(MemoryError::Map(0))?;
        Ok(Memory { base, length })
    }

    /// Removes the mapping. References into it must be gone, which borrowing cannot show for a
    /// `Copy` type: only readers, which own their copy, call this.
    pub fn unmap(self) {
        // SAFETY: base and length are those of a mapping made by `map_length`.
        unsafe { libc::munmap(self.base.as_ptr().cast(), self.length as usize) };
    }

    /// Bytes of the mapping.
    pub fn length(&self) -> u64 {
        self.length
    }

    /// Where an offset is in this mapping. What lies there may be hostile.
    pub(crate) fn address_of(&self, offset: u64) -> usize {
        self.base.as_ptr().expose_provenance().wrapping_add(offset as usize)
    }

    /// The header.
    pub fn header(&self) -> &'static Header {
        // SAFETY: every mapping is at least LEAST_SIZE long and page aligned; the header is
        // made of atomics, for which any bytes are valid.
        unsafe { self.base.cast().as_ref() }
    }

    /// The session table entry `index`.
    pub fn table_entry(&self, index: usize) -> Option<&'static core::sync::atomic::AtomicU64> {
        if index >= SESSIONS {
            return None;
        }
        // SAFETY: the table lies within LEAST_SIZE; an AtomicU64 has no invalid values.
        Some(unsafe { self.at(TABLE + index as u64 * 8)?.as_ref() })
    }

    /// The session at an offset that may be hostile.
    pub fn session(&self, offset: u64) -> Option<&'static Session> {
        // SAFETY: `at` checked bounds and alignment; atomics have no invalid values.
        Some(unsafe { self.at(offset)?.as_ref() })
    }

    /// The slot at an offset that may be hostile.
    pub fn slot(&self, offset: u64) -> Option<&'static Slot> {
        // SAFETY: `at` checked bounds and alignment; atomics have no invalid values.
        Some(unsafe { self.at(offset)?.as_ref() })
    }

    /// What lies at an offset that may be hostile: a structure of atomics, for which any bytes
    /// are valid.
    ///
    /// # Safety
    /// `T` is made of atomics alone.
    pub(crate) unsafe fn get<T>(&self, offset: u64) -> Option<&'static T> {
        // SAFETY: `at` checked bounds and alignment; the caller vouches for the type.
        Some(unsafe { self.at(offset)?.as_ref() })
    }

    fn at<T>(&self, offset: u64) -> Option<NonNull<T>> {
        let end = offset.checked_add(size_of::<T>() as u64)?;
        if end > self.length || !offset.is_multiple_of(align_of::<T>() as u64) {
            return None;
        }
        // SAFETY: offset + size lies within the mapping.
        Some(unsafe { self.base.add(offset as usize) }.cast())
    }
}
