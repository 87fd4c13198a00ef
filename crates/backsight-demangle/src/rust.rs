//! Demangles Rust names of both schemes.

use std::fmt::{self, Write as _};

/// The hash of a legacy name: `17h`, sixteen digits, and the `E` after them.
const HASH_BYTES: usize = 20;

/// Returns whether a name is Rust's. Legacy names are also valid C++ names; only the hash tells:
/// `17h` and sixteen hexadecimal digits before the final `E`.
pub(crate) fn is_rust(name: &str) -> bool {
    if name.starts_with("_R") {
        return true;
    }
    let Some(path) = name.strip_prefix("_ZN") else {
        return false;
    };
    // The hash is almost always at the end.
    let last = path.len().saturating_sub(HASH_BYTES);
    let anywhere = || {
        let mut hashes = path.match_indices("17h");
        hashes.any(|(at, _)| is_hash(path.get(at..)))
    };
    is_hash(path.get(last..)) || anywhere()
}

fn is_hash(text: Option<&str>) -> bool {
    let Some(hash) = text.and_then(|text| text.strip_prefix("17h")) else {
        return false;
    };
    let digits = hash.bytes().take(16).filter(u8::is_ascii_hexdigit).count();
    let rest = hash.get(16..).unwrap_or_default();
    digits == 16 && (rest == "E" || rest.starts_with("E."))
}

pub(crate) fn demangle(name: &str, limit: usize) -> Option<String> {
    let rust = rustc_demangle::try_demangle(name).ok()?;
    let mut bounded = Bounded {
        // The demangled form is rarely longer.
        text: String::with_capacity(name.len()),
        limit,
    };
    write!(bounded, "{rust:#}").ok()?;
    Some(bounded.text)
}

/// A string that fails to grow beyond its limit.
struct Bounded {
    text: String,
    limit: usize,
}

impl fmt::Write for Bounded {
    fn write_str(&mut self, more: &str) -> fmt::Result {
        if self.text.len().saturating_add(more.len()) > self.limit {
            return Err(fmt::Error);
        }
        self.text.push_str(more);
        Ok(())
    }
}
