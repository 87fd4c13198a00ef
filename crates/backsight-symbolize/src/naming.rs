//! Which name a function has: one rule for the lookups unit by unit and for the index.
//!
//! 1. A function whose DIE has a linkage name has that.
//! 2. One whose DIE has a plain name alone has the mangled name of a symbol that begins
//!    where the function is entered, if it is a form of the plain name:
//!    `_ZN1a12_GLOBAL__N_16helperEi` of `helper`. It says the namespaces and parameters
//!    that the DIE leaves out, and which copy of the function this is. So each of several
//!    functions merged by identical code folding gets its own name.
//!    A symbol that is the plain name itself says that it is `extern "C"`, whatever
//!    namespace its DIE stands in.
//! 3. Else it has the plain name: symbols that are not mangled say no more, and of C
//!    functions they are aliases as often as not (`__GI___clock_gettime`).
//! 4. One whose DIE has no name has that of the symbol that covers its entry.
//! 5. Where there is no DIE, the symbol that covers the address names it.
//!
//! Inlined calls have no symbol: theirs is the name of their DIE.

use crate::elf::{ElfSymbol, SymbolSet};

/// Returns the symbol that names a function without a linkage name, from its entry, and
/// from its plain name if it has one.
pub(crate) fn symbol_of<'s>(
    symbols: &'s SymbolSet,
    entry: u64,
    plain: Option<&[u8]>,
) -> Option<ElfSymbol<'s>> {
    match plain {
        None => symbols.find(entry),
        Some(plain) => {
            let find = |is_it: fn(&[u8], &[u8]) -> bool| {
                let mut all = symbols.starting_at(entry);
                all.find(|symbol| is_it(symbol.name, plain))
            };
            find(is_form_of).or_else(|| find(|name, plain| name == plain))
        }
    }
}

/// Returns whether a mangled name may be that of a function with this plain name.
///
/// All manglings in use have the bytes of an identifier in them, behind their number in
/// decimal digits. Operators, conversions and closures have no identifier; they are
/// taken as they come.
fn is_form_of(symbol: &[u8], plain: &[u8]) -> bool {
    if !is_mangled(symbol) {
        return false;
    }
    let plain = plain.strip_prefix(b"~").unwrap_or(plain);
    let is_letter = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_';
    let length = plain.iter().take_while(|byte| is_letter(byte)).count();
    let (identifier, rest) = plain.split_at_checked(length).unwrap_or((plain, &[]));
    if identifier.is_empty() || (identifier == b"operator" && !rest.is_empty()) {
        return true;
    }
    let digits = identifier.len().to_string();
    let mut places = memchr::memmem::find_iter(symbol, identifier);
    places.any(|at| {
        let before = symbol.get(..at).unwrap_or_default();
        // Rust parts the number from an identifier that begins with a digit or `_`.
        let parted = before.strip_suffix(b"_").unwrap_or(before);
        before.ends_with(digits.as_bytes()) || parted.ends_with(digits.as_bytes())
    })
}

/// Returns whether a name is of C++, Rust, D or Swift, as their compilers write them.
fn is_mangled(name: &[u8]) -> bool {
    let begins = |prefix: &[u8]| name.starts_with(prefix);
    let after = |prefix: &[u8], ok: fn(&u8) -> bool| {
        let rest = name.strip_prefix(prefix);
        rest.and_then(<[u8]>::first).is_some_and(ok)
    };
    begins(b"_Z")
        || begins(b"___Z")
        || begins(b"$s")
        || begins(b"$S")
        || after(b"_R", |byte| b"BCIMNXY".contains(byte))
        || after(b"_D", u8::is_ascii_digit)
}

#[cfg(test)]
mod tests {
    use super::is_form_of;

    #[test]
    fn a_symbol_is_a_form_of_what_it_has_in_it() {
        let cases = [
            ("_ZN1a12_GLOBAL__N_16helperEi", "helper", true),
            ("_ZL6helperi.constprop.0", "helper", true),
            ("_ZN1a10the_helperEi", "helper", false),
            ("_ZN1a6helperEi", "helped", false),
            ("_Z6helperIiET_S0_", "helper<int>", true),
            ("_ZN5ShownD2Ev", "~Shown", true),
            ("_ZN5ShownC1Ei", "Shown", true),
            ("_ZplRK1AS1_", "operator+", true),
            ("_ZNK1AcvbEv", "operator bool", true),
            ("_Z8operatori", "operator", true),
            (
                "_ZN3foo28_$u7b$$u7b$closure$u7d$$u7d$17h0123456789abcdefE",
                "{closure#0}",
                true,
            ),
            ("_RNvC1a6helper", "helper", true),
            ("_RNvC1a7__inner", "__inner", true),
            ("_RNvC1a7___inner", "__inner", true),
            ("_D3mod6helperFiZi", "helper", true),
            ("$s4main6helperyS2iF", "helper", true),
            ("helper", "helper", false),
            ("__GI___clock_gettime", "clock_gettime", false),
            ("_RTLD_6helper", "helper", false),
            ("_DYNAMIC6helper", "helper", false),
        ];
        for (symbol, plain, want) in cases {
            assert_eq!(
                is_form_of(symbol.as_bytes(), plain.as_bytes()),
                want,
                "{symbol}"
            );
        }
    }
}
