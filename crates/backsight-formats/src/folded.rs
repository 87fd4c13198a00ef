//! Folded stacks: one stack per line, outermost function first, then its value.
//!
//! ```text
//! survey;main;survey::read;survey::aim 42
//! survey;main;libc.so.6+0x8e123 1
//! survey;[unmapped] 3
//! ```
//!
//! `stackcollapse-perf.pl` writes this format and `flamegraph.pl` reads it. It has no times, units
//! or modules: stacks with the same names become one line with the sum of their values. Inlined
//! functions are written like called ones, after their callers. Names are escaped by
//! [`Folded`](crate::escape::Folded). The last blank of a name such as `worker 1` is escaped, too:
//! two numbers at the end of a line would be the two values of a comparison (`difffolded.pl`).

mod options;
mod read;
mod tree;
mod value;
mod write;

pub use options::{Options, RootFrame};
pub use read::{Error, is_one, read};
pub use write::write;
