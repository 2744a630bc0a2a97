//! Processes that were recorded as not traced, and were traced after all.
//!
//! Some reasons are told from what a process has not mapped. One that is held up in its loader, or
//! in a constructor, maps it later: then it has an image, and what was said before is void. So it
//! is where a fork found no room, and what it executed did.

use std::{collections::BTreeSet, time::Duration};

use crate::{
    keeper::preflight::Untraceable,
    model::{Identity, UntracedProcess},
};

/// Leaves out those of `untraced` that one of the `images` began in.
pub(super) fn drop_traced<'a>(
    untraced: &mut Vec<UntracedProcess>,
    images: impl Iterator<Item = &'a Identity>,
) {
    let begun: BTreeSet<_> = images.map(|image| (image.pid, image.started)).collect();
    // Later ones with its number are of another process.
    let until =
        |one: &UntracedProcess| (one.pid, one.ended.unwrap_or(Duration::MAX).max(one.started));
    let has_begun =
        |one: &UntracedProcess| begun.range((one.pid, one.started)..=until(one)).next().is_some();
    untraced.retain(|one| !may_pass(one) || !has_begun(one));
}

fn may_pass(one: &UntracedProcess) -> bool {
    one.why.as_deref().and_then(Untraceable::of_words).is_some_and(Untraceable::may_pass)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_was_traced_after_all_is_left_out() {
        let seconds = Duration::from_secs;
        let one = |why: Untraceable, ended: Option<u64>| UntracedProcess {
            pid: 7,
            started: seconds(2),
            ended: ended.map(seconds),
            why: Some(why.words().to_owned()),
            ..UntracedProcess::default()
        };
        let image = |pid, at| Identity { pid, started: seconds(at), ..Identity::default() };
        let is_kept = |one: &UntracedProcess, image: Identity| {
            let mut all = vec![one.clone()];
            drop_traced(&mut all, [image].iter());
            !all.is_empty()
        };
        let session = one(Untraceable::Session, Some(4));
        assert!(!is_kept(&session, image(7, 3)), "it was traced");
        assert!(!is_kept(&one(Untraceable::Library, None), image(7, 30)), "it was traced");
        assert!(is_kept(&session, image(8, 3)), "another one was");
        assert!(is_kept(&session, image(7, 1)), "it had been traced before");
        assert!(is_kept(&session, image(7, 5)), "another one has its number");
        assert!(is_kept(&one(Untraceable::Static, Some(4)), image(7, 3)), "its program is static");
        let unknown = UntracedProcess { why: None, ..session };
        assert!(is_kept(&unknown, image(7, 3)), "nobody said why");
    }
}
