//! Demangles C++ names of the Itanium ABI.
//!
//! A name is parsed in one pass without backtracking into a tree whose nodes are in one table
//! (`node.rs`, `tree.rs`, `parse/`); then the tree is printed (`print/`). A part that a name
//! refers to twice is one node with two parents, so a short name can expand to gigabytes. So
//! parsing has a maximum depth, and printing a maximum depth, a maximum number of steps, and the
//! caller's limit of the output. If one is reached, there is no demangled name.
//!
//! Grammar: Itanium C++ ABI, chapter 5 "Linkage and Object Names", with the extensions that
//! clang and GCC emit (template parameter declarations, constraints, modules, explicit object
//! parameters, vendor types). The output is that of LLVM's demangler, except for clones.

mod depth;
mod id;
mod node;
mod parse;
mod print;
mod tree;

use crate::suffix;

/// Returns the demangled form of a name, if it has at most `limit` bytes.
pub(crate) fn demangle(name: &str, limit: usize) -> Option<String> {
    let parsed = parse::mangled_name(name)?;
    let text = print::print(&parsed.tree, parsed.root, name.len(), limit)?;
    with_clones(text, parsed.rest, limit)
}

fn with_clones(mut text: String, suffix: &str, limit: usize) -> Option<String> {
    for clone in suffix::clones(suffix) {
        for part in [" [clone ", clone, "]"] {
            text.push_str(part);
        }
    }
    (text.len() <= limit).then_some(text)
}
