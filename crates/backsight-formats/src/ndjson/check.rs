//! What `backsight doctor` found.

use serde::Serialize;

/// One thing that a kernel and a user can do, or cannot.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "type", rename = "check")]
pub struct CheckLine<'a> {
    /// Its name, one of a fixed set.
    pub name: &'a str,
    /// `ok`, `limited` or `missing`.
    pub state: &'a str,
    /// What was found, for people.
    pub found: &'a str,
    /// What to do about it, for people; absent when there is nothing to do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub advice: Option<&'a str>,
}
