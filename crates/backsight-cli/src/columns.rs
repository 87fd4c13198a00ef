//! How many columns of a terminal a text takes.

use unicode_width::UnicodeWidthChar;

/// Returns how many columns a text takes: two for each wide character, none for one that is drawn
/// over the one before.
pub(crate) fn columns_of(text: &str) -> usize {
    match text.is_ascii() {
        true => text.len(),
        false => text.chars().map(width_of).sum(),
    }
}

/// Returns the begin of a text that fits into so many columns.
pub(crate) fn begin_of(text: &str, columns: usize) -> &str {
    let mut used = 0_usize;
    let beyond = text.char_indices().find(|(_, c)| {
        used = used.saturating_add(width_of(*c));
        used > columns
    });
    let end = beyond.map_or(text.len(), |(at, _)| at);
    text.get(..end).unwrap_or_default()
}

/// Returns the end of a text that fits into so many columns.
pub(crate) fn end_of(text: &str, columns: usize) -> &str {
    let mut used = 0_usize;
    let beyond = text.char_indices().rev().find(|(_, c)| {
        used = used.saturating_add(width_of(*c));
        used > columns
    });
    let begin = beyond.map_or(0, |(at, c)| at + c.len_utf8());
    text.get(begin..).unwrap_or_default()
}

/// Returns how many columns are left of `columns` if a text takes its part.
pub(crate) fn left_of(columns: usize, text: &str) -> usize {
    columns.saturating_sub(columns_of(text))
}

fn width_of(c: char) -> usize {
    match c {
        // It makes the sign before it an emoji, which is wide.
        '\u{fe0f}' => 1,
        _ => c.width().unwrap_or(0),
    }
}

#[cfg(test)]
mod tests {
    use super::{begin_of, columns_of, end_of};

    #[test]
    fn wide_characters_take_two_columns_and_marks_none() {
        let cases = [("main", 4), ("größe", 5), ("e\u{301}", 1), ("函数", 4)];
        for (text, columns) in cases.into_iter().chain([("🚀f", 3), ("☺\u{fe0f}", 2)]) {
            assert_eq!(columns_of(text), columns, "{text}");
        }
    }

    #[test]
    fn no_part_is_wider_than_asked_for() {
        assert_eq!(begin_of("函数名", 3), "函");
        assert_eq!(begin_of("e\u{301}x", 1), "e\u{301}");
        assert_eq!(end_of("函数名", 5), "数名");
        assert_eq!(end_of("ab", 0), "");
        assert_eq!(end_of("ab", 9), "ab");
    }
}
