//! Which file of a build ID is wanted.

use std::fmt;

use backsight_symbolize::SoughtKind;

/// Which file of a build ID.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum FileKind {
    /// The file with the debug information: a separate debug file, or the supplementary file
    /// of `dwz`, which has a build ID of its own.
    DebugInfo,
    /// The executable or library itself.
    Executable,
}

impl FileKind {
    /// Returns the last part of its address, which is also its name in the cache.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::DebugInfo => "debuginfo",
            Self::Executable => "executable",
        }
    }

    /// Returns the kind that holds what a symbolizer looks for; `None` for what no server
    /// has by a build ID.
    pub(crate) fn of(kind: SoughtKind) -> Option<Self> {
        match kind {
            SoughtKind::DebugFile | SoughtKind::Supplementary => Some(Self::DebugInfo),
            SoughtKind::Module => Some(Self::Executable),
            _ => None,
        }
    }
}

impl fmt::Display for FileKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
