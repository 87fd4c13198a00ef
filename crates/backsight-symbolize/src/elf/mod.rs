//! ELF: sections, their bytes, and symbols. 32 and 64 bits, either byte order.

mod dropped;
mod dynamic;
mod file;
mod headers;
mod layout;
mod links;
mod loaded;
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
pub(crate) use loaded::for_each_address;
pub(crate) use mini::mini_debug_info;
pub(crate) use section::ElfSection;
pub(crate) use section_bytes::{SectionBytes, SectionLoader};
pub(crate) use symbol_table::{SymbolKind, SymbolRow, TableKind};
pub(crate) use symbols::{ElfSymbol, SymbolSet, SymbolTable};
