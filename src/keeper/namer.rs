//! Names for a recording, looked up by a thread of its own while the program runs, so that the
//! end of a recording waits for what came last and not for everything.
//!
//! Of images whose session memory was given back, what is to be looked up stands in the past that
//! the keeper records. The same thread reads it there, whenever nothing newer is asked for.

use std::{
    fs, io,
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use crossbeam_channel::{Receiver, Sender, unbounded};

use crate::{
    model::{Location, LocationId, Module, Names, SitesUpdate},
    recording::{Cursor, File, ReadError},
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

/// What is to be looked up.
enum Order {
    /// Locations of an image.
    Places(usize, Places),
    /// All locations of images that a recording alone knows any more.
    Recorded(fs::File, Vec<usize>),
}

/// Locations of one module.
struct Places {
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
        for places in asked.places(update) {
            let sent = self.orders.send(Order::Places(image, places));
            self.waiting += usize::from(sent.is_ok());
        }
    }

    /// Asks for all names of these images, of which `file` is a recording.
    pub fn ask_recorded(&mut self, file: fs::File, images: Vec<usize>) {
        let count = images.len();
        if count > 0 && self.orders.send(Order::Recorded(file, images)).is_ok() {
            self.waiting += count;
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

impl Asked {
    /// The places that are new.
    fn places(&mut self, update: &SitesUpdate) -> Vec<Places> {
        self.modules.extend(update.modules.iter().cloned().map(Arc::new));
        let first = self.locations;
        self.locations += update.locations.len() as u32;
        let mut numbered: Vec<(LocationId, Location)> =
            (first..).map(LocationId).zip(update.locations.iter().copied()).collect();
        numbered.sort_by_key(|(_, location)| location.module);
        let mut places = Vec::new();
        for same in numbered.chunk_by(|one, other| one.1.module == other.1.module) {
            let module = same[0].1.module.and_then(|id| self.modules.get(id.0 as usize));
            places.extend(same.chunks(PORTION).map(|portion| Places {
                module: module.cloned(),
                wanted: portion.iter().map(|(id, location)| (*id, location.address)).collect(),
            }));
        }
        places
    }
}

fn look_up(orders: &Receiver<Order>, answers: &Sender<(usize, Names)>) {
    let mut resolver = Resolver::new(Search::default());
    let mut backlog: Vec<(Arc<Option<File>>, usize)> = Vec::new();
    loop {
        let order = match backlog.is_empty() {
            true => orders.recv().ok(),
            false => orders.try_recv().ok(),
        };
        let (image, places) = match order {
            Some(Order::Places(image, places)) => (image, vec![places]),
            Some(Order::Recorded(file, images)) => {
                let file = Arc::new(File::new(file).ok());
                backlog.extend(images.into_iter().map(|image| (Arc::clone(&file), image)));
                continue;
            }
            None => match backlog.pop() {
                Some((file, image)) => (image, recorded(file.as_ref().as_ref(), image)),
                None => return,
            },
        };
        let mut names = Names::default();
        places.iter().for_each(|places| name(&mut resolver, places, &mut names));
        if answers.send((image, names)).is_err() {
            return;
        }
    }
}

/// All places of an image of a recording; none where it cannot be read.
fn recorded(file: Option<&File>, image: usize) -> Vec<Places> {
    let read = |file: &File| -> Result<SitesUpdate, ReadError> {
        let Some(position) = file.position_of(image) else {
            return Ok(SitesUpdate::default());
        };
        let mut cursor = Cursor::new(position);
        cursor.seek(file, Duration::MAX)?;
        Ok(cursor.take_update())
    };
    let update = file.and_then(|file| read(file).ok()).unwrap_or_default();
    Asked::default().places(&update)
}

fn name(resolver: &mut Resolver, places: &Places, names: &mut Names) {
    let addresses: Vec<u64> = places.wanted.iter().map(|(_, address)| *address).collect();
    let found = places.module.as_ref().map(|module| resolver.resolve_many(module, &addresses));
    let mut found = found.unwrap_or_default().into_iter();
    for (location, _) in &places.wanted {
        names.insert(*location, found.next().unwrap_or_default());
    }
}
