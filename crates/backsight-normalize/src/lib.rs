//! Converts absolute addresses of a process to modules and offsets.
//!
//! An address that a profiler recorded is valid only on the same machine and in the same
//! process. Normalizing makes it portable:
//!
//! ```text
//!   AbsAddr ──VMA──▶ module (device, inode, build ID) + FileOffset
//!                      └─ its segments ──▶ VirtOffset
//! ```
//!
//! ```
//! use backsight_normalize::{Options, Session};
//! use backsight_types::{AbsAddr, Outcome};
//!
//! # fn main() -> Result<(), backsight_normalize::Error> {
//! let mut session = Session::open_self(Options::default())?;
//! let here = AbsAddr(main as *const () as u64);
//! let mut outcomes = Vec::new();
//! session.normalize(&[here, AbsAddr(0)], &mut outcomes)?;
//!
//! let Outcome::Located { module, file_offset } = outcomes[0] else { panic!() };
//! let module = &session.modules()[module.as_usize()].module;
//! println!("{}+{file_offset}, build ID {:?}", module.path_lossy(), module.build_id);
//! assert_eq!(outcomes[1], Outcome::Unresolved(backsight_types::Reason::Unmapped));
//! # Ok(())
//! # }
//! ```
//!
//! Addresses in executable, file-backed memory and in the vDSO are located. Every other
//! address gets the reason why it is not. There is one outcome for each address, in the
//! caller's order; one bad address or file never affects the others. The crate prints
//! nothing and reads no environment variables.

#![forbid(unsafe_code)]
#![warn(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::cast_possible_truncation,
    clippy::missing_errors_doc,
    clippy::missing_panics_doc,
    clippy::print_stdout,
    clippy::print_stderr
)]
#![cfg_attr(
    test,
    expect(clippy::arithmetic_side_effects, reason = "tests choose their numbers")
)]

mod address_space;
mod answers;
mod batch;
mod build_id;
mod exact_index;
mod executable_vma;
mod image;
mod index;
mod live;
mod load_bias;
mod mapped_headers;
mod memory;
mod missed;
mod module_file;
mod module_identity;
mod modules;
mod normalizer;
mod options;
mod packing;
mod page_index;
mod page_numbers;
mod process;
mod recorded;
mod remapped_text;
mod replay;
mod rewritten;
mod session;
mod shared_modules;
mod span;
mod trace_modules;
mod vdso;
mod vma_cache;

pub use backsight_types::trace::{CapturedAddrs, KERNEL_PID, Mmap, ProcessChange, ProcessRecord};
pub use backsight_types::{
    AbsAddr, AbsRange, FileOffset, Module, ModuleIdx, Outcome, Reason, VirtOffset,
};
pub use vma_query::{Backend, Error, FileError, Snapshot};

pub use image::{ModuleImage, NormalizedModule};
pub use normalizer::{Normalized, normalize, normalize_self, normalize_snapshot, normalize_text};
pub use options::{BuildIds, Options, Trust};
pub use replay::{CodeMapping, Replay, Replayed, replay};
pub use session::Session;
pub use shared_modules::{ModulesRef, SharedModules};

/// Compiles the examples of the README.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
