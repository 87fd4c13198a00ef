//! Symbol sources other than ELF tables and DWARF.
//!
//! | source | what it is |
//! |---|---|
//! | [`bpf`] | lines of BPF programs, which the kernel keeps |
//! | [`breakpad`] | functions, lines, inlined calls and unwinding rules as text, written by `dump_syms` |
//! | [`go_pclntab`] | the table of functions, files, lines and inlined calls of Go's runtime, also in stripped programs |
//! | [`go_build_info`] | the release of Go that built a program |
//! | [`gsym`] | functions, lines and inlined calls, written by `llvm-gsymutil` |
//! | [`kallsyms`] | the functions of a running kernel, its modules and BPF programs, from `/proc/kallsyms` |
//!
//! The caller passes bytes, and the addresses at which they are mapped ([`Memory`]). The
//! crate opens no files and reads no ELF: `backsight-symbolize` does, and decides the order
//! in which sources are used.
//!
//! All input is untrusted: offsets and counts are checked where they are used, loops are
//! bounded, and an inconsistent table is reported as damaged.

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
pub mod bpf;
pub mod breakpad;
mod bytes;
mod function_record;
pub mod go_build_info;
pub mod go_pclntab;
pub mod gsym;
pub mod kallsyms;
pub mod linker_marks;
mod memory;

pub use memory::{MappedPart, Memory, Relocation};
