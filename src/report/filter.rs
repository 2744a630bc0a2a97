//! `--include` and `--exclude`: which of them make sense of what is grouped.

use memtop_ui::filter::pattern::Pattern;

use crate::{
    Error,
    cli::{FilterOptions, GroupBy},
    model::{Filter, Purpose, Term, pattern::Part},
};

/// The filter of `--include` and `--exclude`, where `--by` leaves something to filter.
pub(super) fn filter(options: &FilterOptions, by: Option<GroupBy>) -> Result<Filter, Error> {
    let given = options.include.iter().map(|term| (Purpose::Include, term.clone()));
    let terms: Vec<_> =
        given.chain(options.exclude.iter().map(|term| (Purpose::Exclude, term.clone()))).collect();
    if by == Some(GroupBy::Size) && !terms.is_empty() {
        let message = "--include and --exclude choose sites or threads; --by size has neither";
        return Err(Error::Usage(message.to_owned()));
    }
    let of_thread = terms.iter().find(|(_, term)| term.part == Part::Thread);
    if let (Some((purpose, term)), true) = (of_thread, by != Some(GroupBy::Thread)) {
        return Err(Error::Usage(unknown_threads(*purpose, term)));
    }
    Filter::new(terms, options.all_frames).map_err(Error::Usage)
}

/// Nothing would match, which must not look as if there were nothing.
fn unknown_threads(purpose: Purpose, term: &Term) -> String {
    let option = if purpose == Purpose::Exclude { "--exclude" } else { "--include" };
    let (Pattern::Part(name) | Pattern::Whole(name)) = &term.pattern;
    format!(
        "{option} thread:{name} chooses threads, and which of them asked at a site is not recorded; \
         use --by thread"
    )
}
