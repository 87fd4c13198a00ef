//! Build IDs: stored as raw bytes, parsed and displayed as hexadecimal digits.

use std::str::FromStr;
use std::{error, fmt};

/// The bytes of a GNU build ID note: 1 to 64 bytes, stored inline.
///
/// Linkers write 20 bytes (SHA-1) by default, 16 (`md5`, `uuid`), 8 (lld's `fast`) or any
/// number (`--build-id=0x…`), so no length is assumed. A build ID is displayed as
/// hexadecimal digits only, so it is safe as a part of a path.
#[derive(Clone, Copy)]
pub struct BuildId {
    len: u8,
    bytes: [u8; BuildId::MAX_LEN],
}

/// The error for bytes or text that are not a valid build ID.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum BuildIdError {
    /// It has no bytes, or more than [`BuildId::MAX_LEN`].
    Length(usize),
    /// The digits are not pairs of hexadecimal digits.
    NotHex,
}

impl fmt::Display for BuildIdError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Length(bytes) => {
                write!(f, "a build ID has 1 to 64 bytes, this one has {bytes}")
            }
            Self::NotHex => f.write_str("a build ID is written as pairs of hexadecimal digits"),
        }
    }
}

impl error::Error for BuildIdError {}

impl BuildId {
    /// The maximum length in bytes that is supported.
    pub const MAX_LEN: usize = 64;

    /// Returns the build ID with the raw bytes of a note's descriptor.
    ///
    /// # Errors
    /// [`BuildIdError::Length`] for no bytes and for more than 64.
    pub fn from_bytes(raw: &[u8]) -> Result<Self, BuildIdError> {
        let len = u8::try_from(raw.len()).map_err(|_| BuildIdError::Length(raw.len()))?;
        let mut bytes = [0; Self::MAX_LEN];
        match bytes.get_mut(..raw.len()) {
            Some(room) if len > 0 => room.copy_from_slice(raw),
            _ => return Err(BuildIdError::Length(raw.len())),
        }
        Ok(Self { len, bytes })
    }

    /// Returns the raw bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..usize::from(self.len)).unwrap_or_default()
    }
}

impl PartialEq for BuildId {
    fn eq(&self, other: &Self) -> bool {
        self.as_bytes() == other.as_bytes()
    }
}

impl Eq for BuildId {}

impl std::hash::Hash for BuildId {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.as_bytes().hash(state);
    }
}

impl fmt::Display for BuildId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_bytes()
            .iter()
            .try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for BuildId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "BuildId({self})")
    }
}

impl FromStr for BuildId {
    type Err = BuildIdError;

    fn from_str(text: &str) -> Result<Self, BuildIdError> {
        if !text.len().is_multiple_of(2) || !text.bytes().all(|b| b.is_ascii_hexdigit()) {
            return Err(BuildIdError::NotHex);
        }
        let bytes: Result<Vec<u8>, _> = text
            .as_bytes()
            .chunks_exact(2)
            .map(|pair| std::str::from_utf8(pair).unwrap_or_default())
            .map(|pair| u8::from_str_radix(pair, 16))
            .collect();
        Self::from_bytes(&bytes.map_err(|_| BuildIdError::NotHex)?)
    }
}

#[cfg(test)]
mod tests {
    use super::{BuildId, BuildIdError};

    #[test]
    fn lengths_from_1_to_64_are_taken() {
        for len in [1, 8, 16, 20, 64] {
            let raw = vec![0xab; len];
            assert_eq!(BuildId::from_bytes(&raw).unwrap().as_bytes(), raw, "{len}");
        }
        for len in [0, 65, 255, 256, 1000] {
            let refused = BuildId::from_bytes(&vec![0xab; len]);
            assert_eq!(refused, Err(BuildIdError::Length(len)), "{len}");
        }
    }

    #[test]
    fn digits_are_read_and_written() {
        let id: BuildId = "00fFa1".parse().unwrap();
        assert_eq!(id.as_bytes(), [0x00, 0xff, 0xa1]);
        assert_eq!(id.to_string(), "00ffa1");
        for wrong in ["0", "0g", "../x", "+1"] {
            assert_eq!(
                wrong.parse::<BuildId>(),
                Err(BuildIdError::NotHex),
                "{wrong}"
            );
        }
        assert_eq!("".parse::<BuildId>(), Err(BuildIdError::Length(0)));
    }

    #[test]
    fn bytes_past_the_length_do_not_count() {
        let short = BuildId::from_bytes(&[1]).unwrap();
        let long = BuildId::from_bytes(&[1, 0]).unwrap();
        assert_ne!(short, long);
    }
}
