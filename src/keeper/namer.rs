//! Names for a recording, looked up by a thread of its own while the program runs, so that the
//! end of a recording waits for what came last and not for everything.

use std::{
    io,
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use crossbeam_channel::{Receiver, Sender, unbounded};

use crate::{
    model::{Location, LocationId, Module, Names, SitesUpdate},
    symbols::{Resolver, Search},
};

/// Locations of one order: what is found is handed on so often.
const PORTION: usize = 256;

/// The near end.
#[derive(Debug)]
pub struct Namer {
    orders: Sender<Order>,
    found: Receiver<(usize, Names)>,
    waiting: usize,
}

/// Locations of one module of an image.
struct Order {
    image: usize,
    module: Option<Arc<Module>>,
    wanted: Vec<(LocationId, u64)>,
}

/// What was asked for of an image.
#[derive(Debug, Default)]
pub struct Asked {
    modules: Vec<Arc<Module>>,
    locations: u32,
}

impl Namer {
    /// Starts the thread.
    ///
    /// # Errors
    /// When there can be no more threads.
    pub fn new() -> io::Result<Self> {
        let (orders, ordered) = unbounded();
        let (answer, found) = unbounded();
        let named = thread::Builder::new().name("memtop-names".to_owned());
        named.spawn(move || look_up(&ordered, &answer))?;
        Ok(Self { orders, found, waiting: 0 })
    }

    /// Asks for the names of what is new about an image's sites.
    pub fn ask(&mut self, image: usize, asked: &mut Asked, update: &SitesUpdate) {
        asked.modules.extend(update.modules.iter().cloned().map(Arc::new));
        let first = asked.locations;
        asked.locations += update.locations.len() as u32;
        let mut numbered: Vec<(LocationId, Location)> =
            (first..).map(LocationId).zip(update.locations.iter().copied()).collect();
        numbered.sort_by_key(|(_, location)| location.module);
        for same in numbered.chunk_by(|one, other| one.1.module == other.1.module) {
            let module = same[0].1.module.and_then(|id| asked.modules.get(id.0 as usize));
            for portion in same.chunks(PORTION) {
                let wanted = portion.iter().map(|(id, location)| (*id, location.address)).collect();
                let sent = self.orders.send(Order { image, module: module.cloned(), wanted });
                self.waiting += usize::from(sent.is_ok());
            }
        }
    }

    /// What was found since.
    pub fn found(&mut self) -> Vec<(usize, Names)> {
        let found: Vec<_> = self.found.try_iter().collect();
        self.waiting -= found.len();
        found
    }

    /// The rest, as far as it comes in time.
    pub fn rest(mut self, patience: Duration) -> Vec<(usize, Names)> {
        let until = Instant::now() + patience;
        let mut rest = Vec::new();
        while self.waiting > 0 {
            let Ok(found) = self.found.recv_deadline(until) else {
                break;
            };
            self.waiting -= 1;
            rest.push(found);
        }
        rest
    }
}

fn look_up(orders: &Receiver<Order>, answers: &Sender<(usize, Names)>) {
    let mut resolver = Resolver::new(Search::default());
    for Order { image, module, wanted } in orders {
        let addresses: Vec<u64> = wanted.iter().map(|(_, address)| *address).collect();
        let found = module.map(|module| resolver.resolve_many(&module, &addresses));
        let mut found = found.unwrap_or_default().into_iter();
        let mut names = Names::default();
        for (location, _) in wanted {
            names.insert(location, found.next().unwrap_or_default());
        }
        if answers.send((image, names)).is_err() {
            return;
        }
    }
}
