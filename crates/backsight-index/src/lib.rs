//! The symbol index: functions, inlined calls and source lines of a module by address, as
//! sorted tables in one file.
//!
//! An index is built once, from any source of functions and lines. It is opened without
//! reading all of it: a lookup reads a few rows of the mapped file.
//! `docs/index-format.md` in the repository describes each byte of it.
//!
//! ```
//! use backsight_index::{
//!     CallSite, FunctionName, IndexBuilder, IndexView, ReadOptions, SymbolIndex, ViewOptions,
//! };
//! use backsight_types::VirtOffset;
//!
//! // Build an index from the data of some source.
//! let mut index = IndexBuilder::default();
//! let main = index.function(&[0x1000..0x1040], FunctionName::plain("main"))?;
//! let call = CallSite::at("main.c", 7);
//! index.inlined(main, &[0x1010..0x1018], FunctionName::plain("square"), call)?;
//! index.line(0x1000..0x1010, "main.c", 5, 1)?;
//! index.line(0x1010..0x1018, "square.h", 2, 1)?;
//!
//! // Write it, open it again, and look up an address.
//! let directory = tempfile::tempdir()?;
//! let path = directory.path().join("main.index");
//! index.finish()?.write(&path)?;
//! let index = SymbolIndex::open(&path, ReadOptions::default())?;
//! let view = IndexView::new(index, ViewOptions::default());
//! let frames: Vec<_> = view.look_up(VirtOffset(0x1012)).into_iter().flatten().collect();
//! assert_eq!(frames[0].function, Some("square"));
//! assert_eq!((frames[0].file, frames[0].line), (Some("square.h"), Some(2)));
//! assert_eq!((frames[1].function, frames[1].line), (Some("main"), Some(7)));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! An [`IndexDir`] keeps indexes by build ID, for several processes.
//!
//! The crate reads neither DWARF nor ELF (`backsight-symbolize` builds indexes from
//! them), uses no processes and no paths under `/proc`, prints nothing and reads no
//! environment variables. Index files are untrusted: the header and the sizes of the
//! tables are checked when a file is opened, each page and each number where it is used,
//! and [`SymbolIndex::verify`] checks everything.

#![forbid(unsafe_code)]
#![warn(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::missing_errors_doc,
    clippy::missing_panics_doc,
    clippy::print_stdout,
    clippy::print_stderr
)]

mod build;
mod builder;
mod byte_count;
mod directory;
mod format;
mod index_full;
mod lookup;
mod name;
mod overlaps;
mod read_options;
mod symbol_index;

pub use builder::{CallSite, FunctionName, IndexBuilder, LevelId};
pub use directory::{Binding, IndexDir};
pub use format::{IndexCause, IndexError};
pub use index_full::IndexFull;
pub use lookup::{
    Frame, FrameRef, Frames, Hit, IndexView, PendingSearch, StackFrames, ViewOptions,
};
pub use read_options::ReadOptions;
pub use symbol_index::{SymbolIndex, TableSize};

/// Internals that `backsight-symbolize` uses to build indexes: parts of units,
/// overlapping ranges, names. They are not covered by semantic versioning; use
/// [`IndexBuilder`] instead.
#[doc(hidden)]
pub mod engine {
    pub use crate::build::{
        Block, CodeOffsets, LineRow, ListedSymbol, MergeInput, NoSymbols, PathParts, RawName,
        SequenceRow, SymbolList, TableSymbols, UnitPart, UnitRanges, is_absolute, merge,
    };
    pub use crate::byte_count::{ByteCount, bytes_of, wide};
    pub use crate::format::{CallNode, Le16, Le32, NONE};
    pub use crate::lookup::known_in;
    pub use crate::name::{Name, Spelling, lossy, text_bytes};
    pub use crate::overlaps::{
        OverlapScratch, Overlaps, RankedRange, ValueChange, innermost, sort,
    };
}
