//! A file of a store, as `backsight store ls` lists it.

use backsight_types::{BuildId, DebugId};
use serde::Serialize;

use super::text::{self, HexBytes};

/// A file of a store.
#[derive(Clone, Debug, Serialize)]
#[serde(tag = "type", rename = "stored")]
pub struct StoredLine<'a> {
    kind: &'a str,
    #[serde(skip_serializing_if = "Option::is_none", with = "text::option")]
    build_id: Option<BuildId>,
    #[serde(skip_serializing_if = "Option::is_none", with = "text::option")]
    debug_id: Option<DebugId>,
    size: u64,
    last_used: u64,
    name: String,
    #[serde(skip_serializing_if = "Option::is_none", with = "text::option")]
    name_hex: Option<HexBytes>,
    path: String,
    #[serde(skip_serializing_if = "Option::is_none", with = "text::option")]
    path_hex: Option<HexBytes>,
}

impl<'a> StoredLine<'a> {
    /// Creates the line of a file of this kind (`executable`, `debuginfo`, `gsym`, `breakpad`).
    /// `size` is in bytes, `last_used` in seconds since 1970, and `name` is the one that the file
    /// had where it was added from.
    #[must_use]
    pub fn new(kind: &'a str, path: &[u8], name: &[u8], size: u64, last_used: u64) -> Self {
        let (path, path_hex) = HexBytes::beside_text(path);
        let (name, name_hex) = HexBytes::beside_text(name);
        Self {
            kind,
            build_id: None,
            debug_id: None,
            size,
            last_used,
            name,
            name_hex,
            path,
            path_hex,
        }
    }

    /// Sets the build ID, or the debug ID by which a Breakpad file is found.
    #[must_use]
    pub fn with_ids(self, build_id: Option<BuildId>, debug_id: Option<DebugId>) -> Self {
        Self {
            build_id,
            debug_id,
            ..self
        }
    }
}
