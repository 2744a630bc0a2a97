//! Which object an address belongs to: the program, a library, or none.
//!
//! glibc 2.35 and later answer that without a lock (`_dl_find_object`). Older ones only have
//! `dl_iterate_phdr`, which waits for the loader's lock; it is asked where no lock of ours is
//! held, when the session begins and once a tick.

use core::{
    ffi::{CStr, c_char, c_int, c_void},
    mem::{MaybeUninit, transmute},
    ptr::{null_mut, with_exposed_provenance},
    slice,
    sync::atomic::{
        AtomicPtr, AtomicU32, AtomicU64,
        Ordering::{AcqRel, Acquire, Relaxed, Release},
    },
};

use super::{intern, rules};
use crate::{
    process,
    session::{
        control,
        stacks::{BUILD_ID, MODULES},
    },
    sys,
};

/// An object as the loader has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Object {
    /// Where its mapping begins.
    pub start: usize,
    /// Where it ends.
    pub end: usize,
    /// Its `.eh_frame_hdr`; 0 = none.
    pub eh_frame: usize,
    /// What was added to the file's addresses.
    pub bias: usize,
    /// Its path, a C string of the loader's; empty for the program.
    pub name: *const c_char,
}

impl Object {
    /// The object of no address.
    pub const NONE: Object =
        Object { start: 0, end: 0, eh_frame: 0, bias: 0, name: core::ptr::null() };
}

/// glibc's `struct dl_find_object`.
#[repr(C)]
struct Found {
    flags: u64,
    start: *mut c_void,
    end: *mut c_void,
    link_map: *const LinkMap,
    eh_frame: *mut c_void,
    reserved: [u64; 7],
}

/// The public head of glibc's `struct link_map`.
#[repr(C)]
struct LinkMap {
    bias: usize,
    name: *const c_char,
}

type FindObject = unsafe extern "C" fn(*mut c_void, *mut Found) -> c_int;

#[unsafe(link_section = ".data")]
static FIND_OBJECT: AtomicPtr<c_void> = AtomicPtr::new(null_mut());

/// Raised when code went away; a thread that has seen less forgets its stacks.
static GENERATION: AtomicU32 = AtomicU32::new(1);

pub fn generation() -> u32 {
    GENERATION.load(Acquire)
}

/// Once a program, before anything is captured.
pub fn prepare() {
    look_up();
    if FIND_OBJECT.load(Relaxed).is_null() {
        listed::gather();
    }
}

fn look_up() {
    // SAFETY: the name is a C string.
    let found = unsafe { libc::dlsym(libc::RTLD_DEFAULT, c"_dl_find_object".as_ptr()) };
    FIND_OBJECT.store(found, Release);
}

/// Where the object begins that holds an address, at any time in the life of a program; `None`
/// for a libc without `_dl_find_object`.
pub fn start_of(address: usize) -> Option<usize> {
    if FIND_OBJECT.load(Relaxed).is_null() {
        look_up();
    }
    if FIND_OBJECT.load(Relaxed).is_null() { None } else { find(address).map(|found| found.start) }
}

/// The object that an address belongs to.
pub fn find(address: usize) -> Option<Object> {
    let function = FIND_OBJECT.load(Relaxed);
    if function.is_null() {
        return listed::find(address);
    }
    // SAFETY: what dlsym found under this name has this signature.
    let function: FindObject = unsafe { transmute(function) };
    let mut found = MaybeUninit::<Found>::uninit();
    // SAFETY: `found` has room for the answer, which is complete when 0 is returned.
    let found = unsafe {
        if function(with_exposed_provenance_mut(address), found.as_mut_ptr()) != 0 {
            return None;
        }
        found.assume_init()
    };
    // SAFETY: the loader's own description of an object that is loaded.
    let map = unsafe { found.link_map.as_ref()? };
    Some(Object {
        start: found.start.addr(),
        end: found.end.addr(),
        eh_frame: found.eh_frame.addr(),
        bias: map.bias,
        name: map.name,
    })
}

fn with_exposed_provenance_mut(address: usize) -> *mut c_void {
    core::ptr::with_exposed_provenance_mut(address)
}

/// Looks whether all objects in use are still there, at most once a tick: libraries can go
/// away by calls that nobody sees.
pub fn verify(tick: u64) {
    #[unsafe(link_section = ".data")]
    static LAST: AtomicU64 = AtomicU64::new(0);
    let last = LAST.load(Relaxed);
    if last == tick || LAST.compare_exchange(last, tick, AcqRel, Relaxed).is_err() {
        return;
    }
    if FIND_OBJECT.load(Relaxed).is_null() {
        listed::gather();
    }
    if intern::any_object_left() {
        forget();
    }
}

/// A library may have gone away.
pub fn unloaded() {
    if !process::header().is_null() && intern::any_object_left() {
        forget();
    }
}

/// Code went away: no thread may trust what it knows of code.
fn forget() {
    rules::forget();
    GENERATION.fetch_add(1, AcqRel);
    // SAFETY: not null, and session memory is never unmapped.
    control::tell_unloaded(unsafe { &*process::header() });
}

/// The path of an object, without the bytes that do not fit.
pub fn path<'a>(object: &Object, room: &'a mut [u8]) -> &'a [u8] {
    let name: &[u8] = match object.name.is_null() {
        true => &[],
        // SAFETY: the loader's name of a loaded object is a C string.
        false => unsafe { CStr::from_ptr(object.name) }.to_bytes(),
    };
    if !name.is_empty() {
        let length = name.len().min(room.len());
        room[..length].copy_from_slice(&name[..length]);
        return &room[..length];
    }
    if !sys::may_ask() {
        return &[];
    }
    let link = c"/proc/self/exe";
    // SAFETY: `room` is writable for its length, and the path is a C string.
    let length = unsafe { libc::readlink(link.as_ptr(), room.as_mut_ptr().cast(), room.len()) };
    &room[..usize::try_from(length).unwrap_or(0)]
}

/// The build id of an object: a note in one of its segments.
pub fn build_id(object: &Object) -> &'static [u8] {
    let build_id = find_build_id(object).unwrap_or_default();
    &build_id[..build_id.len().min(BUILD_ID)]
}

fn find_build_id(object: &Object) -> Option<&'static [u8]> {
    let header: &libc::Elf64_Ehdr = within(object, object.start)?;
    if header.e_ident[..4] != *b"\x7fELF" {
        return None;
    }
    let first = object.start.checked_add(header.e_phoff as usize)?;
    (0..usize::from(header.e_phnum))
        .filter_map(|index| {
            within::<libc::Elf64_Phdr>(object, first + index * size_of::<libc::Elf64_Phdr>())
        })
        .filter(|segment| segment.p_type == libc::PT_NOTE)
        .find_map(|segment| {
            let start = object.bias.wrapping_add(segment.p_vaddr as usize);
            let end = start.checked_add(segment.p_memsz as usize)?;
            note_in(object, start, end.min(object.end))
        })
}

/// The build id among the notes from `at` to `end`.
fn note_in(object: &Object, mut at: usize, end: usize) -> Option<&'static [u8]> {
    const BUILD_ID: u32 = 3;
    while at < end {
        let &[name, length, kind] = within::<[u32; 3]>(object, at)?;
        let text = at + 12;
        let value = text.checked_add((name as usize).next_multiple_of(4))?;
        let next = value.checked_add((length as usize).next_multiple_of(4))?;
        if next > end {
            return None;
        }
        if kind == BUILD_ID && name == 4 && within::<[u8; 4]>(object, text)? == b"GNU\0" {
            let start = with_exposed_provenance::<u8>(value);
            // SAFETY: up to `next`, which lies within the object's segment.
            return Some(unsafe { slice::from_raw_parts(start, length as usize) });
        }
        at = next;
    }
    None
}

fn within<T>(object: &Object, at: usize) -> Option<&'static T> {
    let inside = at >= object.start && at.checked_add(size_of::<T>())? <= object.end;
    let aligned = at.is_multiple_of(align_of::<T>());
    // SAFETY: the head of a loaded object and its note segments are mapped for reading; plain
    // numbers have no invalid values.
    (inside && aligned).then(|| unsafe { &*with_exposed_provenance::<T>(at) })
}

/// For a libc without `_dl_find_object`: the objects as they were when they were last asked for.
mod listed {
    use super::{AcqRel, Acquire, AtomicU32, AtomicU64, MODULES, Object, Relaxed, Release};
    use core::ffi::{c_int, c_void};

    struct Row([AtomicU64; 5]);

    static ROWS: [Row; MODULES] = [const { Row([const { AtomicU64::new(0) }; 5]) }; MODULES];
    static COUNT: AtomicU32 = AtomicU32::new(0);
    static BUSY: AtomicU32 = AtomicU32::new(0);

    pub fn gather() {
        if BUSY.swap(1, AcqRel) != 0 {
            return;
        }
        let mut count = 0u32;
        // SAFETY: `note` takes the count it is given.
        unsafe { libc::dl_iterate_phdr(Some(note), (&raw mut count).cast()) };
        COUNT.store(count, Release);
        BUSY.store(0, Release);
    }

    unsafe extern "C" fn note(
        info: *mut libc::dl_phdr_info,
        _: usize,
        count: *mut c_void,
    ) -> c_int {
        // SAFETY: the loader's description, and the counter given to it.
        let (info, count) = unsafe { (&*info, &mut *count.cast::<u32>()) };
        let Some(row) = ROWS.get(*count as usize) else { return 1 };
        // SAFETY: as many headers as the loader says.
        let headers =
            unsafe { core::slice::from_raw_parts(info.dlpi_phdr, usize::from(info.dlpi_phnum)) };
        let at = |address: u64| info.dlpi_addr.wrapping_add(address);
        let loads = || headers.iter().filter(|one| one.p_type == libc::PT_LOAD);
        let start = loads().map(|one| at(one.p_vaddr) & !4095).min().unwrap_or(0);
        let end = loads().map(|one| at(one.p_vaddr) + one.p_memsz).max().unwrap_or(0);
        let tables = headers.iter().find(|one| one.p_type == libc::PT_GNU_EH_FRAME);
        let tables = tables.map_or(0, |one| at(one.p_vaddr));
        let values =
            [start, end, tables, info.dlpi_addr, info.dlpi_name.expose_provenance() as u64];
        row.0.iter().zip(values).for_each(|(to, value)| to.store(value, Relaxed));
        *count += 1;
        0
    }

    pub fn find(address: usize) -> Option<Object> {
        let count = (COUNT.load(Acquire) as usize).min(MODULES);
        ROWS[..count]
            .iter()
            .map(|row| {
                let at = |index: usize| row.0[index].load(Relaxed) as usize;
                Object {
                    start: at(0),
                    end: at(1),
                    eh_frame: at(2),
                    bias: at(3),
                    name: core::ptr::with_exposed_provenance(at(4)),
                }
            })
            .find(|object| address >= object.start && address < object.end)
    }
}
