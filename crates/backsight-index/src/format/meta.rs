//! The properties of a whole index.

use backsight_types::BuildId;

/// The fields of the header, except for the positions of the tables.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct IndexMeta {
    pub(crate) build_id: Option<BuildId>,
    /// A bucket covers `1 << bucket_shift` code offsets.
    pub(crate) bucket_shift: u32,
    /// The maximum number of nested inlined calls.
    pub(crate) inline_depth: u32,
    /// Whether it is incomplete because a limit was reached.
    pub(crate) limited: bool,
    /// Whether debug information, or a file that it refers to, was not found.
    pub(crate) incomplete: bool,
}

impl Default for IndexMeta {
    fn default() -> Self {
        Self {
            build_id: None,
            bucket_shift: 7,
            inline_depth: 128,
            limited: false,
            incomplete: false,
        }
    }
}
