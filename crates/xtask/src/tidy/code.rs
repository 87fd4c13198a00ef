//! Rules on Rust source.

use super::complaint::Complaint;
use super::rust::{has_word, without_comments, without_strings, without_tests};
use super::tree::{Crate, File, Tree};

/// The shipped files, or directories ending in `/`, that may contain `unsafe`.
const UNSAFE_PLACES: [&str; 8] = [
    "crates/backsight-agent/src/sys.rs",
    "crates/backsight-bpf/src/sys.rs",
    "crates/backsight-types/src/cast.rs",
    "crates/vma-query/src/message.rs",
    "crates/vma-query/src/sys.rs",
    "crates/backsight-files/src/image.rs",
    "crates/backsight-capi/src/",
    "crates/backsight-python/src/addresses.rs",
];

/// The crates that interact with a user: they print, and read the environment and configuration
/// files.
const INTERACTIVE_CRATES: [&str; 1] = ["backsight-cli"];

/// Shipped `unsafe` code is only in [`UNSAFE_PLACES`].
pub(super) fn unsafe_is_where_it_may_be(tree: &Tree) -> Vec<Complaint> {
    let elsewhere = |file: &&File| !UNSAFE_PLACES.iter().any(|it| file.path.starts_with(it));
    let files = shipped(tree).flat_map(|it| tree.sources(&it).collect::<Vec<_>>());
    files
        .filter(elsewhere)
        .flat_map(|file| {
            let code = without_strings(&file.text());
            file.complain(&code, "unsafe", |line| has_word(line, "unsafe"))
        })
        .collect()
}

/// A shipped crate that is not in [`UNSAFE_PLACES`] forbids `unsafe`.
pub(super) fn others_forbid_unsafe(tree: &Tree) -> Vec<Complaint> {
    let src = |it: &Crate<'_>| format!("{}/src/", it.dir);
    let others = shipped(tree).filter(|it| {
        !UNSAFE_PLACES
            .iter()
            .any(|place| place.starts_with(&src(it)))
    });
    let roots = others.filter_map(|it| {
        let lib = tree.named(&format!("{}/src/lib.rs", it.dir));
        lib.or_else(|| tree.named(&format!("{}/src/main.rs", it.dir)))
    });
    roots
        .filter(|root| !root.text().contains("#![forbid(unsafe_code)]"))
        .map(|root| root.complaint(0, "no #![forbid(unsafe_code)]"))
        .collect()
}

/// Libraries return values, and the command prints them.
pub(super) fn below_the_command_nothing_prints(tree: &Tree) -> Vec<Complaint> {
    let words = [
        "print!",
        "println!",
        "eprint!",
        "eprintln!",
        "dbg!",
        "stdout",
        "stderr",
    ];
    below_the_command(tree, "prints", &words)
}

/// Libraries take parameters, because two callers in one process may need different settings.
pub(super) fn nothing_reads_the_environment(tree: &Tree) -> Vec<Complaint> {
    let words = [
        "std::env",
        "env::var",
        "env::var_os",
        "env::vars",
        "env::args",
        "env::temp_dir",
    ];
    below_the_command(tree, "reads the environment", &words)
}

fn below_the_command(tree: &Tree, what: &str, words: &[&str]) -> Vec<Complaint> {
    let libraries = shipped(tree).filter(|it| !INTERACTIVE_CRATES.contains(&it.name()));
    let files = libraries.flat_map(|it| tree.sources(&it).collect::<Vec<_>>());
    files
        .flat_map(|file| {
            let code = without_strings(without_tests(&file.text()));
            file.complain(&code, what, |line| {
                words.iter().any(|word| has_word(line, word))
            })
        })
        .collect()
}

/// The symbolizer takes files and bytes: it never builds a path of a process.
pub(super) fn the_symbolizer_sees_no_process(tree: &Tree) -> Vec<Complaint> {
    let symbolizer = tree
        .crates()
        .filter(|it| matches!(it.name(), "backsight-index" | "backsight-symbolize"));
    let files = symbolizer.flat_map(|it| tree.sources(&it).collect::<Vec<_>>());
    files
        .flat_map(|file| {
            let code = without_comments(without_tests(&file.text()));
            file.complain(&code, "a path of a process", |line| line.contains("/proc"))
        })
        .collect()
}

/// No stubs, no ignored tests, no notes of unfinished work.
pub(super) fn nothing_is_left_undone(tree: &Tree) -> Vec<Complaint> {
    // The words are split, because this file is checked, too.
    let marks = [
        concat!("to", "do!("),
        concat!("unimple", "mented!("),
        concat!("#[ig", "nore"),
        concat!("TO", "DO"),
        concat!("FIX", "ME"),
        concat!("Being ", "built."),
    ];
    let is_text = |file: &&File| file.is_rust() || file.path.ends_with("/Cargo.toml");
    let files = tree.files.iter().filter(is_text);
    files
        .flat_map(|file| {
            let undone = |line: &str| marks.iter().any(|mark| line.contains(mark));
            file.complain(&file.text(), "left undone", undone)
        })
        .collect()
}

/// A file starts with a `//!` line about its purpose.
pub(super) fn files_open_with_their_idea(tree: &Tree) -> Vec<Complaint> {
    let files = tree.files.iter().filter(|file| file.is_rust());
    files
        // Test inputs do not need one.
        .filter(|file| !file.path.starts_with("fixtures/") && !file.path.contains("/golden/"))
        .filter(|file| !file.text().starts_with("//!"))
        .map(|file| file.complaint(1, "does not open with //!"))
        .collect()
}

fn shipped(tree: &Tree) -> impl Iterator<Item = Crate<'_>> {
    tree.crates().filter(Crate::ships)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIBRARY: (&str, &str) = ("crates/a/Cargo.toml", "[package]\nname = \"a\"\n");
    const COMMAND: (&str, &str) = ("crates/backsight-cli/Cargo.toml", "[package]\n");
    const TOOL: (&str, &str) = ("crates/b/Cargo.toml", "[package]\npublish = false\n");

    fn lines(complaints: &[Complaint]) -> Vec<(&str, usize)> {
        let places = complaints.iter();
        places.map(|it| (it.path.as_str(), it.line)).collect()
    }

    #[test]
    fn unsafe_outside_its_places_is_found() {
        let code = "//! unsafe in words\nunsafe { x() }\n";
        let tree = Tree::of(&[
            LIBRARY,
            TOOL,
            ("crates/vma-query/Cargo.toml", "[package]"),
            ("crates/a/src/lib.rs", code),
            ("crates/b/src/lib.rs", code),
            ("crates/vma-query/src/sys.rs", code),
            ("crates/vma-query/src/ioctl.rs", code),
        ]);
        let found = unsafe_is_where_it_may_be(&tree);
        let want = [
            ("crates/a/src/lib.rs", 2),
            ("crates/vma-query/src/ioctl.rs", 2),
        ];
        assert_eq!(lines(&found), want);
        let open = others_forbid_unsafe(&tree);
        assert_eq!(lines(&open), [("crates/a/src/lib.rs", 0)]);
    }

    #[test]
    fn printing_and_the_environment_are_the_command_s() {
        let code = "//! println!\nprintln!(\"\");\nlet x = std::env::var(\"X\");\n\
                    let y = env!(\"CARGO\");\n#[cfg(test)]\nmod tests { fn f() { dbg!(1) } }\n";
        let tree = Tree::of(&[
            LIBRARY,
            COMMAND,
            ("crates/a/src/lib.rs", code),
            ("crates/backsight-cli/src/main.rs", code),
        ]);
        let prints = below_the_command_nothing_prints(&tree);
        assert_eq!(lines(&prints), [("crates/a/src/lib.rs", 2)]);
        let reads = nothing_reads_the_environment(&tree);
        assert_eq!(lines(&reads), [("crates/a/src/lib.rs", 3)]);
    }

    #[test]
    fn paths_of_processes_in_the_symbolizer_are_found() {
        let code = "//! Never /proc/PID.\nopen(\"/proc/1/exe\");\n";
        let tree = Tree::of(&[
            ("crates/backsight-symbolize/Cargo.toml", "[package]"),
            ("crates/backsight-symbolize/src/lib.rs", code),
        ]);
        let found = the_symbolizer_sees_no_process(&tree);
        assert_eq!(
            lines(&found),
            [("crates/backsight-symbolize/src/lib.rs", 2)]
        );
    }

    #[test]
    fn unfinished_code_is_found() {
        let code = format!(
            "{}\nx\n{}]\n",
            concat!("to", "do!()"),
            concat!("#[ig", "nore")
        );
        let tree = Tree::of(&[("crates/a/tests/a.rs", &code)]);
        let found = nothing_is_left_undone(&tree);
        assert_eq!(
            lines(&found),
            [("crates/a/tests/a.rs", 1), ("crates/a/tests/a.rs", 3)]
        );
        let silent = files_open_with_their_idea(&tree);
        assert_eq!(lines(&silent), [("crates/a/tests/a.rs", 1)]);
    }
}
