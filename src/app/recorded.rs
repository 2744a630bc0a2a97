//! What is said of a recording that `r` began.

use std::{path::Path, time::Duration};

use memtop_ui::format::clock;

/// What a recording into `path` holds: from when on, and up to when without detail. Both since
/// the program's session began.
pub fn words(path: &Path, from: Duration, thinned_until: Duration) -> String {
    let begins = format!("recording into {}, from {}", path.display(), clock(from.as_secs_f64()));
    // Rounded up, so that all is there from the moment that is named.
    let detail_from = clock(thinned_until.as_secs_f64().ceil());
    match (from.as_secs(), thinned_until.is_zero()) {
        (0, true) => begins,
        (0, false) => format!("{begins}; of the time before {detail_from} some detail is left out"),
        _ => format!("{begins}; nothing older is kept but the timeline"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_beginning_is_named_and_what_is_missing() {
        let said = |from, until| {
            let [from, until] = [from, until].map(Duration::from_millis);
            words(Path::new("a.memtop"), from, until)
        };
        assert_eq!(said(20, 0), "recording into a.memtop, from 0:00");
        assert_eq!(
            said(0, 72_001),
            "recording into a.memtop, from 0:00; of the time before 1:13 some detail is left out"
        );
        assert_eq!(
            said(72_900, 0),
            "recording into a.memtop, from 1:12; nothing older is kept but the timeline"
        );
    }
}
