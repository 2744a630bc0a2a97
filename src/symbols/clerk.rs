//! The thread behind a [`super::Service`]: takes orders, answers from the symbols, and keeps
//! every file's thread busy with what is most wanted.

use std::{
    collections::{BTreeMap, HashMap},
    io, thread,
    time::Duration,
};

use crossbeam_channel::{Receiver, Sender, bounded, select};

use super::{
    Functions,
    debug_info::Question,
    module::{Key, ModuleNames, Modules},
    service::{Answer, Found, Order, Want},
};
use crate::model::{Function, LocationId};

/// Addresses of one question.
const QUESTION: usize = 128;

/// Files whose debug information is open at once.
const OPEN_FILES: usize = 16;

/// After so long without an order the debug information is closed: it can hold much memory.
const IDLE: Duration = Duration::from_secs(60);

/// Answers held for other processes and other moments that refer to the same code.
const REMEMBERED: usize = 200_000;

/// What is asked of one file.
#[derive(Default)]
struct Desk {
    /// Most wanted last.
    urgent: Vec<Want>,
    /// By address, so that every part of the file is parsed once.
    someday: BTreeMap<(u64, LocationId), Want>,
    /// Its thread is at work.
    busy: bool,
    /// Its thread has answered before, so that it will again before anybody notices.
    ready: bool,
}

/// A file's answers to a question. Dropped, it is sent: a file whose thread fails has answered
/// too, with nothing.
struct Reply {
    key: Key,
    epoch: u64,
    wants: Vec<Want>,
    functions: Option<Vec<Functions>>,
    to: Sender<Reply>,
}

/// A reply that is sent when it is dropped.
struct Pledge(Option<Reply>);

impl Pledge {
    fn fulfil(mut self, functions: Vec<Functions>) {
        if let Some(reply) = &mut self.0 {
            reply.functions = Some(functions);
        }
    }
}

impl Drop for Pledge {
    fn drop(&mut self) {
        if let Some(reply) = self.0.take() {
            let to = reply.to.clone();
            // Nobody is there any more: nobody needs it.
            _ = to.send(reply);
        }
    }
}

struct Clerk {
    epoch: u64,
    modules: Modules,
    desks: HashMap<Key, Desk>,
    remembered: HashMap<(Key, u64), Functions>,
    replies: Sender<Reply>,
    found: Sender<Found>,
}

/// Starts the thread; it ends when nobody gives orders or takes answers any more.
pub(super) fn start(orders: Receiver<Order>, found: Sender<Found>) -> io::Result<()> {
    let work = move || _ = serve(&orders, found);
    thread::Builder::new().name("memtop-names".to_owned()).spawn(work).map(drop)
}

/// Serves until `None`: somebody is gone.
fn serve(orders: &Receiver<Order>, found: Sender<Found>) -> Option<()> {
    // Each open file has one question at most, so that no file's thread ever waits here.
    let (replies, replied) = bounded(OPEN_FILES);
    let mut clerk = Clerk {
        epoch: 0,
        modules: Modules::default(),
        desks: HashMap::new(),
        remembered: HashMap::new(),
        replies,
        found,
    };
    loop {
        select! {
            recv(orders) -> order => clerk.take_order(order.ok()?)?,
            recv(replied) -> reply => clerk.take_reply(reply.ok()?)?,
            default(IDLE) => clerk.modules.close(),
        }
    }
}

impl Clerk {
    fn take_order(&mut self, order: Order) -> Option<()> {
        match order {
            Order::Process { epoch, search } => {
                self.epoch = epoch;
                self.modules.search_in(search);
                for desk in self.desks.values_mut() {
                    desk.urgent.clear();
                    desk.someday.clear();
                }
                Some(())
            }
            Order::Want { urgent, wants } => {
                let at_once = wants.into_iter().filter_map(|want| self.first_answer(want, urgent));
                let answers = at_once.collect();
                self.say(answers)?;
                self.feed()
            }
        }
    }

    /// What can be said at once. Where more may follow, the want is put on a desk.
    fn first_answer(&mut self, want: Want, urgent: bool) -> Option<Answer> {
        let location = want.location;
        let Some(module) = want.module.as_deref() else {
            return Some(Answer { location, functions: vec![Function::default()], last: true });
        };
        let key = Key::of(module);
        if let Some(functions) = self.remembered.get(&(key.clone(), want.address)) {
            return Some(Answer { location, functions: functions.clone(), last: true });
        }
        let names = self.modules.open(module);
        if !names.has_debug_info() {
            return Some(Answer { location, functions: names.rough(want.address), last: true });
        }
        let desk = self.desks.entry(key).or_default();
        let rough = (!desk.ready).then(|| names.rough(want.address));
        desk.put(want, urgent);
        rough.map(|functions| Answer { location, functions, last: false })
    }

    /// Gives every file's thread something to do, if there is something.
    fn feed(&mut self) -> Option<()> {
        let waiting = self.desks.iter().filter(|(_, desk)| desk.is_waiting());
        let keys: Vec<Key> = waiting.map(|(key, _)| key.clone()).collect();
        keys.into_iter().try_for_each(|key| self.feed_one(key))
    }

    fn feed_one(&mut self, key: Key) -> Option<()> {
        if !self.make_room(&key) {
            return Some(());
        }
        let Some(desk) = self.desks.get_mut(&key) else { return Some(()) };
        let wants = desk.take_some();
        desk.busy = true;
        let addresses = wants.iter().map(|want| want.address).collect();
        let (epoch, to) = (self.epoch, self.replies.clone());
        let reply = Reply { key: key.clone(), epoch, wants, functions: None, to };
        let pledge = Pledge(Some(reply));
        let answer = Box::new(|functions| pledge.fulfil(functions));
        let debug_info = self.modules.get(&key).and_then(ModuleNames::debug_info);
        if let Some(debug_info) = debug_info {
            // A question that comes back is dropped, and so answered with nothing.
            _ = debug_info.ask(Question { addresses, answer });
        }
        Some(())
    }

    /// Whether one more file may be at work; those that are not are closed when there are
    /// too many.
    fn make_room(&mut self, key: &Key) -> bool {
        if self.desks.values().filter(|desk| desk.busy).count() == OPEN_FILES {
            return false;
        }
        let is_open = self.modules.get(key).is_some_and(|names| names.is_open());
        if !is_open && self.modules.open_files() >= OPEN_FILES {
            let idle = self.desks.iter().filter(|(_, desk)| !desk.busy);
            for key in idle.map(|(key, _)| key) {
                self.modules.get(key).into_iter().for_each(ModuleNames::close);
            }
        }
        true
    }

    fn take_reply(&mut self, reply: Reply) -> Option<()> {
        let Reply { key, epoch, wants, functions, .. } = reply;
        if let Some(desk) = self.desks.get_mut(&key) {
            (desk.busy, desk.ready) = (false, true);
        }
        let Some(names) = self.modules.get(&key) else { return self.feed() };
        if functions.is_none() {
            names.give_up_debug_info();
        }
        let mut functions = functions.unwrap_or_default().into_iter();
        let mut answers = Vec::with_capacity(wants.len());
        for Want { location, address, .. } in wants {
            let functions = names.fine(address, functions.next().unwrap_or_default());
            if self.remembered.len() >= REMEMBERED {
                self.remembered.clear();
            }
            self.remembered.insert((key.clone(), address), functions.clone());
            answers.push(Answer { location, functions, last: true });
        }
        if epoch == self.epoch {
            self.say(answers)?;
        }
        self.feed()
    }

    fn say(&self, answers: Vec<Answer>) -> Option<()> {
        if answers.is_empty() {
            return Some(());
        }
        self.found.send(Found { epoch: self.epoch, answers }).ok()
    }
}

impl Desk {
    fn put(&mut self, want: Want, urgent: bool) {
        match urgent {
            true => self.urgent.push(want),
            false => _ = self.someday.insert((want.address, want.location), want),
        }
    }

    fn is_waiting(&self) -> bool {
        !self.busy && (!self.urgent.is_empty() || !self.someday.is_empty())
    }

    /// The most wanted.
    fn take_some(&mut self) -> Vec<Want> {
        let from = self.urgent.len().saturating_sub(QUESTION);
        if !self.urgent.is_empty() {
            return self.urgent.split_off(from);
        }
        let next = std::iter::from_fn(|| self.someday.pop_first());
        next.take(QUESTION).map(|(_, want)| want).collect()
    }
}
