//! The report's figures: totals, and how exact they are.

use memtop_ui::format::{
    agree, bytes, clock, counted, exactly, left, or_unknown, percent, right, signed_bytes,
    thousands,
};

use super::{
    Choice, Report,
    json::{Census, Exactness, FileMissing, Inherited, Totals, Untracked},
    paint::{Page, Role, printable},
    text::after,
};

pub(super) fn totals(page: &mut Page, report: &Report<'_>, choice: &Choice) {
    let sections = &report.sections;
    page.title("Totals", "requested bytes, unless it says usable");
    let Some(totals) = &sections.totals else {
        return without_totals(page, report, choice);
    };
    let bound = sections.exactness.unwrap_or_default();
    live(page, totals, &bound, choice);
    peak(page, totals, &bound);
    flow(page, totals, &bound);
    if let Some(untracked) = &sections.untracked {
        untracked_rows(page, untracked, &bound);
    }
    if let Some(inherited) = sections.inherited.as_ref().filter(|inherited| inherited.blocks > 0) {
        inherited_row(page, inherited);
    }
}

fn without_totals(page: &mut Page, report: &Report<'_>, choice: &Choice) {
    if report.sections.is_untraced {
        return page.line(match choice.at_s {
            None => "  Nothing was traced: no figure is known (–).",
            Some(_) => "  Nothing had been traced by then: no figure is known (–).",
        });
    }
    page.line(match choice.at_s {
        None => "  The recording was cut before the figures were written.",
        Some(_) => "  The recording holds no figures of that moment.",
    });
    let last = report.sections.timeline.last();
    if let Some((last, live)) = last.and_then(|last| Some((last, last.current_bytes?))) {
        let (live, at) = (bytes(live), clock(last.t_s));
        page.line(&format!("  Last seen: {live} live at {at}."));
    }
}

/// One row: what, how much, and more about it.
fn row(page: &mut Page, role: Role, label: &str, value: &str, details: &[String]) {
    let value = page.paint(role, &right(value, 12));
    let details: Vec<&str> = details.iter().map(String::as_str).filter(|d| !d.is_empty()).collect();
    page.line(&format!("  {}{value}   {}", left(label, 17), details.join(" · ")));
}

/// The sign of a lower bound, if blocks were counted and not followed.
fn at_least(bound: &Exactness) -> &'static str {
    if bound.unattributed_blocks > 0 { "≥ " } else { "" }
}

fn live(page: &mut Page, totals: &Totals, bound: &Exactness, choice: &Choice) {
    let label = if choice.at_peak { "live at the peak" } else { "live" };
    let usable = totals.usable_current_bytes.map(|usable| format!("{} usable", bytes(usable)));
    let blocks = match choice.at_peak {
        true => totals.peak_blocks,
        false => Some(totals.current_blocks),
    };
    let blocks = blocks.map(|blocks| exactly(blocks, "block"));
    let details = [blocks, usable].map(Option::unwrap_or_default);
    let value = format!("{}{}", at_least(bound), bytes(totals.current_bytes));
    row(page, Role::Live, label, &value, &details);
}

fn peak(page: &mut Page, totals: &Totals, bound: &Exactness) {
    if let Some(most) = totals.peak_at_most_bytes {
        let details = ["the processes' own peaks, added up".to_owned()];
        return row(page, Role::Peak, "peak", &format!("≤ {}", bytes(most)), &details);
    }
    let blocks = totals.peak_blocks.map(|blocks| exactly(blocks, "block"));
    let at = totals.peak_at_s.map(|at| format!("at {}", after(at)));
    let error = bound.peak_error_bytes.filter(|error| *error > 0);
    let error = error.map(|error| format!("± {}", bytes(error)));
    let details = [blocks, at, error].map(Option::unwrap_or_default);
    let sign = at_least(bound);
    let value = or_unknown(totals.peak_bytes, |peak| format!("{sign}{}", bytes(peak)));
    row(page, Role::Peak, "peak", &value, &details);
    if let Some(most) = totals.max_blocks {
        row(page, Role::Plain, "most blocks", &format!("{sign}{}", thousands(most)), &[]);
    }
}

fn flow(page: &mut Page, totals: &Totals, bound: &Exactness) {
    let share = match totals.allocations {
        0 => String::new(),
        all => format!("{} temporary", percent(totals.temporary as f64 / all as f64 * 100.0)),
    };
    let allocations = exactly(totals.allocations, "allocation");
    let moved = exactly(totals.reallocations, "reallocation");
    let allocated = bytes(totals.allocated_bytes);
    row(page, Role::Plain, "allocated", &allocated, &[allocations, share, moved]);
    let frees = exactly(totals.frees, "free");
    let freed = format!("{}{}", at_least(bound), bytes(totals.freed_bytes));
    row(page, Role::Plain, "freed", &freed, &[frees]);
}

fn untracked_rows(page: &mut Page, untracked: &Untracked, bound: &Exactness) {
    let is_known = bound.unattributed_blocks == 0;
    if untracked.frees > 0 {
        let frees = format!("{} of blocks not seen allocated", exactly(untracked.frees, "free"));
        let details = [frees, "usable bytes".to_owned()];
        // Those of blocks that were not followed are among them.
        let sign = if is_known { "" } else { "≤ " };
        let freed = format!("{sign}{}", bytes(untracked.freed_bytes));
        row(page, Role::Freed, "untracked freed", &freed, &details);
    }
    let details = ["allocated − freed − untracked freed".to_owned(), "usable bytes".to_owned()];
    let net = or_unknown(untracked.net_bytes, signed_bytes);
    row(page, Role::Plain, "net", &net, &details);
    if let Some(census) = &untracked.census {
        census_row(page, census);
    }
}

fn census_row(page: &mut Page, census: &Census) {
    let blocks = format!("{} when tracing started", exactly(census.blocks, "block"));
    let left = format!("{} of it still live", bytes(census.still_live_bytes));
    row(page, Role::Plain, "before the start", &bytes(census.bytes), &[blocks, left]);
}

fn inherited_row(page: &mut Page, inherited: &Inherited) {
    let blocks = format!("{} of the parent at the fork", exactly(inherited.blocks, "block"));
    let freed = format!("{} of it freed here", bytes(inherited.freed_bytes));
    row(page, Role::Plain, "inherited", &bytes(inherited.bytes), &[blocks, freed]);
}

/// `last_s`: of when the figures are, since the image began.
pub(super) fn exactness(
    page: &mut Page,
    exactness: &Exactness,
    missing: &[FileMissing],
    last_s: Option<f64>,
) {
    page.title("Exactness", "");
    let limits = limits(exactness, last_s);
    if limits.is_empty() {
        page.line("  Every figure is right to the byte.");
    }
    for limit in &limits {
        page.line(&format!("  {limit}"));
    }
    if exactness.dropped_events > 0 {
        let dropped = exactly(exactness.dropped_events, "event");
        let are = agree(exactness.dropped_events, "is", "are");
        page.line(&format!(
            "  {dropped} {are} missing in the feed, and in what was recorded of it; no figure \
             depends on that."
        ));
    }
    for note in about_stacks(exactness) {
        page.line(&format!("  {note}"));
    }
    files_missing(page, missing);
    page.painted(Role::Muted, &tracer(exactness));
}

/// Files that are named: most of those that are missing will be missing together.
const NAMED: usize = 3;

/// Why places have no name that would have one where their files were.
fn files_missing(page: &mut Page, missing: &[FileMissing]) {
    for FileMissing { module, why } in missing.iter().take(NAMED) {
        page.line(&format!("  No names were recorded for {}, and {why}.", printable(module)));
    }
    match missing.len().saturating_sub(NAMED) as u64 {
        0 => {}
        more => page.line(&format!("  Nor are there names for {} more.", counted(more, "file"))),
    }
}

/// What the tracer took of the program.
fn tracer(exactness: &Exactness) -> String {
    let error = exactness.ns_per_event_error.map(|error| format!(" ± {:.0}", error.ceil()));
    let error = error.unwrap_or_default();
    let cost = exactness.ns_per_event.map(|ns| format!(" and took about {ns:.0}{error} ns a call"));
    let held = bytes(exactness.tracer_bytes);
    let cost = cost.unwrap_or_default();
    format!("  The tracer held {held} in the program{cost}.")
}

/// What is not known about sites, in words.
fn about_stacks(exactness: &Exactness) -> Vec<String> {
    let mut notes = Vec::new();
    if let Some(places) = exactness.frames_unresolved.filter(|places| *places > 0) {
        let (have, them) = (agree(places, "has", "have"), agree(places, "it", "them"));
        notes.push(format!(
            "{} in code {have} no name: there are no symbols for {them}, and module and offset stand in.",
            exactly(places, "place")
        ));
    }
    if let Some(cut) = exactness.stacks_cut.filter(|cut| *cut > 0) {
        let (are, their) = (agree(cut, "is", "are"), agree(cut, "its", "their"));
        notes.push(format!(
            "{} {are} cut at {their} outer end: the limit on frames was met.",
            exactly(cut, "stack")
        ));
    }
    notes
}

/// By how much sites differ from what is live, and why.
pub(super) fn off_words(off: i64) -> String {
    let than = if off > 0 { "more" } else { "less" };
    let by = bytes(off.unsigned_abs());
    format!("looked at right after the rest, while the program went on: {by} {than} than is live")
}

/// What is not exact, in words.
fn limits(exactness: &Exactness, last_s: Option<f64>) -> Vec<String> {
    let mut limits = Vec::new();
    if let Some(at) = exactness.sites_at_s {
        let age = last_s.map(|last| format!(", {:.2} s before", (last - at).max(0.0)));
        limits.push(format!(
            "Sites: as they were at {}{}; they are kept about once a second.",
            after(at),
            age.unwrap_or_default()
        ));
    }
    if let Some(off) = exactness.sites_off_bytes.filter(|off| *off != 0) {
        limits.push(format!("Sites: {}.", off_words(off)));
    }
    match exactness.peak_error_bytes {
        Some(0) => {}
        Some(error) => {
            limits.push(format!("Peak: ± {}, as several threads allocate at once.", bytes(error)))
        }
        None => {
            limits.push("Peak: an upper bound (≤); processes peak at different moments.".to_owned())
        }
    }
    if exactness.unattributed_blocks > 0 {
        let count = exactness.unattributed_blocks;
        let blocks = exactly(count, "block");
        let (were, frees) =
            (agree(count, "was", "were"), agree(count, "its free looks", "their frees look"));
        limits.push(format!(
            "Figures marked ≥: {blocks} {were} counted and not followed, and {frees} \
             untracked (≤): the tracer's memory was at its cap (--max-tracer-memory)."
        ));
    }
    if exactness.lost_records > 0 {
        let lost = exactness.lost_records;
        limits.push(format!(
            "Frees: {} {} never seen; noticed when the address came again.",
            thousands(lost),
            agree(lost, "was", "were")
        ));
    }
    limits
}
