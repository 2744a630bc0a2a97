//! Bytes: cutting frames out of a stream, and checked reads inside them.

use std::{
    ffi::OsString,
    os::unix::ffi::{OsStrExt, OsStringExt},
    time::Duration,
};

use super::LONGEST;

/// Bytes that are not of this protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the other side sent something that is not of memtop's protocol")]
pub struct Malformed;

/// Collects bytes and gives whole frames.
#[derive(Debug, Default)]
pub struct Frames {
    bytes: Vec<u8>,
    taken: usize,
}

impl Frames {
    /// Adds what was received.
    pub fn extend(&mut self, bytes: &[u8]) {
        self.bytes.drain(..self.taken);
        self.taken = 0;
        self.bytes.extend_from_slice(bytes);
    }

    /// The next frame's kind and payload, once all of it is there.
    ///
    /// # Errors
    /// When its length is impossible; nothing can be read from here on.
    pub fn take(&mut self) -> Result<Option<(u8, &[u8])>, Malformed> {
        let rest = &self.bytes[self.taken..];
        let Some((length, rest)) = rest.split_first_chunk() else {
            return Ok(None);
        };
        let length = u32::from_le_bytes(*length) as usize;
        if !(1..=LONGEST).contains(&length) {
            return Err(Malformed);
        }
        let Some(frame) = rest.get(..length) else {
            return Ok(None);
        };
        self.taken += 4 + length;
        Ok(Some((frame[0], &frame[1..])))
    }
}

/// Builds one frame.
pub(super) struct Builder(Vec<u8>);

impl Builder {
    pub(super) fn new(kind: u8) -> Self {
        Self(vec![0, 0, 0, 0, kind])
    }

    pub(super) fn u8(mut self, value: u8) -> Self {
        self.0.push(value);
        self
    }

    pub(super) fn u16(mut self, value: u16) -> Self {
        self.0.extend(value.to_le_bytes());
        self
    }

    pub(super) fn u32(mut self, value: u32) -> Self {
        self.0.extend(value.to_le_bytes());
        self
    }

    pub(super) fn u64(mut self, value: u64) -> Self {
        self.0.extend(value.to_le_bytes());
        self
    }

    pub(super) fn time(self, value: Duration) -> Self {
        self.u64(crate::keeper::clock::nanoseconds(value))
    }

    pub(super) fn optional(self, value: Option<u64>) -> Self {
        let builder = self.u8(value.is_some().into());
        builder.u64(value.unwrap_or(0))
    }

    /// Bytes with their length before them.
    pub(super) fn bytes(self, value: &[u8]) -> Self {
        self.u32(value.len() as u32).rest(value)
    }

    /// Bytes up to the end of the frame.
    pub(super) fn rest(mut self, value: &[u8]) -> Self {
        self.0.extend_from_slice(value);
        self
    }

    pub(super) fn list(self, values: &[impl AsRef<[u8]>]) -> Self {
        let builder = self.u32(values.len() as u32);
        let add = |builder: Self, value| Builder::bytes(builder, AsRef::as_ref(value));
        values.iter().fold(builder, add)
    }

    pub(super) fn words(self, values: &[OsString]) -> Self {
        let bytes: Vec<&[u8]> = values.iter().map(|value| value.as_bytes()).collect();
        self.list(&bytes)
    }

    pub(super) fn finish(mut self) -> Vec<u8> {
        let length = (self.0.len() - 4) as u32;
        self.0[..4].copy_from_slice(&length.to_le_bytes());
        self.0
    }
}

/// Takes values off the front of a payload.
pub(super) struct Parser<'a>(pub(super) &'a [u8]);

impl<'a> Parser<'a> {
    fn array<const N: usize>(&mut self) -> Result<[u8; N], Malformed> {
        let (head, rest) = self.0.split_first_chunk().ok_or(Malformed)?;
        self.0 = rest;
        Ok(*head)
    }

    pub(super) fn u8(&mut self) -> Result<u8, Malformed> {
        self.array().map(|[byte]| byte)
    }

    pub(super) fn flag(&mut self) -> Result<bool, Malformed> {
        Ok(self.u8()? != 0)
    }

    pub(super) fn u16(&mut self) -> Result<u16, Malformed> {
        self.array().map(u16::from_le_bytes)
    }

    pub(super) fn u32(&mut self) -> Result<u32, Malformed> {
        self.array().map(u32::from_le_bytes)
    }

    pub(super) fn u64(&mut self) -> Result<u64, Malformed> {
        self.array().map(u64::from_le_bytes)
    }

    pub(super) fn time(&mut self) -> Result<Duration, Malformed> {
        self.u64().map(Duration::from_nanos)
    }

    pub(super) fn optional(&mut self) -> Result<Option<u64>, Malformed> {
        let present = self.flag()?;
        let value = self.u64()?;
        Ok(present.then_some(value))
    }

    pub(super) fn bytes(&mut self) -> Result<&'a [u8], Malformed> {
        let length = self.u32()? as usize;
        let (head, rest) = self.0.split_at_checked(length).ok_or(Malformed)?;
        self.0 = rest;
        Ok(head)
    }

    pub(super) fn text(&mut self) -> Result<String, Malformed> {
        Ok(String::from_utf8_lossy(self.bytes()?).into_owned())
    }

    /// No more is allocated than the frame is long, whatever the count says.
    pub(super) fn list(&mut self) -> Result<Vec<&'a [u8]>, Malformed> {
        let count = self.u32()?;
        let mut all = Vec::new();
        for _ in 0..count {
            all.push(self.bytes()?);
        }
        Ok(all)
    }

    pub(super) fn words(&mut self) -> Result<Vec<OsString>, Malformed> {
        let word = |bytes: &[u8]| OsString::from_vec(bytes.to_vec());
        Ok(self.list()?.into_iter().map(word).collect())
    }
}
