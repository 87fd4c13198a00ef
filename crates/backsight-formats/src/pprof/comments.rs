//! The comments of a file that are ours, and say what its addresses are.

/// The comment of files whose addresses are virtual offsets.
pub const VIRTUAL_OFFSETS: &str = "backsight: addresses are virtual offsets";

/// How the comment begins that excepts the file name behind it.
pub const FILE_OFFSETS: &str = "backsight: addresses are file offsets in ";
