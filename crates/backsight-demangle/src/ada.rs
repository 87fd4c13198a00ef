//! Demangles Ada names as encoded by GNAT.
//!
//! Encoded names look like C identifiers in lower case: `pkg__child__work__2` is the second
//! `Work` of `Pkg.Child`. So a name is demangled as Ada only if the caller knows that it is.
//!
//! Source: GNAT's `exp_dbug.ads`, on the encoding of subprograms. The output is that of GNU's
//! demangler.

/// Returns the demangled form of an Ada name, if it has at most `limit` bytes: `pkg.child.work`.
///
/// Returns `None` for a name that is not encoded: `main`, the C parts of the run-time, and names
/// of data and types.
#[must_use]
pub fn demangle_ada(name: &str, limit: usize) -> Option<String> {
    let library_level = name.strip_prefix("_ada_");
    let start = library_level.unwrap_or(name);
    if start.len() > limit || !start.starts_with(|first: char| first.is_ascii_lowercase()) {
        return None;
    }
    let mut rest = start;
    let mut text = String::with_capacity(start.len());
    while let Some(next) = part(rest, &mut text)? {
        text.push('.');
        rest = next;
    }
    let is_encoded = library_level.is_some() || text != name;
    (is_encoded && text.len() <= limit).then_some(text)
}

/// Reads one part into `text`, and returns what follows the separator, if there is one.
#[expect(
    clippy::option_option,
    reason = "the outer `None` means that it is not an Ada name"
)]
fn part<'a>(rest: &'a str, text: &mut String) -> Option<Option<&'a str>> {
    let mut rest = match rest.strip_prefix('O') {
        Some(code) => operator(code, text)?,
        None => identifier(rest, text)?,
    };
    // Capital letters mark entities that the compiler generates.
    if matches!(rest, "TKB" | "P" | "N") {
        return Some(None);
    }
    if let Some(inner) = rest.strip_prefix("TK__") {
        return Some(Some(inner));
    }
    rest = without_nesting(rest);
    for (code, operation) in STREAMS_AND_CONTROL {
        if let Some(behind) = rest.strip_prefix(code) {
            text.push_str(operation);
            rest = without_nesting(behind);
            break;
        }
    }
    if let Some(behind) = rest.strip_prefix("__") {
        if behind.starts_with(|first: char| first.is_ascii_digit()) {
            rest = without_nesting(without_overload(behind));
        } else if let Some(special) = behind.strip_prefix('_') {
            rest = without_nesting(attribute(special, text)?);
        } else {
            return Some(Some(behind));
        }
    } else if let Some(code) = rest.strip_prefix("_B").or(rest.strip_prefix("_E")) {
        // The body and the barrier of a protected entry.
        let behind = code.trim_start_matches(|digit: char| digit.is_ascii_digit());
        return (behind == "s").then_some(None);
    }
    if let Some(behind) = rest.strip_prefix("__") {
        return Some(Some(behind));
    }
    // A subprogram nested in another.
    if let Some(number) = rest.strip_prefix('.') {
        let is_number = !number.is_empty() && number.bytes().all(|digit| digit.is_ascii_digit());
        return is_number.then_some(None);
    }
    rest.is_empty().then_some(None)
}

/// Subprograms that the compiler generates for each type.
const STREAMS_AND_CONTROL: [(&str, &str); 7] = [
    ("SR", "'Read"),
    ("SW", "'Write"),
    ("SI", "'Input"),
    ("SO", "'Output"),
    ("DF", ".Finalize"),
    ("DA", ".Adjust"),
    ("DI", ".Initialize"),
];

/// Reads lower-case letters, digits, and single underscores between them.
fn identifier<'a>(rest: &'a str, text: &mut String) -> Option<&'a str> {
    let bytes = rest.as_bytes();
    let is_part = |at: usize| {
        let byte = bytes.get(at).copied().unwrap_or(0);
        byte.is_ascii_lowercase() || byte.is_ascii_digit()
    };
    let mut end: usize = 0;
    loop {
        let next = end.checked_add(1)?;
        let is_underscore = bytes.get(end) == Some(&b'_');
        if !(is_part(end) || is_underscore && is_part(next)) {
            break;
        }
        end = next;
    }
    let (word, behind) = rest.split_at_checked(end)?;
    if !word.starts_with(|first: char| first.is_ascii_lowercase()) {
        return None;
    }
    text.push_str(word);
    Some(behind)
}

/// Strips `Xnb`, which says in which bodies the entity is nested.
fn without_nesting(rest: &str) -> &str {
    let behind = rest.strip_prefix('X');
    behind.map_or(rest, |behind| behind.trim_start_matches(['n', 'b']))
}

/// Strips the numbers of overloaded names and their scopes: `2_1`.
fn without_overload(rest: &str) -> &str {
    let mut rest = rest;
    loop {
        rest = rest.trim_start_matches(|digit: char| digit.is_ascii_digit());
        let next = rest.strip_prefix('_');
        match next.filter(|next| next.starts_with(|digit: char| digit.is_ascii_digit())) {
            Some(next) => rest = next,
            None => return rest,
        }
    }
}

fn attribute<'a>(special: &'a str, text: &mut String) -> Option<&'a str> {
    let all = [
        ("elabb", "'Elab_Body"),
        ("elabs", "'Elab_Spec"),
        ("size", "'Size"),
        ("alignment", "'Alignment"),
        ("assign", ".\":=\""),
    ];
    let found = all.iter().find(|(code, _)| special.starts_with(code));
    let (code, words) = found?;
    text.push_str(words);
    let behind = special.strip_prefix(code)?;
    match behind.strip_prefix("__") {
        Some(number) => Some(without_overload(number)),
        None => Some(behind),
    }
}

fn operator<'a>(code: &'a str, text: &mut String) -> Option<&'a str> {
    // A code that is the start of another comes after it.
    let all = [
        ("abs", "abs"),
        ("and", "and"),
        ("mod", "mod"),
        ("not", "not"),
        ("or", "or"),
        ("rem", "rem"),
        ("xor", "xor"),
        ("eq", "="),
        ("ne", "/="),
        ("lt", "<"),
        ("le", "<="),
        ("gt", ">"),
        ("ge", ">="),
        ("add", "+"),
        ("subtract", "-"),
        ("concat", "&"),
        ("multiply", "*"),
        ("divide", "/"),
        ("expon", "**"),
    ];
    let (word, symbol) = all.iter().find(|(word, _)| code.starts_with(word))?;
    for piece in ["\"", symbol, "\""] {
        text.push_str(piece);
    }
    code.strip_prefix(word)
}
