//! Rows of call frame information from elsewhere than `.eh_frame` and `.debug_frame`.

use std::fmt::Debug;

use gimli::{Encoding, Format};

use crate::machine::Machine;
use crate::row::{Cfa, Row, Saved};

/// Knows how to unwind in the code of one file: another format than DWARF's.
pub trait RowSource: Debug + Send + Sync {
    /// Returns the rules at an address of the file; `None` if there are none.
    fn row(&self, address: u64) -> Option<SourceRow>;
}

/// How the caller's registers follow from the callee's. Registers have the numbers of DWARF.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SourceRow {
    /// The canonical frame address (CFA): a register and an offset in bytes.
    pub cfa: (u16, i64),
    /// The registers that have a rule. That of
    /// [`Machine::return_address`] gives the caller's address; without it there is no caller.
    pub saved: Vec<(u16, CallerValue)>,
}

impl SourceRow {
    /// Creates a row.
    #[must_use]
    pub fn new(cfa: (u16, i64), saved: Vec<(u16, CallerValue)>) -> Self {
        Self { cfa, saved }
    }
}

/// The caller's value of a register.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CallerValue {
    /// It cannot be recovered. Of the return address: there is no caller.
    Undefined,
    /// The word in memory at this offset from the CFA, in bytes.
    AtCfa(i64),
    /// The CFA plus this offset, in bytes.
    Cfa(i64),
    /// The callee's value of a register.
    Register(u16),
}

impl CallerValue {
    fn saved(self, register: u16) -> Saved {
        match self {
            Self::Undefined => Saved::Undefined,
            Self::AtCfa(offset) => Saved::At(offset),
            Self::Cfa(offset) => Saved::Is(offset),
            Self::Register(same) if same == register => Saved::Same,
            Self::Register(other) => Saved::Register(other),
        }
    }
}

/// Returns the row as the walker uses it. It has no expressions, and so no section.
pub(crate) fn row_of(source: &SourceRow, machine: Machine) -> Row {
    let (register, offset) = source.cfa;
    let saved = source.saved.iter();
    let saved = saved.map(|(register, value)| (*register, value.saved(*register)));
    Row {
        cfa: Cfa::Register { register, offset },
        saved: saved.collect(),
        return_address: machine.return_address(),
        is_signal: false,
        encoding: Encoding {
            format: Format::Dwarf32,
            version: 4,
            address_size: machine.word_size(),
        },
        section: None,
    }
}
