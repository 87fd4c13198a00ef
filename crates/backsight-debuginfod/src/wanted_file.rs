//! A file that servers are asked for: of a build ID and a kind, or a source file by its path.

use std::fmt::Write;
use std::sync::Arc;

use crate::file_kind::FileKind;

/// The longest name of a file in the cache, without what is added for parts and markers.
const MAX_NAME_BYTES: usize = 220;

/// A file of a build ID.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct WantedFile {
    pub(crate) kind: FileKind,
    /// The path of a source file, as debug information has it.
    pub(crate) source: Option<Arc<str>>,
}

impl WantedFile {
    pub(crate) fn of_kind(kind: FileKind) -> Self {
        Self { kind, source: None }
    }

    /// The source file at an absolute path. `None` if the path is not absolute, or too long for a
    /// name in the cache.
    pub(crate) fn of_source(path: &str) -> Option<Self> {
        let wanted = Self {
            kind: FileKind::Source,
            source: Some(path.into()),
        };
        let fits = path.starts_with('/') && wanted.name().len() <= MAX_NAME_BYTES;
        fits.then_some(wanted)
    }

    /// Returns its name in the cache, without a dot.
    pub(crate) fn name(&self) -> String {
        match &self.source {
            Some(path) => format!("{}-{}", self.kind.name(), escaped(path, &[])),
            None => self.kind.name().to_owned(),
        }
    }

    /// Returns the end of its URL, behind the build ID.
    pub(crate) fn url_part(&self) -> String {
        match &self.source {
            Some(path) => format!("{}{}", self.kind.name(), escaped(path, b"/.~+")),
            None => self.kind.name().to_owned(),
        }
    }
}

/// Escapes each byte as in URLs that is no letter, digit, `-`, `_`, or one of these.
fn escaped(path: &str, kept: &[u8]) -> String {
    let mut text = String::with_capacity(path.len());
    for byte in path.bytes() {
        match byte.is_ascii_alphanumeric() || b"-_".contains(&byte) || kept.contains(&byte) {
            true => text.push(char::from(byte)),
            // Writing to a string never fails.
            false => drop(write!(text, "%{byte:02X}")),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::{FileKind, WantedFile};

    #[test]
    fn sources_have_names_of_their_own() {
        let of = |path: &str| {
            let wanted = WantedFile::of_source(path)?;
            Some((wanted.url_part(), wanted.name()))
        };
        let wanted = (
            "source/a/b%20c.rs".to_owned(),
            "source-%2Fa%2Fb%20c%2Ers".to_owned(),
        );
        assert_eq!(of("/a/b c.rs"), Some(wanted));
        assert_eq!(of("a.c"), None);
        assert_eq!(of(&format!("/{}", "a".repeat(300))), None);
        let name = WantedFile::of_kind(FileKind::DebugInfo).name();
        assert_eq!(name, "debuginfo");
    }
}
