//! What the store knows of a file that it added.
//!
//! ```text
//!   backsight store 1
//!   bytes 16384
//!   modified 1732900000 500000000
//!   debug-link
//!   module liba.so
//!   name liba.so.1
//! ```
//!
//! Size and time tell whether the file is still the one that was added: another tool may have
//! replaced it. They survive a copy of the store by `cp -a` or `rsync -a`, which inode numbers
//! do not. The name is the last field, because it may contain any byte.

use std::ffi::{OsStr, OsString};
use std::fs::Metadata;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::MetadataExt;

const FIRST_LINE: &[u8] = b"backsight store 1\n";

/// The longest record, in bytes: two names and a few numbers.
pub(crate) const MAX_RECORD: u64 = 4096;

/// What the store knows of a file that it added.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Record {
    pub(crate) bytes: u64,
    /// Seconds and nanoseconds since 1970.
    pub(crate) modified: (i64, i64),
    /// Whether the name of the debug file is a link to this executable, which goes with it.
    pub(crate) has_debug_link: bool,
    pub(crate) module: Option<String>,
    pub(crate) name: OsString,
}

impl Record {
    /// Returns whether this is the file that was added, unchanged.
    pub(crate) fn is_of(&self, metadata: &Metadata) -> bool {
        let modified = (metadata.mtime(), metadata.mtime_nsec());
        metadata.is_file() && (metadata.len(), modified) == (self.bytes, self.modified)
    }

    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        let mut text = FIRST_LINE.to_vec();
        let (seconds, nanos) = self.modified;
        let numbers = format!("bytes {}\nmodified {seconds} {nanos}\n", self.bytes);
        text.extend_from_slice(numbers.as_bytes());
        if self.has_debug_link {
            text.extend_from_slice(b"debug-link\n");
        }
        if let Some(module) = &self.module {
            text.extend_from_slice(format!("module {module}\n").as_bytes());
        }
        text.extend_from_slice(b"name ");
        text.extend_from_slice(self.name.as_bytes());
        text
    }

    pub(crate) fn parse(text: &[u8]) -> Option<Self> {
        let rest = text.strip_prefix(FIRST_LINE)?;
        let (bytes, rest) = field(rest, b"bytes ")?;
        let (modified, mut rest) = field(rest, b"modified ")?;
        let (seconds, nanos) = modified.split_once(' ')?;
        let without_link = rest.strip_prefix(b"debug-link\n");
        rest = without_link.unwrap_or(rest);
        let module = field(rest, b"module ");
        rest = module.map_or(rest, |(_, rest)| rest);
        Some(Self {
            bytes: bytes.parse().ok()?,
            modified: (seconds.parse().ok()?, nanos.parse().ok()?),
            has_debug_link: without_link.is_some(),
            module: module.map(|(module, _)| module.to_owned()),
            name: OsString::from_vec(rest.strip_prefix(b"name ")?.to_vec()),
        })
    }
}

/// Returns the value of the field at the start, and what follows its line.
fn field<'t>(text: &'t [u8], name: &[u8]) -> Option<(&'t str, &'t [u8])> {
    let value = text.strip_prefix(name)?;
    let end = value.iter().position(|byte| *byte == b'\n')?;
    let (value, rest) = value.split_at_checked(end)?;
    Some((std::str::from_utf8(value).ok()?, rest.get(1..)?))
}

/// Returns the last part of a path, as the name in a record.
pub(crate) fn name_of(path: &std::path::Path) -> OsString {
    path.file_name().unwrap_or(OsStr::new("")).to_owned()
}

#[cfg(test)]
mod tests {
    use std::ffi::OsString;
    use std::os::unix::ffi::OsStringExt;

    use super::Record;

    #[test]
    fn writing_then_reading_is_the_identity() {
        for (has_debug_link, module, name) in [
            (false, None, &b"a"[..]),
            (true, None, b"two\nlines \xff"),
            (false, Some("lib a.so".to_owned()), b""),
        ] {
            let record = Record {
                bytes: u64::MAX,
                modified: (-1, 999_999_999),
                has_debug_link,
                module,
                name: OsString::from_vec(name.to_vec()),
            };
            let bytes = record.to_bytes();
            assert_eq!(Record::parse(&bytes), Some(record));
            // The name may end anywhere; what precedes it may not.
            let until = bytes.len() - name.len();
            for end in 0..until {
                assert_eq!(Record::parse(&bytes[..end]), None, "{end}");
            }
        }
        assert_eq!(Record::parse(b"backsight store 2\n"), None);
    }
}
