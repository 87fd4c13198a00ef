//! Of which build a symbol file is, by its first bytes.

use std::fmt;
use std::fs::File;
use std::os::unix::fs::FileExt;

use backsight_sources::breakpad::BreakpadModule;
use backsight_sources::gsym::{GsymError, build_id_in};
use backsight_types::{BuildId, DebugId};

use crate::error::Cause;

/// The first lines of a Breakpad file, and the header of GSYM, are in so many bytes.
const FIRST_BYTES: usize = 4096;

/// A symbol file in one of the formats that [`SymbolFile`](crate::SymbolFile) reads, and the
/// build that it is of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum SymbolFileId {
    /// GSYM has a build ID, or none.
    Gsym(Option<BuildId>),
    Breakpad(BreakpadModule),
}

impl SymbolFileId {
    /// Reads the first bytes of a file.
    pub(crate) fn read(file: &File) -> Result<Self, Cause> {
        let mut first = [0; FIRST_BYTES];
        let mut filled = 0_usize;
        while let Some(rest) = first.get_mut(filled..).filter(|rest| !rest.is_empty()) {
            let at = u64::try_from(filled).unwrap_or(u64::MAX);
            match file.read_at(rest, at) {
                Ok(0) => break,
                Ok(count) => filled = filled.saturating_add(count),
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error.into()),
            }
        }
        Self::of(first.get(..filled).unwrap_or_default())
    }

    fn of(first: &[u8]) -> Result<Self, Cause> {
        let part = "a symbol file";
        match build_id_in(first) {
            Ok(id) => return Ok(Self::Gsym(id)),
            Err(GsymError::NotGsym) => {}
            Err(GsymError::Version(_)) => {
                let wrong = "it is GSYM of another version than 1";
                return Err(Cause::Damaged { part, wrong });
            }
            Err(_) => {
                let wrong = "its header is cut off or damaged";
                return Err(Cause::Damaged { part, wrong });
            }
        }
        let module = BreakpadModule::read(first);
        module.map(Self::Breakpad).map_err(Cause::of_breakpad)
    }

    /// Returns whether it has the whole build ID. A debug ID has the first 16 bytes.
    pub(crate) fn has_build_id(&self) -> bool {
        match self {
            Self::Gsym(own) => own.is_some(),
            Self::Breakpad(module) => module.build_id.is_some(),
        }
    }

    /// Returns whether it is of this build.
    pub(crate) fn is_of(&self, id: &BuildId) -> bool {
        match self {
            Self::Gsym(own) => *own == Some(*id),
            Self::Breakpad(module) => module.is_of(id),
        }
    }

    /// Returns what files of the same build have, too: the debug ID, which of GSYM is made of
    /// the build ID.
    pub(crate) fn debug_id(&self) -> Option<DebugId> {
        match self {
            Self::Gsym(own) => own.map(|id| DebugId::of_build_id(&id)[0]),
            Self::Breakpad(module) => Some(module.debug_id),
        }
    }
}

impl fmt::Display for SymbolFileId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Gsym(Some(id)) => write!(f, "build ID {id}"),
            Self::Gsym(None) => f.write_str("no build ID"),
            Self::Breakpad(module) => match module.build_id {
                Some(id) => write!(f, "build ID {id}"),
                None => write!(f, "debug ID {}", module.debug_id),
            },
        }
    }
}
