//! Unwinds stacks: from registers and stack memory to return addresses, with the call frame
//! information (CFI) of the files that a process has mapped.
//!
//! ```text
//!   registers ──▶ row of the CFI for this address ──▶ the caller's registers ──▶ ...
//!   no row: a guess by frame pointers, accepted only if it leads into code
//! ```
//!
//! It takes bytes and returns addresses: it opens no file and accesses no process. It supports
//! x86-64, 32-bit x86 and AArch64, with little-endian ELF files.
//!
//! - **All input is untrusted.** The steps of a CFI expression, the expressions of a walk, the
//!   frames of a stack, and the length of a function's CFI are bounded. A stack that exceeds a
//!   bound ends there, and [`WalkEnd`] says so.
//! - **No frame is invented.** A guessed frame that is not in executable memory is dropped, and
//!   the stack ends before it.
//! - **Return addresses are code addresses**: on AArch64, without the signature bits of pointer
//!   authentication.
//!
//! Sources: DWARF 5, section 6.4; the Linux Standard Base 5.0, section 10.6, for `.eh_frame` and
//! `.eh_frame_hdr`; for register numbers, the processor supplements of the System V ABI for
//! x86-64 (chapter 3) and i386 (table 2.14), and "DWARF for the Arm 64-bit Architecture".

#![forbid(unsafe_code)]
#![warn(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::cast_possible_truncation,
    clippy::missing_errors_doc,
    clippy::missing_panics_doc
)]

mod call_frames;
mod code_map;
mod end;
mod expression;
mod fde_index;
mod file_idx;
mod frame_section;
mod guess;
mod machine;
mod packed;
mod registers;
mod row;
mod row_choice;
mod row_source;
mod step;
mod walker;

pub use call_frames::CallFrames;
pub use code_map::{CodeMap, MappedCode};
pub use end::WalkEnd;
pub use file_idx::FileIdx;
pub use machine::Machine;
pub use registers::Registers;
pub use row_source::{CallerValue, RowSource, SourceRow};
pub use walker::{WalkedFrame, Walker};

/// Compiles the examples of the README.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
