//! From `.eh_frame` to a [`Rule`]: what compilers emit for every function, in the form that two
//! kinds of rules cover for all but one row in some thousands. Cold: once an address.

use gimli::{BaseAddresses, EhFrame, EhFrameHdr, NativeEndian, Pointer, UnwindSection, X86_64};

use super::{
    modules::Object,
    rows::{self, Begin, Bytes, Row, Saved},
    rules::{Kind, Rule},
};

/// The rule at an address behind a call in `object`, whose number is `module`.
pub fn rule_at(address: usize, object: &Object, module: u64) -> Rule {
    rule(address as u64 - 1, object, module).unwrap_or(Rule::end(module))
}

fn rule(address: u64, object: &Object, module: u64) -> Option<Rule> {
    let header = bytes(object.eh_frame, object.end)?;
    let bases = BaseAddresses::default().set_eh_frame_hdr(object.eh_frame as u64);
    let header = EhFrameHdr::new(header, NativeEndian).parse(&bases, 8).ok()?;
    let Pointer::Direct(frames) = header.eh_frame_ptr() else { return None };
    let bases = bases.set_eh_frame(frames);
    let frames = EhFrame::new(bytes(frames as usize, object.end)?, NativeEndian);
    let table = header.table()?;
    let function = table
        .fde_for_address(&frames, &bases, address, |frames, bases, at| {
            frames.cie_from_offset(bases, at)
        })
        .ok()?;
    if function.is_signal_trampoline() {
        return Rule::new(Kind::Signal, module, 0, None);
    }
    let row = rows::row_at(&function, &frames, &bases, address)?;
    of_row(&row, module, &frames, function.cie().encoding())
}

fn of_row(
    row: &Row,
    module: u64,
    frames: &EhFrame<Bytes>,
    encoding: gimli::Encoding,
) -> Option<Rule> {
    let (kind, offset) = match row.begin {
        Begin::Register(X86_64::RSP, offset) => (Kind::StackPointer, offset),
        Begin::Register(X86_64::RBP, offset) => (Kind::BasePointer, offset),
        Begin::Expression(expression) => {
            (Kind::Indirect, indirect(&expression.get(frames).ok()?.0, encoding)?)
        }
        Begin::Register(..) => return None,
    };
    if row.back != Saved::At(-8) {
        return None;
    }
    let saved = match row.base {
        Saved::At(at) => Some(at),
        Saved::Expression(expression) => {
            // Of a function that realigns its stack: saved where `rbp` points.
            let at = plain(&expression.get(frames).ok()?.0, encoding)?;
            return (kind == Kind::Indirect && at == 0)
                .then(|| Rule::new(kind, module, offset, Some(REALIGNED)))
                .flatten();
        }
        Saved::Elsewhere => None,
    };
    Rule::new(kind, module, offset, saved)
}

/// In a rule of [`Kind::Indirect`]: the caller's `rbp` is where `rbp` itself points.
pub const REALIGNED: i64 = 1 << 24;

/// `rbp + n`, followed: `DW_OP_breg6 n; DW_OP_deref`.
fn indirect(expression: &Bytes, encoding: gimli::Encoding) -> Option<i64> {
    let mut left = *expression;
    let offset = base_pointer(&mut left, encoding)?;
    let operation = gimli::Operation::parse(&mut left, encoding).ok()?;
    (matches!(operation, gimli::Operation::Deref { size: 8, .. }) && left.is_empty())
        .then_some(offset)
}

/// `rbp + n`: `DW_OP_breg6 n`.
fn plain(expression: &Bytes, encoding: gimli::Encoding) -> Option<i64> {
    let mut left = *expression;
    let offset = base_pointer(&mut left, encoding)?;
    left.is_empty().then_some(offset)
}

fn base_pointer(left: &mut Bytes, encoding: gimli::Encoding) -> Option<i64> {
    match gimli::Operation::parse(left, encoding).ok()? {
        gimli::Operation::RegisterOffset { register: X86_64::RBP, offset, .. } => Some(offset),
        _ => None,
    }
}

/// What is mapped from `start` to the end of its object.
fn bytes(start: usize, end: usize) -> Option<&'static [u8]> {
    let length = end.checked_sub(start).filter(|_| start != 0)?;
    let start = core::ptr::with_exposed_provenance::<u8>(start);
    // SAFETY: the tables lie in the object's read-only segment, which stays while its code is
    // on some stack; the parser reads no further than entries of the tables lead.
    Some(unsafe { core::slice::from_raw_parts(start, length) })
}
