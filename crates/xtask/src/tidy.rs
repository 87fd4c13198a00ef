//! Invariants of the repository that are checked by scanning the sources.
//!
//! Each rule is a function from the tree of files to complaints, and is named after the
//! invariant. To add a rule, write it and add it to [`RULES`].

mod arrows;
mod circles;
mod code;
mod code_map;
mod complaint;
mod file_graph;
mod files;
mod manifests;
mod names;
mod paths;
mod rust;
mod tokens;
mod tree;

use complaint::Complaint;
use tree::Tree;

use crate::root::root;

type Rule = fn(&Tree) -> Vec<Complaint>;

const RULES: &[(&str, Rule)] = &[
    ("unsafe is where it may be", code::unsafe_is_where_it_may_be),
    ("the others forbid unsafe", code::others_forbid_unsafe),
    (
        "below the command nothing prints",
        code::below_the_command_nothing_prints,
    ),
    (
        "below the command nothing reads the environment",
        code::nothing_reads_the_environment,
    ),
    (
        "the symbolizer sees no process",
        code::the_symbolizer_sees_no_process,
    ),
    ("nothing is left undone", code::nothing_is_left_undone),
    (
        "files open with their idea",
        code::files_open_with_their_idea,
    ),
    (
        "crates depend along the arrow",
        manifests::crates_depend_along_the_arrow,
    ),
    (
        "peers are for comparison",
        manifests::peers_are_for_comparison,
    ),
    (
        "the index reads no debug information",
        manifests::crates_stay_free_of_what_they_need_not,
    ),
    (
        "dependencies have reasons",
        manifests::dependencies_have_reasons,
    ),
    (
        "versions stand in one place",
        manifests::versions_stand_in_one_place,
    ),
    (
        "crates take the workspace's lints",
        manifests::crates_take_the_lints,
    ),
    (
        "crates say what they are",
        manifests::crates_say_what_they_are,
    ),
    ("no file is in a circle", arrows::no_file_is_in_a_circle),
    (
        "imports name the module that defines",
        arrows::imports_name_the_module_that_defines,
    ),
    (
        "types of a crate have different names",
        names::types_of_a_crate_differ,
    ),
    (
        "public types have different names",
        names::public_types_differ,
    ),
    ("the code map is true", code_map::the_code_map_is_true),
    ("files are short", files::files_are_short),
    ("files are small", files::files_are_small),
    ("no machine's paths", files::no_machine_paths),
];

/// Applies every rule to the tracked files.
pub(crate) fn run() -> Result<String, String> {
    let tree = Tree::of_git(&root())?;
    let complaints: Vec<String> = RULES
        .iter()
        .flat_map(|(name, rule)| {
            rule(&tree)
                .into_iter()
                .map(move |it| format!("{it} [{name}]"))
        })
        .collect();
    match complaints.is_empty() {
        true => Ok(format!(
            "tidy: {} rules, {} files",
            RULES.len(),
            tree.files.len()
        )),
        false => Err(complaints.join("\n")),
    }
}

/// Returns the dependency levels of each crate's files.
pub(crate) fn floors() -> Result<String, String> {
    Ok(arrows::floors_of_crates(&Tree::of_git(&root())?))
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_tree_is_tidy() {
        if !crate::root::root().join(".git").exists() {
            return testkit::skip("not a git checkout: what is tracked cannot be told");
        }
        super::run().unwrap_or_else(|complaints| panic!("\n{complaints}\n"));
    }
}
