//! What is known of an index as a whole.

use backsight_types::BuildId;

/// What stands in its header beside where the tables are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct IndexMeta {
    pub(crate) build_id: Option<BuildId>,
    /// A bucket of the search tables holds `1 << bucket_shift` code offsets.
    pub(crate) bucket_shift: u32,
    /// The most inlined calls above one another.
    pub(crate) inline_depth: u32,
    /// Whether a limit left something out.
    pub(crate) limited: bool,
    /// Whether debug information, or a file that it names, was not found.
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
