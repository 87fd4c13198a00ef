//! Go programs built in several ways, and what Go and LLVM say of them.

mod oracle;
mod program;

pub use oracle::{Level, addr2line, are_same_calls, llvm, printed};
pub use program::{Build, Twins, WALK, build};
