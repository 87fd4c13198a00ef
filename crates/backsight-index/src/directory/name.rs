//! The file names of an index directory.

use backsight_files::Identity;
use backsight_types::BuildId;
use sha2::{Digest, Sha256};

/// A hash that identifies the files that an index was built from: their devices, inodes,
/// sizes, times and owners.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Binding([u8; 16]);

impl Binding {
    /// Returns the binding to the module and its debug file, if they exist.
    #[must_use]
    pub fn of(own: Option<Identity>, debug: Option<Identity>) -> Self {
        let mut hash = Sha256::new();
        for file in [own, debug] {
            let Some(file) = file else {
                hash.update([0]);
                continue;
            };
            hash.update([1]);
            for number in [file.device, file.inode, file.size, file.owner.into()] {
                hash.update(number.to_le_bytes());
            }
            for (seconds, nanos) in [file.modified, file.changed] {
                hash.update(seconds.to_le_bytes());
                hash.update(nanos.to_le_bytes());
            }
        }
        // Half of the hash suffices: a second preimage takes 2^128 attempts.
        let hash: [u8; 32] = hash.finalize().into();
        Self(*hash.first_chunk().unwrap_or(&[0; 16]))
    }
}

pub(super) fn name_of(id: BuildId, binding: Option<Binding>) -> String {
    let mut name = id.to_string();
    if let Some(Binding(bytes)) = binding {
        name.push('-');
        for byte in bytes {
            name.push_str(&format!("{byte:02x}"));
        }
    }
    name + SUFFIX
}

pub(super) const SUFFIX: &str = ".index";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NameKind {
    Index,
    /// A file that is being written.
    New,
}

/// Returns the kind of a file by its name; `None` for files that do not belong to the
/// directory.
pub(super) fn kind_of(name: &str) -> Option<NameKind> {
    let hidden = name.strip_prefix('.');
    let (stem, rest) = hidden.unwrap_or(name).split_once(SUFFIX)?;
    let (id, binding) = match stem.split_once('-') {
        Some((id, binding)) => (id, Some(binding)),
        None => (stem, None),
    };
    let is_hex = |text: &str| {
        text.bytes()
            .all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
    };
    let is_id = id.parse::<BuildId>().is_ok() && is_hex(id);
    if !is_id || binding.is_some_and(|binding| binding.len() != 32 || !is_hex(binding)) {
        return None;
    }
    if rest.is_empty() {
        return hidden.is_none().then_some(NameKind::Index);
    }
    // Earlier versions used `….index.PID-N.new`.
    let end = if hidden.is_some() { ".part" } else { ".new" };
    let (pid, number) = rest.strip_prefix('.')?.strip_suffix(end)?.split_once('-')?;
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    (is_number(pid) && is_number(number)).then_some(NameKind::New)
}

#[cfg(test)]
mod tests {
    use super::{NameKind, kind_of};

    #[test]
    fn names_of_ours_are_told_from_others() {
        let index = Some(NameKind::Index);
        let new = Some(NameKind::New);
        let binding = "0123456789abcdef0123456789abcdef";
        let cases = [
            ("77c7.index".to_owned(), index),
            (format!("77c7-{binding}.index"), index),
            (".77c7.index.12-0.part".to_owned(), new),
            (format!(".77c7-{binding}.index.1-999.part"), new),
            ("77c7.index.12-0.part".to_owned(), None),
            (".77c7.index.12-0.new".to_owned(), None),
            (".77c7.index".to_owned(), None),
            (".notes.index.12-0.part".to_owned(), None),
            (".77c7.index.part".to_owned(), None),
            ("77c7.index.12-0.new".to_owned(), new),
            (format!("77c7-{binding}.index.1-999.new"), new),
            ("77C7.index".to_owned(), None),
            ("77c.index".to_owned(), None),
            ("notes.index".to_owned(), None),
            (".index".to_owned(), None),
            ("77c7-12.index".to_owned(), None),
            ("77c7.index.new".to_owned(), None),
            ("77c7.index.-.new".to_owned(), None),
            ("77c7.index.1-x.new".to_owned(), None),
            ("77c7.new".to_owned(), None),
            ("77c7.index.old".to_owned(), None),
            ("lock".to_owned(), None),
        ];
        for (name, want) in cases {
            assert_eq!(kind_of(&name), want, "{name}");
        }
    }
}
