//! The description of a symbol index by `backsight index`.

use backsight_types::BuildId;
use serde::Serialize;

use super::text::{self, HexBytes};

/// A symbol index file.
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

/// A table of a symbol index.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct JsonTable<'a> {
    /// The name of the table.
    pub name: &'a str,
    /// The number of rows.
    pub rows: u64,
    /// The size in bytes.
    pub bytes: u64,
}

impl<'a> IndexLine<'a> {
    /// Creates the line. `size` is the size of the file in bytes, `limit_reached` says whether
    /// something was left out because of a limit, and `tables` are in the order of the file.
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
