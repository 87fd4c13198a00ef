//! From an offset in a module to its functions, inlined calls and source lines.
//!
//! ```
//! use backsight_symbolize::{ModuleInput, Options, Place, Request, Symbolizer};
//! use backsight_types::{Lookup, VirtOffset};
//!
//! let symbolizer = Symbolizer::new(Options::default());
//! let input = ModuleInput::open(&std::env::current_exe()?)?;
//! let module = symbolizer.add(input, None, None);
//! let request = Request::new(module, Place::Virt(VirtOffset(0x1000)), Lookup::Exact);
//! for frames in symbolizer.symbolize(&[request]) {
//!     match frames {
//!         Ok(frames) => println!("{:?}", frames.first()),
//!         Err(reason) => println!("[{reason}]"),
//!     }
//! }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! A [`Symbolizer`] is given modules (an open file, bytes, or a build ID alone) and then
//! batches of [`Request`]s. It returns one value per request, in the caller's order:
//! [`Frames`], innermost first, or the [`Reason`] why there are none. One bad file or
//! address never fails a batch.
//!
//! The crate never sees a process: no pid, no path under `/proc`. It prints nothing, reads no
//! environment and uses no network. It does not trust a file: sums are checked, walks are
//! loops and not recursion, sizes are checked before anything is allocated, and [`Limits`]
//! bounds the rest.
//!
//! # Sources
//!
//! The best of these that has an answer is used (where a program of Go has no DWARF, its line
//! table `.gopclntab` comes first):
//!
//! 1. DWARF 2 to 5 in the separate debug file, found by build ID or by debug link,
//!    else in the module itself; with the parts of it that are in `.dwo` files, in a
//!    `.dwp` package, or in a supplementary file (dwz);
//! 2. ELF symbols: `.symtab` of the debug file, of the module and of its
//!    MiniDebugInfo, then `.dynsym`.
//!
//! Other sources ([`SymbolSource`]) can be added, before these or after them: a file of
//! symbols in a format of its own is a [`SymbolFile`], and [`Options::symbol_files`] finds it
//! by build ID.
//!
//! Relocatable object files and kernel modules are laid out in memory first: their code
//! sections get consecutive virtual offsets, in file order and with their alignment,
//! initialization (`.init…`) last. With a single code section, a virtual offset is the offset
//! in it.
//!
//! # Where to read
//!
//! | from top to bottom | |
//! |---|---|
//! | `symbolizer`, `batch`, `groups` | a batch, split by module and address |
//! | `module`, `files` | one module: what was read of it, and from where |
//! | `source`, `fetch` | the two seams: symbols and files from elsewhere |
//! | `locate/` | finds debug files, and proves that they are the right ones |
//! | `dwarf/` | DWARF: one address (`lookup`), or a whole unit (`flatten`) |
//! | `elf/` | ELF headers, sections, symbols and PLT stubs |
//! | `module_index` | a whole module as an index of `backsight-index` |
//!
//! [`Reason`]: backsight_types::Reason

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
mod answers;
mod batch;
mod budget;
mod built_index;
mod damage_reporter;
mod definitions;
mod diagnostics;
mod distinct_estimate;
mod dwarf;
mod elf;
mod error;
mod fetch;
mod fetch_error;
mod files;
mod go_lines;
mod go_program;
mod groups;
mod kernel;
mod limits;
mod locate;
mod module;
mod module_index;
mod module_list;
mod module_numbers;
mod naming;
mod open_files;
mod options;
mod oversized;
mod packed;
mod packer;
mod rayon_once;
mod request;
mod setters;
mod shortfall;
mod sought;
mod source;
mod symbol_catalog;
mod symbol_file;
mod symbol_file_id;
mod symbol_files;
mod symbol_list;
mod symbol_start;
mod symbol_tables;
mod symbolizer;
mod threads;
mod trace;
mod unpack;
mod xz;

pub use answers::{Answers, Stack};
pub use backsight_demangle::demangle;
pub use backsight_files::{Access, FileError, IoError};
pub use backsight_index::{
    CallSite, Frame, FrameRef, Frames, FunctionName, IndexBuilder, IndexCause, IndexDir,
    IndexError, IndexFull, LevelId, ReadOptions, StackFrames, SymbolIndex, TableSize,
};
pub use backsight_sources::bpf::{BpfLines, BpfSource};
pub use backsight_sources::breakpad::{
    BreakpadCounts, BreakpadModule, CfiRow, CfiRows, CfiRule, CfiToken,
};
pub use backsight_sources::kallsyms::{Kallsyms, KallsymsError, KernelCode, KernelSymbol};
pub use budget::{Budget, Usage};
pub use built_index::BuiltIndex;
pub use definitions::{Definition, DefinitionKind};
pub use error::{Cause, Error};
pub use fetch::{Fetch, Fetched, Wanted};
pub use fetch_error::FetchError;
pub use go_program::GoProgram;
pub use limits::Limits;
pub use locate::{find_debug_file as open_debug_file, find_module as open_module, open_kallsyms};
pub use options::{Options, Tier};
pub use oversized::Oversized;
pub use packed::unpacked_file;
pub use packer::Packer;
pub use request::{ModuleId, ModuleInput, NewModule, Place, Request};
pub use shortfall::{Shortfall, ShortfallKind};
pub use sought::{Sought, SoughtKind};
pub use source::{Detail, SymbolSource, Turn};
pub use symbol_file::{SymbolFile, SymbolFormat};
pub use symbol_files::SymbolFiles;
pub use symbol_start::{symbol_start, symbol_start_in_debug_file};
pub use symbolizer::Symbolizer;
