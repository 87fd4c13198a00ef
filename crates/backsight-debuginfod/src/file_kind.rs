//! The kinds of files of a build ID.

use std::fmt;

use backsight_symbolize::SoughtKind;

/// A kind of file of a build ID.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum FileKind {
    /// The file with the debug information: a separate debug file, or the supplementary
    /// file of `dwz`, which has its own build ID.
    DebugInfo,
    /// The executable or library itself.
    Executable,
}

impl FileKind {
    /// Returns the last component of its URL, which is also its name in the cache.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::DebugInfo => "debuginfo",
            Self::Executable => "executable",
        }
    }

    /// Returns the kind for a file that a symbolizer searches; `None` if servers do not
    /// have such files by build ID.
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
