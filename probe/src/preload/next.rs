//! The next allocator in line: the functions that would have been called without us.
//!
//! They are found with `RTLD_NEXT`, so that a program that brings its own allocator as a
//! library keeps it. Each pointer starts as a stub that looks all of them up, so the usual
//! path calls through it without asking whether it is set. Only functions that every libc has
//! are looked up: a name that is missing makes `dlsym` allocate its error message.

use core::{
    ffi::{CStr, c_int, c_void},
    mem::transmute,
    sync::atomic::{
        AtomicBool, AtomicPtr, AtomicU32,
        Ordering::{AcqRel, Acquire, Relaxed, Release},
    },
};

use super::{bootstrap, entrances};
use crate::{
    hook,
    process::SHADOW,
    stack,
    tls::{self, State},
};

type Pointer = *mut c_void;

const UNRESOLVED: u32 = 0;
const RESOLVING: u32 = 1;
const RESOLVED: u32 = 2;

#[unsafe(link_section = ".data")]
static STATE: AtomicU32 = AtomicU32::new(UNRESOLVED);
#[unsafe(link_section = ".data")]
static GLIBC: AtomicBool = AtomicBool::new(false);
/// An allocator without `malloc_usable_size` leaves us with libc's, which knows nothing of its
/// blocks.
#[unsafe(link_section = ".data")]
static SIZES_KNOWN: AtomicBool = AtomicBool::new(false);

/// One list: the functions, their C names, and what stands in while they are looked up.
macro_rules! next_functions {
    ($($name:ident ( $($argument:ident : $type:ty),* ) -> $result:ty, $symbol:literal, $stand_in:expr;)*) => {
        // Named after the functions, as one list makes both.
        #[allow(non_upper_case_globals)]
        pub mod pointers {
            use super::*;
            $(pub static $name: AtomicPtr<c_void> = AtomicPtr::new(stubs::$name as *mut c_void);)*
        }
        mod stubs {
            use super::*;
            $(pub extern "C" fn $name($($argument: $type),*) -> $result {
                if resolve() { super::$name($($argument),*) } else { $stand_in }
            })*
        }
        $(
            #[doc = concat!("The next `", stringify!($name), "`.")]
            #[inline(always)]
            pub fn $name($($argument: $type),*) -> $result {
                let pointer = pointers::$name.load(Relaxed);
                // SAFETY: the pointer is a stub of this signature or what dlsym found under
                // the C name, which has this signature.
                let function: extern "C" fn($($type),*) -> $result = unsafe { transmute(pointer) };
                function($($argument),*)
            }
        )*
        const SYMBOLS: &[&CStr] = &[$($symbol),*];
        fn look_up() {
            $(
                let found = symbol($symbol);
                if !found.is_null() {
                    pointers::$name.store(found, Release);
                } else {
                    pointers::$name.store(missing::$name as *mut c_void, Release);
                }
            )*
        }
        /// What a function does that the next allocator does not have.
        mod missing {
            use super::*;
            $(pub extern "C" fn $name($($argument: $type),*) -> $result {
                $(let _ = $argument;)*
                super::absent::$name($($argument),*)
            })*
        }
    };
}

next_functions! {
    malloc(bytes: usize) -> Pointer, c"malloc", bootstrap::allocate(bytes).cast();
    calloc(count: usize, bytes: usize) -> Pointer, c"calloc",
        count.checked_mul(bytes).map_or(core::ptr::null_mut(), bootstrap::allocate).cast();
    realloc(block: Pointer, bytes: usize) -> Pointer, c"realloc",
        if block.is_null() { bootstrap::allocate(bytes).cast() } else { core::ptr::null_mut() };
    free(block: Pointer) -> (), c"free", { let _ = block; };
    posix_memalign(place: *mut Pointer, alignment: usize, bytes: usize) -> c_int, c"posix_memalign",
        { let _ = (place, alignment, bytes); libc::ENOMEM };
    aligned_alloc(alignment: usize, bytes: usize) -> Pointer, c"aligned_alloc",
        { let _ = (alignment, bytes); core::ptr::null_mut() };
    memalign(alignment: usize, bytes: usize) -> Pointer, c"memalign",
        { let _ = (alignment, bytes); core::ptr::null_mut() };
    valloc(bytes: usize) -> Pointer, c"valloc", { let _ = bytes; core::ptr::null_mut() };
    pvalloc(bytes: usize) -> Pointer, c"pvalloc", { let _ = bytes; core::ptr::null_mut() };
    malloc_usable_size(block: Pointer) -> usize, c"malloc_usable_size", { let _ = block; 0 };
}

/// What stands for a function that the next allocator lacks: the nearest it has.
mod absent {
    use super::*;

    fn out_of_memory() -> Pointer {
        // SAFETY: errno's location is valid for the calling thread.
        unsafe { *libc::__errno_location() = libc::ENOMEM };
        core::ptr::null_mut()
    }

    pub fn malloc(_: usize) -> Pointer {
        out_of_memory()
    }
    pub fn calloc(_: usize, _: usize) -> Pointer {
        out_of_memory()
    }
    pub fn realloc(_: Pointer, _: usize) -> Pointer {
        out_of_memory()
    }
    pub fn free(_: Pointer) {}
    pub fn posix_memalign(_: *mut Pointer, _: usize, _: usize) -> c_int {
        libc::ENOMEM
    }
    pub fn aligned_alloc(alignment: usize, bytes: usize) -> Pointer {
        let mut block = core::ptr::null_mut();
        match super::posix_memalign(&mut block, alignment.max(8), bytes) {
            0 => block,
            _ => out_of_memory(),
        }
    }
    pub fn memalign(alignment: usize, bytes: usize) -> Pointer {
        aligned_alloc(alignment, bytes)
    }
    pub fn valloc(bytes: usize) -> Pointer {
        aligned_alloc(4096, bytes)
    }
    pub fn pvalloc(bytes: usize) -> Pointer {
        bytes.checked_next_multiple_of(4096).map_or_else(out_of_memory, valloc)
    }
    pub fn malloc_usable_size(_: Pointer) -> usize {
        0
    }
}

/// Looks the functions up, unless that is done: before the program can have signal handlers,
/// which during the look-up would get memory of the bootstrap buffer, uncounted.
pub fn prepare() {
    resolve();
}

/// True once the pointers lead to the next allocator; false while this very thread, or
/// another, is looking them up.
#[cold]
pub fn resolve() -> bool {
    if STATE.load(Acquire) == RESOLVED {
        return true;
    }
    if STATE.compare_exchange(UNRESOLVED, RESOLVING, AcqRel, Acquire).is_err() {
        return false;
    }
    // What the loader allocates meanwhile is not the program's.
    let slot = tls::get();
    tls::set_state(State::Claiming);
    look_up();
    let allocator = object_of(pointers::malloc.load(Relaxed));
    SIZES_KNOWN.store(object_of(pointers::malloc_usable_size.load(Relaxed)) == allocator, Relaxed);
    // Only libc itself defines this; other allocators export even `__libc_malloc`.
    let libc_own = object_of(symbol(c"gnu_get_libc_version"));
    let free = object_of(pointers::free.load(Relaxed));
    if allocator == libc_own && free == libc_own && SIZES_KNOWN.load(Relaxed) {
        // Its blocks begin at least 32 bytes apart.
        SHADOW.make_coarse();
        GLIBC.store(true, Relaxed);
    }
    entrances::open(pointers::malloc.load(Relaxed), SYMBOLS, object_of);
    if !is_glibc() && SIZES_KNOWN.load(Relaxed) {
        ask_for_a_size();
    }
    tls::set(slot);
    STATE.store(RESOLVED, Release);
    true
}

/// tcmalloc, asked for the first time, allocates; that must not happen inside a hook.
fn ask_for_a_size() {
    let block = malloc(1);
    malloc_usable_size(block);
    free(block);
}

/// Where the object that holds a function is loaded; 0 when that is unknown.
///
/// `dladdr` would search all symbols of the object for the nearest, which takes longer than all
/// else that a process does here.
fn object_of(function: *mut c_void) -> usize {
    if let Some(start) = stack::start_of(function.addr()) {
        return start;
    }
    // SAFETY: Dl_info is plain data for dladdr to fill; it allocates nothing.
    unsafe {
        let mut info: libc::Dl_info = core::mem::zeroed();
        match libc::dladdr(function, &mut info) {
            0 => 0,
            _ => info.dli_fbase.addr(),
        }
    }
}

/// What [`symbol`] returns when there is none.
pub const NOTHING: *mut c_void = core::ptr::null_mut();

/// The next function of a name. One that is missing leaves an error message behind.
pub fn symbol(name: &CStr) -> *mut c_void {
    // SAFETY: `name` is a C string.
    unsafe { libc::dlsym(libc::RTLD_NEXT, name.as_ptr()) }
}

/// Whether the next allocator is glibc's own.
#[inline(always)]
pub fn is_glibc() -> bool {
    GLIBC.load(Relaxed)
}

/// Usable bytes of a live block of the next allocator; [`hook::UNKNOWN`] where it does not say.
#[inline]
pub fn usable_size(block: *mut c_void) -> u64 {
    match glibc_usable_size(block) {
        Some(usable) => usable,
        None if SIZES_KNOWN.load(Relaxed) => malloc_usable_size(block) as u64,
        None => hook::UNKNOWN,
    }
}

/// The same, if the allocator is glibc's and the block is cut from an arena: then the word
/// before the block holds its chunk's size, and reading it costs a sixth of the call. `None`
/// for a null pointer too.
#[inline(always)]
pub fn glibc_usable_size(block: *mut c_void) -> Option<u64> {
    const MAPPED: u64 = 2;
    const FLAGS: u64 = 7;
    if block.is_null() || !GLIBC.load(Relaxed) {
        return None;
    }
    // SAFETY: a block of glibc's malloc has its chunk's size right before it; so has one of the
    // bootstrap buffer.
    let head = unsafe { block.cast::<u64>().sub(1).read() };
    (head & MAPPED == 0).then_some((head & !FLAGS).wrapping_sub(8))
}
