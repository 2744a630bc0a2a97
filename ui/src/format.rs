//! Numbers and names as a person reads them.
//!
//! Units are IEC and always written. A quantity keeps one width in a column ([`BYTES_WIDTH`] and
//! friends), so nothing jumps while it updates; unknown is `–`, never `0`.

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use crate::printable::is_printable;

/// What stands for a value nobody knows.
pub const UNKNOWN: &str = "–";
/// Columns the widest result of [`bytes`] takes.
pub const BYTES_WIDTH: usize = 9;
/// Columns the widest result of [`signed_bytes`] takes.
pub const SIGNED_BYTES_WIDTH: usize = 10;
/// Columns the widest result of [`count`] takes.
pub const COUNT_WIDTH: usize = 9;
/// Columns the widest result of [`rate`] takes.
pub const RATE_WIDTH: usize = 8;

const UNITS: [&str; 7] = ["B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];

/// The power of 1024 in which `bytes` is best read, as an index.
pub(crate) fn unit_of(bytes: u64) -> usize {
    let mut unit = 0;
    while unit + 1 < UNITS.len() && scaled(bytes, unit) >= limit(unit) {
        unit += 1;
    }
    unit
}

/// From here on a figure of this unit would need a fourth digit.
fn limit(unit: usize) -> f64 {
    if unit == 0 { 1000.0 } else { 999.95 }
}

fn scaled(bytes: u64, unit: usize) -> f64 {
    bytes as f64 / 1024f64.powi(unit as i32)
}

/// `48.2 MiB`, `512 B`: at most [`BYTES_WIDTH`] columns.
///
/// ```
/// assert_eq!(memtop_ui::format::bytes(50_541_363), "48.2 MiB");
/// ```
pub fn bytes(bytes: u64) -> String {
    match unit_of(bytes) {
        0 => format!("{bytes} B"),
        unit => format!("{:.1} {}", scaled(bytes, unit), UNITS[unit]),
    }
}

/// `60 MiB`, `0.4 MiB`: a multiple of a round `step`, without decimals unless the step has some.
/// Where the step is a tenth of a unit, that unit is used.
pub(crate) fn multiple(bytes: u64, step: u64) -> String {
    let is_told = |unit: &usize| {
        let tenths = scaled(step, *unit) * 10.0;
        tenths > 0.9 && (tenths - tenths.round()).abs() < 0.01
    };
    let unit = (0..UNITS.len()).rev().find(is_told).unwrap_or(0);
    let whole = (scaled(step, unit) - scaled(step, unit).round()).abs() < 0.01;
    format!("{:.*} {}", usize::from(!whole), scaled(bytes, unit), UNITS[unit])
}

/// `35.8` in the unit that [`bytes`] gives to `reference`, which is said once for many; two decimals
/// from GiB on. What is too little for them is `<0.1`.
pub fn bytes_in_unit_of(value: u64, reference: u64) -> String {
    let unit = unit_of(reference);
    let decimals = match unit {
        0 => 0,
        1 | 2 => 1,
        _ => 2,
    };
    let text = format!("{:.decimals$}", scaled(value, unit));
    let is_nothing = value > 0 && text.chars().all(|one| "0.".contains(one));
    if is_nothing { format!("<{}1", &text[..text.len() - 1]) } else { text }
}

/// `+35.8 MiB`, `−14.0 KiB`, `0 B`.
pub fn signed_bytes(value: i64) -> String {
    format!("{}{}", sign(value), bytes(value.unsigned_abs()))
}

fn sign(value: i64) -> &'static str {
    match value {
        0 => "",
        1.. => "+",
        _ => "−",
    }
}

/// `12,345`, and from ten million on `12.3 M`.
///
/// ```
/// assert_eq!(memtop_ui::format::count(9_999_999), "9,999,999");
/// assert_eq!(memtop_ui::format::count(12_345_678), "12.3 M");
/// ```
pub fn count(value: u64) -> String {
    if value < 10_000_000 { thousands(value) } else { metric(value as f64) }
}

/// `1 name`, `3 names`.
///
/// ```
/// assert_eq!(memtop_ui::format::counted(1, "name"), "1 name");
/// assert_eq!(memtop_ui::format::counted(1_200, "name"), "1,200 names");
/// ```
pub fn counted(value: u64, noun: &str) -> String {
    format!("{} {}", count(value), plural(value, noun))
}

/// `name` of one, `names` of several, `processes` where more than an s is missing.
///
/// ```
/// assert_eq!(memtop_ui::format::plural(1, "process"), "process");
/// assert_eq!(memtop_ui::format::plural(0, "process"), "processes");
/// ```
pub fn plural(value: u64, noun: &str) -> String {
    match value {
        1 => noun.to_owned(),
        _ if noun.ends_with('s') => format!("{noun}es"),
        _ => format!("{noun}s"),
    }
}

/// `counted`, to the last digit.
///
/// ```
/// assert_eq!(memtop_ui::format::exactly(1, "stack"), "1 stack");
/// assert_eq!(memtop_ui::format::exactly(12_345_678, "stack"), "12,345,678 stacks");
/// ```
pub fn exactly(value: u64, noun: &str) -> String {
    format!("{} {}", thousands(value), plural(value, noun))
}

/// The word for one or for several: a verb, or what else goes with the number.
///
/// ```
/// assert_eq!(memtop_ui::format::agree(1, "is", "are"), "is");
/// assert_eq!(memtop_ui::format::agree(2, "is", "are"), "are");
/// ```
pub fn agree<'a>(value: u64, one: &'a str, several: &'a str) -> &'a str {
    if value == 1 { one } else { several }
}

/// All digits, in groups of three.
pub fn thousands(value: u64) -> String {
    let digits = value.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `+31,022`, `−112`, `0`.
pub fn signed_count(value: i64) -> String {
    format!("{}{}", sign(value), count(value.unsigned_abs()))
}

/// Three significant digits with a metric prefix.
fn metric(value: f64) -> String {
    const PREFIXES: [&str; 5] = ["", " k", " M", " G", " T"];
    let mut value = value;
    let mut prefix = 0;
    while value >= 999.5 && prefix + 1 < PREFIXES.len() {
        value /= 1000.0;
        prefix += 1;
    }
    let digits = match value {
        _ if prefix == 0 => 0,
        v if v < 9.995 => 2,
        v if v < 99.95 => 1,
        _ => 0,
    };
    format!("{value:.digits$}{}", PREFIXES[prefix])
}

/// `1.02 M/s`, `87/s`.
pub fn rate(per_s: f64) -> String {
    format!("{}/s", metric(per_s.max(0.0)))
}

/// `+1.2 MiB/s`, `−3 B/s`.
pub fn byte_rate(per_s: f64) -> String {
    format!("{}/s", signed_bytes(per_s as i64))
}

/// `12 %`; below ten one decimal. A part is never rounded to all, nor something to nothing.
///
/// ```
/// assert_eq!(memtop_ui::format::percent(100.0 * 1024.0 / 1025.0), ">99 %");
/// assert_eq!(memtop_ui::format::percent(0.01), "<0.1 %");
/// ```
pub fn percent(value: f64) -> String {
    // What makes a whole may have lost its last bit in a division.
    const WHOLE: f64 = 100.0 - 1e-9;
    if value > 0.0 && value < 0.05 {
        return "<0.1 %".to_owned();
    }
    if (99.5..WHOLE).contains(&value) {
        return ">99 %".to_owned();
    }
    if value != 0.0 && value < 9.95 { format!("{value:.1} %") } else { format!("{value:.0} %") }
}

/// `0:41`, `3:12`, `1:02:03`: a moment or a span to the second, cut, never rounded up.
///
/// ```
/// assert_eq!(memtop_ui::format::clock(3723.9), "1:02:03");
/// ```
pub fn clock(seconds: f64) -> String {
    let s = seconds.max(0.0) as u64;
    let (hours, minutes, seconds) = (s / 3600, s / 60 % 60, s % 60);
    if hours > 0 {
        format!("{hours}:{minutes:02}:{seconds:02}")
    } else {
        format!("{minutes}:{seconds:02}")
    }
}

/// `3:11.482`: a moment to the millisecond.
pub fn clock_ms(seconds: f64) -> String {
    let ms = (seconds.max(0.0) * 1000.0) as u64;
    format!("{}.{:03}", clock((ms / 1000) as f64), ms % 1000)
}

/// `3:11.4`: a moment to the tenth of a second.
pub fn clock_tenths(seconds: f64) -> String {
    let tenths = (seconds.max(0.0) * 10.0) as u64;
    format!("{}.{}", clock((tenths / 10) as f64), tenths % 10)
}

/// `850 ns`, `12 µs`, `3.4 ms`, `1.2 s`, `3:12`: how long something lasted.
pub fn span(seconds: f64) -> String {
    match seconds {
        s if s < 999.5e-9 => format!("{:.0} ns", s * 1e9),
        s if s < 999.5e-6 => format!("{:.0} µs", s * 1e6),
        s if s < 0.009_95 => format!("{:.1} ms", s * 1e3),
        s if s < 0.999_5 => format!("{:.0} ms", s * 1e3),
        s if s < 59.95 => format!("{s:.1} s"),
        s => clock(s),
    }
}

/// `some(value)` or [`UNKNOWN`].
pub fn or_unknown<T>(value: Option<T>, some: impl FnOnce(T) -> String) -> String {
    value.map_or_else(|| UNKNOWN.to_owned(), some)
}

/// The name of a size class: `17–32 B`, `1–1.25 KiB`, `4–8 MiB`.
///
/// Bounds are inclusive, so the lower one is named by the size below it once units make that
/// shorter to read.
pub fn size_class(min: u64, max: u64) -> String {
    if min == max {
        return bytes(max);
    }
    if max == u64::MAX {
        return format!("> {}", bytes(min - 1));
    }
    if max < 1024 {
        return format!("{min}–{max} B");
    }
    let unit = (0..UNITS.len()).rev().find(|&u| scaled(max, u) >= 1.0).unwrap_or(0);
    let low = if min.is_multiple_of(1024) { min } else { min.saturating_sub(1) };
    format!("{}–{} {}", trimmed(scaled(low, unit)), trimmed(scaled(max, unit)), UNITS[unit])
}

/// Up to three decimals, without trailing zeros.
fn trimmed(value: f64) -> String {
    let text = format!("{value:.3}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// Cuts `text` to `width` columns, ending in `…` when something was cut.
///
/// ```
/// assert_eq!(memtop_ui::format::shorten("redis-server", 8), "redis-s…");
/// ```
pub fn shorten(text: &str, width: usize) -> String {
    if text.width() <= width {
        return text.to_owned();
    }
    let mut cut = String::new();
    let mut used = 1;
    for c in text.chars() {
        used += c.width().unwrap_or(0);
        if used > width {
            break;
        }
        cut.push(c);
    }
    if width > 0 {
        cut.push('…');
    }
    cut
}

/// A command line in `width` columns: first the program loses its folder, then the tail goes.
///
/// ```
/// assert_eq!(memtop_ui::format::command("/usr/bin/redis-server *:6379", 20), "redis-server *:6379");
/// ```
pub fn command(line: &str, width: usize) -> String {
    let clean: String = line.chars().map(|c| if is_printable(c) { c } else { ' ' }).collect();
    if clean.width() <= width {
        return clean;
    }
    shorten(without_folder(&clean), width)
}

/// A command line without the folder of its program.
pub fn without_folder(line: &str) -> &str {
    let program = line.find(' ').unwrap_or(line.len());
    line[..program].rfind('/').map_or(line, |slash| &line[slash + 1..])
}

/// Pads on the left to `width` columns.
pub fn right(text: &str, width: usize) -> String {
    format!("{}{text}", " ".repeat(width.saturating_sub(text.width())))
}

/// Pads on the right to `width` columns.
pub fn left(text: &str, width: usize) -> String {
    format!("{text}{}", " ".repeat(width.saturating_sub(text.width())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_never_exceed_their_width() {
        for shift in 0..64 {
            for value in [1u64 << shift, (1u64 << shift) - 1, (1u64 << shift) + (1 << shift >> 1)] {
                assert!(bytes(value).width() <= BYTES_WIDTH, "{}", bytes(value));
            }
        }
        assert_eq!(bytes(0), "0 B");
        assert_eq!(bytes(999), "999 B");
        assert_eq!(bytes(1000), "1.0 KiB");
        assert_eq!(bytes(1023 * 1024), "1.0 MiB");
        assert_eq!(bytes(u64::MAX), "16.0 EiB");
    }

    #[test]
    fn parts_stand_in_the_unit_of_their_whole() {
        let parts = [(900 << 10, "0.9"), (100 << 10, "0.1"), (4 << 10, "<0.1"), (0, "0.0")];
        for (part, text) in parts {
            assert_eq!(bytes_in_unit_of(part, 3 << 20), text);
        }
        assert_eq!(bytes_in_unit_of(30 << 20, 3 << 30), "0.03");
        assert_eq!(bytes_in_unit_of(30 << 10, 3 << 30), "<0.01");
        assert_eq!(bytes_in_unit_of(30, 300), "30");
    }

    #[test]
    fn signs_are_typographic_and_zero_has_none() {
        assert_eq!(signed_bytes(-14 * 1024), "−14.0 KiB");
        assert_eq!(signed_bytes(0), "0 B");
        assert_eq!(signed_count(31_022), "+31,022");
        assert_eq!(signed_bytes(i64::MIN), "−8.0 EiB");
    }

    #[test]
    fn counts_and_rates_keep_three_digits() {
        assert_eq!(count(0), "0");
        assert_eq!(count(12_345_678), "12.3 M");
        assert_eq!(rate(0.0), "0/s");
        assert_eq!(rate(1_020_000.0), "1.02 M/s");
        assert_eq!(rate(999_600.0), "1.00 M/s");
        for value in [0.0, 9.0, 999.0, 1234.0, 99_960.0, 1e9, 1e12] {
            assert!(rate(value).width() <= RATE_WIDTH, "{}", rate(value));
        }
    }

    #[test]
    fn times_are_cut_not_rounded() {
        assert_eq!(clock(41.9), "0:41");
        assert_eq!(clock(192.0), "3:12");
        assert_eq!(clock_ms(191.4826), "3:11.482");
        assert_eq!(span(0.0034), "3.4 ms");
        assert_eq!(span(75.0), "1:15");
        assert_eq!(span(12e-6), "12 µs");
    }

    #[test]
    fn size_classes_are_named_by_their_bounds() {
        assert_eq!(size_class(0, 0), "0 B");
        assert_eq!(size_class(17, 32), "17–32 B");
        assert_eq!(size_class(1025, 1280), "1–1.25 KiB");
        assert_eq!(size_class(897 << 10, 1 << 20), "0.876–1 MiB");
        assert_eq!(size_class((4 << 20) + 1, 8 << 20), "4–8 MiB");
        assert_eq!(size_class((1 << 40) + 1, u64::MAX), "> 1.0 TiB");
    }

    #[test]
    fn command_lines_lose_the_folder_first() {
        assert_eq!(command("/usr/bin/python3 a.py", 30), "/usr/bin/python3 a.py");
        assert_eq!(command("/usr/bin/python3 a.py", 14), "python3 a.py");
        assert_eq!(command("/usr/bin/python3 a.py", 9), "python3 …");
        assert_eq!(shorten("abc", 0), "");
        assert_eq!(shorten("日本語", 4), "日…");
    }
}
