//! Rules on `Cargo.toml` files.

use super::complaint::Complaint;
use super::tree::{Crate, File, Tree};

/// The dependencies allowed between our crates: data flows from left to right. A crate that is
/// not listed may have none.
const ARROW: [(&str, &[&str]); 23] = [
    ("backsight-types", &[]),
    ("backsight-profile", &["backsight-types"]),
    (
        "backsight-report",
        &["backsight-types", "backsight-profile"],
    ),
    ("backsight-bpf", &["backsight-types"]),
    ("backsight-demangle", &[]),
    ("backsight-disassemble", &["backsight-types"]),
    ("backsight-elf", &["backsight-types"]),
    ("backsight-files", &["backsight-types"]),
    ("vma-query", &["backsight-types"]),
    (
        "backsight-normalize",
        &[
            "backsight-types",
            "backsight-elf",
            "backsight-files",
            "vma-query",
        ],
    ),
    (
        "backsight-index",
        &["backsight-types", "backsight-demangle", "backsight-files"],
    ),
    ("backsight-sources", &["backsight-types", "backsight-index"]),
    (
        "backsight-symbolize",
        &[
            "backsight-types",
            "backsight-demangle",
            "backsight-elf",
            "backsight-files",
            "backsight-index",
            "backsight-sources",
        ],
    ),
    (
        "backsight-formats",
        &["backsight-types", "backsight-profile"],
    ),
    ("backsight-unwind", &["backsight-types"]),
    (
        "backsight",
        &[
            "backsight-types",
            "backsight-bpf",
            "backsight-profile",
            "backsight-disassemble",
            "backsight-elf",
            "backsight-files",
            "vma-query",
            "backsight-normalize",
            "backsight-index",
            "backsight-sources",
            "backsight-symbolize",
            "backsight-formats",
            "backsight-unwind",
        ],
    ),
    (
        "backsight-debuginfod",
        &[
            "backsight-types",
            "backsight-elf",
            "backsight-files",
            "backsight-symbolize",
        ],
    ),
    (
        "backsight-store",
        &[
            "backsight-types",
            "backsight-elf",
            "backsight-files",
            "backsight-sources",
        ],
    ),
    (
        "backsight-object-store",
        &[
            "backsight-types",
            "backsight-elf",
            "backsight-files",
            "backsight-store",
            "backsight-symbolize",
        ],
    ),
    ("backsight-agent", LIBRARIES),
    ("backsight-capi", LIBRARIES),
    ("backsight-cli", LIBRARIES),
    ("backsight-python", LIBRARIES),
];

const LIBRARIES: &[&str] = &[
    "backsight-types",
    "backsight-bpf",
    "backsight-profile",
    "backsight-report",
    "backsight-demangle",
    "backsight-disassemble",
    "backsight-elf",
    "backsight-files",
    "vma-query",
    "backsight-normalize",
    "backsight-index",
    "backsight-sources",
    "backsight-symbolize",
    "backsight-formats",
    "backsight-unwind",
    "backsight",
    "backsight-debuginfod",
    "backsight-store",
    "backsight-object-store",
    "backsight-agent",
];

/// External crates that a shipped crate must not depend on, so that it is useful without them.
const FREE_OF: [(&str, &[&str]); 2] = [
    ("backsight-index", &["addr2line", "gimli", "object"]),
    ("backsight-sources", &["addr2line", "gimli", "object"]),
];

/// Projects that we compare with, but do not depend on.
const PEERS: [&str; 3] = ["addr2line", "blazesym", "procfs"];

/// Shipped crates depend only on crates allowed by [`ARROW`], and testkit depends on none,
/// because it tests them all.
pub(super) fn crates_depend_along_the_arrow(tree: &Tree) -> Vec<Complaint> {
    let names: Vec<String> = tree.crates().map(|it| it.name().to_owned()).collect();
    let bound = tree
        .crates()
        .filter(|it| it.ships() || it.name() == "testkit");
    bound
        .flat_map(|it| {
            let row = ARROW.iter().find(|(name, _)| *name == it.name());
            let allowed = row.map_or(&[] as &[&str], |(_, allowed)| allowed);
            let ours = dependencies(&it, &["dependencies", "build-dependencies"])
                .into_iter()
                .filter(|name| names.contains(name));
            let against = ours.filter(|name| !allowed.contains(&name.as_str()));
            against
                .map(|name| complain(&it, &name, "against the arrow"))
                .collect::<Vec<_>>()
        })
        .collect()
}

/// Peers are dependencies only of tests and benches.
pub(super) fn peers_are_for_comparison(tree: &Tree) -> Vec<Complaint> {
    let shipped = tree.crates().filter(Crate::ships);
    shipped
        .flat_map(|it| {
            let all = dependencies(&it, &["dependencies", "build-dependencies"]);
            let peers = all
                .into_iter()
                .filter(|name| PEERS.contains(&name.as_str()));
            peers
                .map(|name| complain(&it, &name, "a peer"))
                .collect::<Vec<_>>()
        })
        .collect()
}

/// An index can be built from any source, so its crate has no readers of debug information.
pub(super) fn crates_stay_free_of_what_they_need_not(tree: &Tree) -> Vec<Complaint> {
    tree.crates()
        .flat_map(|it| {
            let row = FREE_OF.iter().find(|(name, _)| *name == it.name());
            let not = row.map_or(&[] as &[&str], |(_, not)| not);
            let all = dependencies(&it, &["dependencies", "build-dependencies"]).into_iter();
            let against = all.filter(|name| not.contains(&name.as_str()));
            against
                .map(|name| complain(&it, &name, "not for this crate"))
                .collect::<Vec<_>>()
        })
        .collect()
}

/// Each external dependency has a comment with its purpose.
pub(super) fn dependencies_have_reasons(tree: &Tree) -> Vec<Complaint> {
    let Some(root) = tree.named("Cargo.toml") else {
        return Vec::new();
    };
    let mut within = false;
    let mut complaints = Vec::new();
    for (at, line) in root.text().lines().enumerate() {
        if line.starts_with('[') {
            within = line == "[workspace.dependencies]";
        }
        let is_dependency = within && line.contains(" = ") && !line.starts_with('#');
        let is_ours = line.contains("path = ");
        let has_reason = line
            .rsplit_once(" # ")
            .is_some_and(|(_, reason)| reason.len() > 2);
        if is_dependency && !is_ours && !has_reason {
            complaints.push(root.complaint(at + 1, "no reason behind it"));
        }
    }
    complaints
}

/// Versions are in the root manifest; crates use `workspace = true`.
pub(super) fn versions_stand_in_one_place(tree: &Tree) -> Vec<Complaint> {
    let of_workspace = |value: &toml::Value| value.get("workspace").is_some();
    tree.crates()
        .filter(|it| it.table.contains_key("package") && !stands_alone(it))
        .flat_map(|it| {
            let all = tables(
                &it,
                &["dependencies", "dev-dependencies", "build-dependencies"],
            );
            let own = all.into_iter().filter(|(_, value)| !of_workspace(value));
            own.map(|(name, _)| complain(&it, name, "a version of its own"))
                .collect::<Vec<_>>()
        })
        .collect()
}

/// Each crate uses the lints of the workspace.
pub(super) fn crates_take_the_lints(tree: &Tree) -> Vec<Complaint> {
    let takes = |it: &Crate<'_>| {
        let lints = it
            .table
            .get("lints")
            .and_then(|lints| lints.get("workspace"));
        lints.and_then(toml::Value::as_bool) == Some(true)
    };
    let crates = tree.crates().filter(|it| !stands_alone(it) && !takes(it));
    crates
        .map(|it| it.manifest.complaint(0, "not the workspace's lints"))
        .collect()
}

/// Each shipped crate has a meaningful description, keywords, categories and a README.
pub(super) fn crates_say_what_they_are(tree: &Tree) -> Vec<Complaint> {
    let lacks = |it: &Crate<'_>| {
        let package = it.table.get("package");
        let field = |name: &str| package.and_then(|package| package.get(name));
        let text = field("description").and_then(toml::Value::as_str);
        let says = text.is_some_and(|text| text.contains(' '));
        let lists = |name: &str| {
            let list = field(name).and_then(toml::Value::as_array);
            list.is_some_and(|list| (1..=5).contains(&list.len()))
        };
        let has_readme = tree.named(&format!("{}/README.md", it.dir)).is_some();
        let checks = [
            (says, "no description"),
            (lists("keywords"), "no keywords, or more than five"),
            (lists("categories"), "no categories, or more than five"),
            (has_readme, "no README.md"),
        ];
        let lacks = checks.into_iter().filter(|(is_there, _)| !is_there);
        let lacks = lacks.map(|(_, what)| it.manifest.complaint(0, what));
        lacks.collect::<Vec<_>>()
    };
    let shipped = tree.crates().filter(Crate::ships);
    shipped.flat_map(|it| lacks(&it)).collect()
}

/// The fuzz crate is a workspace of its own, as cargo-fuzz requires.
fn stands_alone(it: &Crate<'_>) -> bool {
    it.table.contains_key("workspace")
}

fn dependencies(of: &Crate<'_>, kinds: &[&str]) -> Vec<String> {
    let entries = tables(of, kinds).into_iter();
    entries.map(|(name, _)| name.to_owned()).collect()
}

/// Returns the entries of these tables, including those for one target only.
fn tables<'c>(of: &'c Crate<'_>, kinds: &[&str]) -> Vec<(&'c str, &'c toml::Value)> {
    let targets = of.table.get("target").and_then(toml::Value::as_table);
    let targets = targets
        .into_iter()
        .flatten()
        .filter_map(|(_, it)| it.as_table());
    let tables = std::iter::once(&of.table).chain(targets);
    tables
        .flat_map(|table| kinds.iter().filter_map(|kind| table.get(*kind)?.as_table()))
        .flatten()
        .map(|(name, value)| (name.as_str(), value))
        .collect()
}

fn complain(of: &Crate<'_>, dependency: &str, what: &str) -> Complaint {
    let file: &File = of.manifest;
    let text = file.text();
    let at = text.lines().position(|line| line.starts_with(dependency));
    file.complaint(at.map_or(0, |at| at + 1), format!("{dependency}: {what}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn whats(complaints: Vec<Complaint>) -> Vec<String> {
        complaints.iter().map(Complaint::to_string).collect()
    }

    #[test]
    fn a_dependency_against_the_flow_is_found() {
        let back = "[package]\n[dependencies]\nbacksight-types.workspace = true\n\
                    vma-query.workspace = true\n[dev-dependencies]\ntestkit.workspace = true\n\
                    [target.'cfg(unix)'.dependencies]\ntestkit.workspace = true\n";
        let tree = Tree::of(&[
            ("crates/backsight-types/Cargo.toml", "[package]"),
            ("crates/vma-query/Cargo.toml", "[package]"),
            ("crates/testkit/Cargo.toml", "[package]\npublish = false"),
            ("crates/backsight-formats/Cargo.toml", back),
        ]);
        let want = [
            "crates/backsight-formats/Cargo.toml:4: vma-query: against the arrow",
            "crates/backsight-formats/Cargo.toml:6: testkit: against the arrow",
        ];
        assert_eq!(whats(crates_depend_along_the_arrow(&tree)), want);
    }

    #[test]
    fn a_peer_that_ships_is_found() {
        let text = "[dependencies]\naddr2line.workspace = true\n\
                    [dev-dependencies]\nblazesym.workspace = true\n";
        let tree = Tree::of(&[("crates/a/Cargo.toml", text)]);
        let want = ["crates/a/Cargo.toml:2: addr2line: a peer"];
        assert_eq!(whats(peers_are_for_comparison(&tree)), want);
    }

    #[test]
    fn debug_information_in_the_index_is_found() {
        let text = "[dependencies]\nrayon.workspace = true\ngimli.workspace = true\n";
        let tree = Tree::of(&[
            ("crates/backsight-index/Cargo.toml", text),
            ("crates/backsight-symbolize/Cargo.toml", text),
        ]);
        let want = ["crates/backsight-index/Cargo.toml:3: gimli: not for this crate"];
        assert_eq!(whats(crates_stay_free_of_what_they_need_not(&tree)), want);
    }

    #[test]
    fn a_dependency_without_a_reason_is_found() {
        let root = "[workspace.dependencies]\nours = { path = \"x\" }\n\n# Ships.\n\
                    a = \"1\" # reads files\nb = \"1\"\n[profile.dev]\nopt-level = 1\n";
        let tree = Tree::of(&[("Cargo.toml", root)]);
        let want = ["Cargo.toml:6: no reason behind it"];
        assert_eq!(whats(dependencies_have_reasons(&tree)), want);
    }

    #[test]
    fn a_crate_with_own_versions_or_lints_is_found() {
        let text = "[package]\ndescription = \"What\"\n[dependencies]\na = \"1\"\n";
        let fuzz = "[package]\npublish = false\n[workspace]\n[dependencies]\na = \"1\"\n";
        let tree = Tree::of(&[
            ("crates/a/Cargo.toml", text),
            ("crates/fuzz/Cargo.toml", fuzz),
        ]);
        let versions = whats(versions_stand_in_one_place(&tree));
        assert_eq!(versions, ["crates/a/Cargo.toml:4: a: a version of its own"]);
        let lints = whats(crates_take_the_lints(&tree));
        assert_eq!(lints, ["crates/a/Cargo.toml:0: not the workspace's lints"]);
        let silent = whats(crates_say_what_they_are(&tree));
        let lacks = [
            "no description",
            "no keywords, or more than five",
            "no categories, or more than five",
            "no README.md",
        ];
        assert_eq!(
            silent,
            lacks.map(|what| format!("crates/a/Cargo.toml:0: {what}"))
        );
    }
}
