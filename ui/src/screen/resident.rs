//! What resident memory consists of, in one line: the screen of sizes tells more.

use ratatui::text::{Line, Span};

use crate::data::Gap;
use crate::format;
use crate::theme::{Role, Theme};

/// `resident 63.0 MiB = live 48.2 + free heap 6.1 + files 5.0 + other 3.7`, in at most `width`
/// columns where that can be: the smallest parts become one. What is older than the figures above
/// says so.
pub(super) fn line(gap: &Gap, theme: &Theme, width: usize) -> Line<'static> {
    let spans = fitting(gap, width);
    Line::from_iter(spans.into_iter().map(|(text, role)| Span::styled(text, theme.style(role))))
}

fn fitting(gap: &Gap, width: usize) -> Vec<(String, Role)> {
    let mut parts: Vec<(&str, u64)> =
        gap.parts.iter().map(|part| (part.name, part.bytes)).filter(|part| part.1 > 0).collect();
    let mut other = 0_u64;
    loop {
        let rest = (other > 0).then_some(("other", other));
        let spans = spans(gap, parts.iter().copied().chain(rest));
        let needed: usize = spans.iter().map(|(text, _)| text.chars().count()).sum();
        // What is live stays, it is what the rest stands beside.
        let smallest = parts.iter().enumerate().filter(|(_, part)| part.0 != "live");
        let Some((at, _)) = smallest.min_by_key(|(_, part)| part.1).filter(|_| needed > width)
        else {
            return spans;
        };
        other = other.saturating_add(parts.remove(at).1);
    }
}

fn spans<'a>(gap: &Gap, parts: impl Iterator<Item = (&'a str, u64)>) -> Vec<(String, Role)> {
    let whole = format::bytes(gap.resident);
    let mut spans = vec![("resident ".to_owned(), Role::Label), (whole, Role::Rss)];
    spans.extend(gap.age_s.map(|age_s| (format!(" {age_s:.1} s ago"), Role::Label)));
    for (number, (name, bytes)) in parts.enumerate() {
        let sign = if number == 0 { " = " } else { " + " };
        spans.push((format!("{sign}{name} "), Role::Label));
        // The unit is said once, and holds for the whole line.
        let text = format::bytes_in_unit_of(bytes, gap.resident);
        spans.push((text, if name == "live" { Role::Live } else { Role::Figure }));
    }
    spans
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::GapPart;

    const MIB: u64 = 1 << 20;

    fn words(width: usize) -> String {
        words_of(width, None)
    }

    fn words_of(width: usize, age_s: Option<f64>) -> String {
        let part = |name, bytes| GapPart { name, bytes, help: "" };
        let parts = vec![
            part("live", 4 * MIB),
            part("free heap", 3 * MIB),
            part("mapped", 0),
            part("stacks", 100 << 10),
            part("files", 5 * MIB / 2),
            part("tracer", MIB),
        ];
        let resident = parts.iter().map(|part| part.bytes).sum();
        let gap = Gap { resident, parts, age_s, ..Gap::default() };
        fitting(&gap, width).into_iter().map(|(text, _)| text).collect()
    }

    #[test]
    fn the_smallest_parts_become_one_where_room_is_short() {
        let all = "resident 10.6 MiB = live 4.0 + free heap 3.0 + stacks 0.1 + files 2.5 \
                   + tracer 1.0";
        assert_eq!(words(200), all);
        assert_eq!(words(all.len()), all);
        let fewer = "resident 10.6 MiB = live 4.0 + free heap 3.0 + files 2.5 + other 1.1";
        assert_eq!(words(76), fewer);
        assert_eq!(words(0), "resident 10.6 MiB = live 4.0 + other 6.6");
        let before = "resident 10.6 MiB 0.4 s ago = live 4.0 + other 6.6";
        assert_eq!(words_of(0, Some(0.41)), before);
    }
}
