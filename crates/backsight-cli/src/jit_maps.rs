//! Whose lists of names of code that was made at run time are read: the same for all
//! commands.

use backsight::MapsOf;
use clap::ValueEnum;

/// Whose lists of names are read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum JitMaps {
    /// Those of the user who runs this, and of root
    #[default]
    Own,
    /// Those of other users too
    All,
    /// None
    None,
}

impl From<JitMaps> for MapsOf {
    fn from(whose: JitMaps) -> Self {
        match whose {
            JitMaps::Own => Self::Own,
            JitMaps::All => Self::All,
            JitMaps::None => Self::Nobody,
        }
    }
}
