//! DWARF 2 to 5: from an address to functions, inlined functions and lines.
//!
//! ```text
//!   addr ──units──▶ unit ──functions──▶ function ──inlines──▶ call levels
//!                     └────lines──────▶ row: file, line, column
//! ```
//!
//! Each arrow is an [`Overlaps`](backsight_index::engine::Overlaps), built when first needed
//! and kept: of units per file, of functions and lines per unit, of inlined calls per
//! function. No walk recurses, and each spends [`Fuel`], which is limited by the bytes of
//! input.
//!
//! From the bottom up: `die/` walks over the bytes of a unit. `functions/`, `lines/` and
//! `ranges/` are tables of one unit. `units/` lists the units of a file, keeps the tables
//! of each, and follows references between units, which names need. `files/` has the
//! sections. `lookup` answers for one address, `flatten` for a whole unit.

mod answer;
mod damage;
mod die;
mod fault;
mod files;
mod flatten;
mod functions;
mod lines;
mod lookup;
mod ranges;
mod units;

pub(crate) use answer::{DwarfAnswer, DwarfLevel};
pub(crate) use fault::Fault;
pub(crate) use files::file::{DwarfFile, FileUnits};
pub(crate) use flatten::FlattenScratch;
pub(crate) use lines::line_table::SourceLocation;
