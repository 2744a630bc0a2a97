//! Which functions the program has behind this library, and hiding those of ours that stand
//! in front of nothing.
//!
//! `dlsym` cannot be asked for a name that may be missing: it allocates an error message, and
//! leaves it for the program's next `dlerror`. So the tables of the loaded objects are read
//! here, as the loader reads them.
//!
//! Hiding matters for programs that load C++ or an allocator later, with `dlopen`: such code
//! would find our `operator new` first and its own library never. A symbol with the value 0 is
//! none, for every loader; so that is written into our own symbol table, whose page is made
//! writable for that moment. Programs that ask by a weak reference whether there is a `mallocx`
//! have been told yes by then; [`relocations`] takes that back.

use core::{
    ffi::{CStr, c_char, c_int, c_void},
    ptr::{from_ref, null, with_exposed_provenance, with_exposed_provenance_mut},
    slice,
    sync::atomic::{AtomicU64, Ordering::Relaxed},
};

use super::relocations::{self, Hidden};

/// The entries of a dynamic section that lead to symbols.
mod tag {
    pub const END: i64 = 0;
    pub const HASH: i64 = 4;
    pub const STRINGS: i64 = 5;
    pub const SYMBOLS: i64 = 6;
    pub const GNU_HASH: i64 = 0x6fff_fef5;
}

/// An entry of a dynamic section.
#[repr(C)]
pub struct Entry {
    pub tag: i64,
    pub value: usize,
}

/// The program headers of an object.
pub fn headers(object: &libc::dl_phdr_info) -> &[libc::Elf64_Phdr] {
    // SAFETY: as many headers as the loader says.
    unsafe { slice::from_raw_parts(object.dlpi_phdr, usize::from(object.dlpi_phnum)) }
}

/// Calls a function with every entry of an object's dynamic section, and with the address that
/// its value means if it means one.
///
/// # Safety
/// The description is the loader's.
pub unsafe fn for_each_entry(object: &libc::dl_phdr_info, mut each: impl FnMut(&Entry, usize)) {
    let Some(dynamic) = headers(object).iter().find(|one| one.p_type == libc::PT_DYNAMIC) else {
        return;
    };
    let bias = object.dlpi_addr as usize;
    let mut entry: *const Entry =
        with_exposed_provenance(bias.wrapping_add(dynamic.p_vaddr as usize));
    // SAFETY: a dynamic section lies in the object's memory and ends with an entry END.
    while let current = unsafe { &*entry }
        && current.tag != tag::END
    {
        // glibc has added the bias already; the kernel's own object has none of it.
        let value = current.value;
        each(current, if value < bias { value.wrapping_add(bias) } else { value });
        // SAFETY: this one was not the last.
        entry = unsafe { entry.add(1) };
    }
}

/// An ELF symbol; its value is atomic because it is changed under the loader's eyes.
#[repr(C)]
pub struct Symbol {
    name: u32,
    info: u8,
    other: u8,
    section: u16,
    value: AtomicU64,
    size: u64,
}

/// A name to look up, hashed once for all objects.
#[derive(Clone, Copy)]
pub struct Name<'a> {
    text: &'a CStr,
    hash: u32,
}

impl<'a> Name<'a> {
    pub fn new(text: &'a CStr) -> Name<'a> {
        Name { text, hash: gnu_hash(text) }
    }
}

/// The symbols of a loaded object.
#[derive(Clone, Copy)]
pub struct Symbols {
    strings: *const c_char,
    symbols: *const Symbol,
    gnu_hash: *const u32,
    hash: *const u32,
}

impl Symbols {
    /// # Safety
    /// The description is the loader's, of an object that stays loaded.
    pub unsafe fn of(object: &libc::dl_phdr_info) -> Option<Symbols> {
        let mut found =
            Symbols { strings: null(), symbols: null(), gnu_hash: null(), hash: null() };
        // SAFETY: as promised.
        unsafe {
            for_each_entry(object, |entry, at| match entry.tag {
                tag::STRINGS => found.strings = with_exposed_provenance(at),
                tag::SYMBOLS => found.symbols = with_exposed_provenance(at),
                tag::GNU_HASH => found.gnu_hash = with_exposed_provenance(at),
                tag::HASH => found.hash = with_exposed_provenance(at),
                _ => {}
            });
        }
        (!found.strings.is_null() && !found.symbols.is_null()).then_some(found)
    }

    /// The definition of a name, if there is one.
    pub fn find(&self, name: &Name<'_>) -> Option<&'static Symbol> {
        if !self.gnu_hash.is_null() {
            return self.find_by_gnu_hash(name);
        }
        if self.hash.is_null() {
            return None;
        }
        // SAFETY: the table begins with the numbers of buckets and of symbols.
        unsafe {
            let buckets = (*self.hash).max(1);
            let mut index = *self.hash.add(2 + (old_hash(name.text) % buckets) as usize);
            while index != 0 {
                if let Some(found) = self.definition(index, name.text) {
                    return Some(found);
                }
                index = *self.hash.add((2 + buckets + index) as usize);
            }
        }
        None
    }

    /// The table: four numbers, a Bloom filter, buckets, and the hashes of the symbols, whose
    /// lowest bit ends a bucket's chain.
    fn find_by_gnu_hash(&self, name: &Name<'_>) -> Option<&'static Symbol> {
        let (table, hash) = (self.gnu_hash, name.hash);
        // SAFETY: the layout above, which the loader relies on as well.
        unsafe {
            let (buckets, first, words) = (*table, *table.add(1), *table.add(2));
            let filter = table.add(4).cast::<u64>();
            let word = *filter.add((hash / 64 % words.max(1)) as usize);
            if word >> (hash % 64) & 1 == 0 || word >> ((hash >> *table.add(3)) % 64) & 1 == 0 {
                return None;
            }
            let bucket = table.add(4 + 2 * words as usize);
            let chain = bucket.add(buckets as usize);
            let mut index = *bucket.add((hash % buckets.max(1)) as usize);
            while index >= first {
                let other = *chain.add((index - first) as usize);
                if (other ^ hash) >> 1 == 0
                    && let Some(found) = self.definition(index, name.text)
                {
                    return Some(found);
                }
                if other & 1 != 0 {
                    break;
                }
                index += 1;
            }
        }
        None
    }

    /// The name of the symbol at an index.
    ///
    /// # Safety
    /// The index is one of the object's relocations.
    pub unsafe fn name(&self, index: u32) -> &'static CStr {
        // SAFETY: as promised, and the names are C strings of the object.
        unsafe {
            let symbol = &*self.symbols.add(index as usize);
            CStr::from_ptr(self.strings.add(symbol.name as usize))
        }
    }

    /// The symbol at an index, if it defines the name.
    ///
    /// # Safety
    /// The index is one of the object's hash table.
    unsafe fn definition(&self, index: u32, name: &CStr) -> Option<&'static Symbol> {
        // SAFETY: as promised.
        unsafe {
            let symbol = &*self.symbols.add(index as usize);
            let defined = symbol.section != 0 && symbol.value.load(Relaxed) != 0;
            (defined && self.name(index) == name).then_some(symbol)
        }
    }
}

fn gnu_hash(name: &CStr) -> u32 {
    name.to_bytes()
        .iter()
        .fold(5381u32, |hash, &byte| hash.wrapping_mul(33).wrapping_add(u32::from(byte)))
}

fn old_hash(name: &CStr) -> u32 {
    name.to_bytes().iter().fold(0u32, |hash, &byte| {
        let hash = (hash << 4).wrapping_add(u32::from(byte));
        let high = hash & 0xf000_0000;
        (hash ^ high >> 24) & !high
    })
}

/// Names of this library, and which of them the objects behind it define too.
pub struct Scope<'a> {
    /// With what was added to its file's addresses.
    own: Option<(Symbols, usize)>,
    names: &'a [Name<'a>],
    found: u64,
}

impl<'a> Scope<'a> {
    /// Looks up to 64 names up in the objects that are loaded now.
    pub fn look(names: &'a [Name<'a>]) -> Scope<'a> {
        let mut scope = Scope { own: None, names, found: 0 };
        // SAFETY: `note` takes the scope it is given.
        unsafe { libc::dl_iterate_phdr(Some(note), (&raw mut scope).cast()) };
        scope
    }

    /// Whether an object behind this library defines the name at an index.
    pub fn has(&self, index: usize) -> bool {
        self.found >> (index % 64) & 1 != 0
    }

    fn look_into(&mut self, object: &Symbols) {
        for (index, name) in self.names.iter().enumerate() {
            if !self.has(index) && object.find(name).is_some() {
                self.found |= 1 << (index % 64);
            }
        }
    }

    /// Makes the names that no other object defines unfindable. Where that is not possible they
    /// stay.
    pub fn hide_the_rest(&self) {
        let Some((own, bias)) = self.own else { return };
        // No symbol stands at address 0, so a null pointer is none.
        let mut hidden = [null::<Symbol>(); 64];
        let missing = (0..self.names.len()).filter(|index| !self.has(*index));
        let symbols = missing.filter_map(|index| own.find(&self.names[index]));
        hidden.iter_mut().zip(symbols).for_each(|(to, symbol)| *to = symbol);
        // SAFETY: symbols of this library, which is never unloaded.
        let symbols = || hidden.iter().map_while(|symbol| unsafe { symbol.as_ref() });
        let places = || symbols().map(|symbol| from_ref(symbol).addr());
        let (Some(first), Some(last)) = (places().min(), places().max()) else { return };
        let functions = || symbols().map(|symbol| bias + symbol.value.load(Relaxed) as usize);
        let (Some(low), Some(high)) = (functions().min(), functions().max()) else { return };
        let mut addresses = [low; 64];
        addresses.iter_mut().zip(functions()).for_each(|(to, from)| *to = from);
        let zero = || symbols().for_each(|symbol| symbol.value.store(0, Relaxed));
        // SAFETY: this library's own symbol table, of which nothing else is changed.
        if unsafe { while_writable(first, last + size_of::<Symbol>() - first, zero) } {
            relocations::unbind(&Hidden { addresses: &addresses, range: low..=high });
        }
    }
}

/// Does something while pages that are read-only otherwise can be written; false if they cannot.
///
/// # Safety
/// The pages are mapped read-only, and what is done to them is right.
pub unsafe fn while_writable(address: usize, bytes: usize, then: impl FnOnce()) -> bool {
    const PAGE: usize = 4096;
    let start = address & !(PAGE - 1);
    let length = (address + bytes).next_multiple_of(PAGE) - start;
    let pages = with_exposed_provenance_mut::<c_void>(start);
    // SAFETY: as promised; they are read-only again afterwards.
    unsafe {
        if libc::mprotect(pages, length, libc::PROT_READ | libc::PROT_WRITE) != 0 {
            return false;
        }
        then();
        libc::mprotect(pages, length, libc::PROT_READ);
    }
    true
}

unsafe extern "C" fn note(info: *mut libc::dl_phdr_info, _: usize, scope: *mut c_void) -> c_int {
    // SAFETY: the loader's description, and the scope given to it.
    let (info, scope) = unsafe { (&*info, &mut *scope.cast::<Scope<'_>>()) };
    // SAFETY: the loader's description; who unloads an object behind us later does not matter,
    // since it is looked at now.
    let symbols = unsafe { Symbols::of(info) };
    if scope.own.is_none() {
        // The objects come in the order in which they are looked through.
        let symbols = symbols.filter(|_| is_in(info, note as *const c_void));
        scope.own = symbols.map(|symbols| (symbols, info.dlpi_addr as usize));
    } else if let Some(object) = symbols {
        scope.look_into(&object);
    }
    0
}

/// Whether an address belongs to an object.
pub fn is_in(object: &libc::dl_phdr_info, address: *const c_void) -> bool {
    headers(object).iter().filter(|one| one.p_type == libc::PT_LOAD).any(|one| {
        let start = object.dlpi_addr.wrapping_add(one.p_vaddr);
        (start..start.wrapping_add(one.p_memsz)).contains(&(address.addr() as u64))
    })
}
