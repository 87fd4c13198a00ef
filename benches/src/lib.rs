//! The harness behind `cargo bench -p benches --bench ratios`.
//!
//! A figure in nanoseconds says something of one machine in one hour. A ratio of
//! two figures taken in turn says more, so that is all we promise: our time
//! against that of a *floor*, the least that any program must do, and against
//! that of *peers*.
//!
//! ```text
//!   row N1 ─▶ race: names alone        floor, ours, peers ─▶ table, JSON, verdicts
//!          └▶ race: with build IDs
//! ```
//!
//! | module | what it holds |
//! |---|---|
//! | [`race`] | contestants that run in turn |
//! | [`lane`] | how long one of them took |
//! | [`clock`] | what is taken for time |
//! | [`stats`] | medians and spreads |
//! | [`work`] | how much a call is asked |
//! | [`target`] | what a ratio must be, and whether it is |
//! | [`peak`] | what a process took at most |
//! | [`plot`] | lines over two axes, as SVG |
//! | [`report`] | the table and the JSON |
//! | [`command`] | the command line and the rows it selects |
//!
//! The rows themselves are in `benches/ratios`, one file a family. Nothing here
//! knows what is measured.

pub mod clock;
pub mod command;
pub mod counting;
pub mod lane;
pub mod peak;
pub mod plot;
pub mod race;
pub mod report;
pub mod stats;
pub mod target;
pub mod work;
