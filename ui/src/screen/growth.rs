//! What grew since the baseline, or else shrank: a part of the overview.

use ratatui::Frame;
use ratatui::layout::{Alignment, Rect};
use ratatui::text::Line;

use super::{Cx, as_of, baseline, overview::none, since, tendency};
use crate::data::{Grown, GrowthBy, GrowthRow, Name};
use crate::format::{self, BYTES_WIDTH, SIGNED_BYTES_WIDTH};
use crate::symbol;
use crate::theme::Role;
use crate::widget::table::{Column, Table, Width};
use crate::widget::{airy, empty_words, panel};

const CLASS: Column<GrowthRow, ()> = Column {
    title: "size",
    width: Width::Fixed(11),
    align: Alignment::Right,
    rank: 0,
    cell: |row, (), _| (class(row), Some(Role::Label)),
};

const DELTA_BYTES: Column<GrowthRow, ()> = Column {
    title: "Δ bytes",
    width: Width::Fixed(SIGNED_BYTES_WIDTH),
    align: Alignment::Right,
    rank: 0,
    cell: |row, (), _| (format::signed_bytes(row.delta_bytes), Some(tendency(row.delta_bytes))),
};

const DELTA_BLOCKS: Column<GrowthRow, ()> = Column {
    title: "Δ blocks",
    width: Width::Fixed(10),
    align: Alignment::Right,
    rank: 2,
    cell: |row, (), _| (format::signed_count(row.delta_blocks), None),
};

const LIVE: Column<GrowthRow, ()> = Column {
    title: "live",
    width: Width::Fixed(BYTES_WIDTH),
    align: Alignment::Right,
    rank: 3,
    cell: |row, (), _| (format::bytes(row.live_bytes), Some(Role::Label)),
};

const SITE: Column<GrowthRow, ()> = Column {
    title: "site",
    width: Width::Fill(20),
    align: Alignment::Left,
    rank: 0,
    cell: |row, (), width| {
        let name = site(row).map(|name| symbol::name(name, width));
        (name.unwrap_or_default(), Some(Role::Figure))
    },
};

const PLACE: Column<GrowthRow, ()> = Column {
    title: "where",
    width: Width::Fill(13),
    align: Alignment::Right,
    rank: 1,
    cell: |row, (), width| {
        let place = site(row).map(|name| symbol::place_beside(name, width));
        (place.unwrap_or_default(), Some(Role::Label))
    },
};

const BY_SIZE: &[Column<GrowthRow, ()>] = &[CLASS, DELTA_BYTES, DELTA_BLOCKS, LIVE];
const BY_SITE: &[Column<GrowthRow, ()>] = &[DELTA_BYTES, DELTA_BLOCKS, LIVE, SITE, PLACE];

fn class(row: &GrowthRow) -> String {
    match row.what {
        Grown::Class { min, max } => format::size_class(min, max),
        Grown::Site { .. } => String::new(),
    }
}

fn site(row: &GrowthRow) -> Option<&Name> {
    match &row.what {
        Grown::Site { name, .. } => Some(name),
        Grown::Class { .. } => None,
    }
}

/// Draws the panel.
pub(crate) fn draw(frame: &mut Frame, area: Rect, cx: Cx) {
    if area.height < 3 {
        return;
    }
    let growth = &cx.data.growth;
    let right = right(cx, area.width);
    let title = Line::styled(title(cx, area.width, &right), cx.theme.style(Role::Title));
    let inner = panel(frame, area, cx.theme, (title, right));
    if growth.rows.is_empty() {
        return empty_words(frame, inner, cx.theme, none(cx, "Nothing changed."));
    }
    let columns = match growth.by {
        GrowthBy::Site => BY_SITE,
        GrowthBy::Size => BY_SIZE,
    };
    let table = Table { columns, context: &(), selected: None };
    table.draw(frame, airy(inner), cx.theme, &growth.rows);
}

/// Since when; in fewer words where there is not enough room beside what stands on the right.
fn title(cx: Cx, width: u16, right: &Line) -> String {
    let (did, whole) = (did(cx), whole_title(cx));
    let beside = if right.width() > 0 { right.width() + 2 } else { 0 };
    let room = usize::from(width).saturating_sub(4 + beside);
    match whole.chars().count() <= room {
        true => whole,
        false => format::shorten(
            &format!(" {did} since {} ", baseline(cx.data, cx.data.growth.since)),
            room,
        ),
    }
}

fn whole_title(cx: Cx) -> String {
    format!(" {} since {} ", did(cx), since(cx.data))
}

fn did(cx: Cx) -> &'static str {
    if cx.data.growth.shrank { "Shrank" } else { "Grew" }
}

/// What did not fit, what the rows are where that is not plain from them and there is room to
/// say so, and of when.
fn right(cx: Cx, width: u16) -> Line<'static> {
    let growth = &cx.data.growth;
    if let (GrowthBy::Site, Some(as_of)) = (growth.by, as_of(cx.data)) {
        return Line::styled(format!(" {as_of} "), cx.theme.style(Role::Key));
    }
    let more = match growth.more {
        0 => String::new(),
        more => format!("{more} more "),
    };
    let by = match (growth.by, growth.more) {
        (GrowthBy::Size, _) => "",
        (GrowthBy::Site, 0) => "by site ",
        (GrowthBy::Site, _) => "by site · ",
    };
    let needed = whole_title(cx).chars().count() + by.chars().count() + more.chars().count() + 3;
    let by = if needed + 4 <= usize::from(width) { by } else { "" };
    let text =
        if by.is_empty() && more.is_empty() { String::new() } else { format!(" {by}{more}") };
    Line::styled(text, cx.theme.style(Role::Label))
}
