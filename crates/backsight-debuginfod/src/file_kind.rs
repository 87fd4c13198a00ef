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
    /// A source file, by its path in the debug information.
    Source,
}

impl FileKind {
    /// Those of which a build ID has one.
    pub(crate) const SINGLE: [Self; 2] = [Self::DebugInfo, Self::Executable];

    /// Returns the component of its URL behind the build ID, with which its name in the cache
    /// begins.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::DebugInfo => "debuginfo",
            Self::Executable => "executable",
            Self::Source => "source",
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
