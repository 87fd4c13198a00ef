//! Regular expressions for names.

use std::fmt;

use regex::Regex;

/// A regular expression, which matches anywhere in a name unless it is anchored. Matching takes
/// time in proportion to the name, whatever the expression.
#[derive(Clone, Debug)]
pub struct NamePattern(Regex);

/// Why a text is no regular expression.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PatternError(String);

impl NamePattern {
    /// Reads an expression in the syntax of the crate `regex`: Perl's, without look-around and
    /// back references.
    ///
    /// # Errors
    /// If the text is none, or too large when it is compiled.
    pub fn new(text: &str) -> Result<Self, PatternError> {
        let made = Regex::new(text).map(Self);
        made.map_err(|error| PatternError(error.to_string()))
    }

    /// Whether it matches somewhere in a name.
    #[must_use]
    pub fn is_match(&self, name: &str) -> bool {
        self.0.is_match(name)
    }
}

impl fmt::Display for NamePattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for PatternError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for PatternError {}
