//! Where memory comes from: stacks, and what was allocated under each.
//!
//! Stacks are kept as a tree, outermost call at the root, because they share most of their
//! frames: a [`Node`] is a call seen from one particular chain of callers, a [`Stack`] is the
//! node whose call asked for memory. Ids are positions, dense from 0, and only ever appended
//! to, so that a source hands on what is new ([`SitesUpdate`]) and nothing else.
//!
//! ```text
//!  locations   main+0x1139   parse+0x2201   strdup+0x9f
//!  nodes       0: main  ◀─ 1: parse  ◀─ 2: strdup          parent is always the lower id
//!  stacks      0: node 2         figures  0: 4,096 B in 12 blocks …
//! ```
//!
//! Names are not here: they are looked up later, off the program's time, by location.

/// Position of a module.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ModuleId(pub u32);

/// Position of a location.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LocationId(pub u32);

/// Position of a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct NodeId(pub u32);

/// Position of a stack; the figures of a site are found by it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct StackId(pub u32);

/// The program or a library, as the process had it loaded.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Module {
    /// Path of the file; not necessarily UTF-8.
    pub path: Vec<u8>,
    /// Build id; empty when it has none.
    pub build_id: Vec<u8>,
}

/// A place in code: the instruction behind a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Location {
    /// The module; `None` for code that belongs to no file.
    pub module: Option<ModuleId>,
    /// The return address less the module's load bias, that is, a virtual address of the file;
    /// without a module, the address itself. The call is the instruction that ends here, so
    /// names are looked up one byte before.
    pub address: u64,
}

/// A call, reached by one chain of callers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Node {
    /// The caller's node, of a lower id; `None` for the outermost frame.
    pub parent: Option<NodeId>,
    /// Where the call is.
    pub location: LocationId,
}

/// A stack that asked for memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Stack {
    /// Its innermost frame; `None` when no frame is known.
    pub node: Option<NodeId>,
    /// Frames are missing at the outer end: the limit on frames was met.
    pub cut: bool,
}

/// What was allocated under one stack. Requested bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct SiteFigures {
    /// Live bytes.
    pub current_bytes: u64,
    /// Live blocks.
    pub current_blocks: u64,
    /// Live bytes at the byte peak of the process.
    pub at_peak_bytes: u64,
    /// Live blocks then.
    pub at_peak_blocks: u64,
    /// Bytes of all allocations.
    pub allocated_bytes: u64,
    /// Allocations.
    pub allocations: u64,
    /// Blocks freed by their thread with no allocation of that thread in between.
    pub temporary: u64,
}

/// What is new about a process's sites since the last reading.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SitesUpdate {
    /// What was known is of another process, or of another moment of a recording: forget the
    /// figures (and, when `modules` and the like begin anew as well, everything).
    pub restart: bool,
    /// Modules behind those known.
    pub modules: Vec<Module>,
    /// Locations behind those known.
    pub locations: Vec<Location>,
    /// Nodes behind those known.
    pub nodes: Vec<Node>,
    /// Stacks behind those known.
    pub stacks: Vec<Stack>,
    /// Figures that changed, in no order.
    pub changed: Vec<(StackId, SiteFigures)>,
}

/// All stacks of a process and their figures.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Sites {
    /// Modules by [`ModuleId`].
    pub modules: Vec<Module>,
    /// Locations by [`LocationId`].
    pub locations: Vec<Location>,
    /// Nodes by [`NodeId`].
    pub nodes: Vec<Node>,
    /// Stacks by [`StackId`].
    pub stacks: Vec<Stack>,
    /// Figures by [`StackId`].
    pub figures: Vec<SiteFigures>,
    /// When the figures were read, where that is before the moment they are shown for.
    pub as_of: Option<std::time::Duration>,
}

impl Sites {
    /// Takes in what is new. Ids that lead nowhere are left out: what comes from a file or
    /// from shared memory may be anything.
    pub fn apply(&mut self, mut update: SitesUpdate) {
        if update.restart {
            *self = Self::default();
        }
        self.modules.append(&mut update.modules);
        self.locations.append(&mut update.locations);
        self.nodes.append(&mut update.nodes);
        self.stacks.append(&mut update.stacks);
        self.figures.resize(self.stacks.len(), SiteFigures::default());
        for (stack, figures) in update.changed {
            if let Some(place) = self.figures.get_mut(stack.0 as usize) {
                *place = figures;
            }
        }
    }

    /// Whether anything is known of what stacks asked for.
    pub fn have_figures(&self) -> bool {
        self.figures.iter().any(|figures| figures.allocations != 0)
    }

    /// Everything, as an update for who knows nothing yet.
    pub fn to_update(&self) -> SitesUpdate {
        let changed = self.figures.iter().enumerate();
        SitesUpdate {
            restart: true,
            modules: self.modules.clone(),
            locations: self.locations.clone(),
            nodes: self.nodes.clone(),
            stacks: self.stacks.clone(),
            changed: changed.map(|(id, figures)| (StackId(id as u32), *figures)).collect(),
        }
    }

    /// The frames of a stack, innermost first; none for a stack that is not known.
    pub fn frames(&self, stack: StackId) -> impl Iterator<Item = LocationId> + '_ {
        let first = self.stacks.get(stack.0 as usize).and_then(|stack| stack.node);
        self.chain(first).map(|(_, node)| node.location)
    }

    /// The nodes from `first` outwards. A parent that is not of a lower id ends the chain, so
    /// that no input makes it endless.
    pub fn chain(&self, first: Option<NodeId>) -> impl Iterator<Item = (NodeId, Node)> + '_ {
        let look_up = |id: NodeId| self.nodes.get(id.0 as usize).map(|node| (id, *node));
        std::iter::successors(first.and_then(look_up), move |(id, node)| {
            node.parent.filter(|parent| parent < id).and_then(look_up)
        })
    }

    /// The module of a location.
    pub fn module_of(&self, location: LocationId) -> Option<&Module> {
        let location = self.locations.get(location.0 as usize)?;
        self.modules.get(location.module?.0 as usize)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn update() -> SitesUpdate {
        let node = |parent: Option<u32>, location| Node {
            parent: parent.map(NodeId),
            location: LocationId(location),
        };
        SitesUpdate {
            modules: vec![Module { path: b"/bin/prog".to_vec(), build_id: vec![1] }],
            locations: [0x1139, 0x2201, 0x9f]
                .map(|address| Location { module: Some(ModuleId(0)), address })
                .to_vec(),
            nodes: vec![node(None, 0), node(Some(0), 1), node(Some(1), 2), node(Some(0), 2)],
            stacks: [2, 3].map(|id| Stack { node: Some(NodeId(id)), cut: false }).to_vec(),
            changed: vec![(StackId(1), SiteFigures { allocations: 7, ..Default::default() })],
            restart: false,
        }
    }

    #[test]
    fn frames_come_innermost_first() {
        let mut sites = Sites::default();
        sites.apply(update());
        let frames = |id| sites.frames(StackId(id)).map(|at| at.0).collect::<Vec<_>>();
        assert_eq!((frames(0), frames(1), frames(9)), (vec![2, 1, 0], vec![2, 0], vec![]));
        assert_eq!(sites.figures[1].allocations, 7);
        assert_eq!(sites.module_of(LocationId(1)).map(|module| module.build_id.len()), Some(1));
    }

    #[test]
    fn a_tree_that_bites_its_tail_ends() {
        let mut bad = update();
        bad.nodes[0].parent = Some(NodeId(2));
        bad.changed.push((StackId(77), SiteFigures::default()));
        let mut sites = Sites::default();
        sites.apply(bad);
        assert_eq!(sites.frames(StackId(0)).count(), 3);
    }

    #[test]
    fn an_update_of_everything_says_everything() {
        let (mut sites, mut again) = (Sites::default(), Sites::default());
        sites.apply(update());
        again.apply(update());
        again.apply(sites.to_update());
        assert_eq!(sites, again);
    }
}
