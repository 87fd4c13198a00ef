//! The tables of docs/ARCHITECTURE.md say where things are.

use super::complaint::Complaint;
use super::tree::{File, Tree};

const MAP: &str = "docs/ARCHITECTURE.md";

/// The heading above the tables.
const HEADING: &str = "## Where to change what";

/// In each row of the tables, a path is written from the name of the crate on and exists, and
/// "`Item` in `path`" is true: so a reader who trusts a row finds what it names.
pub(super) fn the_code_map_is_true(tree: &Tree) -> Vec<Complaint> {
    let Some(map) = tree.named(MAP) else {
        return Vec::new();
    };
    let text = map.text();
    let lines = text.lines().enumerate();
    let rows = lines
        .skip_while(|(_, line)| *line != HEADING)
        .filter(|(_, line)| line.starts_with('|'));
    rows.flat_map(|(at, row)| {
        let wrong = of_row(row, tree);
        wrong
            .into_iter()
            .map(move |what| map.complaint(at + 1, what))
    })
    .collect()
}

/// Returns what is wrong in a row.
fn of_row(row: &str, tree: &Tree) -> Vec<String> {
    // Code and text alternate.
    let parts: Vec<&str> = row.split('`').collect();
    let mut wrong = Vec::new();
    for (at, code) in parts.iter().enumerate().skip(1).step_by(2) {
        if !is_path(code) {
            continue;
        }
        let files: Vec<&File> = alternatives(code)
            .iter()
            .filter_map(|path| {
                let found = file_or_directory(tree, path);
                if found.is_none() {
                    wrong.push(format!("no file or directory {path}"));
                }
                found
            })
            .collect();
        for item in items_before(&parts, at) {
            if !files.is_empty() && !files.iter().any(|file| has_item(file, item)) {
                wrong.push(format!("{code} has no {item}"));
            }
        }
    }
    wrong
}

fn is_path(code: &str) -> bool {
    let plain = |c: char| c.is_alphanumeric() || "/_-.{},".contains(c);
    code.chars().all(plain) && (code.ends_with(".rs") || (code.ends_with('/') && code.len() > 1))
}

/// Expands `a/{b,c}.rs`.
fn alternatives(path: &str) -> Vec<String> {
    let braces = path.split_once('{').and_then(|(before, rest)| {
        let (inner, after) = rest.split_once('}')?;
        Some((before, inner, after))
    });
    match braces {
        Some((before, inner, after)) => inner
            .split(',')
            .map(|one| format!("{before}{one}{after}"))
            .collect(),
        None => vec![path.to_owned()],
    }
}

/// Returns the file at a path from the root or from `crates/`, or one in the directory.
fn file_or_directory<'t>(tree: &'t Tree, path: &str) -> Option<&'t File> {
    let below = format!("crates/{path}");
    tree.files.iter().find(|file| {
        [path, &below]
            .into_iter()
            .any(|path| match path.ends_with('/') {
                true => file.path.starts_with(path),
                false => file.path == path,
            })
    })
}

/// Returns the items of "`A` and `B` in `path`" before the path at an odd position.
fn items_before<'r>(parts: &[&'r str], path: usize) -> Vec<&'r str> {
    let mut items = Vec::new();
    let mut at = path;
    let mut link = " in ";
    while at >= 2 && parts[at - 1] == link {
        at -= 2;
        if is_path(parts[at]) {
            break;
        }
        items.push(parts[at]);
        link = " and ";
    }
    items
}

/// Whether a file has an item, or each part of `Type::function` and `Type::{a, b}`.
fn has_item(file: &File, item: &str) -> bool {
    let text = file.text();
    let is_part = |c: char| c.is_alphanumeric() || c == '_';
    let words = item.split(|c| !is_part(c)).filter(|word| !word.is_empty());
    let mut words = words.peekable();
    words.peek().is_some() && words.all(|word| text.split(|c| !is_part(c)).any(|it| it == word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_that_are_not_true_are_found() {
        let cases = [
            ("| a | `One` in `c/src/a.rs` |", ""),
            ("| a | `One::new` and `two` in `c/src/a.rs` |", ""),
            ("| a | of a directory, `c/src/` |", ""),
            ("| a | both, `c/src/{a,b}.rs` |", ""),
            ("`Three` in `c/src/a.rs`, but in no table", ""),
            ("| a | `One` in `a.rs` |", "no file or directory a.rs"),
            (
                "| a | `c/src/{a,x}.rs` |",
                "no file or directory c/src/x.rs",
            ),
            ("| a | `Three` in `c/src/a.rs` |", "c/src/a.rs has no Three"),
            (
                "| a | `One::old` and `two` in `c/src/a.rs` |",
                "c/src/a.rs has no One::old",
            ),
        ];
        for (row, want) in cases {
            let tree = Tree::of(&[
                (MAP, &format!("{HEADING}\n\n{row}")),
                ("crates/c/src/a.rs", "struct One; fn new() {} fn two() {}"),
                ("crates/c/src/b.rs", ""),
            ]);
            let got: Vec<_> = the_code_map_is_true(&tree)
                .into_iter()
                .map(|it| it.what)
                .filter(|what| !what.is_empty())
                .collect();
            assert_eq!(got.join("\n"), want, "{row}");
        }
    }
}
