//! `dlclose`: code goes away, and with it all that is known of it.
//!
//! Libraries that go away by other ways, inside libc for one, are noticed at the next tick.

use core::{
    ffi::{c_int, c_void},
    mem::transmute,
    sync::atomic::{
        AtomicPtr,
        Ordering::{Acquire, Release},
    },
};

use crate::stack;

#[unsafe(link_section = ".data")]
static NEXT: AtomicPtr<c_void> = AtomicPtr::new(core::ptr::null_mut());

/// Looks the next `dlclose` up, where looking up harms nobody.
pub fn prepare() {
    // SAFETY: the name is a C string.
    NEXT.store(unsafe { libc::dlsym(libc::RTLD_NEXT, c"dlclose".as_ptr()) }, Release);
}

/// # Safety
/// As POSIX's `dlclose`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dlclose(library: *mut c_void) -> c_int {
    let next = NEXT.load(Acquire);
    if next.is_null() {
        return 0;
    }
    // SAFETY: what dlsym found under this name has this signature.
    let next: unsafe extern "C" fn(*mut c_void) -> c_int = unsafe { transmute(next) };
    // SAFETY: passed on as it came.
    let answer = unsafe { next(library) };
    stack::unloaded();
    answer
}
