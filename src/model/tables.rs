//! The groups that screens look at, kept current from tick to tick.
//!
//! A [`Table`] is made when a screen first asks for it, and thrown away when none has asked for
//! a while, or too many others were asked for since: typing a filter asks for one at each key. A
//! tick costs what changed, for each of them. When names were found, groups are out of date: new ones
//! are built beside them, a slice of the stacks at each tick, and take their place when whole.

use super::{
    Filter, GroupId, Grouping, Groups, NoPlumbing, Scope, SiteFigures, Snapshots, StackId, Tally,
};

/// Stacks that are given their new groups at one tick: about a millisecond's worth.
const SLICE: usize = 4096;

/// Seconds between the two moments that a rate compares, at least.
const SPAN_S: f64 = 1.0;

/// Ticks after which a table that nobody asked for is thrown away.
const PATIENCE: u64 = 100;

/// Tables that are kept, the ones asked for last: two for a screen, and two to come back to.
const MOST: usize = 4;

/// The mark that growth is measured from; none for the start, when nothing was held.
pub type Baseline = Option<u32>;

/// Which groups a screen looks at.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct View {
    /// By what.
    pub by: Grouping,
    /// Which stacks.
    pub filter: Filter,
    /// Plumbing stands for itself, instead of its callers.
    pub unfolded: bool,
}

/// The groups of a view, and how fast they allocate.
#[derive(Debug)]
pub struct Table {
    view: View,
    groups: Groups,
    /// Allocations of each group at two moments in the past, the earlier first.
    samples: [(f64, Vec<u64>); 2],
    /// What groups held at the baseline, and which one that is.
    then: Option<(Baseline, Option<Vec<Tally>>)>,
    next: Option<Groups>,
    /// How many names were known when the groups in use, and the next ones, were begun.
    names: [u64; 2],
    asked_at: u64,
}

/// All tables in use.
#[derive(Debug, Default)]
pub struct Tables {
    /// The one asked for last comes last.
    tables: Vec<Table>,
    ticks: u64,
}

impl View {
    /// The scope in which its groups are found.
    pub fn scope<'a>(&self, scope: Scope<'a>) -> Scope<'a> {
        match self.unfolded {
            true => Scope { plumbing: &NoPlumbing, kinds: None, ..scope },
            false => scope,
        }
    }
}

impl Table {
    fn new(view: View, scope: Scope<'_>, names: u64, now_s: f64, tick: u64) -> Self {
        let groups = Groups::of(view.scope(scope), view.by, view.filter.clone());
        let sample = (now_s, allocations(&groups));
        let samples = [sample.clone(), sample];
        let then = None;
        Self { view, groups, samples, then, next: None, names: [names; 2], asked_at: tick }
    }

    /// The groups.
    pub fn groups(&self) -> &Groups {
        &self.groups
    }

    /// Changes when groups do: names make others of them, and stacks join them.
    pub fn revision(&self) -> (u64, usize) {
        (self.names[0], self.groups.covered())
    }

    /// What it is of.
    pub fn view(&self) -> &View {
        &self.view
    }

    /// Allocations a second of a group; `None` until it has been looked at for a moment.
    pub fn per_s(&self, group: GroupId, now_s: f64) -> Option<f64> {
        let (then_s, then) = &self.samples[0];
        let before = then.get(group.0 as usize).copied().unwrap_or(0);
        let span = now_s - then_s;
        let now = self.groups.own(group).allocations;
        (span >= SPAN_S / 2.0).then(|| now.saturating_sub(before) as f64 / span)
    }

    /// What a group held at the baseline; `None` where that knows no sites.
    pub fn then(&self, group: GroupId) -> Option<Tally> {
        let (_, then) = self.then.as_ref()?;
        Some(then.as_ref()?.get(group.0 as usize).copied().unwrap_or_default())
    }

    /// Sums what groups held at the baseline, unless that is done.
    fn look_back(&mut self, baseline: Baseline, marks: &Snapshots) {
        if self.then.as_ref().is_some_and(|(done, _)| *done == baseline) {
            return;
        }
        let sums = match baseline {
            None => Some(Vec::new()),
            Some(number) => marks.get(number).and_then(|mark| {
                mark.figures.as_ref()?;
                Some(self.groups.at(|stack| mark.tally(stack)))
            }),
        };
        self.then = Some((baseline, sums));
    }

    fn tick(&mut self, scope: Scope<'_>, names: u64, now_s: f64) {
        let scope = self.view.scope(scope);
        self.groups.extend(scope, usize::MAX);
        if now_s - self.samples[1].0 >= SPAN_S {
            self.samples.swap(0, 1);
            self.samples[1] = (now_s, allocations(&self.groups));
        }
        if self.next.is_none() && self.names[0] != names {
            self.next = Some(Groups::new(self.view.by, self.view.filter.clone()));
            self.names[1] = names;
        }
        let Some(mut next) = self.next.take() else {
            return;
        };
        if next.extend(scope, SLICE) {
            self.next = Some(next);
            return;
        }
        self.groups = next;
        self.then = None;
        self.names[0] = self.names[1];
        let sample = (now_s, allocations(&self.groups));
        self.samples = [sample.clone(), sample];
    }
}

fn allocations(groups: &Groups) -> Vec<u64> {
    groups.ids().map(|group| groups.own(group).allocations).collect()
}

impl Tables {
    /// Makes sure that there is a table of `view`.
    pub fn want(&mut self, view: &View, scope: Scope<'_>, names: u64, now_s: f64) {
        let known = self.tables.iter().position(|table| table.view == *view);
        let table = match known {
            Some(at) => Table { asked_at: self.ticks, ..self.tables.remove(at) },
            None => Table::new(view.clone(), scope, names, now_s, self.ticks),
        };
        self.tables.push(table);
        let old = self.tables.len().saturating_sub(MOST);
        self.tables.drain(..old);
    }

    /// Makes sure that the tables know what there was at the baseline.
    pub fn look_back(&mut self, baseline: Baseline, marks: &Snapshots) {
        self.tables.iter_mut().for_each(|table| table.look_back(baseline, marks));
    }

    /// The table of a view that was wanted.
    pub fn get(&self, view: &View) -> Option<&Table> {
        self.tables.iter().find(|table| table.view == *view)
    }

    /// The figures of a stack change.
    pub fn change(
        &mut self,
        scope: Scope<'_>,
        stack: StackId,
        old: &SiteFigures,
        new: &SiteFigures,
    ) {
        for table in &mut self.tables {
            let scope = table.view.scope(scope);
            let Table { groups, next, .. } = table;
            [Some(groups), next.as_mut()]
                .into_iter()
                .flatten()
                .for_each(|groups| groups.change(scope, stack, old, new));
        }
    }

    /// Takes in what is new; `names` counts the names that were found so far.
    pub fn tick(&mut self, scope: Scope<'_>, names: u64, now_s: f64) {
        self.ticks += 1;
        let ticks = self.ticks;
        self.tables.retain(|table| ticks - table.asked_at < PATIENCE);
        self.tables.iter_mut().for_each(|table| table.tick(scope, names, now_s));
    }

    /// Forgets everything: the ids of stacks begin anew.
    pub fn clear(&mut self) {
        self.tables.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{
        Function, Location, LocationId, Names, Node, NodeId, Sites, SitesUpdate, Stack,
    };

    /// So many stacks, each of a location of its own.
    fn sites(count: u32) -> Sites {
        let mut sites = Sites::default();
        sites.apply(SitesUpdate {
            locations: (0..count).map(|at| Location { module: None, address: at.into() }).collect(),
            nodes: (0..count).map(|at| Node { parent: None, location: LocationId(at) }).collect(),
            stacks: (0..count).map(|at| Stack { node: Some(NodeId(at)), cut: false }).collect(),
            changed: (0..count).map(|at| (StackId(at), figures(1))).collect(),
            ..SitesUpdate::default()
        });
        sites
    }

    fn scope<'a>(sites: &'a Sites, names: &'a Names) -> Scope<'a> {
        Scope { sites, names, plumbing: &NoPlumbing, kinds: None }
    }

    fn figures(allocations: u64) -> SiteFigures {
        SiteFigures { allocations, current_bytes: allocations, ..SiteFigures::default() }
    }

    #[test]
    fn groups_move_when_names_come_and_nothing_is_lost_meanwhile() {
        let count = 3 * SLICE as u32;
        let (mut sites, mut names) = (sites(count), Names::default());
        let (mut tables, view) = (Tables::default(), View::default());
        tables.want(&view, scope(&sites, &names), 0, 0.0);
        assert_eq!(tables.get(&view).expect("it was wanted").groups().len(), count as usize);
        for location in 0..count {
            let function = Function { name: "same".into(), ..Function::default() };
            names.insert(LocationId(location), vec![function]);
        }
        let mut ticks = 0;
        while tables.get(&view).expect("it is wanted").groups().len() > 1 {
            tables.tick(scope(&sites, &names), 1, 0.1);
            ticks += 1;
            let stack = StackId(ticks * 2000);
            let (old, new) = (sites.figures[stack.0 as usize], figures(1000));
            sites.figures[stack.0 as usize] = new;
            tables.change(scope(&sites, &names), stack, &old, &new);
        }
        assert_eq!(ticks, 3);
        let groups = tables.get(&view).expect("it is wanted").groups();
        let all: u64 = sites.figures.iter().map(|figures| figures.allocations).sum();
        assert_eq!(groups.own(GroupId(0)).allocations, all);
        assert_eq!(groups.with_callees(GroupId(0)), all);
    }

    #[test]
    fn rates_look_back_between_one_and_two_seconds() {
        let (mut sites, names) = (sites(1), Names::default());
        let (mut tables, view) = (Tables::default(), View::default());
        tables.want(&view, scope(&sites, &names), 0, 0.0);
        assert_eq!(tables.get(&view).expect("wanted").per_s(GroupId(0), 0.1), None);
        for tick in 1..=50_u64 {
            let (old, new) = (sites.figures[0], figures(1 + tick * 7));
            sites.figures[0] = new;
            tables.change(scope(&sites, &names), StackId(0), &old, &new);
            tables.tick(scope(&sites, &names), 0, tick as f64 / 10.0);
            tables.want(&view, scope(&sites, &names), 0, 0.0);
        }
        let rate = tables.get(&view).expect("wanted").per_s(GroupId(0), 5.0).expect("five seconds");
        assert!((rate - 70.0).abs() < 1e-6, "{rate}");
    }

    #[test]
    fn those_asked_for_last_are_kept() {
        let (sites, names) = (sites(2), Names::default());
        let scope = scope(&sites, &names);
        let mut tables = Tables::default();
        let views = [Grouping::Site, Grouping::Function, Grouping::File, Grouping::Module]
            .map(|by| View { by, ..View::default() });
        views.iter().for_each(|view| tables.want(view, scope, 0, 0.0));
        tables.want(&views[0], scope, 0, 0.0);
        tables.want(&View { by: Grouping::Stack, ..View::default() }, scope, 0, 0.0);
        let kept = views.map(|view| tables.get(&view).is_some());
        assert_eq!(kept, [true, false, true, true]);
    }

    #[test]
    fn what_nobody_asks_for_is_thrown_away() {
        let (sites, names) = (sites(2), Names::default());
        let scope = scope(&sites, &names);
        let (mut tables, view) = (Tables::default(), View::default());
        tables.want(&view, scope, 0, 0.0);
        (0..PATIENCE).for_each(|_| tables.tick(scope, 0, 0.0));
        assert!(tables.get(&view).is_none());
    }
}
