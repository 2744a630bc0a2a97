//! The events of all threads of an image, in one order in which they may have happened.
//!
//! Each thread's events are in order. Between threads stamps tell more: what was written before one
//! was before all that was written after it ([`Window`]); where there are none, ticks are taken for
//! them. Among what stamps do not tell apart, some sixty events of each thread, addresses do: a
//! block must be there before it is freed, and gone before its address comes again. So threads
//! take turns, each going on for as long as addresses permit. Where none may go on (events are
//! missing, the recording began late, or the turns were not the right ones), an address permits
//! everything until the next stamp: that is one block, and no other is drawn into it.

use std::{
    collections::{BTreeMap, HashMap, HashSet, VecDeque},
    io,
    iter::Peekable,
    time::Duration,
    vec::IntoIter,
};

use super::{
    EventRecord, Events, Frame, Moment, ReadError, Window,
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
    with: impl FnMut(&Moment) -> io::Result<()>,
) -> io::Result<()> {
    let threads = threads(file, image).map_err(io::Error::other)?;
    let mut order = Order { file, threads, live: Live::default(), with };
    while let Some(stamp) = order.next_stamp()? {
        order.finish(stamp)?;
    }
    Ok(())
}

/// Events on their way into one order.
struct Order<'a, B: Bytes, W> {
    file: &'a File<B>,
    threads: Vec<Thread>,
    live: Live,
    with: W,
}

impl<B: Bytes, W: FnMut(&Moment) -> io::Result<()>> Order<'_, B, W> {
    /// The first before which something of what is left was written.
    fn next_stamp(&mut self) -> io::Result<Option<u64>> {
        let mut first: Option<u64> = None;
        for thread in &mut self.threads {
            let next = thread.peek(self.file)?.map(|next| next.window.before);
            first = first.into_iter().chain(next).min();
        }
        Ok(first)
    }

    /// Shows everything that was written before a stamp.
    fn finish(&mut self, stamp: u64) -> io::Result<()> {
        loop {
            if self.pass(usize::MAX, |window| window.before <= stamp)? {
                continue;
            }
            let Some(stuck) = self.stuck(stamp)? else { break };
            // What may have been written before, and is needed.
            if !self.pass(1, |window| window.after < stamp)? {
                self.live.contested.insert(stuck);
            }
        }
        self.live.contested.clear();
        Ok(())
    }

    /// Each thread goes on, as far as it may, by at most so many events; false when none could.
    fn pass(&mut self, most: usize, may: impl Fn(&Window) -> bool) -> io::Result<bool> {
        let Self { file, threads, live, with } = self;
        let mut has_moved = false;
        for thread in threads {
            for _ in 0..most {
                let next = thread.peek(file)?;
                let next =
                    next.filter(|next| may(&next.window) && live.permits(&next.moment.event));
                let Some(Next { moment, .. }) = next else { break };
                live.note(&moment.event);
                with(moment)?;
                thread.next.next();
                has_moved = true;
            }
        }
        Ok(has_moved)
    }

    /// The address of an event that was written before a stamp, and may not be next.
    fn stuck(&mut self, stamp: u64) -> io::Result<Option<u64>> {
        for thread in &mut self.threads {
            let next = thread.peek(self.file)?.filter(|next| next.window.before <= stamp);
            if let Some(next) = next {
                return Ok(Some(next.moment.event.address));
            }
        }
        Ok(None)
    }
}

/// Size, stack and tick of birth of a block.
type Block = (u64, u32, u64);

/// The blocks there are.
#[derive(Default)]
struct Live {
    blocks: HashMap<u64, Block>,
    /// Addresses whose events have no order.
    contested: HashSet<u64>,
}

impl Live {
    fn permits(&self, event: &EventRecord) -> bool {
        let there = self.blocks.get(&event.address);
        let is_possible = match event.kind {
            Kind::Allocate | Kind::Reallocate => there.is_none(),
            Kind::Free => there == Some(&freed(event)),
            Kind::FreeUntracked => true,
        };
        is_possible || self.contested.contains(&event.address)
    }

    fn note(&mut self, event: &EventRecord) {
        let EventRecord { address, size, stack, tick, .. } = *event;
        match event.kind {
            Kind::Allocate | Kind::Reallocate => {
                self.blocks.insert(address, (size, stack, tick));
            }
            // That of another block, told late, leaves this one there.
            Kind::Free if self.blocks.get(&address) != Some(&freed(event)) => {}
            Kind::Free | Kind::FreeUntracked => drop(self.blocks.remove(&address)),
        }
    }
}

fn freed(event: &EventRecord) -> Block {
    (event.size, event.stack, event.birth)
}

/// The next event of a thread.
struct Next {
    moment: Moment,
    window: Window,
}

/// The events of one thread.
struct Thread {
    frames: VecDeque<Entry>,
    next: Peekable<IntoIter<Next>>,
}

impl Thread {
    fn peek<B: Bytes>(&mut self, file: &File<B>) -> io::Result<Option<&Next>> {
        self.fill(file).map_err(io::Error::other)?;
        Ok(self.next.peek())
    }

    fn fill<B: Bytes>(&mut self, file: &File<B>) -> Result<(), ReadError> {
        while self.next.peek().is_none() {
            let Some(entry) = self.frames.pop_front() else {
                return Ok(());
            };
            if let Some(Frame::Events { events, .. }) = file.frame(&entry)? {
                self.next = all_of(&events, entry.at).into_iter().peekable();
            }
        }
        Ok(())
    }
}

/// The events of a frame that begins at `at`, nanoseconds.
fn all_of(events: &Events, at: u64) -> Vec<Next> {
    let each = events.timed().zip(events.each_window());
    let next = each.map(|((event, began), window)| Next {
        moment: Moment {
            tid: events.tid,
            at: Duration::from_nanos(began.unwrap_or(at)),
            event: *event,
        },
        window: window.unwrap_or_else(|| during(event.tick)),
    });
    next.collect()
}

/// A tick, as if it was between two stamps.
fn during(tick: u64) -> Window {
    Window { after: tick, before: tick.saturating_add(1) }
}

/// By thread id, with the frames of each in the order of the file.
fn threads<B: Bytes>(file: &File<B>, image: usize) -> Result<Vec<Thread>, ReadError> {
    let mut frames: BTreeMap<u32, VecDeque<Entry>> = BTreeMap::new();
    for entry in file.events_entries(image, (Duration::ZERO, Duration::MAX))? {
        let fields = file.events_fields(&entry)?;
        if let Some(tid) = fields.and_then(|fields| Events::tid_of(&fields).ok()) {
            frames.entry(tid).or_default().push_back(entry);
        }
    }
    let thread = |frames| Thread { frames, next: Vec::new().into_iter().peekable() };
    Ok(frames.into_values().map(thread).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{model::Identity, recording::Writer};
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

    fn by_thread(history: &[Moment], tid: u32) -> Vec<(usize, Moment)> {
        let own = history.iter().copied().enumerate();
        own.filter(|(_, one)| one.tid == tid).collect()
    }

    /// When each was written, where a thread draws a stamp before each `every`th of its events.
    fn windows(history: &[Moment], every: usize) -> Vec<Window> {
        let mut windows = vec![Window::default(); history.len()];
        for tid in 0..4 {
            let own = by_thread(history, tid);
            let mut before = u64::MAX;
            for some in own.chunks(every).rev() {
                let after = some[0].0 as u64;
                some.iter().for_each(|(at, _)| windows[*at] = Window { after, before });
                before = after;
            }
        }
        windows
    }

    fn file(history: &[Moment], windows: &[Window], piece: usize) -> File<Vec<u8>> {
        let mut writer = Writer::new(Vec::new(), &[], Duration::ZERO).unwrap();
        let image = writer.process(&Identity::default()).unwrap();
        for tid in 0..4 {
            for some in by_thread(history, tid).chunks(piece) {
                let events: Vec<_> = some.iter().map(|(_, one)| one.event).collect();
                let runs = events.chunk_by(|one, next| one.tick == next.tick);
                let began = runs.map(|run| run[0].tick).collect();
                let windows = some.iter().filter_map(|(at, _)| Some((*windows.get(*at)?, 1)));
                let events = Events { tid, events, began, windows: windows.collect() };
                writer.events(image, &events.encode()).unwrap();
            }
        }
        File::new(writer.end().unwrap()).unwrap()
    }

    fn in_order(file: &File<Vec<u8>>) -> Vec<Moment> {
        let mut seen = Vec::new();
        each_in_order(file, 0, |one| {
            seen.push(*one);
            Ok(())
        })
        .unwrap();
        seen
    }

    fn own(all: &[Moment], tid: u32) -> Vec<Moment> {
        by_thread(all, tid).into_iter().map(|(_, one)| one).collect()
    }

    proptest! {
        #[test]
        fn every_event_comes_once_in_a_possible_order(
            steps in vec((0_u32..4, prop::bool::weighted(0.1), 0_u64..6), 0..300),
            piece in 1_usize..50,
        ) {
            let history = history(&steps);
            let seen = in_order(&file(&history, &[], piece));
            for tid in 0..4 {
                prop_assert_eq!(own(&seen, tid), own(&history, tid));
            }
            prop_assert!(seen.is_sorted_by_key(|one| one.event.tick));
        }

        #[test]
        fn what_was_before_a_stamp_comes_before_what_was_after_it(
            steps in vec((0_u32..4, prop::bool::weighted(0.1), 0_u64..6), 0..300),
            piece in 1_usize..50,
            every in 1_usize..20,
        ) {
            let history = history(&steps);
            let windows = windows(&history, every);
            let seen = in_order(&file(&history, &windows, piece));
            let mut places: Vec<_> = (0..4).map(|tid| by_thread(&history, tid).into_iter()).collect();
            let mut latest = None;
            for moment in &seen {
                let (at, expected) = places[moment.tid as usize].next().expect("one of its own");
                prop_assert_eq!(*moment, expected);
                prop_assert!(latest.is_none_or(|after| windows[at].before > after));
                latest = latest.max(Some(windows[at].after));
            }
            prop_assert_eq!(seen.len(), history.len());
        }
    }

    #[test]
    fn a_block_is_freed_by_another_thread_after_it_was_made() {
        let steps = [(3, false, 0), (1, false, 0), (1, false, 0), (2, false, 0)];
        let seen = in_order(&file(&history(&steps), &[], 10));
        assert_eq!(seen.iter().map(|one| one.tid).collect::<Vec<_>>(), [3, 1, 1, 2]);
    }

    #[test]
    fn of_two_blocks_at_an_address_the_first_is_the_one_that_stamps_say() {
        // Addresses alone would let the thread with the lower number begin.
        let steps = [(3, false, 0), (3, false, 0), (1, false, 0), (1, false, 0)];
        let history = history(&steps);
        let seen = in_order(&file(&history, &windows(&history, 1), 10));
        assert_eq!(seen.iter().map(|one| one.tid).collect::<Vec<_>>(), [3, 3, 1, 1]);
    }

    #[test]
    fn what_cannot_have_happened_costs_no_more_than_its_own_address() {
        // The free of a block that is not told of, between others.
        let mut history = history(&[(0, false, 1), (1, false, 2), (1, false, 2), (2, false, 1)]);
        let lost = history[1].event;
        history[2].event = EventRecord { kind: Kind::Free, address: 0x9000, ..lost };
        let seen = in_order(&file(&history, &[], 10));
        assert_eq!(seen.len(), 4);
        let place = |tid, free| {
            seen.iter().position(|one| one.tid == tid && one.event.kind.is_free() == free)
        };
        assert!(place(0, false) < place(2, true));
    }
}
