//! Values of options: durations, sizes, moments. Each parser says what it takes.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use clap::builder::{PathBufValueParser, TypedValueParser};

use super::Moment;

/// When tracing starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StartAt {
    /// With the program.
    Now,
    /// When the user says so.
    Paused,
    /// So long after the program's start.
    After(Duration),
}

/// Which process of a recording.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProcessChoice {
    /// The last image of this process id.
    Pid(u32),
    /// All of them.
    Sum,
}

/// The file of a recording. Elsewhere `-` is the standard output, and that is the program's here.
pub(super) fn recording_file() -> impl TypedValueParser<Value = PathBuf> {
    PathBufValueParser::new().try_map(|file| match file == Path::new("-") {
        true => Err("a recording is no standard output, that is the program's; write a file"),
        false => Ok(file),
    })
}

/// Reads `5s`, `250ms`, `2m`, `1.5h`.
///
/// # Errors
/// With a message that says what a duration looks like.
pub fn parse_duration(text: &str) -> Result<Duration, String> {
    let explain = || format!("'{text}' is no duration; write 250ms, 5s, 2m or 1h");
    let (number, unit) = split_unit(text);
    let seconds = match unit {
        "ms" => 0.001,
        "s" => 1.0,
        "m" | "min" => 60.0,
        "h" => 3600.0,
        _ => return Err(explain()),
    };
    let number = parse_number(number).ok_or_else(explain)?;
    // Through nanoseconds, so that 250ms is 250 ms and not a hair less.
    let nanos = (number * seconds * 1e9).round();
    if nanos > 1e18 {
        return Err(format!("'{text}' is longer than any program runs"));
    }
    Ok(Duration::from_nanos(nanos as u64))
}

/// Reads `64M`, `4GiB`, `100MB`, `4096`.
///
/// # Errors
/// With a message that says what a size looks like.
pub(super) fn parse_max_size(text: &str) -> Result<u64, String> {
    match parse_size(text)? {
        size if size < LEAST_RECORDING => {
            Err(format!("'{text}' has no room for a recording; give it 1M at least"))
        }
        size => Ok(size),
    }
}

/// A recording that is to take less would hold next to nothing.
const LEAST_RECORDING: u64 = 1 << 20;

/// Reads the most memory that the tracer may take.
pub(super) fn parse_tracer_memory(text: &str) -> Result<u64, String> {
    match parse_size(text)? {
        size if size < LEAST_TRACER => {
            Err(format!("'{text}' has no room for the tracer; give it 1M at least"))
        }
        size => Ok(size),
    }
}

/// In less, not even the first block of a small program can be followed.
const LEAST_TRACER: u64 = 1 << 20;

/// A number of bytes.
pub fn parse_size(text: &str) -> Result<u64, String> {
    let explain = || {
        format!(
            "'{text}' is no size; write bytes or a number with K, M or G (KiB, MiB, GiB; \
             KB, MB, GB for powers of 1000)"
        )
    };
    let (number, unit) = split_unit(text);
    let factor = unit_bytes(unit).ok_or_else(explain)?;
    let bytes = parse_number(number).ok_or_else(explain)? * factor;
    if bytes < 1.0 || bytes >= 2_f64.powi(63) {
        return Err(format!("'{text}' is out of range; write at least 1 byte"));
    }
    Ok(bytes.round() as u64)
}

/// Bytes in a unit of size; the empty unit is a byte.
pub(crate) fn unit_bytes(unit: &str) -> Option<f64> {
    Some(match unit {
        "" | "B" => 1.0,
        "K" | "KiB" => 1024.0,
        "M" | "MiB" => 1024.0 * 1024.0,
        "G" | "GiB" => 1024.0 * 1024.0 * 1024.0,
        "KB" | "kB" => 1e3,
        "MB" => 1e6,
        "GB" => 1e9,
        _ => return None,
    })
}

/// A number and the unit behind it.
pub(crate) fn split_unit(text: &str) -> (&str, &str) {
    let digits = |c: char| c.is_ascii_digit() || matches!(c, '.' | '-' | '+');
    let (number, unit) = text.split_at(text.find(|c| !digits(c)).unwrap_or(text.len()));
    (number, unit.trim_start())
}

fn parse_number(text: &str) -> Option<f64> {
    let number: f64 = text.parse().ok()?;
    (number.is_finite() && number >= 0.0 && !text.starts_with(['-', '+'])).then_some(number)
}

pub(super) fn parse_start(text: &str) -> Result<StartAt, String> {
    match (text, text.strip_prefix("after:")) {
        ("now", _) => Ok(StartAt::Now),
        ("paused", _) => Ok(StartAt::Paused),
        (_, Some(delay)) => parse_duration(delay).map(StartAt::After),
        _ => Err("write now, paused, or after:DURATION as in after:5s".to_owned()),
    }
}

pub(super) fn parse_stop(text: &str) -> Result<Duration, String> {
    let delay = text.strip_prefix("after:");
    parse_duration(delay.ok_or("write after:DURATION as in after:2m")?)
}

pub(super) fn parse_tick(text: &str) -> Result<Duration, String> {
    let tick = parse_duration(text)?;
    let range = Duration::from_millis(10)..=Duration::from_secs(60);
    let explain = || format!("'{text}' is out of range; a tick is between 10ms and 1m");
    range.contains(&tick).then_some(tick).ok_or_else(explain)
}

pub(crate) fn parse_moment(text: &str) -> Result<Moment, String> {
    let explain =
        || "write end, peak, seconds since the start as in 12.5, end-10, or mark:1".to_owned();
    let seconds = |text| {
        let seconds = parse_number(text).ok_or_else(explain)?;
        Duration::try_from_secs_f64(seconds).map_err(|_| explain())
    };
    match text {
        "end" => Ok(Moment::End),
        "peak" => Ok(Moment::Peak),
        _ if text.starts_with("mark:") => {
            text["mark:".len()..].parse().map(Moment::Mark).map_err(|_| explain())
        }
        _ => match text.strip_prefix("end-") {
            Some(before) => seconds(before).map(Moment::BeforeEnd),
            None => seconds(text).map(Moment::At),
        },
    }
}

pub(super) fn parse_process(text: &str) -> Result<ProcessChoice, String> {
    match text {
        "sum" => Ok(ProcessChoice::Sum),
        _ => text
            .parse()
            .map(ProcessChoice::Pid)
            .map_err(|_| "write a process id, or sum".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations() {
        assert_eq!(parse_duration("250ms"), Ok(Duration::from_millis(250)));
        assert_eq!(parse_duration("5s"), Ok(Duration::from_secs(5)));
        assert_eq!(parse_duration("2m"), Ok(Duration::from_secs(120)));
        assert_eq!(parse_duration("0.5 h"), Ok(Duration::from_secs(1800)));
        for wrong in ["", "5", "s", "-5s", "5x", "1e9s", "99999999999h", "1.2.3s"] {
            assert!(parse_duration(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn sizes() {
        assert_eq!(parse_size("4096"), Ok(4096));
        assert_eq!(parse_size("64M"), Ok(64 << 20));
        assert_eq!(parse_size("4GiB"), Ok(4 << 30));
        assert_eq!(parse_size("1.5 K"), Ok(1536));
        assert_eq!(parse_size("100MB"), Ok(100_000_000));
        for wrong in ["", "0", "M", "-1M", "5T", "5 apples", "99999999999G"] {
            assert!(parse_size(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn moments_and_starts() {
        assert_eq!(parse_start("after:5s"), Ok(StartAt::After(Duration::from_secs(5))));
        assert!(parse_start("later").is_err());
        assert!(parse_stop("5s").is_err());
        assert!(parse_tick("1ms").is_err());
        assert_eq!(parse_moment("1.5"), Ok(Moment::At(Duration::from_millis(1500))));
        assert!(parse_moment("-1").is_err());
        assert_eq!(parse_moment("mark:2"), Ok(Moment::Mark(2)));
        assert!(parse_moment("mark:").is_err() && parse_moment("mark").is_err());
        assert_eq!(parse_moment("end-10"), Ok(Moment::BeforeEnd(Duration::from_secs(10))));
        assert!(parse_moment("end-").is_err() && parse_moment("end--1").is_err());
        assert_eq!(parse_process("sum"), Ok(ProcessChoice::Sum));
        assert!(parse_process("all").is_err());
    }
}
