//! The events of all threads of an image, in one order in which they may have happened.
//!
//! Each thread's events are in order, and those of a tick stand before those of the next.
//! Between threads addresses tell more: a block must be there before it is freed, and gone
//! before its address comes again. So within a tick threads take turns, each going on for as
//! long as the addresses permit. Where none may go on (events are missing, or the recording began
//! late), the first one does.

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    io,
    iter::Peekable,
    time::Duration,
    vec::IntoIter,
};

use super::{
    EventRecord, Frame, Moment, ReadError,
    events::Kind,
    file::{Bytes, File},
    index::Entry,
};

/// Shows `with` every event of an image.
///
/// # Errors
/// When the system refuses to read, and what `with` fails with.
pub fn each_in_order<B: Bytes>(
    file: &File<B>,
    image: usize,
    mut with: impl FnMut(&Moment) -> io::Result<()>,
) -> io::Result<()> {
    let mut threads = threads(file, image).map_err(io::Error::other)?;
    let mut live = Live::default();
    loop {
        for thread in &mut threads {
            thread.fill(file).map_err(io::Error::other)?;
        }
        let ticks = threads.iter_mut().filter_map(|thread| Some(thread.next.peek()?.event.tick));
        let Some(tick) = ticks.min() else {
            return Ok(());
        };
        let mut moved = false;
        for thread in &mut threads {
            while let Some(moment) =
                thread.take(file, |one| one.tick <= tick && live.permits(one))?
            {
                moved = true;
                live.note(&moment.event);
                with(&moment)?;
            }
        }
        if !moved {
            let stuck =
                |thread: &mut Thread| thread.next.peek().is_some_and(|one| one.event.tick <= tick);
            let first = threads
                .iter_mut()
                .find_map(|thread| stuck(thread).then(|| thread.next.next()).flatten());
            if let Some(moment) = first {
                live.note(&moment.event);
                with(&moment)?;
            }
        }
    }
}

/// The blocks there are.
#[derive(Default)]
struct Live(HashMap<u64, (u64, u32)>);

impl Live {
    fn permits(&self, event: &EventRecord) -> bool {
        let there = self.0.get(&event.address);
        match event.kind {
            Kind::Allocate | Kind::Reallocate => there.is_none(),
            Kind::Free => there == Some(&(event.size, event.stack)),
            Kind::FreeUntracked => true,
        }
    }

    fn note(&mut self, event: &EventRecord) {
        match event.kind.is_free() {
            true => drop(self.0.remove(&event.address)),
            false => drop(self.0.insert(event.address, (event.size, event.stack))),
        }
    }
}

/// The events of one thread.
struct Thread {
    frames: VecDeque<Entry>,
    next: Peekable<IntoIter<Moment>>,
}

impl Thread {
    fn fill<B: Bytes>(&mut self, file: &File<B>) -> Result<(), ReadError> {
        while self.next.peek().is_none() {
            let Some(entry) = self.frames.pop_front() else {
                return Ok(());
            };
            if let Some(Frame::Events { events, .. }) = file.frame(&entry)? {
                let tid = events.tid;
                let moment = |(event, began): (&EventRecord, Option<u64>)| Moment {
                    tid,
                    at: Duration::from_nanos(began.unwrap_or(entry.at)),
                    event: *event,
                };
                let moments: Vec<_> = events.timed().map(moment).collect();
                self.next = moments.into_iter().peekable();
            }
        }
        Ok(())
    }

    fn take<B: Bytes>(
        &mut self,
        file: &File<B>,
        wanted: impl Fn(&EventRecord) -> bool,
    ) -> io::Result<Option<Moment>> {
        self.fill(file).map_err(io::Error::other)?;
        Ok(self.next.next_if(|one| wanted(&one.event)))
    }
}

/// By thread id, with the frames of each in the order of the file.
fn threads<B: Bytes>(file: &File<B>, image: usize) -> Result<Vec<Thread>, ReadError> {
    let mut frames: BTreeMap<u32, VecDeque<Entry>> = BTreeMap::new();
    for entry in file.events_entries(image, (Duration::ZERO, Duration::MAX))? {
        if let Some(Frame::Events { events, .. }) = file.frame(&entry)? {
            frames.entry(events.tid).or_default().push_back(entry);
        }
    }
    let thread = |frames| Thread { frames, next: Vec::new().into_iter().peekable() };
    Ok(frames.into_values().map(thread).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        model::Identity,
        recording::{Events, Writer},
    };
    use proptest::{collection::vec, prelude::*};

    /// What really happened: by whom, in which tick, where.
    fn history(steps: &[(u32, bool, u64)]) -> Vec<Moment> {
        let (mut live, mut tick) = (HashMap::new(), 0);
        let mut all = Vec::new();
        for (tid, passes, place) in steps {
            tick += u64::from(*passes);
            let address = 0x1000 + place * 16;
            let event = EventRecord { address, size: 8, tick, stack: 1, ..EventRecord::default() };
            let event = match live.remove(&address) {
                Some(birth) => EventRecord { kind: Kind::Free, birth, ..event },
                None => {
                    live.insert(address, tick);
                    event
                }
            };
            all.push(Moment { tid: *tid, at: Duration::from_nanos(tick), event });
        }
        all
    }

    fn file(history: &[Moment], piece: usize) -> File<Vec<u8>> {
        let mut writer = Writer::new(Vec::new(), &[], Duration::ZERO).unwrap();
        let image = writer.process(&Identity::default()).unwrap();
        for tid in 0..4 {
            let own = history.iter().filter(|one| one.tid == tid);
            let own: Vec<_> = own.map(|one| one.event).collect();
            for events in own.chunks(piece) {
                let runs = events.chunk_by(|one, next| one.tick == next.tick);
                let began = runs.map(|run| run[0].tick).collect();
                let events = Events { tid, events: events.to_vec(), began };
                writer.events(image, &events.encode()).unwrap();
            }
        }
        File::new(writer.end().unwrap()).unwrap()
    }

    proptest! {
        #[test]
        fn every_event_comes_once_in_a_possible_order(
            steps in vec((0_u32..4, prop::bool::weighted(0.1), 0_u64..6), 0..300),
            piece in 1_usize..50,
        ) {
            let history = history(&steps);
            let mut seen = Vec::new();
            each_in_order(&file(&history, piece), 0, |one| {
                seen.push(*one);
                Ok(())
            }).unwrap();
            for tid in 0..4 {
                let own = |all: &[Moment]| -> Vec<Moment> {
                    all.iter().filter(|one| one.tid == tid).copied().collect()
                };
                prop_assert_eq!(own(&seen), own(&history));
            }
            prop_assert!(seen.is_sorted_by_key(|one| one.event.tick));
        }
    }

    #[test]
    fn a_block_is_freed_by_another_thread_after_it_was_made() {
        let steps = [(3, false, 0), (1, false, 0), (1, false, 0), (2, false, 0)];
        let mut seen = Vec::new();
        each_in_order(&file(&history(&steps), 10), 0, |one| {
            seen.push(one.tid);
            Ok(())
        })
        .unwrap();
        assert_eq!(seen, [3, 1, 1, 2]);
    }
}
