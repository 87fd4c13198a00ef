//! Debug IDs, by which Breakpad identifies builds, and their relation to build IDs.

use std::str::FromStr;
use std::{error, fmt};

use crate::build_id::BuildId;

/// The identifier of a build in Breakpad's symbol files and symbol servers: a GUID and an age,
/// such as `000102030405060708090A0B0C0D0E0F0`.
///
/// For an ELF file, the GUID is the first 16 bytes of the build ID, padded with zeros if
/// it is shorter, and the age is 0. A GUID starts with three numbers of 4, 2 and 2 bytes,
/// which are printed with the most significant digit first. In the build ID they are in
/// the byte order of the file, so for a little-endian file their bytes are printed in
/// reverse order.
///
/// Source: `FileID::ConvertIdentifierToUUIDString` of Breakpad, and its `docs/symbol_files.md`.
///
/// ```
/// use backsight_types::{BuildId, DebugId};
///
/// let build_id: BuildId = "33221100554477668899aabbccddeeff01234567".parse()?;
/// let debug_id: DebugId = "00112233445566778899AABBCCDDEEFF0".parse()?;
/// assert!(debug_id.is_of(&build_id));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct DebugId {
    /// The bytes in the order in which they are printed.
    guid: [u8; 16],
    age: u32,
}

/// The error for a text that is not a debug ID: 32 hexadecimal digits of a GUID, then 1
/// to 8 digits of an age.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DebugIdError;

impl fmt::Display for DebugIdError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "a debug ID is 33 to 40 hexadecimal digits: those of a GUID, then those of an age",
        )
    }
}

impl error::Error for DebugIdError {}

impl DebugId {
    /// Returns the debug IDs that a file with this build ID can have: that of a
    /// little-endian file, then that of a big-endian one. The build ID does not tell
    /// which applies.
    #[must_use]
    pub fn of_build_id(id: &BuildId) -> [Self; 2] {
        let mut guid = [0; 16];
        for (to, from) in guid.iter_mut().zip(id.as_bytes()) {
            *to = *from;
        }
        let as_is = Self { guid, age: 0 };
        let mut swapped = as_is;
        for number in [0..4, 4..6, 6..8] {
            if let Some(number) = swapped.guid.get_mut(number) {
                number.reverse();
            }
        }
        [swapped, as_is]
    }

    /// Returns whether a file with this build ID can have this debug ID. Only the first
    /// 16 bytes of the build ID count.
    #[must_use]
    pub fn is_of(&self, id: &BuildId) -> bool {
        Self::of_build_id(id).contains(self)
    }
}

impl fmt::Display for DebugId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut bytes = self.guid.iter();
        bytes.try_for_each(|byte| write!(f, "{byte:02X}"))?;
        write!(f, "{:X}", self.age)
    }
}

impl FromStr for DebugId {
    type Err = DebugIdError;

    fn from_str(text: &str) -> Result<Self, DebugIdError> {
        if !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(DebugIdError);
        }
        let (guid, age) = text.split_at_checked(32).ok_or(DebugIdError)?;
        if age.len() > 8 {
            return Err(DebugIdError);
        }
        let guid = u128::from_str_radix(guid, 16).map_err(|_| DebugIdError)?;
        Ok(Self {
            guid: guid.to_be_bytes(),
            age: u32::from_str_radix(age, 16).map_err(|_| DebugIdError)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::{DebugId, DebugIdError};
    use crate::build_id::BuildId;

    #[test]
    fn it_follows_from_a_build_id() {
        let cases = [
            (
                "b52b3b2a6f5b4f4d93d6b8c1a4e5f60718293a4b",
                "2A3B2BB55B6F4D4F93D6B8C1A4E5F6070",
            ),
            ("0102030405060708", "040302010605080700000000000000000"),
        ];
        for (build, want) in cases {
            let build: BuildId = build.parse().unwrap();
            let [little, big] = DebugId::of_build_id(&build);
            assert_eq!(little.to_string(), want);
            assert!(little.is_of(&build) && big.is_of(&build));
            assert_ne!(little, big);
        }
    }

    #[test]
    fn digits_are_read_and_written() {
        let id: DebugId = "00112233445566778899aabbccddeeff1a".parse().unwrap();
        assert_eq!(id.to_string(), "00112233445566778899AABBCCDDEEFF1A");
        assert!(!id.is_of(&"33221100554477668899aabbccddeeff".parse().unwrap()));
        let long = "0".repeat(41);
        for wrong in ["", "00", "+0112233445566778899aabbccddeeff1", &long, "é"] {
            assert_eq!(wrong.parse::<DebugId>(), Err(DebugIdError), "{wrong}");
        }
        // Without the digits of an age.
        let short = "0".repeat(32);
        assert_eq!(short.parse::<DebugId>(), Err(DebugIdError));
    }
}
