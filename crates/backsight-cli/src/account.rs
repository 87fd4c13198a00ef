//! How it is said what a conversion came to: a few lines, or JSON, on standard error.
//!
//! The figures are [`backsight::account`]'s.

mod ends;
mod help;
mod maps;
mod said;
mod say;

pub(crate) use maps::amiss as map_amiss;
pub(crate) use said::{Said, When};
pub(crate) use say::say;
