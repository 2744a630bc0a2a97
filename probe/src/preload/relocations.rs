//! What loaded objects have bound to functions by name.
//!
//! A program may refer to a function weakly, to learn whether it is there: its slot holds 0 if
//! not. The slots are filled before any code runs, with the addresses of our functions; those of
//! functions that are hidden by now are taken back here, so that the slots are as without us.
//!
//! And an allocator that refers to a function that it exports itself reaches ours.

use core::{
    ffi::{CStr, c_int, c_void},
    mem::size_of,
    ops::RangeInclusive,
    ptr::with_exposed_provenance,
    slice,
    sync::atomic::{AtomicUsize, Ordering::Relaxed},
};

use super::scope::{self, Symbols};

/// The entries of a dynamic section that lead to relocations.
mod tag {
    pub const CALLS_SIZE: i64 = 2;
    pub const DATA: i64 = 7;
    pub const DATA_SIZE: i64 = 8;
    pub const CALLS: i64 = 23;
    /// How many of the data relocations, from the first, name no symbol.
    pub const NAMELESS: i64 = 0x6fff_fff9;
}

/// Kinds of relocation that store the address of a symbol.
const ABSOLUTE: u32 = 1;
const DATA_SLOT: u32 = 6;
const CALL_SLOT: u32 = 7;

#[repr(C)]
struct Relocation {
    offset: u64,
    info: u64,
    _addend: i64,
}

/// The relocations of an object.
#[derive(Default)]
struct Tables {
    data: usize,
    data_bytes: usize,
    nameless: usize,
    calls: usize,
    call_bytes: usize,
}

/// Functions that are not to be found any more.
pub struct Hidden<'a> {
    /// Their addresses.
    pub addresses: &'a [usize],
    /// All of them lie in here, and few others.
    pub range: RangeInclusive<usize>,
}

impl Hidden<'_> {
    fn has(&self, address: usize) -> bool {
        self.range.contains(&address) && self.addresses.contains(&address)
    }
}

/// Empties the slots of all loaded objects that hold one of these addresses.
pub fn unbind(hidden: &Hidden<'_>) {
    // SAFETY: `unbind_object` takes the addresses it is given, and does not change them.
    unsafe { libc::dl_iterate_phdr(Some(unbind_object), (&raw const *hidden).cast_mut().cast()) };
}

unsafe extern "C" fn unbind_object(
    info: *mut libc::dl_phdr_info,
    _: usize,
    hidden: *mut c_void,
) -> c_int {
    // SAFETY: the loader's description, and the addresses given to it.
    let (object, hidden) = unsafe { (&*info, &*hidden.cast::<Hidden<'_>>()) };
    if !scope::is_in(object, unbind as *const c_void) {
        for_each(object, |relocation| empty(object, relocation, hidden));
    }
    0
}

/// What is asked of an object, and what it says.
struct Question<'a> {
    function: *const c_void,
    names: &'a [&'a [&'a CStr]],
    answer: bool,
}

/// Whether the object that a function belongs to refers to one of these names.
pub fn refers_to(function: *const c_void, names: &[&[&CStr]]) -> bool {
    let mut question = Question { function, names, answer: false };
    // SAFETY: `ask` takes the question it is given.
    unsafe { libc::dl_iterate_phdr(Some(ask), (&raw mut question).cast()) };
    question.answer
}

unsafe extern "C" fn ask(info: *mut libc::dl_phdr_info, _: usize, question: *mut c_void) -> c_int {
    // SAFETY: the loader's description, and the question given to it.
    let (object, question) = unsafe { (&*info, &mut *question.cast::<Question<'_>>()) };
    if !scope::is_in(object, question.function) {
        return 0;
    }
    // SAFETY: the loader's description.
    let Some(symbols) = (unsafe { Symbols::of(object) }) else { return 1 };
    let names = question.names;
    for_each(object, |relocation| {
        // SAFETY: the relocation is one of the object's that names a symbol.
        let name = unsafe { symbols.name((relocation.info >> 32) as u32) };
        question.answer |= names.iter().any(|names| names.contains(&name));
    });
    1
}

/// All relocations that store the address of a symbol.
fn for_each(object: &libc::dl_phdr_info, each: impl FnMut(&Relocation)) {
    let mut tables = Tables::default();
    // SAFETY: the loader's description.
    unsafe {
        scope::for_each_entry(object, |entry, at| match entry.tag {
            tag::DATA => tables.data = at,
            tag::DATA_SIZE => tables.data_bytes = entry.value,
            tag::NAMELESS => tables.nameless = entry.value,
            tag::CALLS => tables.calls = at,
            tag::CALLS_SIZE => tables.call_bytes = entry.value,
            _ => {}
        });
    }
    let data = relocations(tables.data, tables.data_bytes).iter().skip(tables.nameless);
    let calls = relocations(tables.calls, tables.call_bytes);
    let stores = |one: &&Relocation| matches!(one.info as u32, ABSOLUTE | DATA_SLOT | CALL_SLOT);
    data.chain(calls).filter(stores).for_each(each);
}

fn relocations(table: usize, bytes: usize) -> &'static [Relocation] {
    let count = if table == 0 { 0 } else { bytes / size_of::<Relocation>() };
    match count {
        0 => &[],
        // SAFETY: a table of so many relocations, by which the loader went a moment ago.
        _ => unsafe { slice::from_raw_parts(with_exposed_provenance(table), count) },
    }
}

fn empty(object: &libc::dl_phdr_info, relocation: &Relocation, hidden: &Hidden<'_>) {
    let address = object.dlpi_addr.wrapping_add(relocation.offset);
    // SAFETY: the loader has stored a word there.
    let slot = unsafe { &*with_exposed_provenance::<AtomicUsize>(address as usize) };
    let value = slot.load(Relaxed);
    if !hidden.has(value) {
        return;
    }
    let clear = || slot.store(0, Relaxed);
    if !is_protected(object, address) {
        return clear();
    }
    // SAFETY: a slot in the part of the object that the loader has made read-only.
    unsafe { scope::while_writable(address as usize, size_of::<usize>(), clear) };
}

/// Whether the loader has made a place read-only after it had stored what belongs there.
fn is_protected(object: &libc::dl_phdr_info, address: u64) -> bool {
    scope::headers(object).iter().filter(|one| one.p_type == libc::PT_GNU_RELRO).any(|one| {
        let start = object.dlpi_addr.wrapping_add(one.p_vaddr) & !4095;
        (start..start.wrapping_add(one.p_memsz.next_multiple_of(4096))).contains(&address)
    })
}
