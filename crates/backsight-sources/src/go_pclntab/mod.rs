//! The table by which Go's runtime knows functions, files, lines and inlined calls
//! (`.gopclntab`). It is in every program that Go makes, and `-s -w` and `strip` leave it.
//!
//! ```text
//!   header     magic, smallest instruction, size of an address, where the parts are
//!   functab    entry of a function ─▶ its record                     ascending: bisected
//!   record     name, and which runs of numbers hold for its code:
//!   runs         bytes of code ─▶ file      bytes of code ─▶ line
//!                bytes of code ─▶ row of the inline tree
//!   tree       function that was folded in, and where it was called; outside the table, in
//!              what the linker calls go:func.*
//! ```
//!
//! Four layouts are told apart by their magic: of Go 1.2, 1.16, 1.18 and 1.20 to today's.
//! Inlined calls are read from Go 1.14 on.
//!
//! [`GoTable::open`] checks the header and that the functions ascend; a lookup then bisects
//! and reads the runs of one function. [`GoTable::units`] lays all out for an index.
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
pub use table::GoTable;
