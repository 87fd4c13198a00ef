//! What is in a file, to tell later whether it has been written to.

use std::fs::File;
use std::hash::{DefaultHasher, Hasher};
use std::os::unix::fs::FileExt;

use backsight_elf::Headers;
use backsight_files::Identity;
use backsight_types::BuildId;

/// What is in a file.
///
/// A file whose size and time of the last change are the same is not read. The time of the last write
/// does not count: `cp -p` sets it back. One that was changed at another time may still have the same
/// bytes: `touch` and `chmod` change only the time. It is then compared
/// by its build ID, or without one by a hash of parts of it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Contents {
    size: u64,
    /// Seconds and nanoseconds since 1970.
    changed: (i64, i64),
    kind: Kind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    BuildId(BuildId),
    /// Of the size and [`PARTS`] parts.
    Hash(u64),
}

/// How many parts of a file without a build ID are read. The first has its headers, the last one
/// the end of its symbols and its section headers.
const PARTS: u64 = 32;

/// The size of a part in bytes.
const PART_SIZE: usize = 4096;

impl Contents {
    /// `None` if the file cannot be read, or if there is no code in it: just-in-time compilers map
    /// the jitdump that they write to.
    pub(crate) fn of(file: &File) -> Option<Self> {
        /// Of ELF files, and of archives, which have some inside (ZIP, 4.3.7).
        const MAGICS: [[u8; 4]; 2] = [*b"\x7fELF", *b"PK\x03\x04"];
        let mut begin = [0; 4];
        file.read_exact_at(&mut begin, 0).ok()?;
        if !MAGICS.contains(&begin) {
            return None;
        }
        let identity = Identity::of(file).ok()?;
        Some(Self {
            size: identity.size,
            changed: identity.changed,
            kind: Kind::of(file, identity.size)?,
        })
    }

    /// Returns whether these are in a file.
    pub(crate) fn are_in(&self, file: &File) -> bool {
        let Ok(identity) = Identity::of(file) else {
            return false;
        };
        let is_same = (identity.size, identity.changed) == (self.size, self.changed);
        is_same || Kind::of(file, identity.size) == Some(self.kind)
    }
}

impl Kind {
    fn of(file: &File, size: u64) -> Option<Self> {
        let headers = Headers::read(file).ok();
        if let Some(id) = headers.and_then(|headers| headers.build_id) {
            return Some(Self::BuildId(id));
        }
        let mut hash = DefaultHasher::new();
        hash.write_u64(size);
        let last = size.saturating_sub(PART_SIZE as u64);
        for part in 0..PARTS {
            let start = u128::from(last).saturating_mul(part.into()) / u128::from(PARTS - 1);
            let mut bytes = [0; PART_SIZE];
            let read = file.read_at(&mut bytes, u64::try_from(start).ok()?).ok()?;
            hash.write(bytes.get(..read)?);
        }
        Some(Self::Hash(hash.finish()))
    }
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::os::unix::fs::FileExt;
    use std::time::{Duration, SystemTime};

    use super::Contents;

    #[test]
    fn a_touched_file_has_the_same_contents_and_a_written_one_has_not() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        for size in [100, 4096, 100_000, 1_000_000] {
            let mut bytes = vec![b'P'; size];
            bytes[..4].copy_from_slice(b"PK\x03\x04");
            std::fs::write(&path, bytes).unwrap();
            let file = File::options().read(true).write(true).open(&path).unwrap();
            let touch = |seconds| {
                let time = SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
                file.set_modified(time).unwrap();
            };
            let contents = Contents::of(&file).unwrap();
            assert!(contents.are_in(&file), "{size}");
            touch(1);
            assert!(contents.are_in(&file), "{size}");
            let contents = Contents::of(&file).unwrap();
            for at in [0, size / 2, size.saturating_sub(1)] {
                let at = u64::try_from(at).unwrap() / 4096 * 4096;
                file.write_all_at(&[8], at).unwrap();
                touch(2);
                assert_eq!(
                    contents.are_in(&file),
                    size > 100_000 && at == 499_712,
                    "{size}"
                );
                file.write_all_at(b"P", at).unwrap();
                touch(2);
            }
            file.set_len(size as u64 + 10).unwrap();
            assert!(!contents.are_in(&file), "{size}");
        }
    }

    /// As V8 does with its jitdump, which it has mapped.
    #[test]
    fn a_file_without_code_may_grow() {
        let file = tempfile::tempfile().unwrap();
        assert!(Contents::of(&file).is_none());
        file.write_all_at(b"DTiJ and more", 0).unwrap();
        assert!(Contents::of(&file).is_none());
    }
}
