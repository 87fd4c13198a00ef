//! Why a chore has no result: what it needs is not here, or does not work.

/// Says that what is needed is not to be had here: no failure of the suites. Other
/// test tools use it so.
pub(crate) const CANNOT_BE_HAD: u8 = 77;

/// Why there is no result.
#[derive(Debug)]
pub(crate) enum Stop {
    /// A tool, a package or the net is missing.
    CannotBeHad(String),
    /// All is there, and does not work.
    Failed(String),
}

impl Stop {
    /// Turns a failure into a lack, where it says nothing of what is to be shown.
    pub(crate) fn into_lack(self) -> Self {
        match self {
            Self::CannotBeHad(why) | Self::Failed(why) => Self::CannotBeHad(why),
        }
    }
}

impl From<String> for Stop {
    fn from(why: String) -> Self {
        Self::Failed(why)
    }
}
