//! The symbol index as sorted tables.
//!
//! ```text
//!   virtual offset ─windows─▶ code offset ─┬─scopes─▶ node ─parent─▶ … ─▶ root
//!                                          └─lines──▶ spot: file, line, column
//! ```
//!
//! A *code offset* is an offset in the concatenation of all code sections, so that 32
//! bits suffice for any addresses. A *node* is one call level: an inlined call, or at the
//! root the function itself.
//!
//! The tables have the same layout in memory and in a file. Files are untrusted: the
//! header and the sizes of the tables are checked when a file is opened, and each number
//! where it is used.

mod buckets;
mod checks;
mod demangled;
mod error;
mod file;
mod header;
mod layout;
mod meta;
mod pages;
mod strings;
mod table;
mod windows;

pub(crate) use buckets::{bucket_shift, buckets};
pub use error::{IndexCause, IndexError};
pub(crate) use header::MAGIC;
pub(crate) use layout::{
    Bucket, Extent, FileRecord, FunctionRecord, NodeRow, OffsetRow, SourceSpot, Window,
};
pub use layout::{CallNode, Le16, Le32, NONE};
pub(crate) use meta::IndexMeta;
#[cfg(test)]
pub(crate) use strings::get as text_at;
pub(crate) use strings::{IndexStrings, PointerMap, empty, push as push_text};
pub(crate) use table::{FlatIndex, IndexParts, TableRows};
pub(crate) use windows::{code_offset, virt_offset, window_at};
