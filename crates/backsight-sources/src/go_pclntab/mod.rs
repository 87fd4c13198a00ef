//! The table of functions, files, lines and inlined calls of Go's runtime (`.gopclntab`).
//! Every Go program has it, and `-s -w` and `strip` do not remove it.
//!
//! ```text
//!   header     magic, smallest instruction, size of an address, offsets of the parts
//!   functab    entry of a function ─▶ its record             ascending: binary search
//!   record     name, and runs of numbers for its code:
//!   runs         bytes of code ─▶ file      bytes of code ─▶ line
//!                bytes of code ─▶ row of the inline tree
//!   tree       inlined functions and the locations of the calls; outside the table, in
//!              the linker's symbol go:func.*
//! ```
//!
//! There are four layouts with different magic numbers, since Go 1.2, 1.16, 1.18 and
//! 1.20. Inlined calls are supported since Go 1.14.
//!
//! [`GoTable::open`] checks the header and that the functions ascend. A lookup does a
//! binary search and reads the runs of one function. [`GoTable::units`] lays out the
//! whole table for an index.
//!
//! Names are those that Go prints in a traceback: `main.(*T).Method`, `main.Map[...]`.

mod body;
mod call_tree;
mod functions;
mod header;
mod levels;
mod lowered;
mod module_data;
mod names;
mod open;
mod runs;
mod table;

pub use header::find_tables;
pub use levels::{GoAnswer, GoLevel, GoLimits};
pub use lowered::GoUnits;
pub use names::GoNames;
pub use open::begins_as_table;
pub use table::GoTable;
