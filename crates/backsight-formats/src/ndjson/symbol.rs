//! What `backsight inspect` lists.

use backsight_types::VirtOffset;
use serde::Serialize;

use super::text;

/// A function, object or label that a file defines.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "type", rename = "symbol")]
pub struct SymbolLine<'a> {
    /// Its name for the linker.
    pub name: &'a str,
    /// Its name for people, when it is another one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub function: Option<&'a str>,
    /// `function`, `object` or `label`.
    pub kind: &'a str,
    /// Where it begins.
    #[serde(with = "text")]
    pub start: VirtOffset,
    /// Its bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub size: Option<u64>,
    /// The source file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<&'a str>,
    /// The line that it begins on, from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<u32>,
}
