//! A whole launch at one moment, out of an open recording.

use std::time::Duration;

use super::{Cursor, File, MAX_HELD_BYTES, ReadError, Recording, file::Bytes};
use crate::model::{ProcessState, TreeState, UntracedProcess};

/// A moment of a recording.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum When {
    /// Its end; each process as it was when it ended.
    #[default]
    End,
    /// So long after the session of the launched program began.
    At(Duration),
}

impl<B: Bytes> File<B> {
    /// Everything known at a moment. Processes that had not begun by then are left out.
    ///
    /// # Errors
    /// When the system refuses to read, or it would take too much memory.
    pub fn recording_at(&self, when: When) -> Result<Recording, ReadError> {
        let began = self.images().first().map_or(Duration::ZERO, |one| one.identity.started);
        let moment = match when {
            When::End => self.end(),
            When::At(at) => began.saturating_add(at),
        };
        let end = self.end();
        let mut recording = Recording {
            ended_before: (moment > end).then(|| end.saturating_sub(began)),
            tree: TreeState {
                command: self.command().to_vec(),
                launched_at: self.launched_at(),
                exit: self.exit(),
                processes: Vec::new(),
                untraced: UntracedProcess::known_at(self.untraced(), moment),
            },
            cut: self.is_cut(),
            without_state: Vec::new(),
            good_bytes: self.good_bytes(),
            version: self.version(),
        };
        let mut held = 0;
        for image in 0..self.images().len() {
            if let Some(process) = self.process_at(image, moment, when, &mut held)? {
                if !self.has_figures(image) {
                    recording.without_state.push(recording.tree.processes.len());
                }
                recording.tree.processes.push(process);
            }
        }
        let root = recording.tree.processes.first().map(|one| one.identity.pid);
        let runs =
            |one: &ProcessState| Some(one.identity.pid) == root && one.identity.ended.is_none();
        if when != When::End && recording.tree.processes.iter().any(runs) {
            recording.tree.exit = None;
        }
        Ok(recording)
    }

    /// The first moment behind `at` of which figures of the launched program are known; a
    /// recording of its end alone has none.
    pub(super) fn first_reading_after(&self, at: Duration) -> Result<Option<Duration>, ReadError> {
        let Some(next) = self.neighbours(0, at)?.1 else { return Ok(None) };
        let mut cursor = Cursor::new(0);
        cursor.seek(self, next)?;
        Ok(cursor.state(self).map(|_| next))
    }

    fn process_at(
        &self,
        image: usize,
        moment: Duration,
        when: When,
        held: &mut usize,
    ) -> Result<Option<ProcessState>, ReadError> {
        let facts = &self.images()[image];
        let own = match when {
            When::End => Duration::MAX,
            When::At(_) if moment < facts.identity.started => return Ok(None),
            When::At(_) => facts.own_time(moment),
        };
        let mut cursor = Cursor::new(image);
        cursor.seek(self, own)?;
        let Some(mut process) = cursor.state(self) else {
            let bare = ProcessState {
                identity: facts.identity.clone(),
                window: cursor.window().clone(),
                ..ProcessState::default()
            };
            return Ok((when == When::End).then_some(bare));
        };
        process.timeline = self.timeline_at(&cursor)?;
        process.names = cursor.names(self)?.clone();
        process.sites = cursor.sites().clone();
        // A recording that is complete was ended with a look at everything.
        if when != When::End || self.is_cut() {
            process.date_sites(cursor.sites_at());
        }
        *held += process.timeline.len() * size_of::<crate::model::Point>();
        match *held > MAX_HELD_BYTES {
            true => Err(ReadError::TooLarge),
            false => Ok(Some(process)),
        }
    }

    /// The timeline up to where a cursor stands.
    fn timeline_at(&self, cursor: &Cursor) -> Result<Vec<crate::model::Point>, ReadError> {
        let mut points = Vec::new();
        let begin = match cursor.recent() {
            [] => Duration::MAX,
            [first, ..] => first.at,
        };
        self.each_point(cursor.image(), begin, &mut |point| {
            if point.at < begin && point.at <= cursor.at() {
                points.push(point);
            }
        })?;
        points.extend_from_slice(cursor.recent());
        Ok(points)
    }
}
