//! The row of an unwind table that holds at an address, as far as rules need it: where the
//! caller's frame is, and where `rbp` and the return address are saved.
//!
//! `gimli` makes whole tables, with a rule for each register, and copies them about: that takes
//! some five kilobytes of stack. A signal handler's stack may have no more than that, and it is
//! the program's; so only three rules are followed here.

use gimli::{
    BaseAddresses, CallFrameInstruction as Instruction, EhFrame, EndianSlice,
    FrameDescriptionEntry, NativeEndian, Register, UnwindExpression, X86_64,
};

pub type Bytes = EndianSlice<'static, NativeEndian>;
pub type Function = FrameDescriptionEntry<Bytes>;

/// Where the caller's frame begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Begin {
    /// So far from what a register holds.
    Register(Register, i64),
    /// Where a calculation leads.
    Expression(UnwindExpression<usize>),
}

/// Where the caller's value of a register is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Saved {
    /// In the register, or nowhere; or it is found by means that rules do not know.
    Elsewhere,
    /// So far from the beginning of the caller's frame.
    At(i64),
    /// Where a calculation leads.
    Expression(UnwindExpression<usize>),
}

/// What holds at an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Row {
    pub begin: Begin,
    pub base: Saved,
    pub back: Saved,
}

const NOTHING: Row =
    Row { begin: Begin::Register(X86_64::RSP, 0), base: Saved::Elsewhere, back: Saved::Elsewhere };

/// Rows that can be remembered at once; compilers remember one.
const DEEPEST: usize = 4;

/// Carries instructions out.
struct Machine {
    row: Row,
    initial: Row,
    remembered: [Row; DEEPEST],
    depth: usize,
    /// Where the row begins to hold.
    from: u64,
    code_unit: u64,
    data_unit: i64,
}

/// The row of a function that holds at an address in it.
pub fn row_at(
    function: &Function,
    frames: &EhFrame<Bytes>,
    bases: &BaseAddresses,
    address: u64,
) -> Option<Row> {
    let common = function.cie();
    let mut machine = Machine {
        row: NOTHING,
        initial: NOTHING,
        remembered: [NOTHING; DEEPEST],
        depth: 0,
        from: function.initial_address(),
        code_unit: common.code_alignment_factor(),
        data_unit: common.data_alignment_factor(),
    };
    let mut instructions = common.instructions(frames, bases);
    while let Some(instruction) = instructions.next().ok()? {
        machine.carry_out(&instruction)?;
    }
    machine.initial = machine.row;
    let mut instructions = function.instructions(frames, bases);
    while let Some(instruction) = instructions.next().ok()? {
        machine.carry_out(&instruction)?;
        if machine.from > address {
            // What follows holds later.
            break;
        }
    }
    Some(machine.row)
}

impl Machine {
    fn carry_out(&mut self, instruction: &Instruction<usize>) -> Option<()> {
        match *instruction {
            Instruction::SetLoc { address } => self.from = address,
            Instruction::AdvanceLoc { delta } => {
                let distance = u64::from(delta).wrapping_mul(self.code_unit);
                self.from = self.from.wrapping_add(distance);
            }
            Instruction::RememberState => {
                *self.remembered.get_mut(self.depth)? = self.row;
                self.depth += 1;
            }
            Instruction::RestoreState => {
                self.depth = self.depth.checked_sub(1)?;
                self.row = self.remembered[self.depth];
            }
            _ => return self.define_begin(instruction),
        }
        Some(())
    }

    fn define_begin(&mut self, instruction: &Instruction<usize>) -> Option<()> {
        let signed = |offset: u64| offset as i64;
        let scaled = |offset: i64| offset.wrapping_mul(self.data_unit);
        self.row.begin = match (instruction, self.row.begin) {
            (&Instruction::DefCfa { register, offset }, _) => {
                Begin::Register(register, signed(offset))
            }
            (&Instruction::DefCfaSf { register, factored_offset }, _) => {
                Begin::Register(register, scaled(factored_offset))
            }
            (&Instruction::DefCfaRegister { register }, Begin::Register(_, offset)) => {
                Begin::Register(register, offset)
            }
            (&Instruction::DefCfaOffset { offset }, Begin::Register(register, _)) => {
                Begin::Register(register, signed(offset))
            }
            (&Instruction::DefCfaOffsetSf { factored_offset }, Begin::Register(register, _)) => {
                Begin::Register(register, scaled(factored_offset))
            }
            (&Instruction::DefCfaExpression { expression }, _) => Begin::Expression(expression),
            _ => return self.define_saved(instruction),
        };
        Some(())
    }

    fn define_saved(&mut self, instruction: &Instruction<usize>) -> Option<()> {
        let scaled = |offset: i64| offset.wrapping_mul(self.data_unit);
        let (register, saved) = match *instruction {
            Instruction::Offset { register, factored_offset } => {
                (register, Saved::At(scaled(factored_offset as i64)))
            }
            Instruction::OffsetExtendedSf { register, factored_offset } => {
                (register, Saved::At(scaled(factored_offset)))
            }
            Instruction::Expression { register, expression } => {
                (register, Saved::Expression(expression))
            }
            Instruction::Restore { register } => (register, self.initial.of(register)),
            Instruction::Undefined { register }
            | Instruction::SameValue { register }
            | Instruction::ValOffset { register, .. }
            | Instruction::ValOffsetSf { register, .. }
            | Instruction::Register { dest_register: register, .. }
            | Instruction::ValExpression { register, .. } => (register, Saved::Elsewhere),
            // A definition of the caller's frame that does not fit the one before.
            Instruction::DefCfaRegister { .. }
            | Instruction::DefCfaOffset { .. }
            | Instruction::DefCfaOffsetSf { .. } => return None,
            _ => return Some(()),
        };
        match register {
            X86_64::RBP => self.row.base = saved,
            X86_64::RA => self.row.back = saved,
            _ => {}
        }
        Some(())
    }
}

impl Row {
    /// Of other registers nothing is known, and nothing asked.
    fn of(&self, register: Register) -> Saved {
        match register {
            X86_64::RBP => self.base,
            X86_64::RA => self.back,
            _ => Saved::Elsewhere,
        }
    }
}

#[cfg(all(test, feature = "std"))]
mod tests {
    use super::{super::modules, *};
    use gimli::{
        CfaRule, CieOrFde, EhFrameHdr, Pointer, RegisterRule, UnwindContext, UnwindContextStorage,
        UnwindSection, UnwindTableRow,
    };

    struct Fixed;

    impl UnwindContextStorage<usize> for Fixed {
        type Rules = [(Register, RegisterRule<usize>); 32];
        type Stack = [UnwindTableRow<usize, Self>; 4];
    }

    fn saved(rule: Option<RegisterRule<usize>>) -> Saved {
        match rule {
            Some(RegisterRule::Offset(at)) => Saved::At(at),
            Some(RegisterRule::Expression(expression)) => Saved::Expression(expression),
            _ => Saved::Elsewhere,
        }
    }

    /// Every row of every function of the program and of the C library, as gimli has it.
    #[test]
    fn rows_are_those_of_whole_tables() {
        modules::prepare();
        let own = rows_are_those_of_whole_tables as *const () as usize;
        let libc = libc::getpid as *const () as usize;
        let compared: usize = [own, libc].into_iter().map(compare).sum();
        assert!(compared > 20_000, "{compared} rows");
    }

    fn compare(address: usize) -> usize {
        let object = modules::find(address).expect("an object that is loaded");
        // SAFETY: the tables lie in the object, which stays loaded.
        let bytes = |start: usize| unsafe {
            EndianSlice::new(
                core::slice::from_raw_parts(
                    core::ptr::with_exposed_provenance(start),
                    object.end - start,
                ),
                NativeEndian,
            )
        };
        let bases = BaseAddresses::default().set_eh_frame_hdr(object.eh_frame as u64);
        let header = bytes(object.eh_frame);
        let header = EhFrameHdr::from(header).parse(&bases, 8).unwrap();
        let Pointer::Direct(start) = header.eh_frame_ptr() else { panic!("no frames") };
        let bases = bases.set_eh_frame(start);
        let frames = EhFrame::from(bytes(start as usize));
        let mut entries = frames.entries(&bases);
        let mut count = 0;
        while let Some(entry) = entries.next().unwrap() {
            let CieOrFde::Fde(function) = entry else { continue };
            let function = function.parse(EhFrame::cie_from_offset).unwrap();
            count += compare_function(&function, &frames, &bases);
        }
        count
    }

    fn compare_function(
        function: &Function,
        frames: &EhFrame<Bytes>,
        bases: &BaseAddresses,
    ) -> usize {
        let mut context = UnwindContext::<usize, Fixed>::new_in();
        let mut table = function.rows(frames, bases, &mut context).unwrap();
        let mut count = 0;
        while let Some(row) = table.next_row().unwrap() {
            let expected = Row {
                begin: match *row.cfa() {
                    CfaRule::RegisterAndOffset { register, offset } => {
                        Begin::Register(register, offset)
                    }
                    CfaRule::Expression(expression) => Begin::Expression(expression),
                },
                base: saved(row.register(X86_64::RBP)),
                back: saved(row.register(X86_64::RA)),
            };
            for address in [row.start_address(), row.end_address() - 1] {
                assert_eq!(row_at(function, frames, bases, address), Some(expected));
            }
            count += 1;
        }
        count
    }
}
