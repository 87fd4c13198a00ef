//! `backsight record`: samples running processes, and writes a profile with functions and lines.
//!
//! ```text
//!   target ──▶ Agent ──▶ profile ──▶ functions and lines ──▶ file
//!               └ samples, lost …  ──▶ status line               └▶ hottest functions
//! ```

mod flags;
mod hottest;
mod launch;
mod saved;
mod session;
mod status;

pub(crate) use flags::Record;
pub(crate) use launch::Launched;
