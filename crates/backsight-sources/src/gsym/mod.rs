//! GSYM: functions, lines and inlined calls as LLVM's `llvm-gsymutil` writes them.
//!
//! ```text
//!   header ─▶ addresses (sorted) ─▶ offsets ─▶ function ─▶ lines
//!                                                   └──────▶ inlined calls
//!             files, texts ◀── numbers in the function
//! ```
//!
//! Version 1 is supported, in both byte orders.

mod cursor;
mod function;
mod header;
mod table;

pub use header::{GsymError, build_id_in};
pub use table::Gsym;
