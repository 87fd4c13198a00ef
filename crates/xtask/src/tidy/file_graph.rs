//! The dependency graph of one crate's files.
//!
//! ```text
//!   text.rs ──crate::word::Word──▶ word.rs
//! ```
//!
//! A path is an edge to the last file on its way, wherever that is declared as a module: `mod
//! text;` alone is not an edge, but `pub use text::Text` is one. Modules only for tests are
//! ignored.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::paths::{self, Path};
use super::tokens;
use super::tree::File;

/// A path that refers to a file, possibly the same one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Arrow {
    pub(super) to: usize,
    /// The path as written.
    pub(super) path: String,
    pub(super) line: usize,
    /// The segment after those that lead to the file.
    pub(super) name: Option<String>,
}

/// A file.
#[derive(Debug)]
pub(super) struct Node<'t> {
    pub(super) file: &'t File,
    /// Its module path from the crate's root.
    pub(super) module: Vec<String>,
    pub(super) arrows: Vec<Arrow>,
    /// The names imported by its `use` items.
    pub(super) binds: HashSet<String>,
}

/// The files of one root: `lib.rs` or `main.rs`, and the files in its directory.
#[derive(Debug)]
pub(super) struct FileGraph<'t> {
    pub(super) nodes: Vec<Node<'t>>,
}

impl<'t> FileGraph<'t> {
    /// Builds the graph of a directory that has a root file.
    pub(super) fn of(folder: &str, files: &[&'t File]) -> Self {
        let mut texts: BTreeMap<Vec<String>, (&File, String)> = BTreeMap::new();
        for file in files {
            if let Some(module) = module_of(folder, file, files) {
                texts.insert(module, (file, file.text().into_owned()));
            }
        }
        let for_tests: Vec<Vec<String>> = texts
            .iter()
            .flat_map(|(module, (_, text))| {
                let names = tokens::test_modules(text).into_iter();
                names.map(|name| [module.as_slice(), &[name]].concat())
            })
            .collect();
        texts.retain(|module, _| !for_tests.iter().any(|tests| module.starts_with(tests)));
        let places: HashMap<Vec<String>, usize> = (texts.keys().cloned()).zip(0..).collect();
        let nodes = texts.into_iter().map(|(module, (file, text))| {
            let paths = paths::of_source(&text);
            let binds = paths.iter().filter_map(|path| path.binds.clone());
            Node {
                file,
                binds: binds.collect(),
                arrows: (paths.iter())
                    .filter_map(|path| arrow(&places, &module, path))
                    .collect(),
                module,
            }
        });
        Self {
            nodes: nodes.collect(),
        }
    }

    /// Returns the files that each file uses, without duplicates and without itself.
    pub(super) fn uses(&self) -> Vec<Vec<usize>> {
        let nodes = self.nodes.iter().enumerate();
        nodes
            .map(|(at, node)| {
                let mut to: Vec<usize> = node.arrows.iter().map(|arrow| arrow.to).collect();
                to.retain(|to| *to != at);
                to.sort_unstable();
                to.dedup();
                to
            })
            .collect()
    }
}

/// Returns the module path of a file; `None` if it is a program of its own.
fn module_of(folder: &str, file: &File, files: &[&File]) -> Option<Vec<String>> {
    let path = file.path.strip_prefix(folder)?.strip_suffix(".rs")?;
    let mut words: Vec<String> = path.split('/').map(str::to_owned).collect();
    let has_library = || files.iter().any(|it| it.path == format!("{folder}lib.rs"));
    match words
        .iter()
        .map(String::as_str)
        .collect::<Vec<_>>()
        .as_slice()
    {
        ["bin", ..] => return None,
        ["main"] if has_library() => return None,
        ["lib" | "main"] | [.., "mod"] => {
            words.pop();
        }
        _ => {}
    }
    Some(words)
}

/// Returns the file that a path refers to, if it is in this crate.
fn arrow(places: &HashMap<Vec<String>, usize>, module: &[String], path: &Path) -> Option<Arrow> {
    let mut from = [module, path.within.as_slice()].concat();
    let mut words = path.words.as_slice();
    match words.first()?.as_str() {
        "crate" => {
            from.clear();
            words = &words[1..];
        }
        "self" => words = &words[1..],
        "super" => {
            while words.first().is_some_and(|word| word == "super") {
                from.pop();
                words = &words[1..];
            }
        }
        // The name of a child module, or something else: another crate, a type.
        child => {
            let child = [from.as_slice(), &[child.to_owned()]].concat();
            places.get(&child)?;
        }
    }
    let whole = [from.as_slice(), words].concat();
    let len = (0..=whole.len())
        .rev()
        .find(|len| places.contains_key(&whole[..*len]))?;
    Some(Arrow {
        to: *places.get(&whole[..len])?,
        path: path.words.join("::"),
        line: path.line,
        name: whole.get(len).cloned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns the edges of each file to others, with their paths.
    fn arrows(files: &[(&str, &str)]) -> Vec<String> {
        let files: Vec<File> = files
            .iter()
            .map(|(path, text)| File::of(path, text))
            .collect();
        let files: Vec<&File> = files.iter().collect();
        let graph = FileGraph::of("src/", &files);
        let name = |at: usize| {
            graph.nodes[at]
                .file
                .path
                .strip_prefix("src/")
                .expect("below")
        };
        let mut said = Vec::new();
        for (at, node) in graph.nodes.iter().enumerate() {
            for arrow in node.arrows.iter().filter(|arrow| arrow.to != at) {
                said.push(format!("{} -{}> {}", name(at), arrow.path, name(arrow.to)));
            }
        }
        said
    }

    #[test]
    fn every_kind_of_path_leads_to_its_file() {
        let files = [
            (
                "src/lib.rs",
                "mod a;\npub mod b;\npub use a::A;\nfn f() { b::f() }",
            ),
            (
                "src/a.rs",
                "mod c;\nuse std::fmt;\nuse crate::b::{self, B, d::D};\nuse self::c::C;",
            ),
            (
                "src/a/c.rs",
                "use super::super::b::B;\nfn f() { crate::a::f(); super::g() }",
            ),
            (
                "src/b/mod.rs",
                "mod d;\nuse d::*;\nenum E {}\nfn f() { E::G; Vec::new() }",
            ),
            ("src/b/d.rs", ""),
            ("src/bin/x.rs", "use crate::b;"),
        ];
        let want = [
            "lib.rs -a::A> a.rs",
            "lib.rs -b::f> b/mod.rs",
            "a.rs -crate::b> b/mod.rs",
            "a.rs -crate::b::B> b/mod.rs",
            "a.rs -crate::b::d::D> b/d.rs",
            "a.rs -self::c::C> a/c.rs",
            "a/c.rs -super::super::b::B> b/mod.rs",
            "a/c.rs -crate::a::f> a.rs",
            "a/c.rs -super::g> a.rs",
            "b/mod.rs -d::*> b/d.rs",
        ];
        assert_eq!(arrows(&files), want);
    }

    #[test]
    fn in_an_inline_module_super_is_the_file() {
        let files = [
            ("src/main.rs", "mod a;\nmod b;"),
            (
                "src/a.rs",
                "struct A;\nmod x { use super::A; use super::super::b::B; use self::A; }",
            ),
            ("src/b.rs", ""),
        ];
        assert_eq!(arrows(&files), ["a.rs -super::super::b::B> b.rs"]);
    }

    #[test]
    fn test_only_code_is_ignored() {
        let files = [
            ("src/lib.rs", "mod a;\n#[cfg(test)]\nmod made;"),
            (
                "src/a.rs",
                "#[cfg(test)]\nmod tests { use crate::made::M; use super::*; }",
            ),
            ("src/made.rs", "use crate::a::A;"),
            ("src/made/more.rs", "use crate::a::A;"),
        ];
        assert_eq!(arrows(&files), [""; 0]);
    }
}
