//! A recording as a profile: what processes did is replayed, and every address of a
//! sample gets its place in a module.
//!
//! ```text
//!   perf.data ──▶ events ──▶ chains, each once ──▶ Replay ──▶ locations, stacks, samples
//! ```
//!
//! Samples repeat the same few chains. So a chain is looked up by its bytes first, and
//! only one that is new since its process last changed is replayed. That happens in
//! pieces: a piece ends when enough samples wait, and is then handed to whoever writes
//! it. What stays is what the profile's tables have, not the samples.

mod about;
mod build_ids;
mod builder;
mod chains;
mod columns;
mod dumped;
mod ends;
mod events;
mod execs;
mod files;
mod folder;
mod input;
mod kernel;
mod leaving;
mod made_code;
mod off_cpu;
mod people;
mod piece;
mod places;
mod reader;
mod registers;
mod spaces;
mod unwind;
mod written;

pub use builder::{Finished, ProfileBuilder};
pub use columns::is_called;
pub use ends::Ends;
pub use files::Unproven;
pub use folder::recording_files;
pub use input::{Recording, RecordingError, RecordingOptions};
pub use reader::PerfData;
pub use unwind::NotWalked;
