//! From `.eh_frame` to a [`Rule`]: what compilers emit for every function, in the form that two
//! kinds of rules cover for all but one row in some thousands. Cold: once an address.

use gimli::{
    BaseAddresses, CfaRule, EhFrame, EhFrameHdr, EndianSlice, NativeEndian, Pointer, Register,
    RegisterRule, UnwindContext, UnwindContextStorage, UnwindSection, UnwindTableRow, X86_64,
};

use super::{
    modules::Object,
    rules::{Kind, Rule},
};

type Bytes = EndianSlice<'static, NativeEndian>;

/// Room for the rows of one function, without an allocator.
struct Fixed;

impl UnwindContextStorage<usize> for Fixed {
    type Rules = [(Register, RegisterRule<usize>); 32];
    type Stack = [UnwindTableRow<usize, Self>; 4];
}

/// Working space: some kilobytes, which a thread's stack may not have.
pub struct Space(Option<UnwindContext<usize, Fixed>>);

impl Space {
    pub const fn new() -> Space {
        Space(None)
    }
}

/// The rule at an address behind a call in `object`, whose number is `module`.
pub fn rule_at(address: usize, object: &Object, module: u64, space: &mut Space) -> Rule {
    rule(address as u64 - 1, object, module, space).unwrap_or(Rule::end(module))
}

fn rule(address: u64, object: &Object, module: u64, space: &mut Space) -> Option<Rule> {
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
    let context = space.0.get_or_insert_with(UnwindContext::new_in);
    let row = function.unwind_info_for_address(&frames, &bases, context, address).ok()?;
    of_row(row, module, &frames, function.cie().encoding())
}

fn of_row(
    row: &UnwindTableRow<usize, Fixed>,
    module: u64,
    frames: &EhFrame<Bytes>,
    encoding: gimli::Encoding,
) -> Option<Rule> {
    let (kind, offset) = match row.cfa() {
        CfaRule::RegisterAndOffset { register: X86_64::RSP, offset } => {
            (Kind::StackPointer, *offset)
        }
        CfaRule::RegisterAndOffset { register: X86_64::RBP, offset } => {
            (Kind::BasePointer, *offset)
        }
        CfaRule::Expression(expression) => {
            (Kind::Indirect, indirect(&expression.get(frames).ok()?.0, encoding)?)
        }
        CfaRule::RegisterAndOffset { .. } => return None,
    };
    let Some(RegisterRule::Offset(-8)) = row.register(X86_64::RA) else { return None };
    let saved = match row.register(X86_64::RBP) {
        Some(RegisterRule::Offset(at)) => Some(at),
        Some(RegisterRule::Expression(expression)) => {
            // Of a function that realigns its stack: saved where `rbp` points.
            let at = plain(&expression.get(frames).ok()?.0, encoding)?;
            return (kind == Kind::Indirect && at == 0)
                .then(|| Rule::new(kind, module, offset, Some(REALIGNED)))
                .flatten();
        }
        _ => None,
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
