//! Symbols by what `st_info` has: binding and type.

use testkit::elf::Symbol;

pub(crate) const LOCAL: u8 = 0x00;
pub(crate) const GLOBAL: u8 = 0x10;
pub(crate) const WEAK: u8 = 0x20;
pub(crate) const UNTYPED: u8 = 0;
pub(crate) const OBJECT: u8 = 1;
pub(crate) const FUNCTION: u8 = 2;
pub(crate) const INDIRECT: u8 = 10;

pub(crate) fn symbol(name: &str, value: u64, size: u64, info: u8) -> Symbol {
    Symbol {
        info,
        ..Symbol::function(name, value, size)
    }
}
