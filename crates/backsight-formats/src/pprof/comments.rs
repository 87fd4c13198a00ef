//! The comments by which backsight marks what the addresses of a file are.

/// Marks a file whose addresses are virtual offsets.
pub const VIRTUAL_OFFSETS: &str = "backsight: addresses are virtual offsets";

/// The start of a comment that exempts a file name, which follows, from [`VIRTUAL_OFFSETS`].
pub const FILE_OFFSETS: &str = "backsight: addresses are file offsets in ";
