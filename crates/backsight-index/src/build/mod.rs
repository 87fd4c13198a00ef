//! Builds an index from parts, one for each unit, in parallel.
//!
//! ```text
//!   part ─┐
//!   part ─┼─merge─▶ scopes, lines ─symbols fill the gaps─▶ index
//!   part ─┘
//! ```
//!
//! The caller decides which unit is used for addresses of several units ([`UnitRanges`]),
//! and which symbol for addresses of none ([`SymbolList`]).

mod blocks;
mod code_offsets;
mod files;
mod functions;
mod gaps;
mod layout;
mod merge;
mod merge_input;
mod nodes;
mod part;
mod path;
mod raw_name;
mod spots;
mod symbol_list;
mod unit_ranges;

pub use code_offsets::CodeOffsets;
pub use merge::merge;
pub use merge_input::{MergeInput, TableSymbols};
pub use part::{Block, LineRow, SequenceRow, UnitPart};
pub use path::{PathParts, is_absolute};
pub use raw_name::RawName;
pub use symbol_list::{ListedSymbol, NoSymbols, SymbolList};
pub use unit_ranges::UnitRanges;
