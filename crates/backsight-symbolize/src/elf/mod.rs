//! ELF: sections, their bytes, and symbols. 32 and 64 bits, either byte order.

mod dropped;
mod dynamic;
mod file;
mod headed;
mod layout;
mod links;
mod mini;
mod opd;
mod plt;
mod relocate;
mod section;
mod section_bytes;
mod slots;
mod stub;
mod symbol_table;
mod symbols;
mod table_faults;

pub(crate) use file::{ElfFile, for_each};
pub(crate) use links::{AltLink, Proof};
pub(crate) use mini::mini_debug_info;
pub(crate) use section::Section;
pub(crate) use section_bytes::{Loading, SectionBytes};
pub(crate) use symbol_table::{Row, SymbolKind, TableKind};
pub(crate) use symbols::{Symbol, SymbolTable, Symbols};
