//! The forms of values: how each type of the model stands in a field, and in the dump.

use std::{fmt::Write, time::Duration};

use super::wire::{Fields, Malformed, put_field, put_uint, take_uint, unzigzag, zigzag};
use crate::model::{Entry, Exit, Interval};

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
        let mut interval = Self { from: Duration::ZERO, to: None };
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
