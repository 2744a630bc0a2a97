//! What some stacks of a process image held over time, summed up frame by frame.
//!
//! A walk goes forward through the figures of sites alone and keeps one sum, whatever the
//! recording's length; whoever walks says after each frame whether to go on, so that a screen
//! never waits for it. A segment begins with all figures, so a walk can go on in the same
//! recording opened anew: from the beginning of the segment that it had come to.

use std::time::Duration;

use super::{
    ReadError,
    cells::live_bytes_in,
    file::{Bytes, File},
    index::{ANCHOR, Entry},
    kind,
    reader::{Envelope, Frame},
    value::nanos,
};
use crate::model::StackId;

/// What a walk tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SiteStep {
    /// The stacks held so many bytes so long after the image's session began; told in order.
    Held(Duration, u64),
    /// Stacks are numbered anew from here on: what was told is of others.
    Void,
}

/// Where a walk through the sites of an image stands.
#[derive(Debug, Clone, Default)]
pub struct SiteWalk {
    image: usize,
    segment: Option<usize>,
    /// What of the segment is about the image's sites.
    entries: Vec<Entry>,
    next: usize,
    held: u64,
    /// The moment whose frames are summed up; it is told when the next one begins.
    open: Option<Duration>,
    /// The last moment that was told.
    told: Option<Duration>,
}

impl SiteWalk {
    /// At the beginning of the image in this position.
    pub fn new(image: usize) -> Self {
        Self { image, ..Self::default() }
    }

    /// The recording was opened anew, and may have been thinned meanwhile.
    pub fn reopen(&mut self) {
        self.segment = None;
    }

    /// The last moment that was summed up, and what was held then; it may not be whole while
    /// [`step`](Self::step) is not through.
    pub fn last(&self) -> Option<(Duration, u64)> {
        self.open.map(|at| (at, self.held))
    }

    /// Walks up to a moment since the image's session began, as long as `goes_on` says so after
    /// each frame; `belongs` chooses the stacks. Whether the moment is reached.
    ///
    /// # Errors
    /// When the system refuses to read.
    pub fn step<B: Bytes>(
        &mut self,
        file: &File<B>,
        until: Duration,
        belongs: impl Fn(StackId) -> bool,
        mut goes_on: impl FnMut() -> bool,
        mut tell: impl FnMut(SiteStep),
    ) -> Result<bool, ReadError> {
        loop {
            match self.entries.get(self.next).filter(|_| self.segment.is_some()).copied() {
                Some(entry) if entry.at > nanos(until) => return Ok(true),
                Some(entry) => {
                    self.next += 1;
                    self.take(file, &entry, &belongs, &mut tell)?;
                }
                None if !self.enter_next(file, until)? => return Ok(true),
                None => {}
            }
            if !goes_on() {
                return Ok(false);
            }
        }
    }

    /// To the segment behind, or the first one; false where there is none before `until`.
    fn enter_next<B: Bytes>(&mut self, file: &File<B>, until: Duration) -> Result<bool, ReadError> {
        let Some(facts) = file.images().get(self.image) else { return Ok(false) };
        let since_launch = |own: Duration| facts.identity.started.saturating_add(own);
        let (first, last) = facts.segments;
        let next = match (self.segment, self.open) {
            (Some(segment), _) => segment + 1,
            (None, Some(at)) => file.segment_at(since_launch(at)).unwrap_or(0).clamp(first, last),
            (None, None) => first,
        };
        if next > last || file.begin_of(next).is_none_or(|from| from > since_launch(until)) {
            return Ok(false);
        }
        let sites = |entry: &Entry| matches!(entry.kind & !ANCHOR, kind::CELLS | kind::MODULES);
        let own = |entry: &Entry| sites(entry) && file.position(entry) == Some(self.image);
        self.entries = file.entries(next)?.into_iter().filter(own).collect();
        (self.segment, self.next) = (Some(next), 0);
        Ok(true)
    }

    fn take<B: Bytes>(
        &mut self,
        file: &File<B>,
        entry: &Entry,
        belongs: &impl Fn(StackId) -> bool,
        tell: &mut impl FnMut(SiteStep),
    ) -> Result<(), ReadError> {
        if entry.kind == kind::MODULES {
            if let Some(Frame::Modules { restart: true, .. }) = file.frame(entry)? {
                (self.held, self.open, self.told) = (0, None, None);
                tell(SiteStep::Void);
            }
            return Ok(());
        }
        let at = Duration::from_nanos(entry.at);
        let is_new = |open: &Duration| *open < at && self.told.is_none_or(|told| told < *open);
        if let Some(open) = self.open.filter(is_new) {
            self.told = Some(open);
            tell(SiteStep::Held(open, self.held));
        }
        let payload = file.payload(entry)?;
        let fields =
            payload.and_then(|payload| Envelope::read(&payload).ok()).map(|one| one.fields);
        // A frame that is damaged says nothing.
        let Some((reset, change)) = fields.and_then(|fields| live_bytes_in(&fields, belongs).ok())
        else {
            return Ok(());
        };
        self.held = if reset { change } else { self.held.wrapping_add(change) };
        self.open = self.open.max(Some(at));
        Ok(())
    }
}
