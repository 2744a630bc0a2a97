//! Names, never waited for: the dashboard says what it would like to know, and takes at each
//! tick what has been found.
//!
//! ```text
//!  dashboard ── orders ──▶ clerk ── questions ──▶ one thread for each file with debug
//!      ▲                     │  ▲                 information in use
//!      └────── answers ──────┘  └─── found ───────────┘
//! ```
//!
//! The clerk answers from the symbols at once, then asks the debug information, a small portion
//! at a time, so that what became visible last is never behind much else. It never waits for
//! a file's thread: a file that takes seconds delays its own names alone.

use std::sync::Arc;

use crossbeam_channel::{Receiver, Sender, TrySendError, bounded};

use super::{Functions, Search, clerk};
use crate::model::{Location, LocationId, Module, Sites};

/// Orders on the way; the dashboard offers the rest again at its next tick.
const ORDERS: usize = 32;

/// Answers on the way; the clerk waits while the dashboard takes none.
const ANSWERS: usize = 64;

/// Orders that the background may have on the way: it is never far ahead of what is wanted now.
const AHEAD: usize = 8;

/// Locations of one order: about what is done between two looks at the orders.
const PORTION: usize = 256;

/// What the clerk is told.
pub(super) enum Order {
    /// From now on everything is about another process.
    Process { epoch: u64, search: Search },
    /// Names for these, most wanted last.
    Want { urgent: bool, wants: Vec<Want> },
}

/// A location that needs a name.
#[derive(Debug, Clone)]
pub(super) struct Want {
    pub(super) location: LocationId,
    /// `None` for code that belongs to no file.
    pub(super) module: Option<Arc<Module>>,
    /// Within the call.
    pub(super) address: u64,
}

/// What the clerk has found.
pub(super) struct Found {
    pub(super) epoch: u64,
    pub(super) answers: Vec<Answer>,
}

pub(super) struct Answer {
    pub(super) location: LocationId,
    pub(super) functions: Functions,
    /// There will be no better one.
    pub(super) last: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Asked {
    Not,
    Someday,
    Now,
}

/// Looks names up beside the dashboard.
#[derive(Debug)]
pub struct Service {
    orders: Sender<Order>,
    found: Receiver<Found>,
    epoch: u64,
    modules: Vec<Arc<Module>>,
    /// By location.
    asked: Vec<Asked>,
    /// Every location before this one was asked for.
    rest: usize,
    waiting: usize,
}

impl Service {
    /// Starts to serve.
    ///
    /// # Errors
    /// When there can be no thread.
    pub fn start() -> std::io::Result<Self> {
        let (orders, ordered) = bounded(ORDERS);
        let (answer, found) = bounded(ANSWERS);
        clerk::start(ordered, answer)?;
        Ok(Self {
            orders,
            found,
            epoch: 0,
            modules: Vec::new(),
            asked: Vec::new(),
            rest: 0,
            waiting: 0,
        })
    }

    /// Another process is shown, or its sites began anew: what was asked for before is
    /// forgotten, and what was found for it does not come any more.
    pub fn begin(&mut self, search: Search) {
        self.epoch += 1;
        self.modules.clear();
        self.asked.clear();
        (self.rest, self.waiting) = (0, 0);
        // The only order that must not be lost; there is room as soon as the clerk looks.
        _ = self.orders.send(Order::Process { epoch: self.epoch, search });
    }

    /// These are on the screen, the most wanted first: they come before everything else.
    pub fn want(&mut self, sites: &Sites, locations: impl IntoIterator<Item = LocationId>) {
        let new = locations.into_iter().filter(|id| self.asked_for(*id) < Asked::Now);
        let mut new: Vec<LocationId> = new.take(PORTION).collect();
        new.reverse();
        self.order(sites, &new, Asked::Now);
    }

    /// Everything else, in the background; to be called at each tick.
    pub fn want_rest(&mut self, sites: &Sites) {
        while self.orders.len() < AHEAD && self.has_unasked(sites) {
            let upto = sites.locations.len().min(self.rest + PORTION);
            let ids = (self.rest..upto).map(|at| LocationId(at as u32));
            let new: Vec<LocationId> = ids.filter(|id| self.asked_for(*id) == Asked::Not).collect();
            if !new.is_empty() && !self.order(sites, &new, Asked::Someday) {
                return;
            }
            self.rest = upto;
        }
    }

    /// Whether there are locations that [`want_rest`](Self::want_rest) has not come to.
    pub fn has_unasked(&self, sites: &Sites) -> bool {
        self.rest < sites.locations.len()
    }

    /// What was found since the last call. A location may come again with a better answer.
    pub fn answers(&mut self) -> Vec<(LocationId, Functions)> {
        let mut answers = Vec::new();
        while let Ok(found) = self.found.try_recv() {
            if found.epoch == self.epoch {
                self.waiting -=
                    found.answers.iter().filter(|one| one.last).count().min(self.waiting);
                answers.extend(found.answers.into_iter().map(|one| (one.location, one.functions)));
            }
        }
        answers
    }

    /// How many locations have no final answer yet.
    pub fn waiting(&self) -> usize {
        self.waiting
    }

    fn asked_for(&self, location: LocationId) -> Asked {
        self.asked.get(location.0 as usize).copied().unwrap_or(Asked::Not)
    }

    /// Whether the order went out.
    fn order(&mut self, sites: &Sites, locations: &[LocationId], asked: Asked) -> bool {
        let known = sites.modules.iter().skip(self.modules.len());
        self.modules.extend(known.cloned().map(Arc::new));
        let wants: Vec<Want> = locations.iter().filter_map(|id| self.want_of(sites, *id)).collect();
        if wants.is_empty() {
            return true;
        }
        let order = Order::Want { urgent: asked == Asked::Now, wants };
        match self.orders.try_send(order) {
            Ok(()) => locations.iter().for_each(|id| self.note(*id, asked)),
            Err(TrySendError::Full(_)) => return false,
            // The clerk is gone, and with it all names: nothing is asked for again.
            Err(TrySendError::Disconnected(_)) => {}
        }
        true
    }

    fn want_of(&self, sites: &Sites, location: LocationId) -> Option<Want> {
        let Location { module, address } = *sites.locations.get(location.0 as usize)?;
        let module = module.and_then(|id| self.modules.get(id.0 as usize)).cloned();
        Some(Want { location, module, address: address.saturating_sub(1) })
    }

    fn note(&mut self, location: LocationId, asked: Asked) {
        let at = location.0 as usize;
        if at >= self.asked.len() {
            self.asked.resize(at + 1, Asked::Not);
        }
        // Asked for again, it is answered again.
        self.waiting += 1;
        self.asked[at] = asked;
    }
}
