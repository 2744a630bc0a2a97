//! Words that come back, and what they take.

use super::*;

struct Free;
impl Account for Free {
    fn charge(&self, _: u64) -> bool {
        true
    }
}

fn block(size: u64) -> Block {
    Block { id: 7, birth_tick: 3, size }
}

#[test]
fn what_is_noted_comes_back_once() {
    let shadow = Shadow::new();
    for (address, size) in [(0x7f00_0000_0010, 24), (0x5500_0000_7ff0, 5 << 30), (0x1238, 8)]
        .into_iter()
        .chain([(0x7fff_ffff_ffe0, 1), (0x7fff_ffff_fff8, 1)])
    {
        assert_eq!(shadow.note(address, block(size), &Free), Noted::Fresh);
        assert_eq!(shadow.take(address), Some(block(size)));
        assert_eq!(shadow.take(address), None);
        assert_eq!(shadow.take(address + 16), None);
    }
}

#[test]
fn a_block_whose_free_was_missed_is_replaced() {
    let shadow = Shadow::new();
    shadow.note(0x1000, block(1 << 20), &Free);
    assert_eq!(shadow.note(0x1010, block(5), &Free), Noted::Fresh);
    shadow.take(0x1010);
    shadow.note(0x2000, block(1 << 21), &Free);
    assert_eq!(shadow.note(0x2000, block(9), &Free), Noted::Replaced(block(1 << 21)));
    assert_eq!(shadow.take(0x2000), Some(block(9)));
}

#[test]
fn what_is_charged_is_what_it_takes() {
    struct Sum(AtomicU64);
    impl Account for Sum {
        fn charge(&self, bytes: u64) -> bool {
            self.0.fetch_add(bytes, Relaxed);
            true
        }
    }
    let charged = |blocks: usize, apart: usize| {
        let (shadow, sum) = (Shadow::new(), Sum(AtomicU64::new(0)));
        shadow.make_coarse();
        let note = |number| shadow.note(0x5500_0000_0000 + number * apart, block(8), &sum);
        assert!((0..blocks).all(|number| note(number) == Noted::Fresh));
        sum.0.load(Relaxed) / 4096
    };
    // Two tables, and a page for each block, or for each 16 KiB of small ones.
    assert_eq!(charged(1000, 100_000), 2 * 2 + 1000);
    assert_eq!(charged(8192, 32), 2 * 2 + 16);
}

#[test]
fn an_address_without_a_word_is_refused() {
    let shadow = Shadow::new();
    assert_eq!(shadow.note(0x1001, block(1), &Free), Noted::Refused);
    assert_eq!(shadow.note(1 << 50, block(1), &Free), Noted::Refused);
    assert_eq!(shadow.take(0x1001), None);
}
