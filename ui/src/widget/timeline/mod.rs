//! The heart: live memory over time, and when it was looked at.
//!
//! Above zero the live curve, filled, with the spikes between two readings as loose dots on top,
//! the peak as a dashed line and the resident set as a thin one. Time that was not traced is shaded
//! and says so; a line of full height shows where tracing began. Below zero hangs what was freed
//! without having been seen allocated.

mod axis;
mod buckets;
mod curve;
mod labels;
mod scale;
pub mod zoom;

use ratatui::Frame;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::Line;

use crate::data::Timeline;
use crate::format;
use crate::theme::{Role, Theme};
use crate::widget::panel;
pub use axis::TimeAxis;
use buckets::{Bucket, buckets};
pub use scale::Extent;
use scale::Scale;

/// Columns of the labels left of the plot, the axis included.
const AXIS: u16 = 10;
/// Columns of the figures right of it.
const GUTTER: u16 = 16;

/// What to draw.
#[derive(Debug)]
pub struct View<'a> {
    /// Whose memory it is.
    pub title: &'a str,
    /// The readings.
    pub timeline: &'a Timeline,
    /// How far the scale reaches.
    pub extent: Extent,
    /// Seconds shown; `None` for all.
    pub zoom_s: Option<f64>,
    /// What the hanging curve is made of.
    pub untracked_label: &'a str,
    /// What the right end is: `now`, or `end`.
    pub present: &'a str,
    /// Words in the middle of the plot when there is no curve yet.
    pub words: Option<&'a str>,
    /// A moment that is looked at, of those the curve shows.
    pub playhead_s: Option<f64>,
}

/// The area of the plot itself within the panel's `area`: no labels, no frame.
pub fn plot_area(area: Rect) -> Rect {
    let gutter = if area.width >= 62 { GUTTER } else { 1 };
    Rect {
        x: area.x + 1 + AXIS,
        y: area.y + 1,
        width: area.width.saturating_sub(2 + AXIS + gutter),
        height: area.height.saturating_sub(2),
    }
}

impl View<'_> {
    /// The time axis as it is drawn in `area`.
    pub fn axis(&self, area: Rect) -> TimeAxis {
        let columns = usize::from(plot_area(area).width);
        TimeAxis::new(self.timeline.now_s, self.zoom_s, columns)
    }

    /// Draws the panel.
    pub fn draw(&self, frame: &mut Frame, area: Rect, theme: &Theme) {
        let axis = self.axis(area);
        let title = Line::styled(format!(" {} ", self.title), theme.style(Role::Title));
        panel(frame, area, theme, (title, self.subtitle(&axis, theme)));
        let plot = plot_area(area);
        if plot.is_empty() || plot.height < 3 {
            return;
        }
        let scale = Scale::new(self.extent.to_draw(self.timeline, self.zoom_s), plot.height);
        let buckets = buckets(self.timeline, &axis.doubled());
        let canvas = Canvas { view: self, theme, axis, scale, plot, buckets };
        let buffer = frame.buffer_mut();
        canvas.curve(buffer);
        canvas.zero_line(buffer);
        canvas.byte_labels(buffer);
        canvas.words(buffer);
        canvas.figures(buffer, area.right() - 1);
        canvas.time_labels(buffer, area.bottom() - 1);
        canvas.playhead(buffer);
    }

    fn subtitle(&self, axis: &TimeAxis, theme: &Theme) -> Line<'static> {
        if let Some(to) = self.timeline.read_to_s {
            let words = format!(" read to {} ", format::clock(to));
            return Line::styled(words, theme.style(Role::Key));
        }
        let span = format::clock(self.zoom_s.unwrap_or(self.timeline.now_s));
        let shown = if self.zoom_s.is_some() { "last " } else { "" };
        let column = format::span(axis.column_s());
        Line::styled(format!(" {shown}{span} shown · {column} a column "), theme.style(Role::Label))
    }
}

/// One frame's drawing: everything that was worked out, and where it goes.
struct Canvas<'a> {
    view: &'a View<'a>,
    theme: &'a Theme,
    axis: TimeAxis,
    scale: Scale,
    plot: Rect,
    /// Two a column.
    buckets: Vec<Option<Bucket>>,
}

impl Canvas<'_> {
    /// The row of the zero line.
    fn zero(&self) -> u16 {
        self.plot.y + self.scale.up
    }

    fn put(&self, buffer: &mut Buffer, x: u16, y: u16, c: char, role: Role) {
        if let Some(cell) = buffer.cell_mut((x, y)) {
            cell.set_char(c).set_style(self.theme.style(role));
        }
    }

    fn text(&self, buffer: &mut Buffer, x: u16, y: u16, text: &str, role: Role) {
        buffer.set_string(x, y, text, Style::reset().patch(self.theme.style(role)));
    }

    /// The last column that has happened.
    fn present(&self) -> usize {
        self.axis.column(self.view.timeline.now_s).unwrap_or(self.axis.columns() - 1)
    }

    /// Whether tracing was on at any time of this column.
    fn traced(&self, column: usize) -> bool {
        let (from, to) = self.axis.range(column);
        let overlaps =
            |i: &crate::data::Interval| i.from_s < to && i.to_s.is_none_or(|end| end >= from);
        self.view.timeline.intervals.iter().any(overlaps)
    }

    /// Whether tracing begins in this column, or a new window does.
    fn starts_in(&self, column: usize) -> bool {
        let timeline = &self.view.timeline;
        let starts = timeline.intervals.iter().map(|i| i.from_s).chain(timeline.cleared_s);
        starts.into_iter().any(|t_s| self.axis.column(t_s) == Some(column))
    }

    /// The two buckets of a column.
    fn pair(&self, column: usize) -> [Bucket; 2] {
        [2 * column, 2 * column + 1].map(|i| self.buckets[i].unwrap_or_default())
    }

    /// The row of a value above zero, counted upwards.
    fn row_of(&self, value: u64) -> u16 {
        let row = self.scale.parts_up(value, 4).saturating_sub(1) / 4;
        row.min(u64::from(self.scale.up - 1)) as u16
    }

    fn peak_shows(&self) -> Option<u64> {
        let peak = self.view.timeline.peak.filter(|peak| peak.bytes > 0)?;
        let limit = 4 * u64::from(self.scale.up);
        (self.scale.parts_up(peak.bytes, 4) <= limit).then_some(peak.bytes)
    }
}
