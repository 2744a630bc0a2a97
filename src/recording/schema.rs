//! Which field of the model has which tag: one table, from which the writer, the reader and
//! the dump all follow. A tag, once released, keeps its meaning for ever.

use std::{fmt::Write, time::Duration};

use super::{
    value::{Field, Value},
    wire::{Fields, Malformed},
};
use crate::model::{
    Census, Exactness, Exit, Identity, Inherited, ProcessState, SizeClass, ThreadState, Totals,
    UntracedProcess, Untracked, Window,
};

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

pub(super) use record;

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
    pub(super) index: Option<u64>,
}

/// A moment that somebody marked.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Mark {
    /// Since the session of the image began, or since the launch where there is none.
    pub at: Duration,
    /// Its number.
    pub number: u32,
    /// What it is called; may be empty.
    pub label: String,
}

/// A stretch of time, since the launch, of which the recording does not hold everything.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Gap {
    /// Its start.
    pub from: Duration,
    /// Its end.
    pub to: Duration,
    /// Why: see the constants.
    pub reason: u64,
}

impl Gap {
    /// The disk was too slow to take everything.
    pub const SLOW: u64 = 0;
    /// Old detail made room for new.
    pub const THINNED: u64 = 1;
}

// Tag 1 of the frames about an image is its number, written and read apart.
record!(Launch { 1 launched_at, 2 command });
record!(Identity {
    2 pid, 3 generation, 4 parent, 5 command, 6 entry, 7 started,
});
record!(Window { 2 intervals, 4 cleared });
record!(ProcessState {
    4 totals, 5 untracked, 6 inherited, 7 exactness, 8 size_classes, 9 size_classes_at_peak,
    10 threads,
});
record!(Ending { 2 ended, 3 exit });
record!(End { 1 frames, 2 index });
record!(Mark { 2 at, 3 number, 4 label });
record!(Gap { 1 from, 2 to, 3 reason });
record!(UntracedProcess { 1 pid, 2 parent, 3 command, 4 started, 5 ended, 6 why });

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
    9 ns_per_event_error,
});
record!(SizeClass {
    1 min, 2 max, 3 current_blocks, 4 current_bytes, 5 allocations, 6 allocated_bytes,
});
record!(ThreadState {
    1 tid, 2 name, 3 current_bytes, 4 allocations, 5 allocated_bytes,
});
