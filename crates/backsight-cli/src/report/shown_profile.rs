//! The profile that is reported.

use std::path::Path;

use backsight_profile::Profile;

use super::amount::Measured;

/// A profile, the value of it that is shown, and how.
pub(crate) struct ShownProfile<'p> {
    pub(crate) profile: &'p Profile,
    pub(crate) value: u32,
    pub(crate) input: &'p Path,
    pub(crate) measured: Measured<'p>,
}
