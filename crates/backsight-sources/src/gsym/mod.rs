//! GSYM: functions, lines and inlined calls as LLVM's `llvm-gsymutil` writes them.
//!
//! ```text
//!   header ─▶ addresses (ascending, bisected) ─▶ offsets ─▶ function ─▶ lines
//!                                                              └──────▶ inlined calls
//!             files, texts ◀── numbers of the function ─────────┘
//! ```
//!
//! Version 1, in both byte orders.

mod cursor;
mod function;
mod header;
mod table;

pub use header::{GsymError, build_id_in};
pub use table::Gsym;
