//! The process images of a launch: who they are, whether they live, how they ended, and what
//! they held over time.
//!
//! Always holds: an image is ended once and stays so; of the images of one pid at most the
//! last is alive; what an ended image held is read once, after its end.

use std::collections::HashMap;

use memtop_probe::session::reader::Reader;

use crate::{
    model::{Exit, Point, ProcessState, Sites},
    procfs::{children::Former, mappings},
    recording::Look,
    source::sites::Follower,
    sys::{
        clock,
        process::{self, Handle},
    },
};

mod image;

pub use image::{End, Image};

/// Incarnations are compared so often at most, and so often at least.
const EXECS_EVERY_NS: (u64, u64) = (100_000_000, 1_000_000_000);
/// The part of the time that may go into that, in between.
const EXECS_SHARE: u64 = 100;

/// What one look at the processes found.
#[derive(Debug, Default, PartialEq)]
pub struct Changes {
    /// A sample of each image that lives, by session number.
    pub samples: Vec<(usize, Point)>,
    /// Session numbers of images that have ended since the last look.
    pub ended: Vec<usize>,
}

/// How one learns whether a process has session memory mapped; tests have sessions of processes
/// that know nothing of them.
#[derive(Debug)]
struct Presence(fn(u32) -> Option<bool>);

impl Default for Presence {
    fn default() -> Self {
        Self(mappings::has_session)
    }
}

/// All images, in order of their sessions.
#[derive(Debug, Default)]
pub struct Processes {
    /// At the place that its session number says.
    images: Vec<Image>,
    /// The last image of each pid.
    last: HashMap<u32, usize>,
    execs_at_ns: u64,
    presence: Presence,
    root: Option<u32>,
    root_end: Option<(Exit, u64)>,
    /// Ends of images that somebody else saw, until the images are met here.
    told: HashMap<usize, (Option<Exit>, u64)>,
}

impl Processes {
    /// All images, in order of their start.
    pub fn images(&self) -> &[Image] {
        &self.images
    }

    /// The image with a session number.
    pub fn image(&self, index: usize) -> Option<&Image> {
        self.images.get(index)
    }

    /// Whether any image still runs.
    pub fn any_alive(&self) -> bool {
        self.images.iter().any(|image| image.end.is_none())
    }

    /// Processes that live, those too that became programs that cannot be traced.
    pub fn living(&self) -> usize {
        let lives = |image: &&Image| image.end.is_none() || image.goes_on_untraced();
        self.images.iter().filter(lives).count()
    }

    /// Sends a signal to each of them.
    pub fn signal(&self, number: i32) {
        self.images.iter().for_each(|image| _ = image.handle.signal(number));
    }

    /// The launched program has this process id; [`root_ended`](Self::root_ended) tells of its
    /// end, and nothing else does, so that its image never ends without its status.
    pub fn root_started(&mut self, pid: u32) {
        self.root = Some(pid);
    }

    /// The launched program was reaped; its last image ended with it.
    pub fn root_ended(&mut self, exit: Exit, now_ns: u64) {
        self.root_end = Some((exit, now_ns));
    }

    /// Somebody who was there saw the image with this session number end.
    pub fn ended_elsewhere(&mut self, index: usize, exit: Option<Exit>, at_ns: u64) {
        match self.images.get_mut(index).and_then(|image| image.end.as_mut()) {
            Some(end) => {
                end.at_ns = at_ns;
                end.exit = exit.or(end.exit);
            }
            None => _ = self.told.insert(index, (exit, at_ns)),
        }
    }

    /// Finds new images, notices ends, and samples what lives.
    pub fn observe(&mut self, reader: &Reader, now_ns: u64) -> Changes {
        let mut changes = Changes::default();
        self.discover(reader, now_ns, &mut changes);
        self.notice_ends(reader, now_ns, &mut changes);
        self.notice_untraced_execs(reader, now_ns, &mut changes);
        let tick = reader.clock().tick;
        for image in self.images.iter_mut().filter(|image| image.is_itself()) {
            if let Some(point) = image.sample(reader, now_ns, tick) {
                changes.samples.push((image.index, point));
            }
        }
        changes
    }

    fn discover(&mut self, reader: &Reader, now_ns: u64, changes: &mut Changes) {
        // What was while nobody looked is no part of a timeline that begins now.
        let watched_from = reader.clock().unwatched.last().map_or(0, |(_, to)| *to);
        while self.images.len() < reader.session_count() {
            let index = self.images.len();
            // A session that is being claimed at this moment is met again at the next look.
            let Some((pid, started_ns)) = reader.identity(index) else {
                break;
            };
            let former = self.replace(pid, started_ns, reader, changes);
            self.last.insert(pid, index);
            let image = match reader.is_gone(index) {
                true => Image::gone(index, pid),
                false => Image {
                    handle: Handle::open(pid, started_ns.min(now_ns)),
                    incarnation: process::incarnation(pid),
                    sampled_tick: watched_from,
                    ..Image::new(index, pid, started_ns)
                },
            };
            let generation = former.map_or(0, |generation| generation.saturating_add(1));
            self.images.push(Image { generation, ..image });
        }
    }

    /// A new session of a pid that is known: exec, or a new process with an old number. The
    /// former image has ended; the result is its generation.
    fn replace(
        &mut self,
        pid: u32,
        at_ns: u64,
        reader: &Reader,
        changes: &mut Changes,
    ) -> Option<u32> {
        let image = self.images.get_mut(*self.last.get(&pid)?)?;
        if image.end.is_none() {
            image.finish(reader, at_ns, None, changes);
            changes.ended.push(image.index);
        }
        image.handle = Handle::Gone;
        Some(image.generation)
    }

    fn notice_ends(&mut self, reader: &Reader, now_ns: u64, changes: &mut Changes) {
        let (root, root_end) = (self.root, self.root_end);
        for image in self.images.iter_mut().filter(|image| image.end.is_none()) {
            if let Some((exit, at)) = self.told.remove(&image.index) {
                image.finish(reader, at, exit, changes);
                changes.ended.push(image.index);
                continue;
            }
            let is_root = root == Some(image.pid);
            match root_end.filter(|(_, at)| is_root && image.started_ns <= *at) {
                Some((exit, at)) => image.finish(reader, at, Some(exit), changes),
                None if is_root && root_end.is_none() => continue,
                None if image.handle.has_ended() => image.finish(reader, now_ns, None, changes),
                None => continue,
            }
            changes.ended.push(image.index);
        }
    }

    /// An exec of a program that cannot be traced makes no new session, and still ends the
    /// former image: its figures would stand beside a process that has nothing to do with them.
    fn notice_untraced_execs(&mut self, reader: &Reader, now_ns: u64, changes: &mut Changes) {
        if now_ns < self.execs_at_ns {
            return;
        }
        let begun_ns = clock::monotonic_ns();
        for image in self.images.iter_mut().filter(|image| image.end.is_none()) {
            if image.is_another() {
                image.became_ns.get_or_insert(now_ns);
            }
            // A program that can be traced has a session of its own by the next look.
            let left_ns = image.became_ns.filter(|at_ns| *at_ns < now_ns);
            // What it was when it was met may have come after an exec already.
            let unsure = !std::mem::replace(&mut image.is_sure, true);
            let is_without = unsure && (self.presence.0)(image.pid) == Some(false);
            if let Some(at_ns) = left_ns.or(is_without.then_some(now_ns)) {
                image.finish(reader, at_ns, None, changes);
                changes.ended.push(image.index);
            }
        }
        let took_ns = clock::monotonic_ns().saturating_sub(begun_ns);
        let (least, most) = EXECS_EVERY_NS;
        let pause_ns = took_ns.saturating_mul(EXECS_SHARE).clamp(least, most);
        self.execs_at_ns = now_ns.saturating_add(pause_ns);
    }

    /// Processes that went on as a program that cannot be traced.
    pub fn gone_untraced(&self, reader: &Reader) -> Vec<Former> {
        let gone = self.images.iter().filter(|image| image.goes_on_untraced());
        let former = |image: &Image| {
            let ended_ns = image.end()?.at_ns;
            Some(Former { pid: image.pid, parent: image.parent(reader), ended_ns })
        };
        gone.filter_map(former).collect()
    }

    /// Reads the names of the threads that live. Costs a few system calls a thread, so it is
    /// for a person who asks, and not for every tick.
    pub fn name_threads(&mut self, reader: &Reader) {
        for image in self.images.iter_mut().filter(|image| image.end.is_none()) {
            if let Some(reading) = reader.read(image.index) {
                image.name_threads(&reading);
            }
        }
    }

    /// The state of every image, its sites included.
    pub fn states(&self, reader: &Reader) -> Vec<ProcessState> {
        let clock = reader.clock();
        let state = |image: &Image| {
            let timeline = image.history.points().to_vec();
            let mut sites = Sites::default();
            sites.apply(Follower::whole(reader, image.index));
            Some(ProcessState { timeline, sites, ..image.state(reader, &clock, self)? })
        };
        self.images.iter().filter_map(state).collect()
    }

    /// What a tick showed of each image.
    pub fn looks(&self, reader: &Reader, changes: &Changes) -> Vec<Look> {
        let clock = reader.clock();
        let mut looks: Vec<Look> = changes
            .samples
            .iter()
            .filter_map(|&(index, point)| self.images.get(index)?.look(point, &clock, self))
            .collect();
        // In order of their start.
        looks.sort_by_key(|look| look.image);
        looks
    }

    /// What was to be seen so far of every image, with its past.
    pub fn looks_at_all(&self, reader: &Reader) -> Vec<Look> {
        let clock = reader.clock();
        let look = |image: &Image| {
            let (last, past) = image.history.points().split_last()?;
            Some(Look { past: past.to_vec(), ..image.look(*last, &clock, self)? })
        };
        self.images.iter().filter_map(look).collect()
    }

    /// Reads the names of the threads of one image, by its position.
    pub fn name_threads_of(&mut self, position: usize, reader: &Reader) {
        let image = self.images.get_mut(position).filter(|image| image.end.is_none());
        if let Some(image) = image
            && let Some(reading) = reader.read(image.index)
        {
            image.name_threads(&reading);
        }
    }

    /// The state of one image, without its timeline.
    pub fn state(&self, image: &Image, reader: &Reader) -> Option<ProcessState> {
        image.state(reader, &reader.clock(), self)
    }

    /// Whether a process lives in a session of its own, or only reads them, as memtop does.
    pub fn is_accounted_for(&self, pid: u32) -> bool {
        let image = self.last.get(&pid).and_then(|index| self.images.get(*index));
        image.is_some_and(|image| image.end.is_none())
            || process::executable(pid)
                .is_some_and(|file| Some(file) == process::executable(std::process::id()))
    }

    fn contains(&self, pid: u32) -> bool {
        self.last.contains_key(&pid)
    }
}

#[cfg(test)]
mod tests;
