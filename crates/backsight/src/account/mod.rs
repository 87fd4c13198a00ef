//! What reading, looking up and writing came to, counted.
//!
//! ```text
//!   samples, as they are handed on ──▶ Tally ──▶ Account
//! ```
//!
//! Every sample that was read is written or left out by a cause, and every frame has a
//! name or a reason. Frames are weighed by the samples that they are in. A stream of lines
//! has no profile, and a [`LineTally`] instead.

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
