//! The release of Go that built a program, from the section `.go.buildinfo`.
//!
//! ```text
//!   "\xff Go buildinf:"  pointer size  flags   …
//!   flags & 2: at 32 a length as a varint, and the release   (Go 1.18 and later)
//!   else:      at 16 the address of a Go string              (Go 1.13 to 1.17)
//! ```

use crate::bytes::Bytes;
use crate::memory::Memory;

const MAGIC: &[u8] = b"\xff Go buildinf:";

/// The maximum length of the name of a release.
const LONGEST: usize = 256;

/// Returns the release, such as `go1.19.8`, from the bytes of the section and the mapped
/// memory.
#[must_use]
pub fn go_release<'d>(section: &'d [u8], memory: &Memory<'d>) -> Option<&'d str> {
    if !section.starts_with(MAGIC) {
        return None;
    }
    let flags = *section.get(15)?;
    let text = if flags & 2 != 0 {
        let (length, at) = varint(section.get(32..)?)?;
        let rest = section.get(32_usize.checked_add(at)?..)?;
        rest.get(..length.min(LONGEST))?
    } else {
        let bytes = Bytes {
            all: section,
            big_endian: flags & 1 != 0,
            pointer: usize::from(*section.get(14)?),
        };
        if ![4, 8].contains(&bytes.pointer) {
            return None;
        }
        let header = Bytes {
            all: memory.from(bytes.address(16)?)?,
            ..bytes
        };
        let text = memory.from(header.address(0)?)?;
        text.get(..header.size(bytes.pointer)?.min(LONGEST))?
    };
    std::str::from_utf8(text)
        .ok()
        .filter(|text| !text.is_empty())
}

/// Returns the number in `go1.NUMBER`, also in forms such as `go1.22rc1` and `go1.19.8
/// X:…`.
#[must_use]
pub fn minor_release(release: &str) -> Option<u32> {
    let rest = release.strip_prefix("go1.")?;
    let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
    rest.get(..digits)?.parse().ok()
}

/// Returns a number of at most 3 bytes with 7 bits each, and its length in bytes.
fn varint(bytes: &[u8]) -> Option<(usize, usize)> {
    let mut value = 0_usize;
    for (at, byte) in bytes.iter().take(3).enumerate() {
        let shift = u32::try_from(at.checked_mul(7)?).ok()?;
        value |= usize::from(byte & 0x7f).checked_shl(shift)?;
        if byte & 0x80 == 0 {
            return Some((value, at.checked_add(1)?));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::{go_release, minor_release};
    use crate::memory::{MappedPart, Memory};

    #[test]
    fn both_layouts_are_read() {
        let mut inline = b"\xff Go buildinf:\x08\x02".to_vec();
        inline.resize(32, 0);
        inline.extend(b"\x08go1.19.8\x00");
        assert_eq!(go_release(&inline, &Memory::default()), Some("go1.19.8"));
        for cut in 0..inline.len() - 1 {
            assert_eq!(
                go_release(&inline[..cut], &Memory::default()),
                None,
                "{cut}"
            );
        }
        let mut pointed = b"\xff Go buildinf:\x04\x01".to_vec();
        pointed.extend([0, 0, 1, 0, 0, 0, 0, 0]);
        let mut bytes = vec![0, 0, 1, 8, 0, 0, 0, 6];
        bytes.extend(b"go1.13");
        let memory = Memory {
            parts: vec![MappedPart {
                addr: 0x100,
                bytes: &bytes,
                is_writable: true,
            }],
        };
        assert_eq!(go_release(&pointed, &memory), Some("go1.13"));
        assert_eq!(go_release(&pointed, &Memory::default()), None);
    }

    #[test]
    fn releases_have_numbers() {
        let cases = [
            ("go1.19.8", Some(19)),
            ("go1.22rc1", Some(22)),
            ("go1.7", Some(7)),
            ("devel +abc", None),
            ("go1.", None),
        ];
        for (release, want) in cases {
            assert_eq!(minor_release(release), want, "{release}");
        }
    }
}
