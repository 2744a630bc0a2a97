//! The report's "Where it comes from": groups of sites, and the heaviest stacks of the top ones.

use memtop_ui::format::{bytes, left, percent, right, shorten, thousands};

use super::{
    Choice, Report,
    code::{self, CodeGroup},
    paint::{Page, Role, printable},
};
use crate::{
    cli::GroupBy,
    model::{Frame, Grouping, Place, Scope, StackId, frame::base},
};

const BYTES: usize = 11;
const COUNT: usize = 14;
const SHARE: usize = 9;
const FUNCTION: usize = 40;
/// Rows without `--top`.
const ROWS: usize = 10;
/// Groups whose heaviest stack is shown.
const WITH_STACK: usize = 3;
/// Callers shown of a stack.
const CALLERS: usize = 6;

/// The table of sites, or of what `--by` says; nothing where there are no stacks.
pub(super) fn origins(page: &mut Page, report: &Report<'_>, choice: &Choice) {
    let by = code::grouping(choice.by.unwrap_or(GroupBy::Site));
    let (Some(by), false) = (by, report.sections.sites.is_empty()) else {
        return without_stacks(page, report, choice);
    };
    let mut groups = code::groups(&report.sections.sites, by, &choice.filter);
    // A line that only called is no row, where there is no column for what it called.
    groups.retain(|group| {
        let counts = group.figures != Default::default() || group.with_callees != 0;
        counts && (group.stacks > 0 || shows_callees(by))
    });
    let idle = leave_idle_out(&mut groups);
    let moment = if choice.at_peak { "live at the peak" } else { "live" };
    page.title("Where it comes from", &format!("{moment}, by {}", words(by)));
    head(page, by);
    let whole = report.sections.totals.map_or(0, |totals| totals.current_bytes);
    let most = choice.top.unwrap_or(ROWS);
    for (at, group) in groups.iter().take(most).enumerate() {
        page.line(&row(page, group, by, whole));
        if let Some((scope, stack)) = group.heaviest.filter(|_| at < WITH_STACK) {
            callers(page, scope, stack, by);
        }
    }
    rest(page, groups.get(most..).unwrap_or_default());
    if idle > 0 {
        let text = format!("  … and {} more that held nothing", thousands(idle as u64));
        page.painted(Role::Muted, &text);
    }
}

/// Takes out the groups that hold nothing, unless that is all; says how many.
fn leave_idle_out(groups: &mut Vec<CodeGroup<'_>>) -> usize {
    let holds = |group: &CodeGroup<'_>| group.figures.current_blocks > 0 || group.with_callees > 0;
    let all = groups.len();
    if groups.iter().any(holds) {
        groups.retain(holds);
    }
    all - groups.len()
}

/// Says so if sites were asked for and there are none.
fn without_stacks(page: &mut Page, report: &Report<'_>, choice: &Choice) {
    if choice.by.and_then(code::grouping).is_some() {
        page.title("Where it comes from", "");
        page.line(match report.sections.exactness.and_then(|exactness| exactness.stacks_cut) {
            None => "  Unknown: no stacks were captured.",
            Some(_) => "  No site is like that.",
        });
    }
}

fn words(by: Grouping) -> &'static str {
    match by {
        Grouping::Stack => "stack",
        Grouping::Site => "site",
        Grouping::Function => "function",
        Grouping::File => "source file",
        Grouping::Module => "program or library",
    }
}

/// Whether callers are rows of their own, so that what they called is worth a column.
fn shows_callees(by: Grouping) -> bool {
    !matches!(by, Grouping::Stack | Grouping::Site)
}

fn head(page: &mut Page, by: Grouping) {
    let figures = [right("bytes", BYTES), right("blocks", COUNT), right("share", SHARE)].concat();
    let names = match by {
        _ if shows_callees(by) => format!("{}   {}", right("with callees", 14), words(by)),
        _ => format!("   {} place", left("function", FUNCTION)),
    };
    page.painted(Role::Muted, &format!("{figures}{names}"));
}

fn row(page: &Page, group: &CodeGroup<'_>, by: Grouping, whole: u64) -> String {
    let figures = &group.figures;
    let share = match whole {
        0 => String::new(),
        whole => percent(figures.current_bytes as f64 / whole as f64 * 100.0),
    };
    let names = match by {
        _ if shows_callees(by) => {
            let name = printable(&group.key);
            format!("{}   {name}", right(&bytes(group.with_callees), 14))
        }
        _ => format!("   {}", site(&group.label)),
    };
    format!(
        "{}{}{}{names}",
        page.paint(Role::Live, &right(&bytes(figures.current_bytes), BYTES)),
        right(&thousands(figures.current_blocks), COUNT),
        right(&share, SHARE),
    )
}

/// `dictAdd                dict.c:312`.
fn site(label: &Frame) -> String {
    let place = label.place().map(|place| printable(base(&place))).unwrap_or_default();
    match &label.function {
        Some(function) => {
            let function = shorten(&printable(function), FUNCTION);
            format!("{} {place}", left(&function, FUNCTION))
        }
        None if place.is_empty() => printable(&label.to_string()),
        None => place,
    }
}

/// Who called, from the site outwards.
fn callers(page: &mut Page, scope: Scope<'_>, stack: StackId, by: Grouping) {
    let own = scope.places(stack).filter(|place| !scope.is_plumbing(*place));
    let own: Vec<Place> = own.collect();
    let skipped = usize::from(!shows_callees(by));
    let indent = BYTES + COUNT + SHARE + 3 + if shows_callees(by) { 14 } else { 0 };
    for place in own.iter().skip(skipped).take(CALLERS) {
        let label = site(&Grouping::Site.label_of(scope, *place));
        let words = label.split_whitespace().collect::<Vec<_>>().join(" ");
        page.painted(Role::Muted, &format!("{}‹ {words}", " ".repeat(indent)));
    }
    let cut = scope.sites.stacks.get(stack.0 as usize).is_some_and(|stack| stack.cut);
    let more = own.len().saturating_sub(skipped + CALLERS);
    let end = match (more, cut) {
        (0, false) => return,
        (0, true) => "… and callers beyond the limit".to_owned(),
        (more, _) => format!("… {more} more"),
    };
    page.painted(Role::Muted, &format!("{}{end}", " ".repeat(indent)));
}

/// What the rows left out come to.
fn rest(page: &mut Page, groups: &[CodeGroup<'_>]) {
    let held: u64 =
        groups.iter().map(|group| group.figures.current_bytes).fold(0, u64::saturating_add);
    if !groups.is_empty() {
        let text = format!(
            "{}   … in {} more",
            right(&bytes(held), BYTES),
            thousands(groups.len() as u64)
        );
        page.painted(Role::Muted, &text);
    }
}
