//! DWARF 2 to 5: from an address to functions, inlined functions and lines.
//!
//! ```text
//!   addr ──units──▶ unit ──functions──▶ function ──inlines──▶ call levels
//!                     └────lines──────▶ row: file, line, column
//! ```
//!
//! Each arrow is a [`Cover`](backsight_index::engine::Cover) built when first needed and
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
mod damage;
mod entry;
mod fault;
mod file;
mod flatten;
mod form;
mod found;
mod fuel;
mod function;
mod held;
mod home;
mod index;
mod inline;
mod line;
mod links;
mod name;
mod plan;
mod prefix;
mod program;
mod range;
mod range_list;
mod root;
mod roots;
mod scope;
mod sections;
mod slice;
mod split;
mod tables;
mod text;
mod unit;
mod unit_map;
mod units;
mod values;
mod walk;
mod whole;

pub(crate) use fault::Fault;
pub(crate) use file::{DwarfFile, FileUnits};
pub(crate) use flatten::Scratch;
pub(crate) use found::{Found, Level};
pub(crate) use line::Location;
