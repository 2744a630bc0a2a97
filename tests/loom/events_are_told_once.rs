//! A thread pushes, a viewer drains: what is seen is whole, in order, and seen once; what is not
//! seen is counted.

use std::sync::atomic::Ordering::Relaxed;

use loom::{sync::Arc, thread};

use crate::{
    ring::{Push, has_room, push},
    session::{
        layout::Ring,
        rings::{EventReading, drain},
    },
};

const PUSHED: u64 = 4;
const TID: u32 = 7;
const FIRST_ID: u32 = 100;

/// Event `number`: each of its words tells which it is.
fn event(number: u64) -> Push {
    let tick = number as u32;
    Push {
        kind: number,
        address: number as usize * 16,
        size: number,
        birth_tick: tick,
        tick,
        id: FIRST_ID + tick,
    }
}

fn reading(number: u64) -> EventReading {
    let tick = number as u32;
    EventReading {
        kind: number,
        address: number * 16,
        size: number,
        tick,
        birth_tick: tick,
        tid: TID,
        stack: tick,
    }
}

/// With a ring that holds N events.
fn told<const N: usize>() {
    loom::model(|| {
        let ring = Arc::new(Ring::<N>::default());
        let producer = {
            let ring = Arc::clone(&ring);
            thread::spawn(move || {
                (1..=PUSHED)
                    .filter(|_| has_room(&ring))
                    .for_each(|number| push(&ring, event(number)));
            })
        };
        let mut seen = Vec::new();
        (0..2).for_each(|_| drain(&ring, TID, FIRST_ID, &mut seen));
        producer.join().unwrap();
        drain(&ring, TID, FIRST_ID, &mut seen);
        assert_eq!(seen.len() as u64 + ring.dropped.load(Relaxed), PUSHED);
        assert!(seen.is_sorted_by_key(|event| event.kind));
        assert!(seen.iter().all(|event| *event == reading(event.kind)));
    });
}

#[test]
fn of_a_ring_that_is_full_now_and_then() {
    told::<2>();
}

#[test]
fn of_a_ring_that_has_room() {
    told::<4>();
}
