//! Demangles C++, Rust, D and Ada names.
//!
//! ```
//! use backsight_demangle::demangle;
//!
//! let name = demangle("_Z3addITk3NumiET_S0_S0_", 1000);
//! assert_eq!(name.as_deref(), Some("int add<int>(int, int)"));
//! assert_eq!(demangle("main", 1000), None);
//! ```
//!
//! The scheme is recognized by the name itself: `_Z` is C++, `_R` is Rust, as is `_Z` with a
//! hash at the end, and `_D` is D. Ada names look like C names, so [`demangle_ada`] is for names
//! known to be Ada's. Swift names (`$s…`) are not supported.
//!
//! Names are untrusted input: they may be nested to any depth, and back references let a short
//! name expand to gigabytes. So time, depth and length are bounded. If a bound is reached, or a
//! name is not understood, there is no demangled name, and the caller shows the raw one.

#![forbid(unsafe_code)]
#![warn(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::missing_errors_doc,
    clippy::missing_panics_doc
)]

mod ada;
mod dlang;
mod itanium;
mod rust;
mod suffix;

pub use ada::demangle_ada;

/// Returns the demangled form of a C++, Rust (legacy or v0) or D name.
///
/// Suffixes appended by linkers and compilers are kept: a version unchanged (`f(int)@V1`), and
/// each clone in brackets (`f(int) [clone .cold]`). A Rust name loses its hash and its
/// `.llvm.1234`.
///
/// Returns `None` if the name is not mangled or not understood, or if it or its demangled form
/// has more than `limit` bytes.
#[must_use]
pub fn demangle(name: &str, limit: usize) -> Option<String> {
    if name.len() > limit || !name.starts_with('_') {
        return None;
    }
    let (mangled, version) = suffix::split_version(name);
    let mut text = scheme(mangled, limit)?;
    if text.is_empty() || text.len().checked_add(version.len())? > limit {
        return None;
    }
    text.push_str(version);
    Some(text)
}

fn scheme(mangled: &str, limit: usize) -> Option<String> {
    if rust::is_rust(mangled) {
        return rust::demangle(mangled, limit);
    }
    if mangled.starts_with("_D") {
        return dlang::demangle(mangled, limit);
    }
    itanium::demangle(mangled, limit)
}

/// The examples of the README.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
