//! What an ELF file says of the files that go with it.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

use backsight_types::BuildId;
use object::Endianness;

use super::file::ElfFile;

/// `.gnu_debuglink`: the debug file's name, and the checksum of all its bytes.
///
/// Source: the GDB manual, "Separate Debug Files": the name, a zero byte, zeros up
/// to a multiple of four, and a CRC-32 in the file's own byte order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct DebugLink<'d> {
    /// A bare file name: no path.
    pub(crate) name: &'d OsStr,
    pub(crate) crc: u32,
}

/// What leads to the supplementary file, which `dwz` moved common parts of the DWARF
/// of several files to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct AltLink<'d> {
    /// A path: absolute, or relative to the folder of the file.
    pub(crate) path: &'d OsStr,
    /// What the supplementary file must carry.
    pub(crate) proof: Proof<'d>,
}

/// What proves a supplementary file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Proof<'d> {
    /// Its build ID (`.gnu_debugaltlink`).
    BuildId(BuildId),
    /// The checksum in its own `.debug_sup` (DWARF 5, 7.3.6).
    Checksum(&'d [u8]),
}

impl ElfFile {
    /// Returns what leads to the supplementary file: `.gnu_debugaltlink`, a path, a
    /// zero byte and a build ID, or DWARF 5's `.debug_sup`. One that is malformed
    /// counts as none.
    pub(crate) fn alt_link(&self) -> Option<AltLink<'_>> {
        let raw = |name| self.section(name)?.raw(self.image());
        let gnu = raw(".gnu_debugaltlink").and_then(alt_link);
        gnu.or_else(|| match debug_sup(raw(".debug_sup")?, self.endian())? {
            Sup::Of { path, checksum } => Some(AltLink {
                path,
                proof: Proof::Checksum(checksum),
            }),
            Sup::Itself { .. } => None,
        })
    }

    /// Returns whether this is the supplementary file that is meant.
    pub(crate) fn is_proven(&self, proof: Proof<'_>) -> bool {
        match proof {
            Proof::BuildId(id) => self.build_id() == Some(id),
            Proof::Checksum(wanted) => self.supplementary_checksum() == Some(wanted),
        }
    }

    /// Returns the checksum by which others name this file, if it is a supplementary one.
    pub(crate) fn supplementary_checksum(&self) -> Option<&[u8]> {
        let section = self.section(".debug_sup")?.raw(self.image())?;
        match debug_sup(section, self.endian())? {
            Sup::Itself { checksum } => Some(checksum),
            Sup::Of { .. } => None,
        }
    }

    /// Returns the debug link. One that is malformed, or whose name leads into
    /// another folder, counts as none: the name comes from the file.
    pub(crate) fn debug_link(&self) -> Option<DebugLink<'_>> {
        let section = self.section(".gnu_debuglink")?;
        debug_link(section.raw(self.image())?, self.endian())
    }
}

fn debug_link(bytes: &[u8], endian: Endianness) -> Option<DebugLink<'_>> {
    let length = bytes.iter().position(|byte| *byte == 0)?;
    let name = bytes.get(..length)?;
    let bare = !matches!(name, b"" | b"." | b"..") && !name.contains(&b'/');
    let crc_at = length.checked_add(1)?.checked_next_multiple_of(4)?;
    let crc = *bytes.get(crc_at..)?.first_chunk()?;
    bare.then_some(DebugLink {
        name: OsStr::from_bytes(name),
        crc: match endian {
            Endianness::Little => u32::from_le_bytes(crc),
            Endianness::Big => u32::from_be_bytes(crc),
        },
    })
}

fn alt_link(bytes: &[u8]) -> Option<AltLink<'_>> {
    let length = bytes.iter().position(|byte| *byte == 0)?;
    let (path, rest) = bytes.split_at_checked(length)?;
    let id = BuildId::from_bytes(rest.get(1..)?).ok()?;
    (!path.is_empty()).then_some(AltLink {
        path: OsStr::from_bytes(path),
        proof: Proof::BuildId(id),
    })
}

/// What `.debug_sup` says.
#[derive(Debug, PartialEq, Eq)]
enum Sup<'d> {
    /// This file has a supplementary one.
    Of { path: &'d OsStr, checksum: &'d [u8] },
    /// This file is one.
    Itself { checksum: &'d [u8] },
}

/// A version, whether this is the supplementary file, a path, and a checksum with its
/// length.
fn debug_sup(bytes: &[u8], endian: Endianness) -> Option<Sup<'_>> {
    let (version, rest) = bytes.split_first_chunk()?;
    let version = match endian {
        Endianness::Little => u16::from_le_bytes(*version),
        Endianness::Big => u16::from_be_bytes(*version),
    };
    let (itself, rest) = rest.split_first()?;
    let end = rest.iter().position(|byte| *byte == 0)?;
    let (path, rest) = rest.split_at_checked(end)?;
    // A checksum is short: the length is a LEB128 number of one byte.
    let (length, rest) = rest.get(1..)?.split_first()?;
    let checksum = rest.get(..usize::from(*length))?;
    if version != 5 || checksum.is_empty() {
        return None;
    }
    match itself {
        0 if !path.is_empty() => Some(Sup::Of {
            path: OsStr::from_bytes(path),
            checksum,
        }),
        1 => Some(Sup::Itself { checksum }),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use object::Endianness;

    use super::{Proof, Sup, alt_link, debug_link, debug_sup};

    #[test]
    fn an_alt_link_is_a_path_and_a_build_id() {
        let link = alt_link(b"../x\0\xab\xcd").unwrap();
        assert_eq!(link.path, "../x");
        assert_eq!(link.proof, Proof::BuildId("abcd".parse().unwrap()));
        let none: [&[u8]; 4] = [b"", b"\0\xab", b"../x", b"../x\0"];
        for bytes in none {
            assert_eq!(alt_link(bytes), None, "{bytes:?}");
        }
    }

    #[test]
    fn debug_sup_says_which_of_the_two_files_it_is_in() {
        let of = debug_sup(b"\x05\0\0a/b\0\x02\xab\xcd", Endianness::Little);
        let checksum: &[u8] = b"\xab\xcd";
        let path = "a/b".as_ref();
        assert_eq!(of, Some(Sup::Of { path, checksum }));
        let itself = debug_sup(b"\0\x05\x01\0\x02\xab\xcd", Endianness::Big);
        assert_eq!(itself, Some(Sup::Itself { checksum }));
        let none: [&[u8]; 5] = [
            b"",
            b"\x04\0\0a\0\x01\xab",
            b"\x05\0\0\0\x01\xab",
            b"\x05\0\0a\0\x02\xab",
            b"\x05\0\0a\0\0",
        ];
        for bytes in none {
            assert_eq!(debug_sup(bytes, Endianness::Little), None, "{bytes:?}");
        }
    }

    #[test]
    fn a_debug_link_is_a_bare_name_and_a_checksum() {
        type Link<'a> = Option<(&'a str, u32)>;
        let cases: [(&str, &[u8], Link<'_>); 10] = [
            ("padded", b"a.debug\0\x01\0\0\0", Some(("a.debug", 1))),
            ("with zeros", b"ab\0\0\x02\0\0\0", Some(("ab", 2))),
            ("more behind", b"abc\0\x03\0\0\0rest", Some(("abc", 3))),
            ("empty", b"\0\0\0\0\x01\0\0\0", None),
            ("no end", b"a.debug", None),
            ("no checksum", b"a.debug\0\x01\0\0", None),
            ("a folder", b"a/b\0\x01\0\0\0", None),
            ("an absolute path", b"/bc\0\x01\0\0\0", None),
            ("this folder", b".\0\0\0\x01\0\0\0", None),
            ("the folder above", b"..\0\0\x01\0\0\0", None),
        ];
        for (name, bytes, want) in cases {
            let link = debug_link(bytes, Endianness::Little);
            let link = link
                .as_ref()
                .map(|link| (link.name.to_str().unwrap(), link.crc));
            assert_eq!(link, want, "{name}");
        }
        let big = debug_link(b"abc\0\0\0\0\x03", Endianness::Big).unwrap();
        assert_eq!(big.crc, 3);
    }
}
