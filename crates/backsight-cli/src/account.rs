//! Reports the account of a conversion on standard error, as a few lines or as JSON.
//!
//! The figures are those of [`backsight::account`].

mod ends;
mod flags;
mod help;
mod maps;
mod report;

pub(crate) use flags::{AccountFlags, When};
pub(crate) use help::{NAMES as MADE_NAMES, module_advice};
pub(crate) use maps::LiveListReport;
pub(crate) use report::report;
