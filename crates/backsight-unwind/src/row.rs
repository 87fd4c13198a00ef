//! One row of the CFI: how to come from a function's registers to its caller's.

use gimli::{
    CfaRule, Encoding, RegisterRule, UnwindContext, UnwindOffset, UnwindSection, UnwindTableRow,
};

use crate::expression::{Bytes, MAX_LEN};
use crate::frame_section::{Fde, FrameSection};

/// Where the canonical frame address (CFA) is: what the stack pointer was before the call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cfa {
    Register { register: u16, offset: i64 },
    Expression(Place),
}

/// Where the caller's value of a register is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Saved {
    /// Nowhere. For the return address: there is no caller.
    Undefined,
    Same,
    /// In memory, so far from the CFA.
    At(i64),
    /// It is an address so far from the CFA.
    Is(i64),
    Register(u16),
    AtExpression(Place),
    IsExpression(Place),
}

/// Bytes of the section that the row is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) start: usize,
    pub(crate) len: usize,
}

/// A row that was read.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    pub(crate) cfa: Cfa,
    pub(crate) saved: Box<[(u16, Saved)]>,
    pub(crate) return_address: u16,
    /// The kernel made this frame: the one below stands where it was interrupted.
    pub(crate) is_signal: bool,
    pub(crate) encoding: Encoding,
    /// Which of the file's sections expressions stand in.
    pub(crate) section: usize,
}

/// Registers beyond these are of vectors and floating point.
const MAX_REGISTER: u16 = 32;

impl Row {
    /// Reads the row for an address, which lies in the function of `fde`. `None` when there
    /// is none that can be used.
    pub(crate) fn read(
        context: &mut UnwindContext<usize>,
        section: &FrameSection,
        number: usize,
        fde: &Fde<'_>,
        address: u64,
    ) -> Option<Self> {
        let row = match section.is_eh_frame() {
            true => find(context, &section.as_eh_frame(), section, fde, address)?,
            false => find(context, &section.as_debug_frame(), section, fde, address)?,
        };
        let cfa = match row.cfa() {
            CfaRule::RegisterAndOffset { register, offset } => Cfa::Register {
                register: register.0,
                offset: *offset,
            },
            CfaRule::Expression(place) => Cfa::Expression(bounded(place.offset, place.length)?),
        };
        let mut saved = Vec::new();
        for (register, rule) in row.registers() {
            if register.0 <= MAX_REGISTER {
                saved.push((register.0, where_saved(rule)));
            }
        }
        Some(Self {
            cfa,
            saved: saved.into(),
            return_address: fde.cie().return_address_register().0,
            is_signal: fde.is_signal_trampoline(),
            encoding: fde.cie().encoding(),
            section: number,
        })
    }

    /// Returns where a register is; `None` when no rule speaks of it.
    pub(crate) fn saved(&self, register: u16) -> Option<Saved> {
        let found = self.saved.iter().find(|(number, _)| *number == register);
        found.map(|(_, saved)| *saved)
    }
}

fn find<'a, 'c, S>(
    context: &'c mut UnwindContext<usize>,
    section: &S,
    in_file: &'a FrameSection,
    fde: &Fde<'a>,
    address: u64,
) -> Option<&'c UnwindTableRow<usize>>
where
    S: UnwindSection<Bytes<'a>>,
    S::Offset: UnwindOffset<usize>,
{
    fde.unwind_info_for_address(section, in_file.bases(), context, address)
        .ok()
}

fn bounded(start: usize, len: usize) -> Option<Place> {
    (len <= MAX_LEN).then_some(Place { start, len })
}

/// What cannot be evaluated is a value that is nowhere.
fn where_saved(rule: &RegisterRule<usize>) -> Saved {
    let place = |place: &gimli::UnwindExpression<usize>| bounded(place.offset, place.length);
    match rule {
        RegisterRule::SameValue => Saved::Same,
        RegisterRule::Offset(offset) => Saved::At(*offset),
        RegisterRule::ValOffset(offset) => Saved::Is(*offset),
        RegisterRule::Register(register) => Saved::Register(register.0),
        RegisterRule::Expression(at) => place(at).map_or(Saved::Undefined, Saved::AtExpression),
        RegisterRule::ValExpression(is) => place(is).map_or(Saved::Undefined, Saved::IsExpression),
        _ => Saved::Undefined,
    }
}
