//! The entrances of allocators beyond C's: C++'s `operator new` and `delete`, and jemalloc's
//! `mallocx` and its kin.
//!
//! ```text
//!  who calls ──▶ our symbol ──jmp [where]──┬─▶ the next one itself      (it calls malloc, which
//!                                          │                            is counted there)
//!                                          ├─▶ the next one, counted    (it is the allocator's)
//!                                          └─▶ malloc and free          (nobody knows yet)
//! ```
//!
//! libstdc++'s `operator new` calls `malloc`: nothing is to be done. The one of an allocator's
//! own library does not, so there the call is counted, once: what the allocator calls of itself
//! on the way, through the symbols that it exports, is part of it. A block it asked of itself is
//! known by being noted already; a release is not looked into for so long. `operator new` may
//! throw, which is why nothing is left behind on its stack or in the thread meanwhile.
//!
//! An entrance without a next one is hidden, as if it were not there; see [`scope`].

use core::{
    arch::naked_asm,
    ffi::{CStr, c_int, c_void},
    mem::transmute,
    sync::atomic::{
        AtomicBool, AtomicPtr,
        Ordering::{Relaxed, Release},
    },
};

use super::{
    bootstrap,
    exports::{self, Pointer},
    next, relocations,
    scope::{Name, Scope},
    start::ORIGIN,
};
use crate::{
    hook::{self, Allocation},
    process::SHADOW,
    stack::Caller,
    tls::{self, State},
};

type Function = unsafe extern "C" fn();

/// What is known of an entrance.
struct Entrance {
    symbol: &'static CStr,
    /// Where its symbol leads.
    way: &'static AtomicPtr<c_void>,
    /// The next one in line.
    next: &'static AtomicPtr<c_void>,
    counted: Function,
    alone: Function,
}

/// One list: the entrances, what counts each, and what stands in where there is no next one.
macro_rules! entrances {
    ($($name:ident $symbol:literal: $counted:ident($($part:tt)*), $alone:expr;)*) => {
        // Named after the entrances, as one list makes both.
        #[allow(non_upper_case_globals)]
        mod ways {
            use super::*;
            $(pub static $name: AtomicPtr<c_void> = AtomicPtr::new(first::$name as *mut c_void);)*
        }
        #[allow(non_upper_case_globals)]
        mod nexts {
            use super::*;
            $(
                #[unsafe(link_section = ".data")]
                pub static $name: AtomicPtr<c_void> = AtomicPtr::new(core::ptr::null_mut());
            )*
        }
        mod symbols {
            use super::*;
            $(
                #[unsafe(naked)]
                #[unsafe(export_name = $symbol)]
                pub unsafe extern "C" fn $name() {
                    naked_asm!("jmp [rip + {way}]", way = sym ways::$name)
                }
            )*
        }
        /// Where the entrances lead until the functions have been looked up.
        mod first {
            use super::*;
            $(
                #[unsafe(naked)]
                pub unsafe extern "C" fn $name() {
                    naked_asm!(
                        ".cfi_startproc",
                        "push rdi",
                        "push rsi",
                        "push rdx",
                        "push rcx",
                        "push rax",
                        ".cfi_adjust_cfa_offset 40",
                        "call {prepare}",
                        "test al, al",
                        "pop rax",
                        "pop rcx",
                        "pop rdx",
                        "pop rsi",
                        "pop rdi",
                        ".cfi_adjust_cfa_offset -40",
                        "jz 2f",
                        "jmp [rip + {way}]",
                        "2: jmp {alone}",
                        ".cfi_endproc",
                        prepare = sym prepare,
                        way = sym ways::$name,
                        alone = sym alone::$name,
                    )
                }
            )*
        }
        mod counted {
            use super::*;
            $($counted! { $name $($part)* })*
        }
        mod alone {
            use super::*;
            $(
                #[unsafe(naked)]
                pub unsafe extern "C" fn $name() {
                    naked_asm!("jmp {function}", function = sym $alone)
                }
            )*
        }
        static ENTRANCES: &[Entrance] = &[$(Entrance {
            // The names are without zeroes.
            symbol: match CStr::from_bytes_with_nul(concat!($symbol, "\0").as_bytes()) {
                Ok(symbol) => symbol,
                Err(_) => c"",
            },
            way: &ways::$name,
            next: &nexts::$name,
            counted: counted::$name,
            alone: alone::$name,
        },)*];
        const COUNT: usize = [$($symbol),*].len();
    };
}

/// An entrance that returns a block of so many bytes as its first argument says.
macro_rules! allocating {
    ($name:ident) => {
        #[unsafe(naked)]
        pub unsafe extern "C" fn $name() {
            exports::ask_and_record!(; "rdi", nexts::$name, exports::recorded_once)
        }
    };
}

/// An entrance that releases the block that is its first argument.
macro_rules! releasing {
    ($name:ident) => {
        #[unsafe(naked)]
        pub unsafe extern "C" fn $name() {
            naked_asm!(
                "mov rcx, [rip + {next}]",
                "jmp {release}",
                next = sym nexts::$name,
                release = sym release,
            )
        }
    };
}

/// An entrance with a function of its own, which gets its caller's registers in the places
/// after its arguments.
macro_rules! special {
    ($name:ident $function:ident $sp:literal $bp:literal) => {
        #[unsafe(naked)]
        pub unsafe extern "C" fn $name() {
            naked_asm!(
                concat!("mov ", $sp, ", rsp"),
                concat!("mov ", $bp, ", rbp"),
                "jmp {function}",
                function = sym $function,
            )
        }
    };
}

entrances! {
    new "_Znwm": allocating(), alone_new;
    new_array "_Znam": allocating(), alone_new;
    new_nothrow "_ZnwmRKSt9nothrow_t": allocating(), exports::malloc;
    new_array_nothrow "_ZnamRKSt9nothrow_t": allocating(), exports::malloc;
    new_aligned "_ZnwmSt11align_val_t": allocating(), alone_new_aligned;
    new_array_aligned "_ZnamSt11align_val_t": allocating(), alone_new_aligned;
    new_aligned_nothrow "_ZnwmSt11align_val_tRKSt9nothrow_t": allocating(), alone_aligned;
    new_array_aligned_nothrow "_ZnamSt11align_val_tRKSt9nothrow_t": allocating(), alone_aligned;
    delete "_ZdlPv": releasing(), exports::free;
    delete_array "_ZdaPv": releasing(), exports::free;
    delete_nothrow "_ZdlPvRKSt9nothrow_t": releasing(), exports::free;
    delete_array_nothrow "_ZdaPvRKSt9nothrow_t": releasing(), exports::free;
    delete_sized "_ZdlPvm": releasing(), exports::free;
    delete_array_sized "_ZdaPvm": releasing(), exports::free;
    delete_aligned "_ZdlPvSt11align_val_t": releasing(), exports::free;
    delete_array_aligned "_ZdaPvSt11align_val_t": releasing(), exports::free;
    delete_aligned_nothrow "_ZdlPvSt11align_val_tRKSt9nothrow_t": releasing(), exports::free;
    delete_array_aligned_nothrow "_ZdaPvSt11align_val_tRKSt9nothrow_t": releasing(), exports::free;
    delete_sized_aligned "_ZdlPvmSt11align_val_t": releasing(), exports::free;
    delete_array_sized_aligned "_ZdaPvmSt11align_val_t": releasing(), exports::free;
    mallocx "mallocx": allocating(), alone_mallocx;
    rallocx "rallocx": special(resize "rcx" "r8"), alone_resize;
    xallocx "xallocx": special(resize_in_place "r8" "r9"), alone_resize;
    dallocx "dallocx": releasing(), exports::free;
    sdallocx "sdallocx": releasing(), exports::free;
}

extern "C" fn prepare() -> bool {
    next::resolve()
}

/// Whether the allocator refers to functions that it exports, and so reaches ours.
#[unsafe(link_section = ".data")]
static CALLS_ITSELF: AtomicBool = AtomicBool::new(false);

/// Leads every entrance where it belongs. `others` are the names of C's functions.
pub fn open(malloc: *mut c_void, others: &[&CStr], object_of: impl Fn(*mut c_void) -> usize) {
    let allocator = object_of(malloc);
    let symbols: [&CStr; COUNT] = core::array::from_fn(|index| ENTRANCES[index].symbol);
    let names = symbols.map(Name::new);
    let scope = Scope::look(&names);
    for (index, entrance) in ENTRANCES.iter().enumerate() {
        let found = if scope.has(index) { next::symbol(entrance.symbol) } else { next::NOTHING };
        let way = if found.is_null() {
            entrance.alone as *mut c_void
        } else if object_of(found) == allocator {
            entrance.counted as *mut c_void
        } else {
            found
        };
        entrance.next.store(found, Release);
        entrance.way.store(way, Release);
    }
    scope.hide_the_rest();
    if !next::is_glibc() {
        let calls_itself = relocations::refers_to(malloc, &[&symbols, others]);
        CALLS_ITSELF.store(calls_itself, Relaxed);
    }
}

/// Whether the allocator has asked itself for a block by a symbol of its own, which was counted.
pub fn is_counted(block: Pointer) -> bool {
    if !CALLS_ITSELF.load(Relaxed) || !SHADOW.holds(block.addr()) {
        return false;
    }
    // A word there may also be of a block whose release was never seen.
    // SAFETY: what is no marker is a slot of this process, in memory that is never unmapped.
    tls::state() != State::Slot
        || unsafe { &*tls::get() }.last_block.load(Relaxed) == block.addr() as u64
}

/// Whether what this thread does now is not to be counted.
#[inline(always)]
pub fn is_unseen() -> bool {
    tls::state() == State::Claiming
}

/// Has what the allocator calls of itself not counted, as part of a call that is. A signal
/// handler that allocates meanwhile is not counted either, which an allocator that never calls
/// itself is spared.
pub fn unseen<T>(call: impl FnOnce() -> T) -> T {
    if !CALLS_ITSELF.load(Relaxed) {
        return call();
    }
    let slot = tls::get();
    tls::set_state(State::Claiming);
    let answer = call();
    tls::set(slot);
    answer
}

type Release3 = unsafe extern "C" fn(Pointer, usize, usize);

/// `second` and `third` are whatever the entrance has for arguments, if it has so many.
unsafe extern "C" fn release(block: Pointer, second: usize, third: usize, next: *mut c_void) {
    // SAFETY: what dlsym found under the entrance's name takes these.
    let next: Release3 = unsafe { transmute(next) };
    if bootstrap::holds(block.cast()) {
        return;
    }
    exports::note_release(block);
    // SAFETY: passed on as it came.
    unseen(|| unsafe { next(block, second, third) });
}

unsafe extern "C" fn resize(
    block: Pointer,
    bytes: usize,
    flags: c_int,
    sp: usize,
    bp: usize,
) -> Pointer {
    type Rallocx = unsafe extern "C" fn(Pointer, usize, c_int) -> Pointer;
    // SAFETY: what dlsym found under this name has this signature.
    let next: Rallocx = unsafe { transmute(nexts::rallocx.load(Relaxed)) };
    let old = hook::take(block.addr(), next::usable_size(block));
    // SAFETY: passed on as it came.
    let new = unseen(|| unsafe { next(block, bytes, flags) });
    if new.is_null() {
        hook::put_back(old);
    } else {
        note_moved(old, new, bytes, Caller { sp, bp });
    }
    new
}

/// Resizes in place, to `bytes` at least and `extra` more if possible; returns what came of it.
unsafe extern "C" fn resize_in_place(
    block: Pointer,
    bytes: usize,
    extra: usize,
    flags: c_int,
    sp: usize,
    bp: usize,
) -> usize {
    type Xallocx = unsafe extern "C" fn(Pointer, usize, usize, c_int) -> usize;
    // SAFETY: what dlsym found under this name has this signature.
    let next: Xallocx = unsafe { transmute(nexts::xallocx.load(Relaxed)) };
    let old = hook::take(block.addr(), next::usable_size(block));
    // SAFETY: passed on as it came.
    let usable = unseen(|| unsafe { next(block, bytes, extra, flags) });
    if usable < bytes {
        hook::put_back(old);
    } else {
        note_moved(old, block, usable.min(bytes.saturating_add(extra)), Caller { sp, bp });
    }
    usable
}

fn note_moved(old: hook::Taken, new: Pointer, bytes: usize, caller: Caller) {
    let usable = next::usable_size(new);
    let new = Allocation { address: new.addr(), size: bytes as u64, usable };
    hook::moved(&ORIGIN, old, new, caller);
}

/// What stands in while another thread looks the functions up. `operator new` must not return
/// nothing, and there is nobody here who could throw.
unsafe extern "C" fn alone_new(bytes: usize) -> Pointer {
    // SAFETY: as C's functions.
    unsafe { or_abort(exports::malloc(bytes)) }
}

unsafe extern "C" fn alone_new_aligned(bytes: usize, alignment: usize) -> Pointer {
    // SAFETY: as C's functions.
    unsafe { or_abort(exports::aligned_alloc(alignment, bytes)) }
}

unsafe extern "C" fn alone_aligned(bytes: usize, alignment: usize) -> Pointer {
    // SAFETY: as C's function.
    unsafe { exports::aligned_alloc(alignment, bytes) }
}

fn or_abort(block: Pointer) -> Pointer {
    if block.is_null() {
        // SAFETY: abort has no preconditions.
        unsafe { libc::abort() }
    }
    block
}

/// jemalloc's flags: the logarithm of the alignment, and whether to fill with zeroes.
const ALIGNMENT: c_int = 0x3f;
const ZERO: c_int = 0x40;

unsafe extern "C" fn alone_mallocx(bytes: usize, flags: c_int) -> Pointer {
    // SAFETY: as C's functions; a new block has so many bytes.
    unsafe {
        let block = match flags & ALIGNMENT {
            0..=4 => exports::malloc(bytes),
            bits => exports::aligned_alloc(1 << bits, bytes),
        };
        if flags & ZERO != 0 && !block.is_null() {
            block.cast::<u8>().write_bytes(0, bytes);
        }
        block
    }
}

/// A block cannot be resized yet, which its owner must reckon with at any time.
unsafe extern "C" fn alone_resize() -> usize {
    0
}
