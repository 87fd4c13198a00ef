//! Counts what was read, symbolized and written.
//!
//! ```text
//!   samples ──▶ Tally ──▶ Account
//! ```
//!
//! Every sample that was read is either written or counted as left out, with a cause; every
//! frame has a name or a reason. Frames are weighted by the samples that contain them. A stream
//! of lines is counted by [`LineTally`], because it has no profile.

mod figures;
mod frame_counts;
mod left_out;
mod lines;
mod tally;

pub use figures::Account;
pub use frame_counts::FrameCounts;
pub use left_out::LeftOut;
pub use lines::LineTally;
pub use tally::Tally;
