//! The stack, innermost frame first.

use ratatui::Frame as Canvas;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use crate::action::Action;
use crate::data::{Frame, Key, Site, StackEntry};
use crate::format::{self, left, right};
use crate::screen::Cx;
use crate::symbol;
use crate::theme::{Role, Theme};
use crate::widget::sorted::selected as chosen;
use crate::widget::{airy, empty_words, panel};

const NONE: &str = "No frame is known: this was allocated before stacks could be read.";

/// Draws as much of the stack as fits around the selected entry.
pub(super) fn draw(canvas: &mut Canvas, area: Rect, cx: Cx, site: &Site) {
    let title = Line::styled(" Stack ", cx.theme.style(Role::Title));
    let inner = panel(canvas, area, cx.theme, (title, Line::from(which(site, cx))));
    let entries = &site.stack.entries;
    if entries.is_empty() {
        return empty_words(canvas, inner, cx.theme, NONE);
    }
    let selected = site.stack.selected(cx.state.site.entry).unwrap_or(0);
    let room = usize::from(inner.height);
    let first = (selected + 1).saturating_sub(room);
    let width = usize::from(inner.width.saturating_sub(2));
    let mut rows = inner.top()..inner.bottom();
    for (i, entry) in entries.iter().enumerate().skip(first) {
        let Some(y) = rows.next() else { return };
        let line = line(entry, cx.theme, width);
        cx.targets.add(Rect { y, height: 1, ..inner }, Action::Pick(Key(i as u64)));
        match i == selected {
            true => canvas.render_widget(chosen(line, cx.theme), Rect { y, height: 1, ..inner }),
            false => canvas.render_widget(line, Rect { y, height: 1, ..airy(inner) }),
        }
    }
    if let Some(y) = rows.next().filter(|_| site.stack.cut) {
        let words = "… frames beyond the limit (--depth) are not known";
        let line = Line::styled(words, cx.theme.style(Role::Warning));
        canvas.render_widget(line, Rect { y, height: 1, ..airy(inner) });
    }
}

fn which(site: &Site, cx: Cx) -> Vec<Span<'static>> {
    let label = cx.theme.style(Role::Label);
    let mut words = Vec::new();
    if site.stacks > 1 {
        let (at, of) = (site.stack_index as u64 + 1, site.stacks as u64);
        let text = format!(" {} of {}, largest first ", format::count(at), format::count(of));
        words.push(Span::styled(text, label));
    }
    if cx.state.site.all_frames {
        words.push(Span::styled(" all frames ", cx.theme.style(Role::Key)));
    }
    words
}

fn line(entry: &StackEntry, theme: &Theme, width: usize) -> Line<'static> {
    match entry {
        StackEntry::Frame(frame) => call(frame, theme, width),
        StackEntry::Folded { frames, what } => {
            let frames = format::counted(*frames as u64, &format!("{what} frame"));
            let text = left(&format!("· {frames}"), width);
            Line::styled(format::shorten(&text, width), theme.style(Role::Muted))
        }
    }
}

/// The function on the left, its place on the right.
fn call(frame: &Frame, theme: &Theme, width: usize) -> Line<'static> {
    let place = match &frame.name.text[..] {
        "" => String::new(),
        _ => symbol::place(&frame.name.place, width * 2 / 5),
    };
    let inlined = if frame.inlined { " (inlined)" } else { "" };
    let room = width.saturating_sub(place.chars().count() + 1);
    let name = symbol::name(&frame.name, room.saturating_sub(inlined.len()));
    let gap = room.saturating_sub(Span::raw(&name).width());
    let role = match (frame.plumbing, frame.name.pending) {
        (false, false) => Role::Figure,
        _ => Role::Muted,
    };
    Line::from(vec![
        Span::styled(name, theme.style(role)),
        Span::styled(left(inlined, gap), theme.style(Role::Muted)),
        Span::styled(right(&place, width.saturating_sub(room)), theme.style(Role::Label)),
    ])
}
