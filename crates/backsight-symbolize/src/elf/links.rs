//! What an ELF file says of the files that go with it.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

use object::Endianness;

use super::ElfFile;

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

impl ElfFile {
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

#[cfg(test)]
mod tests {
    use object::Endianness;

    use super::debug_link;

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
