//! How live bytes of stacks changed over time, for as long as there is room.
//!
//! Not a curve for each of maybe a hundred thousand stacks, but one log of changes for all:
//! once a second, an entry for each stack that is not what it was. The curve of a site is
//! found by going back through the log from what it is now.

use std::{
    collections::{HashMap, VecDeque},
    hash::BuildHasherDefault,
    time::Duration,
};

use super::{Point, StackId};

/// Most changes kept: 16 MiB of them.
const MOST: usize = 1 << 20;

/// Most steps kept: two hours.
const MOST_STEPS: usize = 7200;

/// Seconds between two entries of a stack.
pub(super) const STEP_S: f64 = 1.0;

#[derive(Debug, Clone, Copy)]
struct Change {
    stack: StackId,
    /// Which step of [`History::steps`] it belongs to.
    step: u32,
    delta: i64,
}

/// Changes of live bytes by stack. The changes of a step happened since the step before.
#[derive(Debug, Default)]
pub struct History {
    log: VecDeque<Change>,
    /// Ends of the steps in the log, seconds; the first is of number `first_step`.
    steps: VecDeque<f64>,
    first_step: u32,
    /// What stacks held at the end of the last step, if they changed since.
    open: HashMap<StackId, u64, BuildHasherDefault<IdHasher>>,
}

/// Ids are dense numbers: to multiply them is enough.
#[derive(Debug, Default)]
pub struct IdHasher(u64);

impl std::hash::Hasher for IdHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|byte| self.write_u32((*byte).into()));
    }

    fn write_u32(&mut self, number: u32) {
        self.0 = (self.0 ^ u64::from(number)).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(26);
    }
}

/// Live bytes at a moment.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Moment {
    /// Seconds since the session began.
    pub t_s: f64,
    /// Bytes.
    pub bytes: u64,
}

/// What one site held over time, out of a recording.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SiteHistory {
    /// Which site, by the key that whoever asked has for it.
    pub of: u64,
    /// Its live bytes, thinned; in the order of time, up to the moment shown.
    pub points: Vec<Point>,
    /// Up to when it was read; `None` once that is the moment shown.
    pub read_to: Option<Duration>,
}

impl History {
    /// A stack held `old` bytes and now does not.
    pub fn change(&mut self, stack: StackId, old: u64) {
        self.open.entry(stack).or_insert(old);
    }

    /// Ends a step when it is time; `bytes` says what a stack holds now.
    pub fn tick(&mut self, now_s: f64, bytes: impl Fn(StackId) -> u64) {
        if self.steps.back().is_some_and(|last| now_s - last < STEP_S) {
            return;
        }
        let step = self.first_step.wrapping_add(self.steps.len() as u32);
        // The first step only notes where it all begins.
        let begun = !self.steps.is_empty();
        for (stack, old) in self.open.drain().filter(|_| begun) {
            let delta = bytes(stack).wrapping_sub(old) as i64;
            if delta != 0 {
                self.log.push_back(Change { stack, step, delta });
            }
        }
        self.steps.push_back(now_s);
        self.forget();
    }

    /// The oldest go, so that what remains stays within its bounds.
    fn forget(&mut self) {
        while self.log.len() > MOST || self.steps.len() > MOST_STEPS {
            self.forget_first();
        }
    }

    /// Forgets the first step, and what happened in the one after it: that one now only says
    /// where the rest begins.
    fn forget_first(&mut self) {
        self.steps.pop_front();
        self.first_step = self.first_step.wrapping_add(1);
        let first = self.first_step;
        while self.log.front().is_some_and(|change| change.step == first) {
            self.log.pop_front();
        }
    }

    /// The curve of the stacks that `belongs` says, oldest moment first. Together they hold `now`
    /// at `now_s`, and each of them what `bytes` says.
    pub fn curve(
        &self,
        (now_s, now): (f64, u64),
        bytes: impl Fn(StackId) -> u64,
        belongs: impl Fn(StackId) -> bool,
    ) -> Vec<Moment> {
        let open = self.open.iter().filter(|(stack, _)| belongs(**stack));
        let since = open.map(|(stack, old)| bytes(*stack).wrapping_sub(*old));
        let mut value = now.wrapping_sub(since.fold(0, u64::wrapping_add));
        let mut curve = vec![Moment { t_s: now_s, bytes: now }];
        let mut changes = self.log.iter().rev().peekable();
        for (at, t_s) in self.steps.iter().enumerate().rev() {
            curve.push(Moment { t_s: *t_s, bytes: value });
            let step = self.first_step.wrapping_add(at as u32);
            while let Some(change) = changes.next_if(|change| change.step == step) {
                if belongs(change.stack) {
                    value = value.wrapping_sub(change.delta as u64);
                }
            }
        }
        curve.reverse();
        curve
    }

    /// Forgets everything: the ids of stacks begin anew.
    pub fn clear(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What two stacks hold, second by second.
    const HELD: [[u64; 2]; 6] = [[10, 0], [10, 5], [40, 5], [40, 5], [0, 6], [7, 6]];

    fn played(until: usize) -> History {
        let mut history = History::default();
        history.tick(0.0, |stack| HELD[0][stack.0 as usize]);
        for second in 1..=until {
            for stack in 0..2 {
                history.change(StackId(stack), HELD[second - 1][stack as usize]);
            }
            history.tick(second as f64 - 0.5, |_| panic!("it is not time yet"));
            history.tick(second as f64, |stack| HELD[second][stack.0 as usize]);
        }
        history
    }

    fn bytes(curve: &[Moment]) -> Vec<u64> {
        curve.iter().map(|moment| moment.bytes).collect()
    }

    #[test]
    fn a_curve_goes_back_from_what_is_now() {
        let history = played(4);
        // Half a second later one of them changed.
        let now = HELD[5];
        let mut later = history;
        later.change(StackId(0), HELD[4][0]);
        let at = |stack: StackId| now[stack.0 as usize];
        let first = later.curve((4.5, 7), at, |stack| stack == StackId(0));
        assert_eq!(bytes(&first), [10, 10, 40, 40, 0, 7]);
        let both = later.curve((4.5, 13), at, |_| true);
        assert_eq!(bytes(&both), [10, 15, 45, 45, 6, 13]);
        let seconds: Vec<f64> = both.iter().map(|moment| moment.t_s).collect();
        assert_eq!(seconds, [0.0, 1.0, 2.0, 3.0, 4.0, 4.5]);
    }

    #[test]
    fn what_is_kept_is_whole() {
        let mut history = played(4);
        (0..2).for_each(|_| history.forget_first());
        let at = |stack: StackId| HELD[4][stack.0 as usize];
        let curve = history.curve((4.0, 6), at, |_| true);
        assert_eq!(bytes(&curve), [45, 45, 6, 6]);
    }

    #[test]
    fn there_is_a_limit() {
        let mut history = History::default();
        for second in 0..2 * MOST_STEPS {
            history.tick(second as f64, |_| 0);
        }
        assert_eq!(history.steps.len(), MOST_STEPS);
    }
}
