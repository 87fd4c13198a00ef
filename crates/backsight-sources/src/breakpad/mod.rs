//! Breakpad's symbol files: functions, lines, inlined calls and unwinding rules as text, which
//! `dump_syms` writes and symbol servers of crash reporters keep.
//!
//! ```text
//!   MODULE Linux x86_64 A5C2…0 name      the build
//!   FILE 0 a.c                           paths and names, by number
//!   INLINE_ORIGIN 0 square
//!   FUNC 1000 40 0 main                  a function,
//!   INLINE 0 7 0 0 1010 8                  calls inlined into it,
//!   1000 10 5 0                            and its lines
//!   PUBLIC 1040 0 start                  a symbol without a size
//!   STACK CFI INIT 1000 40 .cfa: $rsp 8 +
//! ```
//!
//! When the file is opened, all lines are read once: each line is checked, and the offset
//! of each record is stored. The lines of a function are read when one of its addresses
//! is looked up, so that the tables are much smaller than the text.
//!
//! Addresses are relative to the first `PT_LOAD` segment, whose address is 0 in shared
//! libraries and position-independent programs.
//!
//! Source: `docs/symbol_files.md` of Breakpad.

mod cfi;
mod cfi_rule;
mod error;
mod fields;
mod function;
mod inline_tree;
mod lines;
mod module_line;
mod record;
mod scan;
mod table;
mod text_table;

pub use cfi::{CfiRow, CfiRows};
pub use cfi_rule::{CfiRule, CfiToken};
pub use error::{BreakpadClaim, BreakpadError};
pub use module_line::BreakpadModule;
pub use scan::BreakpadCounts;
pub use table::Breakpad;
