//! C++ names by the Itanium ABI.
//!
//! A name is read once, from left to right and without a step back, into a tree whose
//! nodes lie in one table (`node.rs`, `tree.rs`, `parse/`); then the tree is printed (`print/`).
//! What a name says twice is one node with two parents, so a short name can print
//! gigabytes: reading stops at a depth, printing at a depth, at a number of steps and
//! at the caller's limit on the text. Then there is no demangled name.
//!
//! Grammar: Itanium C++ ABI, chapter 5 "Linkage and Object Names", with what clang and
//! GCC emit beyond it (template parameter declarations, constraints, modules, explicit
//! object parameters, vendor types). The text is that of LLVM's demangler, clones apart.

mod depth;
mod id;
mod node;
mod parse;
mod print;
mod tree;

use crate::suffix;

/// Returns the text of a mangled name when it has at most `limit` bytes.
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
