//! Horizontal bars, exact to an eighth of a column.

const EIGHTHS: [char; 8] = [' ', '▏', '▎', '▍', '▌', '▋', '▊', '▉'];

/// A bar of `value` out of `max` in `width` columns. Whatever is not zero is seen.
///
/// ```
/// use memtop_ui::widget::bar::bar;
/// assert_eq!(bar(5, 8, 2), "█▎");
/// assert_eq!(bar(1, 1_000_000, 10), "▏");
/// assert_eq!(bar(0, 8, 2), "");
/// ```
pub fn bar(value: u64, max: u64, width: usize) -> String {
    if value == 0 || max == 0 {
        return String::new();
    }
    let full = 8 * width as u128;
    let eighths = (u128::from(value.min(max)) * full / u128::from(max)).max(1) as usize;
    let mut text = "█".repeat(eighths / 8);
    if !eighths.is_multiple_of(8) {
        text.push(EIGHTHS[eighths % 8]);
    }
    text
}
