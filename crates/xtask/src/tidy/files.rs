//! Rules on files of any kind.

use super::complaint::Complaint;
use super::tree::Tree;

/// The maximum number of lines, except for [`LONG_FILES`].
const MAX_LINES: usize = 400;

/// Longer files, each with a reason.
const LONG_FILES: [(&str, &str); 1] = [(
    "crates/testkit/src/child.c",
    "one program, compiled from one file",
)];

/// The maximum size of a file. Larger test inputs are fixtures, or generated when the test runs.
const MAX_SIZE: usize = 200 << 10;

/// The maximum total size of fixtures, so that a clone is fast.
const MAX_FIXTURES: usize = 10 << 20;

/// Source files are short.
pub(super) fn files_are_short(tree: &Tree) -> Vec<Complaint> {
    let is_source = |path: &str| path.ends_with(".rs") || path.ends_with(".c");
    let files = tree.files.iter().filter(|file| is_source(&file.path));
    files
        .filter(|file| !LONG_FILES.iter().any(|(path, _)| *path == file.path))
        .map(|file| (file, file.text().lines().count()))
        .filter(|(_, lines)| *lines > MAX_LINES)
        .map(|(file, lines)| file.complaint(0, format!("{lines} lines, more than {MAX_LINES}")))
        .collect()
}

/// No large files are tracked except fixtures, whose total size is limited.
pub(super) fn files_are_small(tree: &Tree) -> Vec<Complaint> {
    let is_fixture = |path: &str| path.starts_with("fixtures/");
    let (fixtures, others): (Vec<_>, Vec<_>) =
        tree.files.iter().partition(|file| is_fixture(&file.path));
    let large = others
        .into_iter()
        .filter(|file| file.bytes.len() > MAX_SIZE);
    let large = large.map(|file| file.complaint(0, format!("{} bytes", file.bytes.len())));
    let total: usize = fixtures.iter().map(|file| file.bytes.len()).sum();
    let fixtures = fixtures.first().filter(|_| total > MAX_FIXTURES);
    let fixtures = fixtures.map(|file| file.complaint(0, format!("{total} bytes of fixtures")));
    large.chain(fixtures).collect()
}

/// No file contains a path of the machine on which it was made.
pub(super) fn no_machine_paths(tree: &Tree) -> Vec<Complaint> {
    let paths = [concat!("/wo", "rk/"), concat!("/ro", "ot/")];
    let files = tree.files.iter();
    files
        .flat_map(|file| {
            let text = file.text();
            let bad = |line: &str| paths.iter().any(|path| begins_a_path(line, path));
            file.complain(&text, "a path of some machine", bad)
        })
        .collect()
}

/// Whether `path` occurs in `line` other than inside a longer path: the root of a process,
/// `/proc/PID` and then `root`, is allowed.
fn begins_a_path(line: &str, path: &str) -> bool {
    line.match_indices(path).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        !before.is_some_and(|c| c.is_alphanumeric() || "._-}>*]~".contains(c))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_and_large_files_are_found() {
        let (long, large) = ("\n".repeat(401), "x".repeat(MAX_SIZE + 1));
        let huge = "x".repeat(MAX_FIXTURES + 1);
        let tree = Tree::of(&[
            ("a.rs", &long),
            ("a.txt", &long),
            ("b", &large),
            ("fixtures/a", &large),
        ]);
        assert_eq!(
            files_are_short(&tree)[0].to_string(),
            "a.rs:0: 401 lines, more than 400"
        );
        assert_eq!(files_are_small(&tree)[0].path, "b");
        assert_eq!(files_are_small(&tree).len(), 1);
        let tree = Tree::of(&[("fixtures/a", &huge)]);
        assert_eq!(files_are_small(&tree).len(), 1);
    }

    #[test]
    fn paths_of_a_machine_are_found() {
        let root = concat!("/ro", "ot/");
        let cases = [
            ("plain", format!("{root}.cargo"), true),
            ("quoted", format!("open(\"{root}x\")"), true),
            ("in a binary file", format!("\0{root}x"), true),
            ("of a process", format!("/proc/{{pid}}{root}etc"), false),
            (
                "of a process by number",
                format!("/proc/12{root}etc"),
                false,
            ),
            ("another word", concat!("/ro", "oted/").to_owned(), false),
        ];
        for (name, line, want) in cases {
            let tree = Tree::of(&[("a", &line)]);
            assert_eq!(!no_machine_paths(&tree).is_empty(), want, "{name}");
        }
    }
}
