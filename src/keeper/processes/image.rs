//! One process image: what is known of it, its samples, and its end.

use std::collections::BTreeMap;

use memtop_probe::session::reader::{ClockReading, Reader, SessionReading};

use super::{Changes, Processes};
use crate::{
    keeper::history::History,
    model::{Exit, Point, ProcessState},
    recording::Look,
    source::session::{self, Facts},
    sys::process::{self, Handle, Incarnation},
};

/// One process image.
#[derive(Debug)]
pub struct Image {
    /// Number of its session in the session memory.
    pub index: usize,
    /// Process id.
    pub pid: u32,
    /// 0 for the first image of this pid.
    pub generation: u32,
    pub(super) started_ns: u64,
    /// Gone once it has ended and its process has, or has become another image.
    pub(super) handle: Handle,
    /// What it was when it was met; another one is another program.
    pub(super) incarnation: Option<Incarnation>,
    pub(super) names: BTreeMap<u32, String>,
    pub(super) history: History,
    pub(super) sampled_tick: u64,
    /// When its process was first seen to be another program.
    pub(super) became_ns: Option<u64>,
    /// That its incarnation is the one of the session was looked at.
    pub(super) is_sure: bool,
    /// What the last sample was taken from.
    pub(super) sampled: Option<SessionReading>,
    pub(super) end: Option<End>,
}

/// How an image ended.
#[derive(Debug)]
pub struct End {
    /// `CLOCK_MONOTONIC`, nanoseconds; when it was noticed.
    pub at_ns: u64,
    /// Known of the launched program only; an image that made way for another has none.
    pub exit: Option<Exit>,
    /// Its figures then.
    reading: Option<SessionReading>,
}

impl Image {
    pub(super) fn new(index: usize, pid: u32, started_ns: u64) -> Self {
        Self {
            index,
            pid,
            generation: 0,
            started_ns,
            handle: Handle::Gone,
            incarnation: None,
            names: BTreeMap::new(),
            history: History::default(),
            sampled_tick: 0,
            became_ns: None,
            is_sure: false,
            sampled: None,
            end: None,
        }
    }

    /// One that ended, and whose memory was given back, before anyone looked here.
    pub(super) fn gone(index: usize, pid: u32) -> Self {
        let end = End { at_ns: 0, exit: None, reading: None };
        Self { end: Some(end), ..Self::new(index, pid, 0) }
    }

    /// Its end, if it has ended.
    pub fn end(&self) -> Option<&End> {
        self.end.as_ref()
    }

    /// Its history, oldest first.
    pub fn timeline(&self) -> &[Point] {
        self.history.points()
    }

    /// Whether it lives, and its process is not known to be another program by now.
    pub(super) fn is_itself(&self) -> bool {
        self.end.is_none() && self.became_ns.is_none()
    }

    /// Whether its process lives, though it has ended, as a program that cannot be traced.
    pub fn goes_on_untraced(&self) -> bool {
        self.end.is_some() && !self.handle.has_ended()
    }

    /// When its session began, `CLOCK_MONOTONIC` nanoseconds.
    pub fn started_ns(&self) -> u64 {
        self.started_ns
    }

    /// How long it has lived by `now_ns`; an ended one lives no longer.
    pub fn lived_ns(&self, now_ns: u64) -> u64 {
        let until = self.end.as_ref().map_or(now_ns, |end| end.at_ns);
        until.saturating_sub(self.started_ns)
    }

    /// Whether its process is another program than the one that was met.
    pub(super) fn is_another(&self) -> bool {
        match process::incarnation(self.pid) {
            Some(now) => Some(now) != self.incarnation,
            None => process::is_another_users(self.pid),
        }
    }

    pub(super) fn sample(&mut self, reader: &Reader, now_ns: u64, tick: u64) -> Option<Point> {
        let reading = reader.read(self.index)?;
        let highest = reader.highest_since(self.index, self.sampled_tick);
        let resident = process::resident_bytes(self.pid);
        let point = session::point(&reading, now_ns, highest, resident);
        self.sampled_tick = tick;
        self.sampled = Some(reading);
        self.history.push(point);
        Some(point)
    }

    /// The last sample goes to whoever watches, like those before.
    pub(super) fn finish(
        &mut self,
        reader: &Reader,
        at_ns: u64,
        exit: Option<Exit>,
        changes: &mut Changes,
    ) {
        // Where its memory was given back since, what was seen last.
        let reading = reader.read(self.index).or_else(|| self.sampled.take());
        if let Some(reading) = &reading {
            let highest = reader.highest_since(self.index, self.sampled_tick);
            let point = session::point(reading, at_ns, highest, None);
            self.history.push(point);
            changes.samples.push((self.index, point));
        }
        // One that lived for less than the look that found it has ended after its start too.
        let at_ns = at_ns.max(self.started_ns.saturating_add(1));
        self.end = Some(End { at_ns, exit, reading });
        if self.handle.has_ended() {
            self.handle = Handle::Gone;
        }
    }

    /// Process id of its parent when its session began; 0 where that is not known.
    pub(super) fn parent(&self, reader: &Reader) -> u32 {
        let kept = self.end.as_ref().and_then(|end| end.reading.as_ref());
        kept.map(|reading| reading.parent)
            .or_else(|| Some(reader.read(self.index)?.parent))
            .unwrap_or(0)
    }

    pub(super) fn name_threads(&mut self, reading: &SessionReading) {
        // Those of another program have other names.
        if process::incarnation(self.pid) != self.incarnation {
            return;
        }
        for thread in reading.threads.iter().filter(|thread| thread.tid != 0) {
            if let Some(name) = process::thread_name(self.pid, thread.tid) {
                self.names.insert(thread.tid, name);
            }
        }
    }

    pub(super) fn state(
        &self,
        reader: &Reader,
        clock: &ClockReading,
        all: &Processes,
    ) -> Option<ProcessState> {
        let kept = self.end.as_ref().and_then(|end| end.reading.clone());
        Some(self.state_of(&kept.or_else(|| reader.read(self.index))?, clock, all))
    }

    /// What its last sample shows.
    pub(super) fn look(&self, point: Point, clock: &ClockReading, all: &Processes) -> Option<Look> {
        let at_end = self.end.as_ref().and_then(|end| end.reading.as_ref());
        let reading = at_end.or(self.sampled.as_ref())?;
        let state = self.state_of(reading, clock, all);
        Some(Look { image: self.index, state, point, ..Look::default() })
    }

    fn state_of(
        &self,
        reading: &SessionReading,
        clock: &ClockReading,
        all: &Processes,
    ) -> ProcessState {
        let facts = Facts {
            generation: self.generation,
            parent_in_tree: all.contains(reading.parent),
            ended_ns: self.end.as_ref().map(|end| end.at_ns),
            exit: self.end.as_ref().and_then(|end| end.exit),
            thread_names: self.names.clone(),
            timeline: Vec::new(),
        };
        session::process_state(reading, clock, facts)
    }
}
