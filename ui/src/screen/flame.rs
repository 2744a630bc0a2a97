//! The call tree by weight.

use ratatui::Frame;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::{Color, Style};
use ratatui::text::{Line, Span};

use super::sites::{NO_SUCH_THREAD, why_no_sites};
use super::{Cx, as_of, asked, beside, narrowed, rule, tendency};
use crate::action::Action;
use crate::data::{CodeOrigin, Flame, FlameNode, Measure};
use crate::format;
use crate::state::State;
use crate::symbol;
use crate::theme::Role;
use crate::update::flame_cursor;
use crate::widget::flame::layout;
use crate::widget::{airy, empty_words, panel};

/// Columns and rows of boxes in a body like this.
pub(crate) fn capacity(body: Rect, state: &State) -> (usize, usize) {
    let others = 3 + asked::rows(state);
    (usize::from(body.width.saturating_sub(2)), usize::from(body.height.saturating_sub(others)))
}

/// Draws the tree, and words about the frame under the cursor below it.
pub(crate) fn draw(frame: &mut Frame, area: Rect, cx: Cx) {
    let flame = &cx.data.flame;
    let title = title(cx);
    let sums = beside(&title, sums(cx), area.width, cx.theme);
    let inner = panel(frame, area, cx.theme, (Line::from(title), sums));
    if flame.nodes.first().is_none_or(|root| root.value == 0) {
        return empty_words(frame, inner, cx.theme, &why_empty(cx));
    }
    let inner = asked::draw(frame, inner, cx);
    let boxes = Rect { height: inner.height.saturating_sub(1), ..inner };
    let selected = flame_cursor(cx.state, flame);
    let deepest = draw_boxes(frame.buffer_mut(), boxes, cx, selected);
    let last = Rect { y: boxes.bottom(), height: inner.height.min(1), ..inner };
    frame.render_widget(about(flame, selected, cx, usize::from(last.width)), airy(last));
    draw_path(frame, area, cx);
    let hidden = deepest.saturating_sub(cx.state.flame.top + usize::from(boxes.height));
    draw_hidden(frame, area, cx, hidden);
}

/// Draws the boxes that show and yields how many rows there are. As there can be a box for
/// every cell, they are written right into the buffer.
fn draw_boxes(buffer: &mut Buffer, area: Rect, cx: Cx, selected: usize) -> usize {
    let nodes = &cx.data.flame.nodes;
    let top = cx.state.flame.top;
    // Whether the last box of a row was shaded.
    let mut shaded: Vec<bool> = Vec::new();
    for cell in layout(nodes, usize::from(area.width)) {
        if shaded.len() <= cell.depth {
            shaded.resize(cell.depth + 1, true);
        }
        shaded[cell.depth] = !shaded[cell.depth];
        let row = cell.depth.checked_sub(top);
        let Some(row) = row.filter(|row| *row < usize::from(area.height)) else { continue };
        let (node, here) = (&nodes[cell.node], cell.node == selected);
        let begin = match (here, cell.x) {
            (true, _) => "▸",
            (false, 0) => "",
            (false, _) => "▏",
        };
        let (x, y) = (area.x + cell.x as u16, area.y + row as u16);
        let style = style(node, here, shaded[cell.depth], cx);
        let place = Rect { x, y, width: cell.width as u16, height: 1 };
        cx.targets.add(place, Action::Pick(node.key));
        match cell.width {
            1 if begin.is_empty() => _ = buffer[(x, y)].set_char(' ').set_style(style),
            1 => _ = buffer[(x, y)].set_symbol(begin).set_style(style),
            width => {
                let x = buffer.set_stringn(x, y, begin, width, style).0;
                let room = width - begin.chars().count();
                buffer.set_stringn(x, y, label(node, room), room, style);
            }
        }
    }
    shaded.len()
}

fn title<'a>(cx: Cx<'a>) -> Vec<Span<'a>> {
    let measure = match cx.state.flame.measure {
        Measure::Delta => format!("growth {} ", super::snapshots::pair(cx)),
        measure => format!("{} ", measure.words()),
    };
    let mut title = vec![Span::styled(" Flame ", cx.theme.style(Role::Title)), rule(cx)];
    title.push(Span::styled(measure, cx.theme.style(Role::Key)));
    for (on, words) in [
        (cx.state.flame.inverted, "inverted: callers below "),
        (cx.state.code.all_frames, "all frames "),
    ] {
        if on {
            title.push(rule(cx));
            title.push(Span::styled(words, cx.theme.style(Role::Key)));
        }
    }
    title.extend(narrowed(cx, &cx.state.code.filter_text));
    title
}

/// What has no width, what the whole comes to, and what the search found.
fn sums(cx: Cx) -> Vec<(String, Role)> {
    let flame = &cx.data.flame;
    let mut words = Vec::new();
    if flame.names_pending > 0 {
        let text = format!("{} to come", format::counted(flame.names_pending, "name"));
        words.push((text, Role::Muted));
    }
    if flame.shrunk_bytes > 0 {
        let text = format!("−{} not drawn", format::bytes(flame.shrunk_bytes));
        words.push((text, Role::Freed));
    }
    if cx.state.flame.measure != Measure::Delta {
        words.extend(as_of(cx.data).map(|as_of| (format!("sites {as_of}"), Role::Key)));
    }
    let sign = if cx.state.flame.measure == Measure::Delta { "+" } else { "" };
    let whole = match cx.data.filter_problem {
        Some(_) => format::UNKNOWN.to_owned(),
        None => format!("{sign}{}", format::bytes(flame.whole)),
    };
    words.push((whole, Role::Label));
    if let Some(matching) = flame.matching {
        let share = percent(matching, flame.whole);
        let text = format!("{} match: {}, {share}", flame.matches, format::bytes(matching));
        words.push((text, Role::Key));
    }
    words
}

fn why_empty(cx: Cx) -> String {
    match cx.state.flame.measure {
        _ if cx.data.filter_problem.is_some() => {
            cx.data.filter_problem.unwrap_or_default().to_owned()
        }
        _ if cx.state.code.filter.threads().next().is_some() => NO_SUCH_THREAD.to_owned(),
        _ if cx.data.sites.total == 0 => why_no_sites(cx),
        Measure::Delta => {
            let pair = super::snapshots::pair(cx);
            format!("Nothing grew {pair}: v shows something else, b chooses another baseline.")
        }
        Measure::Live => "Nothing is live: v shows the peak, or all that was allocated.".to_owned(),
        Measure::AtPeak => "Nothing was live at the peak: v shows something else.".to_owned(),
        Measure::Allocated => why_no_sites(cx),
    }
}

/// How a box looks. What the search did not find steps back.
fn style(node: &FlameNode, selected: bool, shaded: bool, cx: Cx) -> Style {
    let searching = cx.data.flame.matching.is_some();
    let role = match node.origin {
        _ if selected => Role::Selected,
        _ if searching && node.matched => Role::FlameMatch,
        _ if searching => Role::FlamePlumbing,
        _ if node.delta_bytes.is_some_and(|delta| delta > 0) => Role::FlameGrown,
        CodeOrigin::Program => Role::FlameProgram,
        CodeOrigin::Library => Role::FlameLibrary,
        CodeOrigin::Plumbing => Role::FlamePlumbing,
        CodeOrigin::Unknown => Role::FlameUnknown,
    };
    if shaded { cx.theme.shade(role) } else { cx.theme.style(role) }
}

/// What is written in a box of `room` columns: the name, and its bytes on the right where there
/// is room for both.
fn label(node: &FlameNode, room: usize) -> String {
    if room < 2 {
        return " ".repeat(room);
    }
    let name = symbol::name(&node.name, room);
    let beside = room.saturating_sub(Span::raw(&name).width());
    if beside < LEAST_BESIDE {
        return format::left(&name, room);
    }
    let bytes = match node.delta_bytes {
        Some(delta) => format::signed_bytes(delta),
        None => format::bytes(node.value),
    };
    name + &format::right(&format!("{bytes} "), beside)
}

/// Columns that bytes need beside a name.
const LEAST_BESIDE: usize = format::SIGNED_BYTES_WIDTH + 3;

/// Columns for a name before the facts about it.
const LEAST_NAME: usize = 20;

/// The frame under the cursor in words.
fn about(flame: &Flame, selected: usize, cx: Cx, width: usize) -> Line<'static> {
    let node = &flame.nodes[selected];
    let theme = cx.theme;
    let figure = |text: String, role| Span::styled(text, theme.style(role));
    let mut facts = vec![
        figure(format::bytes(node.value), Role::Live),
        figure(format!(" · {} of all", percent(node.value, flame.whole)), Role::Label),
    ];
    if let Some(delta) = node.delta_bytes {
        facts.push(figure(format!(" · {}", format::signed_bytes(delta)), tendency(delta)));
    }
    if node.own > 0 {
        facts.push(figure(format!(" · own {}", format::bytes(node.own)), Role::Label));
    }
    if node.blocks > 0 {
        facts.push(figure(format!(" · {}", format::counted(node.blocks, "block")), Role::Label));
    }
    let used = |facts: &[Span]| facts.iter().map(Span::width).sum::<usize>();
    let name = Span::raw(symbol::name(&node.name, LEAST_NAME)).width();
    let place = |used: usize| symbol::place_beside(&node.name, width.saturating_sub(used) / 3);
    // Beside them the sign of the cursor, and gaps around the place.
    let others = |used: usize| used + Span::raw(place(used)).width() + 6;
    while facts.len() > 1 && name + others(used(&facts)) > width {
        facts.pop();
    }
    let used = used(&facts);
    let (place, room) = (place(used), width.saturating_sub(others(used)));
    let mut line = Line::from(vec![
        figure("▸ ".to_owned(), Role::Key),
        figure(symbol::name(&node.name, room), Role::Title),
        figure(format!("  {place}  "), Role::Label),
    ]);
    facts.into_iter().for_each(|fact| line.push_span(fact));
    line
}

fn percent(part: u64, whole: u64) -> String {
    match whole {
        0 => format::UNKNOWN.to_owned(),
        whole => format::percent(100.0 * part as f64 / whole as f64),
    }
}

/// The frames zoomed through, on the frame below the picture: `all › main › parse`.
fn draw_path(frame: &mut Frame, area: Rect, cx: Cx) {
    let zoom = &cx.data.flame.zoom;
    if zoom.is_empty() || area.height < 2 {
        return;
    }
    let names: Vec<&str> = zoom.iter().map(|crumb| crumb.name.as_str()).collect();
    let room = usize::from(area.width).saturating_sub(24);
    let text = path(&names, room);
    let line = Line::from(vec![
        Span::styled(" all › ", cx.theme.style(Role::Label)),
        Span::styled(format!("{text} "), cx.theme.style(Role::Key)),
    ])
    .patch_style(on_frame());
    let width = line.width() as u16;
    let at =
        Rect { x: area.x + 2, y: area.bottom() - 1, width: width.min(area.width - 2), height: 1 };
    frame.render_widget(line, at);
}

/// The innermost frames that fit, outer ones left out.
fn path(names: &[&str], room: usize) -> String {
    let mut text = String::new();
    for (i, name) in names.iter().rev().enumerate() {
        let longer = match i {
            0 => symbol::function(name, room),
            _ => format!("{name} › {text}"),
        };
        if i > 0 && Span::raw(&longer).width() + 4 > room {
            return format!("… › {text}");
        }
        text = longer;
    }
    text
}

/// Says that the picture goes on below.
fn draw_hidden(frame: &mut Frame, area: Rect, cx: Cx, rows: usize) {
    let text = match rows {
        0 => return,
        1 => " ↓ 1 row more ".to_owned(),
        n => format!(" ↓ {n} rows more "),
    };
    let width = Span::raw(&text).width() as u16;
    if area.width < width + 4 {
        return;
    }
    let at = Rect { x: area.right() - width - 2, y: area.bottom() - 1, width, height: 1 };
    frame.render_widget(Line::styled(text, on_frame().patch(cx.theme.style(Role::Key))), at);
}

/// Words upon a frame do not take its colour.
fn on_frame() -> Style {
    Style::new().fg(Color::Reset)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_keeps_its_inner_end() {
        let names = ["main", "aeMain", "aeProcessEvents", "processCommand"];
        assert_eq!(path(&names, 60), "main › aeMain › aeProcessEvents › processCommand");
        assert_eq!(path(&names, 44), "… › aeProcessEvents › processCommand");
        assert_eq!(path(&names, 14), "… › processCommand");
        assert_eq!(path(&names, 10), "… › processCo…");
    }
}
