//! Why a task has no result.

/// Exit status if something needed is unavailable, which is not a failure of the suites. Other
/// test tools use it, too.
pub(crate) const CANNOT_BE_HAD: u8 = 77;

/// Why a task has no result.
#[derive(Debug)]
pub(crate) enum Stop {
    /// A tool, a package or the network is missing.
    CannotBeHad(String),
    /// Everything needed is available, but something failed.
    Failed(String),
}

impl Stop {
    /// Treats a failure as unavailability, where it does not concern what is tested.
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
