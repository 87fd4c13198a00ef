//! The harness behind `cargo bench -p benches --bench ratios`.
//!
//! Times in nanoseconds depend on the machine and its load. A ratio of two times measured
//! alternately depends much less on them, so we state only ratios: of our time to that of a
//! *floor*, the minimal work of any program, and to that of *peers*.
//!
//! ```text
//!   row N1 ─▶ race: names alone        floor, ours, peers ─▶ table, JSON, verdicts
//!          └▶ race: with build IDs
//! ```
//!
//! | module | contents |
//! |---|---|
//! | [`race`] | contestants measured alternately |
//! | [`lane`] | the times of a contestant |
//! | [`clock`] | the clocks |
//! | [`stats`] | medians and spreads |
//! | [`work`] | the amount of work per call |
//! | [`target`] | targets for ratios, and verdicts |
//! | [`peak`] | the peak memory of a process |
//! | [`plot`] | line plots as SVG |
//! | [`report`] | the table and the JSON |
//! | [`command`] | the command line and the rows it selects |
//!
//! The rows are in `benches/ratios`, one file per family. This library is independent of what is
//! measured.

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
