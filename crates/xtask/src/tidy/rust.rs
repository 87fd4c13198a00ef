//! Removes comments, strings and tests from Rust source.
//!
//! They are replaced by blanks, so that line numbers stay the same.

/// Returns the source without comments.
pub(super) fn without_comments(source: &str) -> String {
    blank(source, false)
}

/// Returns the source without comments and string contents.
pub(super) fn without_strings(source: &str) -> String {
    blank(source, true)
}

/// Returns the source before its unit tests, which are at the end of a file by convention.
pub(super) fn without_tests(source: &str) -> &str {
    let tests = source
        .match_indices("#[cfg(test)]\n")
        .find(|(at, attribute)| source[at + attribute.len()..].starts_with("mod "));
    tests.map_or(source, |(at, _)| &source[..at])
}

/// Returns whether `line` contains `word` as a whole word.
pub(super) fn has_word(line: &str, word: &str) -> bool {
    let part = |c: char| c.is_alphanumeric() || c == '_';
    line.match_indices(word).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        let behind = line[at + word.len()..].chars().next();
        !before.is_some_and(part) && !behind.is_some_and(part)
    })
}

fn blank(source: &str, strings: bool) -> String {
    let mut out = String::with_capacity(source.len());
    let mut rest = source;
    while let Some(first) = rest.chars().next() {
        let follows_word = out.ends_with(|c: char| c.is_alphanumeric() || c == '_');
        let (len, is_blank) = match first {
            '/' if rest.starts_with("//") => (rest.find('\n').unwrap_or(rest.len()), true),
            '/' if rest.starts_with("/*") => (block_comment(rest), true),
            '"' => (string(rest), strings),
            'r' | 'b' | 'c' if !follows_word => match raw_string(rest) {
                Some(len) => (len, strings),
                None => (1, false),
            },
            '\'' => (quote(rest), strings && quote(rest) > 1),
            _ => (first.len_utf8(), false),
        };
        let (token, behind) = rest.split_at(len);
        match is_blank {
            true => out.extend(token.chars().map(|c| if c == '\n' { c } else { ' ' })),
            false => out.push_str(token),
        }
        rest = behind;
    }
    out
}

/// Returns the length of a block comment, which may be nested.
fn block_comment(text: &str) -> usize {
    let mut depth = 0_usize;
    let mut at = 0;
    while let Some(found) = text[at..].find(['/', '*']) {
        at += found;
        match &text[at..] {
            rest if rest.starts_with("/*") => (depth, at) = (depth + 1, at + 2),
            rest if rest.starts_with("*/") => (depth, at) = (depth - 1, at + 2),
            _ => at += 1,
        }
        if depth == 0 {
            return at;
        }
    }
    text.len()
}

fn string(text: &str) -> usize {
    closed_by(text, '"')
}

/// Returns the length up to the closing quote, skipping escaped ones.
fn closed_by(text: &str, close: char) -> usize {
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            _ if c == close => return at + close.len_utf8(),
            _ => {}
        }
    }
    text.len()
}

/// Returns the length of a raw string, `r"…"`, `br#"…"#` and so on; `None` for a name or a plain
/// string.
fn raw_string(text: &str) -> Option<usize> {
    let raw = text
        .strip_prefix(['b', 'c'])
        .unwrap_or(text)
        .strip_prefix('r')?;
    let body = raw.trim_start_matches('#');
    let hashes = &raw[..raw.len() - body.len()];
    let content = body.strip_prefix('"')?;
    let close = format!("\"{hashes}");
    let head = text.len() - content.len();
    let end = content.find(&close)?;
    Some(head + end + close.len())
}

/// Returns the length of a character literal, or of a lifetime's tick.
fn quote(text: &str) -> usize {
    let mut next = text.chars().skip(1);
    match (next.next(), next.next()) {
        (Some('\\'), _) => closed_by(text, '\''),
        (Some(c), Some('\'')) => 2 + c.len_utf8(),
        _ => 1,
    }
}

#[cfg(test)]
mod tests {
    use super::{has_word, without_comments, without_strings, without_tests};

    #[test]
    fn comments_and_strings_are_blanked_in_place() {
        let cases = [
            ("a // b\nc", "a     \nc", "a     \nc"),
            (
                "a /* b /* c */ \n */ d",
                "a              \n    d",
                "a              \n    d",
            ),
            (r#"f("// b", c)"#, r#"f("// b", c)"#, "f(      , c)"),
            (
                r#"f("\"// b") // c"#,
                r#"f("\"// b")     "#,
                "f(        )     ",
            ),
            ("f(r#\"a\"b\"#, c)", "f(r#\"a\"b\"#, c)", "f(        , c)"),
            ("f(br\"\\\") // c", "f(br\"\\\")     ", "f(     )     "),
            (
                "f::<'a>('\"', '\\'', 'x')",
                "f::<'a>('\"', '\\'', 'x')",
                "f::<'a>(   ,     ,    )",
            ),
            ("r#type + bar\"x\"", "r#type + bar\"x\"", "r#type + bar   "),
        ];
        for (source, comments, strings) in cases {
            assert_eq!(without_comments(source), comments, "{source}");
            assert_eq!(without_strings(source), strings, "{source}");
        }
    }

    #[test]
    fn tests_are_at_the_end_of_the_file() {
        let source = "a\n#[cfg(test)]\nuse b;\n#[cfg(test)]\nmod tests {\n}\n";
        assert_eq!(without_tests(source), "a\n#[cfg(test)]\nuse b;\n");
        assert_eq!(without_tests("a"), "a");
    }

    #[test]
    fn a_word_ends_where_its_letters_do() {
        assert!(has_word("pub unsafe fn a()", "unsafe"));
        assert!(!has_word("#![forbid(unsafe_code)]", "unsafe"));
        assert!(has_word("print!(1)", "print!"));
        assert!(!has_word("eprint!(1)", "print!"));
    }
}
