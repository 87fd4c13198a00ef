//! From registers and the memory of a stack to return addresses, by the call frame
//! information (CFI) of the files that a process has mapped.
//!
//! ```text
//!   registers ──▶ row of the CFI for this address ──▶ the caller's registers ──▶ ...
//!   no row: a guess, by frame pointers; it counts only where it leads into code
//! ```
//!
//! Bytes in, addresses out: nothing is opened here and no process is asked. x86-64,
//! the 32 bits of x86, and AArch64; in little-endian ELF files.
//!
//! - **Every number is taken for hostile.** An expression of the CFI may not jump
//!   backwards, so it ends; what a walk may evaluate, how many frames a stack may have and
//!   how long the description of one function may be is bounded. What passes a bound ends
//!   the stack, and [`WalkEnd`] says so.
//! - **No frame is invented.** A guessed frame that does not lie in executable memory is
//!   none, and nothing comes behind it.
//! - **Return addresses come as code addresses**: on AArch64 without the bits that sign
//!   them.
//!
//! Sources: DWARF 5, section 6.4; the Linux Standard Base 5.0, section 10.6, for
//! `.eh_frame` and `.eh_frame_hdr`; the processor supplements of the System V ABI for
//! x86-64 (chapter 3) and for i386 (table 2.14), and "DWARF for the Arm 64-bit Architecture" for the numbers of
//! registers.

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
mod step;
mod walker;

pub use call_frames::CallFrames;
pub use code_map::{CodeMap, MappedCode};
pub use end::WalkEnd;
pub use file_idx::FileIdx;
pub use machine::Machine;
pub use registers::Registers;
pub use walker::{WalkedFrame, Walker};

/// The examples of the README.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
