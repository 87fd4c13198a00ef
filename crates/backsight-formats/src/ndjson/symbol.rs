//! The symbols that `backsight inspect` lists.

use backsight_types::VirtOffset;
use serde::Serialize;

use super::text;

/// A function, object or label that a file defines.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "type", rename = "symbol")]
pub struct SymbolLine<'a> {
    /// Its linkage name.
    pub name: &'a str,
    /// Its demangled name, if it differs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub function: Option<&'a str>,
    /// `function`, `object` or `label`.
    pub kind: &'a str,
    /// Its start address.
    #[serde(with = "text")]
    pub start: VirtOffset,
    /// Its size in bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub size: Option<u64>,
    /// The source file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<&'a str>,
    /// The line on which it starts, counted from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<u32>,
}
