//! The version of the format.

/// The version that is written, and the newest that is read.
pub const SCHEMA_VERSION: u64 = 1;
