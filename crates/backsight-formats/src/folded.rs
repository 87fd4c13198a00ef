//! Folded stacks: a stack a line, outermost first, and its value.
//!
//! ```text
//! survey;main;survey::read;survey::aim 42
//! survey;main;libc.so.6+0x8e123 1
//! survey;[unmapped] 3
//! ```
//!
//! What `stackcollapse-perf.pl` writes and `flamegraph.pl` reads. There is no time, no
//! unit and no module in it: stacks that read alike are one, and their values a sum.
//! Inlined functions stand in the order of their calls, as if they had been called.
//! Names are escaped by [`Folded`](crate::escape::Folded), and the last blank of a name
//! that ends as `worker 1` does: two numbers at the end of a line are those of a
//! comparison (`difffolded.pl`).

mod read;
mod tree;
mod value;
mod write;

pub use read::{Error, is_one, read};
pub use write::{RootFrame, write};
