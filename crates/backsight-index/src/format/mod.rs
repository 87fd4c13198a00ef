//! The flat symbol index: what a module's debug files say, as sorted tables.
//!
//! ```text
//!   virtual offset ─windows─▶ code offset ─┬─scopes─▶ node ─parent─▶ … ─▶ root
//!                                          └─lines──▶ spot: file, line, column
//! ```
//!
//! A *code offset* counts the bytes of all code sections laid end to end, so
//! that 32 bits suffice wherever the linker put them. A *node* is one call level
//! inside one function: an inlined call, or at the root the function itself.
//!
//! The same tables serve in memory and, as [`open`](Index::open) and
//! [`write`](Index::write) have them, in a file. A file is hostile until proven
//! otherwise: its frame is checked when it is opened, and each number in it
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

pub(crate) use buckets::buckets;
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
