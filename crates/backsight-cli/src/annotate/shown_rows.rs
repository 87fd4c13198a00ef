//! What is shown of a function.

/// What is shown of a function.
#[derive(Clone, Copy, Debug)]
pub(super) struct ShownRows {
    pub(super) has_source: bool,
    pub(super) has_code: bool,
    /// The hottest rows alone, so many.
    pub(super) rows: Option<usize>,
    /// All rows.
    pub(super) is_whole: bool,
}
