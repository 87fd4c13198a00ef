//! Breakpad's symbol files: functions, lines, inlined calls and unwinding rules as text, which
//! `dump_syms` writes and symbol servers of crash reporters keep.
//!
//! ```text
//!   MODULE Linux x86_64 A5C2…0 name      which build
//!   FILE 0 a.c                           paths and names, by number
//!   INLINE_ORIGIN 0 square
//!   FUNC 1000 40 0 main                  a function,
//!   INLINE 0 7 0 0 1010 8                  calls inlined into it,
//!   1000 10 5 0                            and its lines
//!   PUBLIC 1040 0 start                  a symbol without a size
//!   STACK CFI INIT 1000 40 .cfa: $rsp 8 +
//! ```
//!
//! The file is read once, line by line: each line is checked, and what begins a record is noted
//! with its place. The rest of a function is read when its address is asked for, so that the
//! tables are small beside the text.
//!
//! Addresses count from the address of the first `PT_LOAD` segment, in bytes: 0 for shared
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
pub use error::BreakpadError;
pub use module_line::BreakpadModule;
pub use scan::BreakpadCounts;
pub use table::Breakpad;
