//! Rules on dependencies between the files of a crate.

use super::circles::{circles, floors};
use super::complaint::Complaint;
use super::file_graph::{Arrow, FileGraph, Node};
use super::tree::{File, Tree};

/// No file uses another one that uses it, directly or indirectly.
pub(super) fn no_file_is_in_a_circle(tree: &Tree) -> Vec<Complaint> {
    let graphs = graphs(tree).into_iter();
    let complaints = graphs.flat_map(|(folder, graph)| {
        let circles = circles(&graph.uses()).into_iter();
        let said = circles.map(|circle| complain_of(&folder, &graph, &circle));
        said.collect::<Vec<_>>()
    });
    complaints.collect()
}

/// A file imports from the file that defines a name, not from its crate's root or a parent
/// module that re-exports it.
pub(super) fn imports_name_the_module_that_defines(tree: &Tree) -> Vec<Complaint> {
    let mut complaints = Vec::new();
    for (folder, graph) in graphs(tree) {
        for node in &graph.nodes {
            for arrow in &node.arrows {
                let to = &graph.nodes[arrow.to];
                let is_above =
                    node.module.len() > to.module.len() && node.module.starts_with(&to.module);
                let name = arrow.name.as_ref().filter(|name| *name != "*");
                let name = name.filter(|name| to.binds.contains(*name));
                if let Some(name) = name.filter(|_| is_above) {
                    let what = format!(
                        "{}: {} does not define {name}, it imports it",
                        arrow.path,
                        short(&folder, to.file)
                    );
                    complaints.push(node.file.complaint(arrow.line, what));
                }
            }
        }
    }
    complaints
}

/// Returns a table with the number of files, of dependency levels and of cycles for each crate.
pub(super) fn floors_of_crates(tree: &Tree) -> String {
    let mut lines = vec![format!("{:<40} files  floors  circles", "crate")];
    for (folder, graph) in graphs(tree) {
        let uses = graph.uses();
        lines.push(format!(
            "{:<40} {:>5}  {:>6}  {:>7}",
            folder.trim_end_matches('/'),
            graph.nodes.len(),
            floors(&uses),
            circles(&uses).len()
        ));
    }
    lines.join("\n")
}

/// Returns the graph of each directory with a root file, in order. Tests are not included.
fn graphs(tree: &Tree) -> Vec<(String, FileGraph<'_>)> {
    let mut graphs = Vec::new();
    let folders: Vec<String> = tree.crates().map(|it| format!("{}/", it.dir)).collect();
    for below in &folders {
        let files = tree.files.iter().filter(|file| file.is_rust());
        let files: Vec<&File> = files.filter(|file| file.path.starts_with(below)).collect();
        let roots = files.iter().filter_map(|file| {
            let (folder, name) = file.path.rsplit_once('/')?;
            let is_test = folder[below.len() - 1..].contains("/tests");
            (matches!(name, "lib.rs" | "main.rs") && !is_test).then(|| format!("{folder}/"))
        });
        let mut roots: Vec<String> = roots.collect();
        roots.dedup();
        // A crate's directory may be inside another crate's.
        let inner = folders
            .iter()
            .filter(|it| *it != below && it.starts_with(below));
        roots.retain(|root| !inner.clone().any(|inner| root.starts_with(inner)));
        for root in roots {
            let files = files.iter().filter(|file| file.path.starts_with(&root));
            let files: Vec<&File> = files.copied().collect();
            let graph = FileGraph::of(&root, &files);
            graphs.push((root, graph));
        }
    }
    graphs
}

/// Reports the files of a cycle, and the first import of each edge between them.
fn complain_of(folder: &str, graph: &FileGraph<'_>, circle: &[usize]) -> Complaint {
    let mut arrows: Vec<(&Node<'_>, &Arrow)> = Vec::new();
    for at in circle {
        let node = &graph.nodes[*at];
        for to in circle.iter().filter(|to| *to != at) {
            let first = node.arrows.iter().find(|arrow| arrow.to == *to);
            arrows.extend(first.map(|arrow| (node, arrow)));
        }
    }
    let said: Vec<String> = arrows
        .iter()
        .map(|(node, arrow)| {
            let to = graph.nodes[arrow.to].file;
            let (from, to) = (short(folder, node.file), short(folder, to));
            format!("\n    {from}:{} → {to} ({})", arrow.line, arrow.path)
        })
        .collect();
    let what = format!("a circle of {} files{}", circle.len(), said.concat());
    let first = arrows.first();
    Complaint {
        path: first.map_or_else(|| folder.to_owned(), |(node, _)| node.file.path.clone()),
        line: first.map_or(0, |(_, arrow)| arrow.line),
        what,
    }
}

fn short<'f>(folder: &str, file: &'f File) -> &'f str {
    file.path.strip_prefix(folder).unwrap_or(&file.path)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MANIFEST: (&str, &str) = ("crates/a/Cargo.toml", "[package]\nname = \"a\"\n");

    fn whats(complaints: &[Complaint]) -> Vec<String> {
        complaints.iter().map(Complaint::to_string).collect()
    }

    #[test]
    fn a_circle_is_reported_with_an_import_of_each_arrow() {
        let tree = Tree::of(&[
            MANIFEST,
            (
                "crates/a/src/lib.rs",
                "mod b;\nmod c;\nmod d;\npub use b::B;",
            ),
            (
                "crates/a/src/b.rs",
                "use std::io;\nuse crate::c::C;\nuse crate::c::D;",
            ),
            ("crates/a/src/c.rs", "fn f() -> crate::d::D {}"),
            ("crates/a/src/d.rs", "use crate::{\n    b::B,\n};"),
            ("crates/a/tests/main.rs", "mod e;\nuse e::E;\npub struct F;"),
            ("crates/a/tests/e.rs", "use super::F;"),
        ]);
        let want = "crates/a/src/b.rs:2: a circle of 3 files\
                    \n    b.rs:2 → c.rs (crate::c::C)\
                    \n    c.rs:1 → d.rs (crate::d::D)\
                    \n    d.rs:2 → b.rs (crate::b::B)";
        assert_eq!(whats(&no_file_is_in_a_circle(&tree)), [want]);
        let table = floors_of_crates(&tree);
        let row: Vec<&str> = table
            .lines()
            .last()
            .unwrap_or("")
            .split_whitespace()
            .collect();
        assert_eq!(row, ["crates/a/src", "4", "2", "1"]);
    }

    #[test]
    fn a_crate_inside_another_s_directory_is_separate() {
        let tree = Tree::of(&[
            ("a/Cargo.toml", "[package]\nname = \"a\"\n"),
            ("a/b/Cargo.toml", "[package]\nname = \"b\"\n"),
            ("a/src/lib.rs", ""),
            ("a/b/src/main.rs", ""),
            ("a/benches/c/main.rs", ""),
        ]);
        let folders: Vec<String> = graphs(&tree)
            .into_iter()
            .map(|(folder, _)| folder)
            .collect();
        assert_eq!(folders, ["a/src/", "a/benches/c/", "a/b/src/"]);
    }

    #[test]
    fn an_import_from_a_re_exporting_file_is_found() {
        let tree = Tree::of(&[
            MANIFEST,
            (
                "crates/a/src/lib.rs",
                "pub mod b;\npub mod c;\npub use c::{C, d::D as E};\npub struct F;",
            ),
            (
                "crates/a/src/b.rs",
                "use crate::{C, F};\nuse crate::c::C;\nfn f() { crate::E::g() }",
            ),
            (
                "crates/a/src/c.rs",
                "pub mod d;\npub mod h;\nuse d::D;\nuse crate::b::G;",
            ),
            ("crates/a/src/c/d.rs", "pub struct D;"),
            (
                "crates/a/src/c/h.rs",
                "use super::D;\nuse super::d::D;\n#[cfg(test)]\nmod tests { use crate::C; }",
            ),
        ]);
        let want = [
            "crates/a/src/b.rs:1: crate::C: lib.rs does not define C, it imports it",
            "crates/a/src/b.rs:3: crate::E::g: lib.rs does not define E, it imports it",
            "crates/a/src/c/h.rs:1: super::D: c.rs does not define D, it imports it",
        ];
        assert_eq!(whats(&imports_name_the_module_that_defines(&tree)), want);
    }
}
