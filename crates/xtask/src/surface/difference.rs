//! How two lists of lines differ.

use std::collections::BTreeMap;

/// Returns the lines that are gone with a `-` and those that are new with a `+`, in the
/// order in which they stand; `None` when there are none. The order of the lines itself does
/// not count: of items that rustdoc sorts alike, it varies from run to run.
pub(super) fn difference(before: &str, after: &str) -> Option<String> {
    let mut more: BTreeMap<&str, i64> = BTreeMap::new();
    for line in after.lines() {
        *more.entry(line).or_default() += 1;
    }
    for line in before.lines() {
        *more.entry(line).or_default() -= 1;
    }
    let gone = before.lines().filter(|line| more.get(line) < Some(&0));
    let new = after.lines().filter(|line| more.get(line) > Some(&0));
    let gone = gone.map(|line| format!("  - {line}"));
    let new = new.map(|line| format!("  + {line}"));
    let said: Vec<String> = gone.chain(new).collect();
    (!said.is_empty()).then(|| said.join("\n"))
}

#[cfg(test)]
mod tests {
    use super::difference;

    #[test]
    fn removed_and_added_items_are_said() {
        assert_eq!(difference("a\nb\n", "a\nb\n"), None);
        let said = difference("a\nb\nc\n", "a\nc\nd\n");
        assert_eq!(said.as_deref(), Some("  - b\n  + d"));
        assert_eq!(difference("a\nb\n", "b\na\n"), None);
        let said = difference("", "a\n");
        assert_eq!(said.as_deref(), Some("  + a"));
    }
}
