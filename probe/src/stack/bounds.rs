//! Which part of the memory around the stack pointer can be read.
//!
//! Tables can be wrong, and code written by hand leaves anything in `rbp`: a walk that trusts
//! them reads where nothing is mapped and ends the program. So a page is asked for once, the
//! first time that a walk of this thread comes there, and what is contiguous is remembered. A
//! few stretches are, so that a program with coroutines, or with signal handlers on a stack of
//! their own, does not ask anew at every switch.

const PAGE: usize = 4096;
/// Stretches that are remembered.
const STRETCHES: usize = 4;
/// A frame of more pages than this is taken for a mistake of the tables.
const FARTHEST: usize = 256;

/// Contiguous readable memory: from `low` up to, not including, `high`.
#[derive(Debug, Clone, Copy, Default)]
#[repr(C)]
pub struct Stretch {
    pub low: usize,
    pub high: usize,
}

impl Stretch {
    fn holds(&self, address: usize) -> bool {
        address >= self.low && address < self.high
    }
}

/// The stretches of a thread; the one in use first, where the memo looks.
#[derive(Debug, Default)]
#[repr(C)]
pub struct Bounds {
    pub current: Stretch,
    others: [Stretch; STRETCHES - 1],
}

impl Bounds {
    /// Makes the stretch around `sp`, where the calling thread's stack certainly is, the
    /// current one.
    pub fn enter(&mut self, sp: usize) {
        if self.current.holds(sp) {
            return;
        }
        if self.current.low.wrapping_sub(sp) <= FARTHEST * PAGE && self.reach_down(sp) {
            return;
        }
        let known = self.others.iter().position(|other| other.holds(sp));
        let at = known.unwrap_or(STRETCHES - 2);
        let page = sp & !(PAGE - 1);
        let found = known.map_or(Stretch { low: page, high: page + PAGE }, |at| self.others[at]);
        self.others.copy_within(..at, 1);
        self.others[0] = self.current;
        self.current = found;
    }

    fn reach_down(&mut self, sp: usize) -> bool {
        let mut low = self.current.low;
        while low > sp {
            low -= PAGE;
            if !is_readable(low) {
                return false;
            }
        }
        self.current.low = low;
        true
    }

    /// Whether the word at `address` can be read.
    #[inline]
    pub fn allow(&mut self, address: usize) -> bool {
        let inside = address >= self.current.low && address < self.current.high;
        address & 7 == 0 && (inside || self.reach_up(address))
    }

    #[cold]
    fn reach_up(&mut self, address: usize) -> bool {
        let far = address.wrapping_sub(self.current.high);
        if self.current.high == 0 || far >= FARTHEST * PAGE {
            return false;
        }
        while address >= self.current.high {
            if !is_readable(self.current.high) {
                return false;
            }
            self.current.high += PAGE;
        }
        true
    }
}

/// Whether a page can be read, without reading it: the kernel copies a signal set from there
/// before it finds that what it is to do with it makes no sense.
fn is_readable(page: usize) -> bool {
    const NO_SUCH_CHANGE: i32 = -1;
    if !crate::sys::may_ask() {
        return false;
    }
    let _errno = crate::sys::KeepErrno::new();
    // SAFETY: the kernel checks the address, and changes nothing for a change it does not know.
    let answer =
        unsafe { libc::syscall(libc::SYS_rt_sigprocmask, NO_SUCH_CHANGE, page, 0usize, 8usize) };
    // SAFETY: errno's location is valid for the calling thread.
    answer == -1 && unsafe { *libc::__errno_location() } == libc::EINVAL
}

#[cfg(all(test, feature = "std"))]
mod tests {
    use super::*;

    #[test]
    fn a_page_without_access_ends_the_stretch() {
        let pages = crate::sys::map_private(4 * PAGE).expect("memory");
        let base = pages.addr();
        // SAFETY: the last page of the mapping, which is ours.
        unsafe { libc::mprotect(pages.add(3 * PAGE).cast(), PAGE, libc::PROT_NONE) };
        let mut bounds = Bounds::default();
        assert!(!bounds.allow(base), "nothing is known yet");
        bounds.enter(base + PAGE + 16);
        assert!(bounds.allow(base + PAGE) && bounds.allow(base + 3 * PAGE - 8));
        assert!(!bounds.allow(base + 3 * PAGE) && !bounds.allow(base + PAGE + 4));
        assert!(!bounds.allow(base), "what lies below the stack pointer is not asked for");
        bounds.enter(base + 8);
        assert!(bounds.allow(base + 8));
    }

    #[test]
    fn stretches_are_remembered() {
        let one = crate::sys::map_private(PAGE).expect("memory").addr();
        let two = crate::sys::map_private(64 << 20).expect("memory").addr() + (32 << 20);
        let mut bounds = Bounds::default();
        bounds.enter(two);
        assert!(bounds.allow(two + 3 * PAGE));
        bounds.enter(one);
        bounds.enter(two);
        assert_eq!(bounds.current.high, (two & !(PAGE - 1)) + 4 * PAGE);
    }
}
