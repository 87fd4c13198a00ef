//! The types of the three address spaces. Each is a `u64` in memory.

use std::str::FromStr;
use std::{error, fmt};

use crate::cast;

macro_rules! address_space {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(transparent)]
        pub struct $name(pub u64);

        impl $name {
            cast::slices!($name);

            /// Returns the address `bytes` above, or `None` if it exceeds `u64::MAX`.
            #[must_use]
            pub fn checked_add(self, bytes: u64) -> Option<Self> {
                self.0.checked_add(bytes).map(Self)
            }

            /// Returns how many bytes `self` is above `origin`, or `None` if it is below.
            #[must_use]
            pub fn distance_from(self, origin: Self) -> Option<u64> {
                self.0.checked_sub(origin.0)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{:#x}", self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({:#x})"), self.0)
            }
        }

        impl fmt::LowerHex for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::LowerHex::fmt(&self.0, f)
            }
        }

        impl FromStr for $name {
            type Err = ParseAddrError;

            /// Parses hexadecimal digits, with or without `0x`.
            fn from_str(text: &str) -> Result<Self, ParseAddrError> {
                parse_hex(text).map(Self)
            }
        }
    };
}

address_space! {
    /// An absolute address, in the virtual memory of a process. Also called AVMA.
    AbsAddr
}
address_space! {
    /// The offset of a byte in a file. ELF symbols and DWARF use virtual offsets instead:
    /// `Segments` converts.
    FileOffset
}
address_space! {
    /// A virtual offset: an address in the `p_vaddr` space of an ELF file, which its
    /// symbols and DWARF use. Also called SVMA.
    VirtOffset
}

/// The error for a text that is not a hexadecimal address of at most 64 bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ParseAddrError {
    /// There are no digits, or only `0x`.
    Empty,
    /// It contains a character that is not a hexadecimal digit.
    NotHex,
    /// The number does not fit 64 bits.
    TooLarge,
}

impl fmt::Display for ParseAddrError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Empty => "no hexadecimal digits",
            Self::NotHex => "not a hexadecimal address",
            Self::TooLarge => "more than 64 bits",
        })
    }
}

impl error::Error for ParseAddrError {}

fn parse_hex(text: &str) -> Result<u64, ParseAddrError> {
    let digits = text
        .strip_prefix("0x")
        .or_else(|| text.strip_prefix("0X"))
        .unwrap_or(text);
    if digits.is_empty() {
        return Err(ParseAddrError::Empty);
    }
    // `from_str_radix` would accept a sign.
    if !digits.bytes().all(|b| b.is_ascii_hexdigit()) {
        return Err(ParseAddrError::NotHex);
    }
    u64::from_str_radix(digits, 16).map_err(|_| ParseAddrError::TooLarge)
}

#[cfg(test)]
mod tests {
    use super::{AbsAddr, FileOffset, ParseAddrError};

    #[test]
    fn addresses_are_read_with_and_without_prefix() {
        let cases = [
            ("plain", "7fff", Ok(0x7fff)),
            ("prefix", "0x7FfF", Ok(0x7fff)),
            ("capital prefix", "0X10", Ok(0x10)),
            ("highest", "ffffffffffffffff", Ok(u64::MAX)),
            ("leading zeros", "0x00000000000000000001", Ok(1)),
            (
                "65 bits",
                "0x10000000000000000",
                Err(ParseAddrError::TooLarge),
            ),
            ("empty", "", Err(ParseAddrError::Empty)),
            ("only a prefix", "0x", Err(ParseAddrError::Empty)),
            ("a sign", "+10", Err(ParseAddrError::NotHex)),
            ("a word", "main", Err(ParseAddrError::NotHex)),
            ("a space", "0x10 ", Err(ParseAddrError::NotHex)),
        ];
        for (name, text, want) in cases {
            assert_eq!(text.parse::<AbsAddr>(), want.map(AbsAddr), "{name}");
        }
    }

    #[test]
    fn slices_cast_in_place() {
        let raw = [1_u64, 2, 3];
        let addrs = AbsAddr::from_slice(&raw);
        assert_eq!(addrs, [AbsAddr(1), AbsAddr(2), AbsAddr(3)]);
        assert_eq!(AbsAddr::as_raw_slice(addrs).as_ptr(), raw.as_ptr());
    }

    #[test]
    fn sums_are_checked() {
        assert_eq!(FileOffset(u64::MAX).checked_add(1), None);
        assert_eq!(FileOffset(5).distance_from(FileOffset(6)), None);
        assert_eq!(FileOffset(6).distance_from(FileOffset(5)), Some(1));
    }

    #[test]
    fn an_address_shows_as_hexadecimal() {
        assert_eq!(AbsAddr(0x7fff).to_string(), "0x7fff");
        assert_eq!(format!("{:?}", AbsAddr(16)), "AbsAddr(0x10)");
        assert_eq!(format!("{:08x}", AbsAddr(16)), "00000010");
    }
}
