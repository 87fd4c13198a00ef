//! Converts a recording to a profile: replays the mappings of its processes, and resolves each
//! sampled address to a module and an offset.
//!
//! ```text
//!   perf.data ──▶ events ──▶ distinct chains ──▶ Replay ──▶ locations, stacks, samples
//! ```
//!
//! Samples repeat few distinct chains. So a chain is first looked up in a cache by its bytes,
//! and replayed only if it is new since the mappings of its process last changed. The recording
//! is processed in pieces: a piece ends when enough samples are buffered, and is then handed to
//! the writer. Only the tables of the profile stay in memory, not the samples.

mod about;
mod archives;
mod build_ids;
mod builder;
mod chains;
mod columns;
mod completion;
mod dumped;
mod ends;
mod events;
mod execs;
mod exited;
mod files;
mod folder;
mod injected;
mod input;
mod kernel;
mod labels;
mod last_stacks;
mod live_files;
mod made_code;
mod made_memory;
mod nameless_code;
mod off_cpu;
mod piece;
mod places;
mod read_map;
mod reader;
mod registers;
mod spaces;
mod taking;
mod text_answer;
mod thread_events;
mod threads;
mod told_code;
mod unwind;
mod written;

pub use builder::{Finished, ProfileBuilder};
pub use columns::is_called;
pub use ends::Ends;
pub use files::Unproven;
pub use folder::recording_files;
pub use input::{Recording, RecordingError, RecordingOptions};
pub use labels::{ProcessLabel, ProcessLabelValue};
pub use reader::PerfData;
pub use unwind::NotWalked;
