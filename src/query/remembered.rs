//! What groups held at a moment, summed once and kept as long as it stays true: a frame comes
//! twenty times a second, a marked moment never changes, and a file of another run neither. The
//! calls of the flame are kept likewise.

use std::{cell::RefCell, collections::BTreeMap, rc::Rc};

use memtop_ui::data::When;

use super::{flame::Calls, moments};
use crate::model::{Frame, Groups, Model, Scope, StackId, Tally, View};

/// What may be of use for the next frame.
#[derive(Debug, Default)]
pub struct Memory {
    sums: RefCell<Vec<Remembered>>,
    pub(super) calls: RefCell<Calls>,
}

/// Sums that are kept: those of two moments, filtered and not, and some to come back to.
const MOST: usize = 8;

#[derive(Debug)]
struct Remembered {
    of: Question,
    held: Held,
}

/// What was summed, and everything that the sums depend on.
#[derive(Debug, Clone, PartialEq)]
struct Question {
    when: When,
    view: View,
    how: How,
    revision: Revision,
}

/// How it was summed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum How {
    Own,
    WithCallees,
    ByLabel,
}

/// Changes whenever sums may.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Revision {
    epoch: u64,
    figures: u64,
    groups: (u64, usize),
    names: u64,
    marks: usize,
}

#[derive(Debug, Clone)]
enum Held {
    Groups(Rc<[Tally]>),
    Labels(Rc<BTreeMap<Frame, Tally>>),
}

impl Memory {
    /// What each group of a table held at a moment of the process shown; with callees, what it
    /// called counts as well.
    ///
    /// # Errors
    /// With words, where that is not known.
    pub(super) fn groups(
        &self,
        model: &Model,
        view: &View,
        when: When,
        with_callees: bool,
    ) -> Result<Rc<[Tally]>, String> {
        let how = if with_callees { How::WithCallees } else { How::Own };
        let held = self.recall(question(model, view, when, how), || {
            let groups = table(model, view)?;
            let held = moments::held(model, when)?;
            let sums = match with_callees {
                false => groups.at(held),
                true => groups.at_with_callees(view.scope(model.scope()), held),
            };
            Ok(Held::Groups(sums.into()))
        })?;
        Ok(if let Held::Groups(sums) = held { sums } else { Rc::default() })
    }

    /// What groups held at a moment of any run, by what they are called.
    ///
    /// # Errors
    /// With words, where that is not known.
    pub(super) fn labels(
        &self,
        model: &Model,
        view: &View,
        when: When,
    ) -> Result<Rc<BTreeMap<Frame, Tally>>, String> {
        let held = self.recall(question(model, view, when, How::ByLabel), || {
            Ok(Held::Labels(Rc::new(labelled(model, view, when)?)))
        })?;
        Ok(if let Held::Labels(sums) = held { sums } else { Rc::default() })
    }

    /// The answer that is kept, or a new one; what was asked for last is kept longest.
    fn recall(
        &self,
        of: Question,
        sum: impl FnOnce() -> Result<Held, String>,
    ) -> Result<Held, String> {
        let mut kept = self.sums.borrow_mut();
        let known = kept.iter().position(|one| one.of == of).map(|at| kept.remove(at));
        let answer = match known {
            Some(known) => known,
            None => Remembered { of, held: sum()? },
        };
        let held = answer.held.clone();
        kept.insert(0, answer);
        kept.truncate(MOST);
        Ok(held)
    }
}

fn question(model: &Model, view: &View, when: When, how: How) -> Question {
    let changes = matches!(when, When::Now | When::Peak);
    let of_file = matches!(when, When::File(_));
    let of_table = || model.tables.get(view).map(|table| table.revision()).unwrap_or_default();
    let revision = match of_file {
        true => Revision::default(),
        false => Revision {
            epoch: model.sites_epoch(),
            figures: if changes { model.sites_revision() } else { 0 },
            groups: of_table(),
            // Groups are found by names, and called by them.
            names: if how == How::ByLabel { model.names_found() } else { 0 },
            marks: model.marks.iter().filter(|(_, mark)| mark.figures.is_some()).count(),
        },
    };
    Question { when, view: view.clone(), how, revision }
}

fn table<'a>(model: &'a Model, view: &View) -> Result<&'a Groups, String> {
    Ok(model.tables.get(view).ok_or("There are no sites yet.")?.groups())
}

fn labelled(model: &Model, view: &View, when: When) -> Result<BTreeMap<Frame, Tally>, String> {
    if let When::File(number) = when {
        let loaded = model.loaded.iter().find(|loaded| loaded.number == number);
        let loaded = loaded.ok_or("That file is not loaded any more.")?;
        let process = &loaded.process;
        if !process.knows_sites() {
            return Err(format!("the sites of {} are unknown: it holds none", loaded.name));
        }
        let (sites, names) = (&process.sites, &process.names);
        let scope = Scope { sites, names, kinds: None, ..model.scope() };
        let groups = Groups::of(view.scope(scope), view.by, view.filter.clone());
        let held = |stack: StackId| {
            let figures = process.sites.figures.get(stack.0 as usize).copied().unwrap_or_default();
            Tally::new(figures.current_bytes, figures.current_blocks)
        };
        return Ok(by_label(&groups, view.scope(scope), groups.at(held)));
    }
    let groups = table(model, view)?;
    let held = moments::held(model, when)?;
    Ok(by_label(groups, view.scope(model.scope()), groups.at(held)))
}

fn by_label(groups: &Groups, scope: Scope<'_>, sums: Vec<Tally>) -> BTreeMap<Frame, Tally> {
    let mut named = BTreeMap::<Frame, Tally>::new();
    for (group, tally) in groups.ids().zip(sums).filter(|(_, tally)| !tally.is_empty()) {
        named.entry(groups.label(scope, group)).or_default().add(tally);
    }
    named
}
