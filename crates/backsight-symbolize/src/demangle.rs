//! Names as people wrote them, out of names as linkers need them.
//!
//! Mangling schemes have back references, so a short name can unfold to
//! gigabytes. The writer below stops at a limit; then, as with every name that
//! is not understood, the raw name stands.

use std::fmt::{self, Write as _};

use cpp_demangle::DemangleOptions;

/// Returns the demangled form of a Rust (legacy or v0) or C++ name.
///
/// A Rust name loses its hash. What compilers append to either (`.cold`,
/// `.part.0`) stays visible; the `.llvm.1234` of a Rust name is dropped.
///
/// Returns `None` when the name is not mangled, cannot be understood, or when it
/// or its demangled form has more than `limit` bytes.
#[must_use]
pub fn demangle(name: &str, limit: usize) -> Option<String> {
    if name.len() > limit {
        return None;
    }
    if !name.starts_with("_Z") && !name.starts_with("_R") {
        return None;
    }
    let mut bounded = Bounded {
        // It seldom grows.
        text: String::with_capacity(name.len()),
        limit,
    };
    if is_rust(name) {
        let rust = rustc_demangle::try_demangle(name).ok()?;
        write!(bounded, "{rust:#}").ok()?;
    } else {
        let symbol = cpp_demangle::Symbol::new(name).ok()?;
        symbol
            .structured_demangle(&mut bounded, &DemangleOptions::new())
            .ok()?;
    }
    Some(bounded.text).filter(|text| !text.is_empty())
}

/// Legacy Rust names are well-formed C++ names too: only the hash tells, `17h`
/// and sixteen hexadecimal digits before the final `E`.
fn is_rust(name: &str) -> bool {
    if name.starts_with("_R") {
        return true;
    }
    let Some(path) = name.strip_prefix("_ZN") else {
        return false;
    };
    // Nearly all end with it.
    let last = path.len().saturating_sub(HASH_BYTES);
    let anywhere = || {
        let mut hashes = path.match_indices("17h");
        hashes.any(|(at, _)| is_hash(path.get(at..)))
    };
    is_hash(path.get(last..)) || anywhere()
}

/// In a legacy Rust name, the `E` behind it included.
const HASH_BYTES: usize = 20;

fn is_hash(text: Option<&str>) -> bool {
    let Some(hash) = text.and_then(|text| text.strip_prefix("17h")) else {
        return false;
    };
    let digits = hash.bytes().take(16).filter(u8::is_ascii_hexdigit).count();
    let rest = hash.get(16..).unwrap_or_default();
    digits == 16 && (rest == "E" || rest.starts_with("E."))
}

/// A text that refuses to grow past its limit.
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

#[cfg(test)]
mod tests {
    use super::demangle;

    #[test]
    fn names_are_demangled_by_their_own_scheme() {
        let cases = [
            (
                "legacy Rust",
                "_ZN4core3fmt9Formatter3pad17h0123456789abcdefE",
                Some("core::fmt::Formatter::pad"),
            ),
            (
                "legacy Rust cloned by LLVM",
                "_ZN3foo3bar17h0123456789abcdefE.llvm.1234",
                Some("foo::bar"),
            ),
            ("v0 Rust", "_RNvC6_123foo3bar", Some("123foo::bar")),
            (
                "C++",
                "_ZN3foo3barEiPKc",
                Some("foo::bar(int, char const*)"),
            ),
            ("C++ without parameters", "_ZN3foo3barE", Some("foo::bar")),
            (
                "C++ cold part",
                "_Z3fooi.cold",
                Some("foo(int) [clone .cold]"),
            ),
            ("C", "main", None),
            ("broken", "_ZN3fo", None),
            ("empty", "", None),
        ];
        for (name, mangled, want) in cases {
            assert_eq!(demangle(mangled, 1000).as_deref(), want, "{name}");
        }
    }

    #[test]
    fn a_name_that_unfolds_past_the_limit_stays_raw() {
        // `S_` is the template's name; each further parameter holds the one
        // before twice.
        let mut bomb = String::from("_Z1f1aIiiE");
        for at in 0..30 {
            let back = std::char::from_digit(at, 36).unwrap().to_ascii_uppercase();
            bomb.push_str(&format!("S_IS{back}_S{back}_E"));
        }
        assert_eq!(demangle(&bomb, 64 << 10), None);
        assert_eq!(demangle("_Z3fooi", 3), None, "the name itself is too long");
    }

    #[test]
    fn a_name_that_nests_too_deep_stays_raw() {
        for depth in [100, 10_000, 65_000] {
            let cases = [
                ("pointers", format!("_Z1f{}i", "P".repeat(depth))),
                (
                    "templates",
                    format!("_Z1f{}i{}", "1aI".repeat(depth / 4), "E".repeat(depth / 4)),
                ),
                (
                    "nested names",
                    format!("_Z{}1a{}", "N".repeat(depth / 2), "E".repeat(depth / 2)),
                ),
                ("v0 references", format!("_RMC1a{}h", "R".repeat(depth))),
                (
                    "v0 paths",
                    format!("_R{}C1a{}", "Nv".repeat(depth / 4), "1b".repeat(depth / 4)),
                ),
            ];
            for (name, mangled) in cases {
                let shown = demangle(&mangled, 64 << 10);
                let whole = |text: &String| !text.contains("limit reached");
                assert!(
                    shown.as_ref().is_none_or(whole),
                    "{name}, {depth} deep: {shown:?}"
                );
            }
        }
    }
}
