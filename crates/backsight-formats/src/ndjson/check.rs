//! The findings of `backsight doctor`.

use serde::Serialize;

/// A finding of `backsight doctor`: something that the kernel and the user allow, or not.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "type", rename = "check")]
pub struct CheckLine<'a> {
    /// Its name, from a fixed set.
    pub name: &'a str,
    /// `ok`, `limited` or `missing`.
    pub state: &'a str,
    /// What was found, as text for people.
    pub found: &'a str,
    /// What to do about it, as text for people; absent if there is nothing to do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub advice: Option<&'a str>,
}
