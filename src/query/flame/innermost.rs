//! Where a picture that is turned over begins: the innermost call of each stack that shows.
//!
//! As long as no names come this stays as it is, whatever the figures do. To find it means to fetch
//! from all over memory for each stack; to sum it up is one pass.

use super::{
    labels::{LabelId, Labels},
    walk::{Step, leave_through},
};
use crate::model::{Sites, StackId};

/// The innermost calls of all stacks.
#[derive(Debug, Default)]
pub(super) struct Innermost {
    /// By stack; none where all is left out.
    of_stack: Vec<Option<(Step, LabelId)>>,
    /// Where the stacks of each label begin in `stacks`, and where the last ones end.
    begins: Vec<u32>,
    stacks: Vec<StackId>,
}

impl Innermost {
    /// Takes in stacks that are new.
    pub(super) fn update(&mut self, sites: &Sites, labels: &mut Labels<'_>) {
        let known = self.of_stack.len();
        for (at, stack) in sites.stacks.iter().enumerate().skip(known) {
            let step = leave_through(sites, stack.node, StackId(at as u32), labels);
            let label = step.and_then(|step| {
                let node = sites.nodes.get(step.node.0 as usize)?;
                labels.at(node.location).first().copied()
            });
            self.of_stack.push(step.zip(label));
        }
        if self.of_stack.len() != known {
            self.sort(labels.len());
        }
    }

    /// Puts the stacks of each label together.
    fn sort(&mut self, labels: usize) {
        let mut ends = vec![0_u32; labels + 1];
        for (_, label) in self.all() {
            ends[label.0 as usize + 1] += 1;
        }
        for at in 1..ends.len() {
            ends[at] += ends[at - 1];
        }
        self.begins.clone_from(&ends);
        self.stacks = vec![StackId(0); ends.last().map_or(0, |all| *all as usize)];
        for (at, (_, label)) in
            self.of_stack.iter().enumerate().filter_map(|(at, one)| Some((at, (*one)?)))
        {
            let end = &mut ends[label.0 as usize];
            self.stacks[*end as usize] = StackId(at as u32);
            *end += 1;
        }
    }

    /// All of them, in the order of stacks.
    pub(super) fn all(&self) -> impl Iterator<Item = (Step, LabelId)> + '_ {
        self.of_stack.iter().filter_map(|one| *one)
    }

    /// Those of a label, in the order of stacks.
    pub(super) fn steps(&self, label: LabelId) -> impl Iterator<Item = Step> + '_ {
        let at = label.0 as usize;
        let range = self.begins.get(at).zip(self.begins.get(at + 1));
        let range = range.map_or(0..0, |(begin, end)| *begin as usize..*end as usize);
        let stacks = &self.stacks[range];
        stacks.iter().filter_map(|stack| Some(self.of_stack[stack.0 as usize]?.0))
    }
}
