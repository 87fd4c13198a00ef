//! Names as people wrote them, out of names as linkers need them.
//!
//! ```
//! use backsight_demangle::demangle;
//!
//! let name = demangle("_Z3addITk3NumiET_S0_S0_", 1000);
//! assert_eq!(name.as_deref(), Some("int add<int>(int, int)"));
//! assert_eq!(demangle("main", 1000), None);
//! ```
//!
//! Which scheme a name is of shows in itself: `_Z` is C++, `_R` is Rust, and so is `_Z`
//! with a hash at its end, `_D` is D. Ada's looks like C, so [`demangle_ada`] is for names
//! that are known to be Ada's. Swift's (`$s…`) are not understood.
//!
//! A name is hostile input: it may nest without end, and mangling schemes have back
//! references, so that a short name can unfold to gigabytes. Time, depth and length are
//! bounded; where a bound is reached, as where a name is not understood, there is no
//! demangled name and the raw one stands.

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
/// What a linker or a compiler appends stays visible: a version as it is
/// (`f(int)@V1`), and clones apart (`f(int) [clone .cold]`). A Rust name loses its hash
/// and its `.llvm.1234`.
///
/// Returns `None` when the name is not mangled, cannot be understood, or when it or its
/// demangled form has more than `limit` bytes.
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
