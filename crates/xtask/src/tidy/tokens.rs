//! A simple tokenizer for Rust source, sufficient for paths and blocks.

use super::rust::without_strings;

/// A word, `::`, or any other character.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Token {
    pub(super) text: String,
    /// The line number, from 1.
    pub(super) line: usize,
}

impl Token {
    pub(super) fn is(&self, text: &str) -> bool {
        self.text == text
    }

    /// Whether it can be a segment of a path.
    pub(super) fn is_word(&self) -> bool {
        self.text
            .starts_with(|first: char| first.is_alphabetic() || first == '_')
    }
}

/// Returns the tokens of a source, without comments, strings and test-only code.
pub(super) fn of_source(source: &str) -> Vec<Token> {
    let tokens = all(&without_strings(source));
    let mut kept = Vec::with_capacity(tokens.len());
    let mut rest = tokens.as_slice();
    while let Some(first) = rest.first() {
        match behind_test_item(rest) {
            Some(behind) => rest = behind,
            None => {
                kept.push(first.clone());
                rest = &rest[1..];
            }
        }
    }
    kept
}

/// Returns the test-only modules of a source that are in files of their own.
pub(super) fn test_modules(source: &str) -> Vec<String> {
    let tokens = all(&without_strings(source));
    let places = 0..tokens.len();
    let found = places.filter_map(|at| {
        let behind = behind_cfg_test(&tokens[at..])?;
        match behind {
            [word, name, end, ..] if word.is("mod") && end.is(";") => Some(name.text.clone()),
            _ => None,
        }
    });
    found.collect()
}

fn all(code: &str) -> Vec<Token> {
    let is_part = |c: char| c.is_alphanumeric() || c == '_';
    let mut tokens = Vec::new();
    for (at, line) in code.lines().enumerate() {
        let mut rest = line.trim_start();
        while let Some(first) = rest.chars().next() {
            let len = match first {
                _ if is_part(first) => rest.find(|c| !is_part(c)).unwrap_or(rest.len()),
                ':' if rest.starts_with("::") => 2,
                '.' if rest.starts_with("..") => 2,
                _ => first.len_utf8(),
            };
            let (text, behind) = rest.split_at(len);
            tokens.push(Token {
                text: text.to_owned(),
                line: at + 1,
            });
            rest = behind.trim_start();
        }
    }
    tokens
}

fn behind_cfg_test(tokens: &[Token]) -> Option<&[Token]> {
    const ATTRIBUTE: [&str; 7] = ["#", "[", "cfg", "(", "test", ")", "]"];
    let (attribute, behind) = tokens.split_at_checked(ATTRIBUTE.len())?;
    let is_it = attribute
        .iter()
        .zip(ATTRIBUTE)
        .all(|(it, text)| it.is(text));
    is_it.then_some(behind)
}

/// Returns the tokens after a test-only item, if one starts here. An item ends with its block,
/// or with a semicolon.
fn behind_test_item(tokens: &[Token]) -> Option<&[Token]> {
    let item = behind_cfg_test(tokens)?;
    let mut depth = 0_usize;
    for (at, token) in item.iter().enumerate() {
        match token.text.as_str() {
            "{" | "(" | "[" => depth += 1,
            "}" | ")" | "]" => depth = depth.saturating_sub(1),
            _ => {}
        }
        let ends = (token.is("}") && !is_use(item)) || token.is(";");
        if depth == 0 && ends {
            return Some(&item[at + 1..]);
        }
    }
    Some(&[])
}

/// The braces of a `use` do not end the item.
fn is_use(item: &[Token]) -> bool {
    let mut words = item.iter().filter(|token| token.is_word());
    words
        .find(|token| !token.is("pub") && !token.is("crate") && !token.is("super"))
        .is_some_and(|token| token.is("use"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(source: &str) -> Vec<String> {
        let tokens = of_source(source).into_iter();
        tokens.map(|token| token.text).collect()
    }

    #[test]
    fn tokens_have_their_lines() {
        let tokens = of_source("a::b<'x>(\n\"c::d\") // e\n");
        let lines: Vec<(&str, usize)> = tokens
            .iter()
            .map(|token| (token.text.as_str(), token.line))
            .collect();
        let first = ["a", "::", "b", "<", "'", "x", ">", "("].map(|text| (text, 1));
        assert_eq!(lines[..8], first);
        assert_eq!(lines[8..], [(")", 2)]);
    }

    #[test]
    fn test_only_code_is_skipped() {
        let source = "a;\n#[cfg(test)]\nuse b::{c, d};\n#[cfg(test)]\nimpl E { fn f() {} }\n\
                      #[cfg(test)]\nmod tests;\n#[cfg(not(test))]\ng;\n\
                      #[cfg(test)]\n#[rustfmt::skip]\nmod more { h; }\ni";
        let kept = texts(source).concat();
        assert_eq!(kept, "a;#[cfg(not(test))]g;i");
        assert_eq!(test_modules(source), ["tests"]);
    }
}
