//! A row of the CFI: how to compute the caller's registers from the callee's.

use gimli::{
    CfaRule, Encoding, RegisterRule, UnwindContext, UnwindOffset, UnwindSection, UnwindTableRow,
};

use crate::expression::{Bytes, MAX_EXPRESSION_BYTES};
use crate::frame_section::{Fde, FrameSection};

/// The canonical frame address (CFA): the value of the stack pointer before the call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cfa {
    Register { register: u16, offset: i64 },
    Expression(ExpressionRange),
}

/// The rule for the caller's value of a register.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Saved {
    /// The value is not recoverable. For the return address: there is no caller.
    Undefined,
    Same,
    /// In memory, at this offset from the CFA.
    At(i64),
    /// The value is the CFA plus this offset.
    Is(i64),
    Register(u16),
    AtExpression(ExpressionRange),
    IsExpression(ExpressionRange),
}

/// The bytes of an expression, as a range of its section.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ExpressionRange {
    pub(crate) start: usize,
    pub(crate) len: usize,
}

/// A parsed row.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    pub(crate) cfa: Cfa,
    pub(crate) saved: Box<[(u16, Saved)]>,
    pub(crate) return_address: u16,
    /// A signal frame: its caller was interrupted, so the caller's address is exact.
    pub(crate) is_signal: bool,
    pub(crate) encoding: Encoding,
    /// The section of the file that contains the row's expressions; `None` if it has none.
    pub(crate) section: Option<usize>,
}

/// Higher numbers are vector and floating-point registers.
const MAX_REGISTER: u16 = 32;

impl Row {
    /// Reads the row for an address in the function of `fde`. Returns `None` if there is no
    /// usable row.
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
            section: Some(number),
        })
    }

    /// Returns the rule for a register; `None` if there is none.
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

fn bounded(start: usize, len: usize) -> Option<ExpressionRange> {
    (len <= MAX_EXPRESSION_BYTES).then_some(ExpressionRange { start, len })
}

/// A rule that is not supported counts as undefined.
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
