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
//! From the bottom up: `die/` walks over the bytes of a unit and makes `functions/`,
//! `lines/` and `ranges/`, which know nothing of other units; `units/` knows the limits, has
//! all units of a file, keeps the tables of each beside it and leads from one to another,
//! which names need; `files/` has the sections. `lookup` asks them all for one address,
//! `flatten` for all of a unit.

mod damage;
mod die;
mod fault;
mod files;
mod flatten;
mod found;
mod functions;
mod lines;
mod lookup;
mod ranges;
mod units;

pub(crate) use fault::Fault;
pub(crate) use files::file::{DwarfFile, FileUnits};
pub(crate) use flatten::Scratch;
pub(crate) use found::{Found, Level};
pub(crate) use lines::line::Location;
