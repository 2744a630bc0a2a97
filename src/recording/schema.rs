//! Which field of the model has which tag: one table, from which the writer, the reader and
//! the dump all follow. A tag, once released, keeps its meaning for ever.

use std::{fmt::Write, time::Duration};

use super::wire::{Fields, Malformed, put_field, put_uint, take_uint, unzigzag, zigzag};
use crate::model::{
    Census, Entry, Exactness, Exit, Identity, Inherited, Interval, ProcessState, SizeClass,
    ThreadState, Totals, Untracked, Window,
};

/// One value: its bytes, and how the dump shows it.
pub(super) trait Value: Sized {
    fn write(&self, out: &mut Vec<u8>);
    fn read(bytes: &[u8]) -> Result<Self, Malformed>;
    fn show(&self, name: &str, out: &mut String);
}

/// What stands under one tag: a value that may be left out, an optional one, or a list.
pub(super) trait Field {
    fn put(&self, tag: u64, out: &mut Vec<u8>);
    fn accept(&mut self, value: &[u8]) -> Result<(), Malformed>;
    fn show(&self, name: &str, out: &mut String);
}

/// A type that is a row of tagged fields.
pub(super) trait Record: Default {
    fn put_fields(&self, out: &mut Vec<u8>);
    fn take_field(&mut self, tag: u64, value: &[u8]) -> Result<(), Malformed>;
    fn show_fields(&self, out: &mut String);

    fn read_fields(bytes: &[u8]) -> Result<Self, Malformed> {
        let mut record = Self::default();
        for field in Fields(bytes) {
            let (tag, value) = field?;
            record.take_field(tag, value)?;
        }
        Ok(record)
    }
}

macro_rules! record {
    ($type:ident { $($tag:literal $field:ident),* $(,)? }) => {
        impl Record for $type {
            fn put_fields(&self, out: &mut Vec<u8>) {
                $( self.$field.put($tag, out); )*
            }

            fn take_field(&mut self, tag: u64, value: &[u8]) -> Result<(), Malformed> {
                match tag {
                    $( $tag => self.$field.accept(value), )*
                    _ => Ok(()),
                }
            }

            fn show_fields(&self, out: &mut String) {
                $( Field::show(&self.$field, stringify!($field), out); )*
            }
        }

        impl Value for $type {
            fn write(&self, out: &mut Vec<u8>) {
                self.put_fields(out);
            }

            fn read(bytes: &[u8]) -> Result<Self, Malformed> {
                Self::read_fields(bytes)
            }

            fn show(&self, name: &str, out: &mut String) {
                let _ = write!(out, "\n    {name}");
                self.show_fields(out);
            }
        }
    };
}

/// The launch frame.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Launch {
    pub(super) launched_at: Duration,
    pub(super) command: Vec<Vec<u8>>,
}

/// The exit frame, but for its image.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Ending {
    pub(super) ended: Option<Duration>,
    pub(super) exit: Option<Exit>,
}

/// The end frame.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct End {
    pub(super) frames: u64,
}

// Tag 1 of the frames about an image is its number, written and read apart.
record!(Launch { 1 launched_at, 2 command });
record!(Identity {
    2 pid, 3 generation, 4 parent, 5 command, 6 entry, 7 started,
});
record!(Window { 2 intervals });
record!(ProcessState {
    4 totals, 5 untracked, 6 inherited, 7 exactness, 8 size_classes, 9 size_classes_at_peak,
    10 threads,
});
record!(Ending { 2 ended, 3 exit });
record!(End { 1 frames });

record!(Totals {
    1 current_bytes, 2 current_blocks, 3 peak_bytes, 4 peak_blocks, 5 peak_at, 6 max_blocks,
    7 allocated_bytes, 8 allocations, 9 freed_bytes, 10 frees, 11 reallocations, 12 temporary,
    13 usable_current_bytes, 14 usable_allocated_bytes, 15 usable_freed_bytes,
});
record!(Untracked { 1 frees, 2 freed_bytes, 3 net_bytes, 4 census });
record!(Census {
    1 blocks, 2 bytes, 3 still_live_blocks, 4 still_live_bytes,
});
record!(Inherited { 1 blocks, 2 bytes, 3 frees, 4 freed_bytes });
record!(Exactness {
    1 peak_error_bytes, 2 dropped_events, 3 lost_records, 4 unattributed_blocks,
    5 frames_unresolved, 6 stacks_cut, 7 tracer_bytes, 8 ns_per_event,
});
record!(SizeClass {
    1 min, 2 max, 3 current_blocks, 4 current_bytes, 5 allocations, 6 allocated_bytes,
});
record!(ThreadState {
    1 tid, 2 name, 3 current_bytes, 4 allocations, 5 allocated_bytes,
});

impl<T: Value + Default + PartialEq> Field for T {
    fn put(&self, tag: u64, out: &mut Vec<u8>) {
        if *self != T::default() {
            put_value(tag, self, out);
        }
    }

    fn accept(&mut self, value: &[u8]) -> Result<(), Malformed> {
        *self = T::read(value)?;
        Ok(())
    }

    fn show(&self, name: &str, out: &mut String) {
        if *self != T::default() {
            Value::show(self, name, out);
        }
    }
}

impl<T: Value> Field for Option<T> {
    fn put(&self, tag: u64, out: &mut Vec<u8>) {
        if let Some(value) = self {
            put_value(tag, value, out);
        }
    }

    fn accept(&mut self, value: &[u8]) -> Result<(), Malformed> {
        *self = Some(T::read(value)?);
        Ok(())
    }

    fn show(&self, name: &str, out: &mut String) {
        if let Some(value) = self {
            value.show(name, out);
        }
    }
}

impl<T: Value> Field for Vec<T> {
    fn put(&self, tag: u64, out: &mut Vec<u8>) {
        for value in self {
            put_value(tag, value, out);
        }
    }

    fn accept(&mut self, value: &[u8]) -> Result<(), Malformed> {
        self.push(T::read(value)?);
        Ok(())
    }

    fn show(&self, name: &str, out: &mut String) {
        for value in self {
            value.show(name, out);
        }
    }
}

fn put_value(tag: u64, value: &impl Value, out: &mut Vec<u8>) {
    let mut bytes = Vec::new();
    value.write(&mut bytes);
    put_field(tag, &bytes, out);
}

fn show_plain(name: &str, value: impl std::fmt::Display, out: &mut String) {
    let _ = write!(out, " {name}={value}");
}

impl Value for u64 {
    fn write(&self, out: &mut Vec<u8>) {
        put_uint(*self, out);
    }

    fn read(mut bytes: &[u8]) -> Result<Self, Malformed> {
        take_uint(&mut bytes)
    }

    fn show(&self, name: &str, out: &mut String) {
        show_plain(name, self, out);
    }
}

impl Value for u32 {
    fn write(&self, out: &mut Vec<u8>) {
        put_uint(u64::from(*self), out);
    }

    fn read(bytes: &[u8]) -> Result<Self, Malformed> {
        Self::try_from(u64::read(bytes)?).map_err(|_| Malformed)
    }

    fn show(&self, name: &str, out: &mut String) {
        show_plain(name, self, out);
    }
}

impl Value for i64 {
    fn write(&self, out: &mut Vec<u8>) {
        put_uint(zigzag(*self), out);
    }

    fn read(bytes: &[u8]) -> Result<Self, Malformed> {
        u64::read(bytes).map(unzigzag)
    }

    fn show(&self, name: &str, out: &mut String) {
        show_plain(name, self, out);
    }
}

impl Value for f64 {
    fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.to_le_bytes());
    }

    fn read(bytes: &[u8]) -> Result<Self, Malformed> {
        let bytes = bytes.first_chunk().ok_or(Malformed)?;
        Ok(Self::from_le_bytes(*bytes))
    }

    fn show(&self, name: &str, out: &mut String) {
        show_plain(name, self, out);
    }
}

impl Value for Duration {
    fn write(&self, out: &mut Vec<u8>) {
        put_uint(nanos(*self), out);
    }

    fn read(bytes: &[u8]) -> Result<Self, Malformed> {
        u64::read(bytes).map(Self::from_nanos)
    }

    fn show(&self, name: &str, out: &mut String) {
        show_plain(name, format_args!("{}ns", self.as_nanos()), out);
    }
}

/// Nanoseconds, at most 584 years of them.
pub(super) fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

impl Value for String {
    fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self.as_bytes());
    }

    fn read(bytes: &[u8]) -> Result<Self, Malformed> {
        Ok(Self::from_utf8_lossy(bytes).into_owned())
    }

    fn show(&self, name: &str, out: &mut String) {
        show_plain(name, format_args!("{self:?}"), out);
    }
}

impl Value for Vec<u8> {
    fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self);
    }

    fn read(bytes: &[u8]) -> Result<Self, Malformed> {
        Ok(bytes.to_vec())
    }

    fn show(&self, name: &str, out: &mut String) {
        show_plain(name, format_args!("\"{}\"", self.escape_ascii()), out);
    }
}

impl Value for Entry {
    fn write(&self, out: &mut Vec<u8>) {
        let code = match self {
            Self::Preload => 0,
            Self::Embedded => 1,
            Self::Fork => 2,
        };
        put_uint(code, out);
    }

    fn read(bytes: &[u8]) -> Result<Self, Malformed> {
        Ok(match u64::read(bytes)? {
            1 => Self::Embedded,
            2 => Self::Fork,
            _ => Self::Preload,
        })
    }

    fn show(&self, name: &str, out: &mut String) {
        show_plain(name, format_args!("{self:?}"), out);
    }
}

impl Value for Interval {
    fn write(&self, out: &mut Vec<u8>) {
        self.from.put(1, out);
        self.to.put(2, out);
    }

    fn read(bytes: &[u8]) -> Result<Self, Malformed> {
        let mut interval = Self {
            from: Duration::ZERO,
            to: None,
        };
        for field in Fields(bytes) {
            match field? {
                (1, value) => interval.from.accept(value)?,
                (2, value) => interval.to.accept(value)?,
                _ => {}
            }
        }
        Ok(interval)
    }

    fn show(&self, _name: &str, out: &mut String) {
        out.push_str("\n    interval");
        Value::show(&self.from, "from", out);
        Field::show(&self.to, "to", out);
    }
}

impl Value for Exit {
    fn write(&self, out: &mut Vec<u8>) {
        match self {
            Self::Code(code) => put_value(1, &i64::from(*code), out),
            Self::Signal(signal) => put_value(2, &i64::from(*signal), out),
        }
    }

    fn read(bytes: &[u8]) -> Result<Self, Malformed> {
        let mut exit = Err(Malformed);
        for field in Fields(bytes) {
            let (tag, value) = field?;
            match tag {
                1 => exit = read_i32(value).map(Self::Code),
                2 => exit = read_i32(value).map(Self::Signal),
                _ => {}
            }
        }
        exit
    }

    fn show(&self, name: &str, out: &mut String) {
        show_plain(name, format_args!("{self:?}"), out);
    }
}

fn read_i32(bytes: &[u8]) -> Result<i32, Malformed> {
    i32::try_from(i64::read(bytes)?).map_err(|_| Malformed)
}
