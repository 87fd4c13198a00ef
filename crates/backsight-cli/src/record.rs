//! `backsight record`: samples running processes, and writes a profile with functions and lines.
//!
//! ```text
//!   target ──▶ Agent ──▶ profile ──▶ functions and lines ──▶ file
//!               └ samples, lost …  ──▶ status line               └▶ hottest functions
//! ```

mod clock;
mod flags;
mod hottest;
mod launch;
mod names;
mod next_step;
mod no_samples;
mod not_running;
mod privileges;
mod rewritten_files;
mod saved;
mod session;
mod status;
mod target_flags;
mod unidentified;

pub(crate) use flags::{Record, parse_time};
pub(crate) use launch::Launched;
pub(crate) use privileges::{Uses, drop_others};
pub(crate) use target_flags::{TargetFlags, Whom};
