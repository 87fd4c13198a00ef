//! Symbols that neither ELF tables nor DWARF have.
//!
//! | source | what it is |
//! |---|---|
//! | [`breakpad`] | functions, lines, inlined calls and unwinding rules as text, as `dump_syms` writes them |
//! | [`go_pclntab`] | the table of functions, files, lines and inlined calls that Go's runtime keeps in every program, stripped ones too |
//! | [`go_build_info`] | which release of Go made a program |
//! | [`gsym`] | functions, lines and inlined calls as `llvm-gsymutil` writes them |
//! | [`kallsyms`] | the functions of a running kernel, its modules and BPF programs, as it lists them |
//!
//! A source is given bytes and the addresses they are mapped at ([`Memory`]). It opens no
//! file and reads no ELF: `backsight-symbolize` does, and decides in which order sources are
//! asked.
//!
//! Every byte is taken for hostile: offsets and counts are checked where they are used,
//! walks are bounded, and a table that contradicts itself is said to be damaged.

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
pub mod breakpad;
mod bytes;
mod function_record;
pub mod go_build_info;
pub mod go_pclntab;
pub mod gsym;
pub mod kallsyms;
mod memory;

pub use memory::{MappedPart, Memory, Relocation};
