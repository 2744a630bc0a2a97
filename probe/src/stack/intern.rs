//! The tree of calls in session memory, and the numbers of stacks and modules.
//!
//! Behind the one lock, away from the usual path: a stack that the memo knows never comes
//! here, and one that joins the stack before it comes with a few frames only.

use core::{
    ptr::null_mut,
    sync::atomic::{
        AtomicPtr, AtomicU8, AtomicU32, AtomicU64, AtomicUsize,
        Ordering::{AcqRel, Acquire, Relaxed, Release},
    },
};

use super::{
    lock::Guarded,
    modules::{self, Object},
    rules::{self, Rule},
    tables,
};
use crate::{
    lineage,
    process::Charge,
    session::{
        layout::{PAGE, Session},
        memory::Memory,
        stacks::{
            ADDRESS_BITS, CHUNKS, CUT, FIRST_NODES, FIRST_STACKS, MODULE_PATH, MODULES,
            ModuleRecord, Node, StackTable, WRITTEN, chunk_length, chunk_of,
        },
    },
    shadow::{Account, MAX_ID},
    sys,
};

/// A node's position plus one; 0 is the root, the caller of the outermost frame.
pub type NodeRef = u32;

/// Where the session keeps its stacks.
#[derive(Clone, Copy)]
struct Place {
    memory: Memory,
    session: &'static Session,
    table: &'static StackTable,
}

/// What finds a node by its caller and its place: open addressing over [`NodeRef`]s, at most
/// half full. Only the lock's holder adds to it; anyone reads. One that was outgrown is left as
/// it is, for readers that still have it.
#[repr(C)]
struct Lookup {
    capacity: usize,
    used: AtomicUsize,
    // The references follow.
}

/// An object under its number.
#[derive(Clone, Copy)]
struct Known {
    object: Object,
    /// It was not unloaded since.
    is_here: bool,
}

impl Known {
    /// Nothing but zeros, so that a table of them takes no room in the library's file, and none
    /// in memory before it is used.
    const NONE: Known = Known { object: Object::NONE, is_here: false };
}

struct Book {
    place: Option<Place>,
    /// The first [`OBJECTS`] are in use.
    objects: [Known; MODULES],
    /// A module's path while it is looked at; stacks may be small.
    path: [u8; MODULE_PATH],
}

// SAFETY: the pointers are to memory that only whoever holds the lock uses.
unsafe impl Send for Book {}

static BOOK: Guarded<Book> =
    Guarded::new(Book { place: None, objects: [Known::NONE; MODULES], path: [0; MODULE_PATH] });

/// The lookup and the node chunks of the present session, for readers without the lock.
#[unsafe(link_section = ".data")]
static LOOKUP: AtomicPtr<Lookup> = AtomicPtr::new(null_mut());
static CHUNKS_OF_NODES: [AtomicPtr<Node>; CHUNKS] = [const { AtomicPtr::new(null_mut()) }; CHUNKS];

/// How many of the book's objects are in use; read without the lock.
#[unsafe(link_section = ".data")]
static OBJECTS: AtomicU32 = AtomicU32::new(0);

/// What the loader added to the addresses of each module, by its number plus one.
static BIASES: [AtomicU64; MODULES + 1] = [const { AtomicU64::new(0) }; MODULES + 1];

const FIRST_CAPACITY: usize = 1024;

/// Begins the stacks of a session. In a forked child the numbers of modules go on, since the
/// rules hold them; all else starts over. False when there is no memory.
pub fn begin(memory: &Memory, session: &'static Session) -> bool {
    // A thread of the parent may have held it at the fork.
    BOOK.reset();
    BOOK.with(|book| book.begin(*memory, session)).unwrap_or(false)
}

/// Takes an id for a new window, under which blocks without a stack go.
pub fn reserve_window(session: &Session) -> u32 {
    let id = session.next_id.fetch_add(1, AcqRel);
    lineage::note_id(id);
    BOOK.with(|book| {
        if let Some(place) = book.place {
            place.write_record(id, WRITTEN);
        }
    });
    id
}

/// The rule at an address, which the cache does not know.
#[cold]
pub fn find_rule(address: usize) -> Rule {
    let Some(object) = modules::find(address - 1) else { return Rule::end(0) };
    BOOK.with(|book| {
        let module = book.module_of(&object);
        let rule = tables::rule_at(address, &object, module);
        rules::remember(address, rule);
        rule
    })
    .unwrap_or(Rule::end(0))
}

/// The node of a call at `place` that `parent` leads to.
pub fn child(parent: NodeRef, place: u64) -> Option<NodeRef> {
    find_child(parent, place).or_else(|| BOOK.with(|book| book.child(parent, place)).flatten())
}

fn find_child(parent: NodeRef, place: u64) -> Option<NodeRef> {
    // SAFETY: lookups are never unmapped.
    let lookup = unsafe { LOOKUP.load(Acquire).as_ref()? };
    lookup.find(hash(parent, place), |node| is_node(node, parent, place))
}

fn node_at(node: NodeRef) -> Option<&'static Node> {
    let (chunk, at) = chunk_of(node.checked_sub(1)?, FIRST_NODES);
    let chunk = CHUNKS_OF_NODES.get(chunk)?.load(Acquire);
    // SAFETY: a chunk of session memory, which is never unmapped, with that many nodes.
    (!chunk.is_null()).then(|| unsafe { &*chunk.add(at as usize) })
}

fn is_node(node: NodeRef, parent: NodeRef, place: u64) -> bool {
    node_at(node).is_some_and(|node| {
        node.place.load(Relaxed) == place && node.parent.load(Relaxed) == parent
    })
}

/// The id of the stack whose innermost frame is `node`.
pub fn stack_of(node: NodeRef, cut: bool) -> Option<u32> {
    BOOK.with(|book| book.stack_of(node, cut)).flatten()
}

/// Whether an object in use is no longer what it was.
pub fn any_object_left() -> bool {
    BOOK.with(|book| book.forget_objects_that_left()).unwrap_or(false)
}

/// Counts a capture that could not be kept.
#[cold]
pub fn count_unkept() {
    BOOK.with(|book| book.place.map(|place| place.table.unkept.fetch_add(1, Relaxed)));
}

/// Notes the outcome of a check.
pub fn checked(differs: bool) {
    BOOK.with(|book| {
        if let Some(place) = book.place {
            place.table.checked.fetch_add(1, Relaxed);
            place.table.differing.fetch_add(u64::from(differs), Relaxed);
        }
    });
}

/// Whether the frames of a stack, innermost first, are exactly these places.
pub fn is_stack(id: u32, mut places: impl Iterator<Item = u64>) -> Option<bool> {
    BOOK.with(|book| {
        let place = book.place?;
        let record = place.record(id.wrapping_sub(place.session.first_id.load(Relaxed)))?;
        let mut node = record.load(Acquire) as u32;
        while node != 0 {
            let known = node_at(node)?;
            if places.next() != Some(known.place.load(Relaxed)) {
                return Some(false);
            }
            node = known.parent.load(Relaxed);
        }
        Some(places.next().is_none())
    })
    .flatten()
}

impl Book {
    fn begin(&mut self, memory: Memory, session: &'static Session) -> bool {
        if self.place.take().is_some() {
            LOOKUP.store(null_mut(), Release);
            CHUNKS_OF_NODES.iter().for_each(|chunk| chunk.store(null_mut(), Release));
        }
        let Some(offset) = memory.take_piece(session, size_of::<StackTable>() as u64) else {
            return false;
        };
        // SAFETY: a stack table is made of atomics alone.
        let Some(table) = (unsafe { memory.get::<StackTable>(offset) }) else { return false };
        let place = Place { memory, session, table };
        self.place = Some(place);
        let known = (OBJECTS.load(Relaxed) as usize).min(MODULES);
        for index in 0..known {
            place.describe(index, &self.objects[index].object, &mut self.path);
        }
        table.modules.store(known as u32, Release);
        // The first id of a window stands for everything that has no stack.
        let first = session.first_id.load(Relaxed);
        place.write_record(first, WRITTEN);
        session.stack_table.store(offset, Release);
        true
    }

    /// Number of an object, plus one; 0 when all are taken.
    fn module_of(&mut self, object: &Object) -> u64 {
        let count = (OBJECTS.load(Relaxed) as usize).min(MODULES);
        let same = |one: &Known| one.is_here && one.object == *object;
        if let Some(index) = self.objects[..count].iter().position(same) {
            return index as u64 + 1;
        }
        let Some(place) = self.place else { return 0 };
        // A library that comes back, wherever to, is what it was.
        let Book { objects, path, .. } = self;
        let again = (0..count)
            .find(|&index| !objects[index].is_here && place.tells_of(index, object, path));
        let index = again.unwrap_or(count);
        if index >= MODULES {
            return 0;
        }
        self.objects[index] = Known { object: *object, is_here: true };
        BIASES[index + 1].store(object.bias as u64, Relaxed);
        if again.is_none() {
            place.describe(index, object, &mut self.path);
            OBJECTS.store(index as u32 + 1, Relaxed);
            place.table.modules.store(index as u32 + 1, Release);
        }
        index as u64 + 1
    }

    fn forget_objects_that_left(&mut self) -> bool {
        let known = (OBJECTS.load(Relaxed) as usize).min(MODULES);
        let mut left = false;
        for one in self.objects[..known].iter_mut().filter(|one| one.is_here) {
            one.is_here = modules::find(one.object.start) == Some(one.object);
            left |= !one.is_here;
        }
        left
    }

    fn child(&mut self, parent: NodeRef, place: u64) -> Option<NodeRef> {
        let at = self.place?;
        if let Some(found) = find_child(parent, place) {
            return Some(found);
        }
        let lookup = Lookup::with_room()?;
        let node = at.add_node(parent, place)?;
        lookup.insert(hash(parent, place), node);
        Some(node)
    }

    fn stack_of(&mut self, node: NodeRef, cut: bool) -> Option<u32> {
        let at = self.place?;
        let entry = node_at(node)?;
        let (id, window) = (entry.stack.load(Relaxed), at.session.id_base.load(Acquire) as u32);
        if id != 0 && id >= window {
            return Some(id);
        }
        let id = at.session.next_id.fetch_add(1, AcqRel);
        if id >= MAX_ID {
            at.session.next_id.fetch_sub(1, AcqRel);
            return None;
        }
        lineage::note_id(id);
        at.table.cut.fetch_add(u64::from(cut), Relaxed);
        let cut = if cut { CUT } else { 0 };
        at.write_record(id, WRITTEN | cut | u64::from(node));
        entry.stack.store(id, Relaxed);
        Some(id)
    }
}

impl Place {
    fn add_node(&self, parent: NodeRef, place: u64) -> Option<NodeRef> {
        let index = self.table.nodes.load(Relaxed);
        self.chunk(&self.table.node_chunks, index, FIRST_NODES, size_of::<Node>() as u32)?;
        let (chunk, _) = chunk_of(index, FIRST_NODES);
        let offset = self.table.node_chunks[chunk].load(Relaxed);
        let nodes = core::ptr::with_exposed_provenance_mut(self.memory.address_of(offset));
        CHUNKS_OF_NODES[chunk].store(nodes, Release);
        let node = node_at(index + 1)?;
        node.place.store(place, Relaxed);
        node.parent.store(parent, Relaxed);
        // Publishes the node to readers.
        self.table.nodes.store(index + 1, Release);
        Some(index + 1)
    }

    fn record(&self, index: u32) -> Option<&'static AtomicU64> {
        let (chunk, at) = chunk_of(index, FIRST_STACKS);
        let offset = self.table.stack_chunks.get(chunk)?.load(Relaxed);
        // SAFETY: an atomic has no invalid values.
        (offset != 0).then(|| unsafe { self.memory.get(offset + u64::from(at) * 8) })?
    }

    fn write_record(&self, id: u32, record: u64) {
        let index = id.wrapping_sub(self.session.first_id.load(Relaxed));
        if self.chunk(&self.table.stack_chunks, index, FIRST_STACKS, 8).is_some()
            && let Some(place) = self.record(index)
        {
            place.store(record, Release);
        }
    }

    /// Makes the chunk of an entry if there is none.
    fn chunk(&self, chunks: &[AtomicU64], index: u32, first: u32, bytes: u32) -> Option<()> {
        let (chunk, _) = chunk_of(index, first);
        let place = chunks.get(chunk)?;
        if place.load(Relaxed) == 0 {
            let length = u64::from(chunk_length(chunk, first)) * u64::from(bytes);
            place.store(self.memory.take_piece(self.session, length)?, Release);
        }
        Some(())
    }

    /// Writes what is known of an object under its number.
    fn describe(&self, index: usize, object: &Object, room: &mut [u8]) {
        let path = modules::path(object, room);
        let build_id = modules::build_id(object);
        let Some(offset) = self.module_room(path.len()) else { return };
        // SAFETY: a record is made of atomics alone.
        let Some(record) = (unsafe { self.memory.get::<ModuleRecord>(offset) }) else { return };
        record.bias.store(object.bias as u64, Relaxed);
        record.start.store(object.start as u64, Relaxed);
        record.end.store(object.end as u64, Relaxed);
        record.path_length.store(path.len() as u32, Relaxed);
        record.build_id_length.store(build_id.len() as u32, Relaxed);
        for (to, from) in record.build_id.iter().zip(build_id) {
            to.store(*from, Relaxed);
        }
        let text = offset + size_of::<ModuleRecord>() as u64;
        for (at, byte) in path.iter().enumerate() {
            // SAFETY: a byte has no invalid values.
            let to = unsafe { self.memory.get::<AtomicU8>(text + at as u64) };
            if let Some(to) = to {
                to.store(*byte, Relaxed);
            }
        }
        self.table.module_records[index].store(offset, Release);
    }

    /// Whether the record under a number has the path and the build id of an object.
    fn tells_of(&self, index: usize, object: &Object, room: &mut [u8]) -> bool {
        let offset = self.table.module_records[index].load(Relaxed);
        // SAFETY: a record is made of atomics alone.
        let Some(record) = (unsafe { self.memory.get::<ModuleRecord>(offset) }) else {
            return false;
        };
        let path = modules::path(object, room);
        let build_id = modules::build_id(object);
        let text = offset + size_of::<ModuleRecord>() as u64;
        let same = |(at, byte): (usize, &u8)| {
            // SAFETY: a byte has no invalid values.
            let known = unsafe { self.memory.get::<AtomicU8>(text + at as u64) };
            known.is_some_and(|known| known.load(Relaxed) == *byte)
        };
        record.path_length.load(Relaxed) as usize == path.len()
            && record.build_id_length.load(Relaxed) as usize == build_id.len()
            && record.build_id.iter().zip(build_id).all(|(one, other)| one.load(Relaxed) == *other)
            && path.iter().enumerate().all(same)
    }

    /// Room for a module record with a path of `length` bytes.
    fn module_room(&self, length: usize) -> Option<u64> {
        let bytes = (size_of::<ModuleRecord>() + length).next_multiple_of(64) as u64;
        let [next, end] = &self.table.module_room;
        if next.load(Relaxed) + bytes > end.load(Relaxed) {
            let page = self.memory.take_piece(self.session, PAGE)?;
            next.store(page, Relaxed);
            end.store(page + PAGE, Relaxed);
        }
        Some(next.fetch_add(bytes, Relaxed))
    }
}

/// A place as a node has it: the address is that of the module's file, so that it means the
/// same wherever the module was loaded.
pub fn in_file(place: u64) -> u64 {
    let module = (place >> ADDRESS_BITS) as usize;
    let bias = BIASES.get(module).map_or(0, |bias| bias.load(Relaxed));
    place_of(
        module as u64,
        (place as usize & ((1 << ADDRESS_BITS) - 1)).wrapping_sub(bias as usize),
    )
}

/// A frame's module and the address behind the call.
pub fn place_of(module: u64, address: usize) -> u64 {
    module << ADDRESS_BITS | address as u64 & ((1 << ADDRESS_BITS) - 1)
}

pub fn hash(parent: NodeRef, place: u64) -> u64 {
    let mixed = (place ^ u64::from(parent) << 32).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    (mixed ^ mixed >> 29).wrapping_mul(0xBF58_476D_1CE4_E5B9)
}

impl Lookup {
    fn slots(&self) -> &[AtomicU32] {
        // SAFETY: as many numbers were mapped behind it.
        unsafe {
            let first = core::ptr::from_ref(self).add(1).cast();
            core::slice::from_raw_parts(first, self.capacity)
        }
    }

    fn find(&self, hash: u64, is: impl Fn(NodeRef) -> bool) -> Option<NodeRef> {
        let (slots, mask) = (self.slots(), self.capacity - 1);
        let mut at = hash as usize & mask;
        loop {
            // Pairs with the Release of `insert`: the node is written.
            match slots[at].load(Acquire) {
                0 => return None,
                node if is(node) => return Some(node),
                _ => at = (at + 1) & mask,
            }
        }
    }

    fn insert(&self, hash: u64, node: NodeRef) {
        let mask = self.capacity - 1;
        let mut at = hash as usize & mask;
        while self.slots()[at].load(Relaxed) != 0 {
            at = (at + 1) & mask;
        }
        self.slots()[at].store(node, Release);
        self.used.fetch_add(1, Relaxed);
    }

    /// The lookup in use, or a larger one in its place when it is half full. For the lock's
    /// holder.
    fn with_room() -> Option<&'static Lookup> {
        // SAFETY: lookups are never unmapped.
        let old = unsafe { LOOKUP.load(Relaxed).as_ref() };
        let (capacity, used) = old.map_or((0, 0), |old| (old.capacity, old.used.load(Relaxed)));
        if used * 2 < capacity {
            return old;
        }
        let capacity = (capacity * 2).max(FIRST_CAPACITY);
        let bytes = size_of::<Lookup>() + capacity * size_of::<u32>();
        if !Charge.charge(bytes as u64) {
            return None;
        }
        let at = sys::map_private(bytes)?.cast::<Lookup>();
        // SAFETY: fresh zero-filled memory, large enough.
        let grown = unsafe {
            at.write(Lookup { capacity, used: AtomicUsize::new(0) });
            &*at
        };
        for slot in old.iter().flat_map(|old| old.slots()) {
            let node = slot.load(Relaxed);
            if let Some(known) = node_at(node) {
                let hash = hash(known.parent.load(Relaxed), known.place.load(Relaxed));
                grown.insert(hash, node);
            }
        }
        LOOKUP.store(at, Release);
        Some(grown)
    }
}
