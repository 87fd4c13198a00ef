//! ELF: sections, their bytes, and symbols. 32 and 64 bits, either byte order.

mod dropped;
mod dynamic;
mod file;
mod layout;
mod links;
mod mini;
mod opd;
mod plt;
mod relocate;
mod section;
mod slots;
mod stub;
mod symbol_table;
mod symbols;
mod table_faults;
mod unpack;

pub(crate) use file::ElfFile;
pub(crate) use links::{AltLink, Proof};
pub(crate) use mini::{mini_debug_info, unpack as unpack_xz};
pub(crate) use section::{Loading, Section, SectionBytes};
pub(crate) use symbol_table::{Row, SymbolKind, TableKind, for_each};
pub(crate) use symbols::{Symbol, SymbolTable, Symbols};
pub(crate) use unpack::{Growing, UnpackError};
