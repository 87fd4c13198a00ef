//! DWARF 2 to 5: from an address to functions, inlined functions and lines.
//!
//! ```text
//!   addr ──units──▶ unit ──functions──▶ function ──inlines──▶ call levels
//!                     └────lines──────▶ row: file, line, column
//! ```
//!
//! Each arrow is a [`Cover`](crate::cover::Cover) built when first needed and
//! kept: units when the file is opened, functions and lines per unit, inlined
//! calls per function. No walk recurses, and each spends [`Fuel`], of which
//! there is only so much per byte of input.
//!
//! From the bottom up: a `unit` knows its bytes, and the limits, by its `home`; a
//! `walk` over it makes `function`, `inline` and `line` tables, which know nothing
//! of other units; `tables` keeps them beside their unit, `units` has all of a file,
//! and `links` leads from one to another, which names need. The `index` asks them
//! all for one address, `flatten` for all of a unit.

mod abbrev;
mod allowance;
mod aranges;
mod arena;
mod companions;
mod compile;
mod cursor;
mod entry;
mod file;
mod flatten;
mod form;
mod fuel;
mod function;
mod held;
mod home;
mod index;
mod inline;
mod line;
mod links;
mod name;
mod part;
mod path;
mod plan;
mod prefix;
mod program;
mod range;
mod range_list;
mod root;
mod roots;
mod scope;
mod sections;
mod split;
mod tables;
mod text;
mod unit;
mod unit_map;
mod units;
mod values;
mod walk;
mod whole;

pub(crate) use file::{DwarfFile, FileUnits};
pub(crate) use flatten::Scratch;
pub(crate) use line::Location;
pub(crate) use name::RawName;
pub(crate) use part::{Block, LineRow, UnitPart};
pub(crate) use path::PathParts;

use fuel::Fuel;

use crate::name::Name;

/// Bytes in the file's byte order.
type Slice<'d> = gimli::EndianSlice<'d, gimli::RunTimeEndian>;

/// Why something of the DWARF is not to be had.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// It contradicts itself, ends too early, or is of a kind we do not read.
    Malformed,
    /// A limit was reached.
    Limit,
}

impl From<gimli::Error> for Fault {
    fn from(_: gimli::Error) -> Self {
        Self::Malformed
    }
}

/// One call level as DWARF has it.
#[derive(Clone, Debug)]
pub(crate) struct Level {
    pub(crate) name: Name,
    pub(crate) location: Location,
    pub(crate) inlined: bool,
    /// Where the physical function starts; `None` when inlined.
    pub(crate) start: Option<u64>,
}

/// What DWARF knows of one address.
#[derive(Clone, Debug, Default)]
pub(crate) struct Found {
    /// Innermost first; empty when no function is known there.
    pub(crate) levels: Vec<Level>,
    /// Where the line table alone knows the address: hand-written assembly.
    pub(crate) location: Option<Location>,
    /// Whether linkers may know the physical function by a mangled name, though its DIE
    /// does not say so.
    pub(crate) mangles: bool,
    /// Whether something was left out because of a limit.
    pub(crate) limited: bool,
}
