//! A name of a type means one thing.

use std::collections::{BTreeMap, BTreeSet};

use super::complaint::Complaint;
use super::tokens::{Token, of_source};
use super::tree::{Crate, File, Tree};

/// Names that each module may have of its own, as `std::io::Error` and `std::fmt::Error` do.
/// They are read with the module: `perf_data::Reader`.
const NAMES_OF_MODULES: [&str; 6] = ["Error", "Limits", "Options", "Reader", "Result", "Writer"];

/// One generic type, and the instance of it that a crate returns.
const INSTANCES: [&str; 1] = ["FileError"];

/// The file with the messages of a protobuf schema, which have the schema's names and are read
/// with the module: `proto::Sample`.
const SCHEMA: &str = "/proto.rs";

/// A definition of a type.
struct Definition<'t> {
    name: String,
    file: &'t File,
    line: usize,
}

/// Within a crate, no two types have the same name.
pub(super) fn types_of_a_crate_differ(tree: &Tree) -> Vec<Complaint> {
    let mut complaints = Vec::new();
    for it in shipped(tree) {
        let mut known: BTreeMap<String, &str> = BTreeMap::new();
        for definition in definitions(tree, &it) {
            let name = definition.name.clone();
            if let Some(first) = known.insert(name, &definition.file.path) {
                complaints.push(definition.file.complaint(
                    definition.line,
                    format!("`{}` is a type of {first}, too", definition.name),
                ));
            }
        }
    }
    complaints
}

/// No type has the name of a public type of another crate, as docs/surface lists them.
pub(super) fn public_types_differ(tree: &Tree) -> Vec<Complaint> {
    let public = public_types(tree);
    let mut complaints = Vec::new();
    for it in shipped(tree) {
        for definition in definitions(tree, &it) {
            let others = public.get(&definition.name).into_iter().flatten();
            if let Some(other) = others.into_iter().find(|other| *other != it.name()) {
                complaints.push(definition.file.complaint(
                    definition.line,
                    format!("`{}` is a public type of {other}, too", definition.name),
                ));
            }
        }
    }
    complaints
}

/// Returns the crates that define each public type.
fn public_types(tree: &Tree) -> BTreeMap<String, BTreeSet<String>> {
    let mut types: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for file in &tree.files {
        let listing = file.path.strip_prefix("docs/surface/");
        let Some(of) = listing.and_then(|name| name.strip_suffix(".txt")) else {
            continue;
        };
        for name in file.text().lines().filter_map(listed_type) {
            types.entry(name).or_default().insert(of.to_owned());
        }
    }
    types
}

/// Returns the name of the type that a line of a listing defines.
fn listed_type(line: &str) -> Option<String> {
    let line = line.strip_prefix("#[non_exhaustive] ").unwrap_or(line);
    let rest = line.strip_prefix("pub ")?;
    let (keyword, rest) = rest.split_once(' ')?;
    let path = rest.split(|c: char| c != ':' && c != '_' && !c.is_alphanumeric());
    let path = path.into_iter().next()?;
    let (parent, name) = path.rsplit_once("::")?;
    let of_type = parent.rsplit("::").next()?.starts_with(char::is_uppercase);
    (is_type(keyword) && !of_type).then(|| name.to_owned())
}

fn shipped(tree: &Tree) -> impl Iterator<Item = Crate<'_>> {
    tree.crates()
        .filter(|it| it.ships() && it.dir.starts_with("crates/"))
}

/// Returns the types that the sources of a crate define outside functions, implementations and
/// tests.
fn definitions<'t>(tree: &'t Tree, of: &Crate<'t>) -> Vec<Definition<'t>> {
    let files: Vec<&File> = tree.sources(of).collect();
    files
        .into_iter()
        .filter(|file| !file.path.ends_with("/tests.rs") && !file.path.ends_with(SCHEMA))
        .flat_map(|file| {
            let tokens = of_source(&file.text());
            defined(&tokens)
                .map(|(name, line)| Definition { name, file, line })
                .collect::<Vec<_>>()
        })
        .collect()
}

/// Returns the names and lines of the types that are defined outside braces.
fn defined(tokens: &[Token]) -> impl Iterator<Item = (String, usize)> + '_ {
    let mut depth = 0_i32;
    tokens.windows(2).filter_map(move |pair| {
        match pair[0].text.as_str() {
            "{" => depth += 1,
            "}" => depth -= 1,
            _ => {}
        }
        let name = &pair[1];
        let own = [&NAMES_OF_MODULES[..], &INSTANCES[..]].concat();
        (depth == 0
            && is_type(&pair[0].text)
            && name.is_word()
            && !own.contains(&name.text.as_str()))
        .then(|| (name.text.clone(), name.line))
    })
}

fn is_type(keyword: &str) -> bool {
    matches!(keyword, "struct" | "enum" | "trait" | "type" | "union")
}

#[cfg(test)]
mod tests {
    use super::*;

    const MANIFEST: &str = "[package]\nname = \"a\"\n";

    #[test]
    fn a_name_twice_in_a_crate_is_found() {
        let tree = Tree::of(&[
            ("crates/a/Cargo.toml", MANIFEST),
            ("crates/a/src/lib.rs", "struct Row;\nenum Error {}\n"),
            (
                "crates/a/src/b.rs",
                "\npub(crate) enum Row {}\nenum Error {}\n",
            ),
            (
                "crates/a/src/c.rs",
                "fn f() { struct Row; }\nimpl A { type Row = u8; }\n",
            ),
        ]);
        let found = types_of_a_crate_differ(&tree);
        assert_eq!(found.len(), 1, "{found:?}");
        assert_eq!(found[0].line.max(1), found[0].line);
        assert!(found[0].what.contains("`Row`"), "{found:?}");
    }

    #[test]
    fn a_public_name_of_another_crate_is_found() {
        let tree = Tree::of(&[
            ("crates/a/Cargo.toml", MANIFEST),
            (
                "crates/a/src/lib.rs",
                "struct Row;\nstruct Item;\nstruct Own;\n",
            ),
            (
                "docs/surface/b.txt",
                "#[non_exhaustive] pub struct b::Row<'a>\npub type b::Row::Item = u8\n",
            ),
            ("docs/surface/a.txt", "pub struct a::Own\n"),
        ]);
        let found = public_types_differ(&tree);
        assert_eq!(found.len(), 1, "{found:?}");
        assert_eq!(found[0].line, 1);
    }

    #[test]
    fn messages_of_a_schema_have_its_names() {
        let tree = Tree::of(&[
            ("crates/a/Cargo.toml", MANIFEST),
            ("crates/a/src/pprof/proto.rs", "struct Sample;\n"),
            ("crates/a/src/pprof.rs", "struct Sample;\n"),
            ("crates/a/src/otlp.rs", "struct Sample;\n"),
        ]);
        let found = types_of_a_crate_differ(&tree);
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(!found[0].path.contains("proto"), "{found:?}");
    }
}
