//! The permissions of a VMA or an ELF segment.

use std::ops::BitOr;
use std::str::FromStr;
use std::{error, fmt};

/// A set of permissions: readable, writable, executable, shared.
///
/// The bits are those of `PROCMAP_QUERY_VMA_*` in `linux/fs.h`.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Perms(u8);

impl Perms {
    /// No permissions.
    pub const NONE: Self = Self(0);
    /// Readable.
    pub const READ: Self = Self(1);
    /// Writable.
    pub const WRITE: Self = Self(2);
    /// Executable.
    pub const EXECUTE: Self = Self(4);
    /// Shared among processes: `s` in the maps text, where `p` means private.
    pub const SHARED: Self = Self(8);

    /// Returns the permissions of the low four bits; other bits are ignored.
    #[must_use]
    pub const fn from_bits(bits: u8) -> Self {
        Self(bits & 0xf)
    }

    /// Returns the set as bits.
    #[must_use]
    pub const fn bits(self) -> u8 {
        self.0
    }

    /// Returns whether all of `these` are set.
    #[must_use]
    pub const fn contains(self, these: Self) -> bool {
        self.0 & these.0 == these.0
    }

    /// Returns whether it is executable.
    #[must_use]
    pub const fn is_executable(self) -> bool {
        self.contains(Self::EXECUTE)
    }

    /// Returns three characters such as `r-x`, without the sharing.
    #[must_use]
    pub fn rwx(self) -> impl fmt::Display {
        let full = self.to_bytes();
        let mut short = ['-'; 3];
        for (to, from) in short.iter_mut().zip(full) {
            *to = char::from(from);
        }
        short.into_iter().collect::<String>()
    }

    /// Returns the four characters of the maps text.
    #[must_use]
    pub fn to_bytes(self) -> [u8; 4] {
        let when = |flag, yes, no| if self.contains(flag) { yes } else { no };
        [
            when(Self::READ, b'r', b'-'),
            when(Self::WRITE, b'w', b'-'),
            when(Self::EXECUTE, b'x', b'-'),
            when(Self::SHARED, b's', b'p'),
        ]
    }
}

impl BitOr for Perms {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl fmt::Display for Perms {
    /// Writes the maps text's four characters, such as `r-xp`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.to_bytes()
            .into_iter()
            .try_for_each(|byte| write!(f, "{}", char::from(byte)))
    }
}

impl fmt::Debug for Perms {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Perms({self})")
    }
}

/// The error for a text that is not `[r-][w-][x-]` with an optional `[sp]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ParsePermsError;

impl fmt::Display for ParsePermsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("permissions must be of the form r-xp or r-x")
    }
}

impl error::Error for ParsePermsError {}

impl FromStr for Perms {
    type Err = ParsePermsError;

    fn from_str(text: &str) -> Result<Self, ParsePermsError> {
        let places = [
            (b'r', Self::READ),
            (b'w', Self::WRITE),
            (b'x', Self::EXECUTE),
        ];
        let (rwx, sharing) = text.as_bytes().split_at_checked(3).ok_or(ParsePermsError)?;
        let mut perms = match sharing {
            b"" | b"p" => Self::NONE,
            b"s" => Self::SHARED,
            _ => return Err(ParsePermsError),
        };
        for (&byte, (letter, flag)) in rwx.iter().zip(places) {
            match byte {
                b'-' => {}
                _ if byte == letter => perms = perms | flag,
                _ => return Err(ParsePermsError),
            }
        }
        Ok(perms)
    }
}

#[cfg(test)]
mod tests {
    use super::Perms;

    #[test]
    fn all_sixteen_sets_are_written_and_read() {
        for bits in 0..16 {
            let perms = Perms::from_bits(bits);
            assert_eq!(perms.to_string().parse(), Ok(perms), "{perms}");
        }
        assert_eq!((Perms::READ | Perms::EXECUTE).to_string(), "r-xp");
        assert_eq!((Perms::READ | Perms::SHARED).to_string(), "r--s");
        assert_eq!((Perms::READ | Perms::SHARED).rwx().to_string(), "r--");
    }

    #[test]
    fn other_texts_are_refused() {
        for wrong in ["", "r", "rw", "xwr", "r-xq", "r-xpp", "R-x"] {
            assert!(wrong.parse::<Perms>().is_err(), "{wrong}");
        }
    }
}
