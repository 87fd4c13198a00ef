//! What a rule says of a place in the tree.

use std::fmt;

/// A place in the tree that breaks a rule.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Complaint {
    pub(super) path: String,
    /// Counted from 1; 0 is the file as a whole.
    pub(super) line: usize,
    pub(super) what: String,
}

impl fmt::Display for Complaint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.path, self.line, self.what)
    }
}
