//! The groups in the chain of callers of a stack, each once.
//!
//! A group counts a stack once, however often it recurs in it: where it is met outermost. So a
//! [`Link`] stands for a group at the outermost of its calls, seen from one chain of callers,
//! and leads to the link outside it; a call that adds no group (plumbing, recursion) shares the
//! link of its caller. To walk a stack's links is to meet each of its groups once, and what
//! many stacks come to is one pass over all links, since each leads to one that is older.
//!
//! ```text
//!  calls   main ◀─ parse ◀─ parse ◀─ malloc        one stack asks for memory in malloc
//!  links   main ◀─ parse ◀────┴────────┘           its innermost link is that of parse
//! ```

use std::num::NonZero;

use super::GroupId;
use crate::model::{LocationId, NodeId, Sites, StackId};

/// Number of a link, counted from one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct LinkId(NonZero<u32>);

impl LinkId {
    fn at(self) -> usize {
        self.0.get() as usize - 1
    }
}

/// A group at its outermost call.
#[derive(Debug, Clone, Copy)]
struct Link {
    group: GroupId,
    outer: Option<LinkId>,
}

/// The link at which a call stands.
#[derive(Debug, Clone, Copy, Default)]
enum Head {
    #[default]
    Unknown,
    /// None where no caller has a group.
    Known(Option<LinkId>),
}

/// Links of the calls that were looked at.
#[derive(Debug, Default)]
pub(super) struct Callers {
    heads: Vec<Head>,
    links: Vec<Link>,
    /// Two bits for each group in the chain of a link; groups share bits, so those that are set
    /// prove nothing, and one that is not saves the walk.
    marks: Vec<u128>,
}

impl Callers {
    /// The innermost link of a stack; `None` where no caller has a group, or none is known.
    pub(super) fn of(&self, sites: &Sites, stack: StackId) -> Option<LinkId> {
        let node = sites.stacks.get(stack.0 as usize)?.node?;
        self.head(node).flatten()
    }

    fn head(&self, node: NodeId) -> Option<Option<LinkId>> {
        match self.heads.get(node.0 as usize)? {
            Head::Unknown => None,
            Head::Known(link) => Some(*link),
        }
    }

    /// Puts the calls of a stack that were not looked at into `calls`, innermost first; the link
    /// outside them.
    pub(super) fn unknown(
        &self,
        sites: &Sites,
        stack: StackId,
        calls: &mut Vec<(NodeId, LocationId)>,
    ) -> Option<LinkId> {
        calls.clear();
        let innermost = sites.stacks.get(stack.0 as usize).and_then(|stack| stack.node);
        let mut at = innermost;
        while let Some(id) = at {
            // Not even read, if it is known: most of what this takes is to fetch memory.
            if let Some(outer) = self.head(id) {
                return outer;
            }
            let node = sites.nodes.get(id.0 as usize)?;
            calls.push((id, node.location));
            at = node.parent.filter(|parent| *parent < id);
        }
        None
    }

    /// Makes room for so many calls.
    pub(super) fn reserve(&mut self, calls: usize) {
        let more = calls.saturating_sub(self.heads.len());
        self.heads.reserve(more);
        self.links.reserve(more);
        self.marks.reserve(more);
    }

    /// Learns of calls, innermost first, inside the link `outer`. `groups` tells the groups at a
    /// location.
    pub(super) fn learn<I: Iterator<Item = GroupId>>(
        &mut self,
        mut outer: Option<LinkId>,
        calls: &[(NodeId, LocationId)],
        groups: impl Fn(LocationId) -> I,
    ) {
        for (node, location) in calls.iter().rev() {
            for group in groups(*location) {
                outer = Some(self.link(group, outer));
            }
            let at = node.0 as usize;
            if at >= self.heads.len() {
                self.heads.resize(at + 1, Head::Unknown);
            }
            self.heads[at] = Head::Known(outer);
        }
    }

    /// The link for a call of `group` inside `outer`: a new one, unless the group is out there.
    fn link(&mut self, group: GroupId, outer: Option<LinkId>) -> LinkId {
        let mark = mark(group);
        let marks = outer.map_or(0, |outer| self.marks[outer.at()]);
        if let Some(outer) = outer
            && marks & mark == mark
            && self.outwards(Some(outer)).any(|one| one == group)
        {
            return outer;
        }
        self.marks.push(marks | mark);
        self.links.push(Link { group, outer });
        LinkId(NonZero::new(self.links.len() as u32).unwrap_or(NonZero::<u32>::MAX))
    }

    /// The groups from a link outwards, each once.
    pub(super) fn outwards(&self, from: Option<LinkId>) -> impl Iterator<Item = GroupId> + '_ {
        let link = |id: LinkId| self.links[id.at()];
        let links = std::iter::successors(from.map(link), move |one| one.outer.map(link));
        links.map(|link| link.group)
    }

    /// Adds what stacks come to, told with their innermost link and their own group, to `sums`
    /// of those groups and of all outside them.
    pub(super) fn spread<T: Copy + Default>(
        &self,
        stacks: impl Iterator<Item = (Option<LinkId>, GroupId, T)>,
        sums: &mut [T],
        add: impl Fn(&mut T, T),
    ) {
        let mut behind = vec![T::default(); self.links.len()];
        for (innermost, own, weight) in stacks {
            match innermost {
                Some(link) => add(&mut behind[link.at()], weight),
                None => add(&mut sums[own.0 as usize], weight),
            }
        }
        for (at, link) in self.links.iter().enumerate().rev() {
            let weight = behind[at];
            add(&mut sums[link.group.0 as usize], weight);
            if let Some(outer) = link.outer {
                add(&mut behind[outer.at()], weight);
            }
        }
    }
}

/// The bits of a group.
fn mark(group: GroupId) -> u128 {
    let hash = group.0.wrapping_mul(0x9E37_79B9);
    1 << (hash >> 25) | 1 << (hash >> 18 & 127)
}
