//! What `backsight index` says of a symbol index.

use backsight_types::BuildId;
use serde::Serialize;

use super::text::{self, HexBytes};

/// A symbol index: one file.
#[derive(Clone, Debug, Serialize)]
#[serde(tag = "type", rename = "index")]
pub struct IndexLine<'a> {
    path: String,
    #[serde(skip_serializing_if = "Option::is_none", with = "text::option")]
    path_hex: Option<HexBytes>,
    #[serde(skip_serializing_if = "Option::is_none", with = "text::option")]
    build_id: Option<BuildId>,
    size: u64,
    limit_reached: bool,
    tables: &'a [JsonTable<'a>],
}

/// One table of a symbol index.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct JsonTable<'a> {
    /// What it holds.
    pub name: &'a str,
    /// How many rows it has.
    pub rows: u64,
    /// What they take.
    pub bytes: u64,
}

impl<'a> IndexLine<'a> {
    /// Takes the path, the module's build ID, the file's size in bytes, whether a
    /// limit left something out, and the tables in the order of the file.
    #[must_use]
    pub fn new(
        path: &[u8],
        build_id: Option<BuildId>,
        size: u64,
        limit_reached: bool,
        tables: &'a [JsonTable<'a>],
    ) -> Self {
        let (path, path_hex) = HexBytes::beside_text(path);
        Self {
            path,
            path_hex,
            build_id,
            size,
            limit_reached,
            tables,
        }
    }
}
