//! Files that are missing, damaged or cut off, recorded for diagnostics.

use std::fmt;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use crate::packer::Packer;

/// A file that answers lack something of.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Shortfall {
    /// The file that has it, or that names it; `None` for bytes without a path.
    pub path: Option<PathBuf>,
    /// In which way.
    pub kind: ShortfallKind,
}

impl Shortfall {
    /// In this file, in this way.
    #[must_use]
    pub fn new(path: Option<PathBuf>, kind: ShortfallKind) -> Self {
        Self { path, kind }
    }
}

/// In which way a file is less than it should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ShortfallKind {
    /// It names another file, a `.dwo`, a `.dwp` or one that dwz made, which was not found.
    Missing,
    /// It is there, and was not read: a debug file, or a file that debug information names, that is
    /// damaged or of another build. [`Symbolizer::sought`](crate::Symbolizer::sought) says why.
    Refused,
    /// A part of it cannot be read. What precedes that part is used.
    Damaged,
    /// A symbol table, or what belongs to it, cannot be read as a whole.
    DamagedSymbols,
    /// The file ends before what its headers say is in it.
    CutOff,
    /// A symbol file that is text has this many lines that cannot be read. The others are
    /// used.
    UnreadLines(u64),
    /// A symbol file refers this many times to files or names by numbers that it does not have.
    MissingTexts(u64),
    /// A symbol file has this many functions that begin inside of another, which then ends
    /// there, or that begin where another does, and are not used.
    Overlapping(u64),
    /// A part of it, or of a file that goes with it, is packed, and this build cannot unpack it.
    NotBuilt(Packer),
}

impl fmt::Display for ShortfallKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::UnreadLines(count) => {
                return write!(
                    f,
                    "{count} of its lines cannot be read: functions, inlined functions or lines \
                     may be missing"
                );
            }
            Self::MissingTexts(count) => {
                return write!(
                    f,
                    "{count} of its references are to files or names that it does not have: names \
                     or lines may be missing"
                );
            }
            Self::Overlapping(count) => {
                return write!(
                    f,
                    "{count} of its functions overlap others: functions or lines may be missing"
                );
            }
            Self::NotBuilt(packer) => {
                return write!(
                    f,
                    "a part of it is packed by {packer}, and this program was built without the \
                     feature `{packer}`: names, inlined functions or lines may be missing"
                );
            }
            Self::Missing => {
                "a file that its debug information names (.dwo, .dwp, or of dwz) was not found: \
                 inlined functions, names or lines may be missing"
            }
            Self::Refused => {
                "inlined functions, names or lines of the module that it was looked for may be missing"
            }
            Self::Damaged => {
                "its debug information is damaged: functions, inlined functions or lines may be \
                 missing"
            }
            Self::DamagedSymbols => "a symbol table in it is damaged: names may be missing",
            Self::CutOff => {
                "it is cut off: it ends before what its headers say is in it, and names or lines \
                 may be missing"
            }
        })
    }
}

/// What was noted of one module; it outlives what was read of the module.
#[derive(Debug, Default)]
pub(crate) struct Shortfalls(Mutex<Vec<Shortfall>>);

impl Shortfalls {
    /// More files than go with one module by their names.
    const MAX: usize = 8;

    /// Notes it, once.
    pub(crate) fn note(&self, new: Shortfall) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // A file that is cut off is damaged as well: not listed twice.
        let is_known = |known: &Shortfall| {
            known.path == new.path && [new.kind, ShortfallKind::CutOff].contains(&known.kind)
        };
        if all.len() < Self::MAX && !all.iter().any(is_known) {
            all.push(new);
        }
    }

    pub(crate) fn list(&self) -> Vec<Shortfall> {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.clone()
    }
}
