//! A profile in a file of any format that is read and written.

pub(crate) mod error;
pub(crate) mod file;
pub(crate) mod format;
pub(crate) mod notes;
pub(crate) mod options;
mod read;
mod write;
