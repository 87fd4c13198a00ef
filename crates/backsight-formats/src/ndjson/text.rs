//! Values that are strings in JSON: addresses, build IDs, permissions, reasons.

use std::fmt::{self, Display};
use std::marker::PhantomData;
use std::str::FromStr;

use backsight_types::{AddrKind, Arch, Device, Lookup, ModuleKind};
use serde::de::{Deserializer, Error, Visitor};
use serde::ser::Serializer;

/// For `#[serde(with)]`: writes with `Display` and reads with `FromStr`.
pub(super) fn serialize<T: Display, S: Serializer>(value: &T, to: S) -> Result<S::Ok, S::Error> {
    to.collect_str(value)
}

pub(super) fn deserialize<'de, T, D>(from: D) -> Result<T, D::Error>
where
    T: FromStr<Err: Display>,
    D: Deserializer<'de>,
{
    from.deserialize_str(FromText(PhantomData))
}

/// The same for optional values.
pub(super) mod option {
    use super::{Deserializer, Display, FromStr, Serializer};

    pub(crate) fn serialize<T: Display, S: Serializer>(
        value: &Option<T>,
        to: S,
    ) -> Result<S::Ok, S::Error> {
        match value {
            Some(value) => to.collect_str(value),
            None => to.serialize_none(),
        }
    }

    pub(crate) fn deserialize<'de, T, D>(from: D) -> Result<Option<T>, D::Error>
    where
        T: FromStr<Err: Display>,
        D: Deserializer<'de>,
    {
        super::deserialize(from).map(Some)
    }
}

struct FromText<T>(PhantomData<T>);

impl<T: FromStr<Err: Display>> Visitor<'_> for FromText<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<T, E> {
        text.parse().map_err(E::custom)
    }
}

/// Declares a wrapper for a type that is spelled differently in this format.
macro_rules! spelled {
    ($(#[$doc:meta])* $name:ident($inner:ty), $what:literal, $parse:expr, $show:expr) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug)]
        pub(super) struct $name(pub(super) $inner);

        impl FromStr for $name {
            type Err = String;

            fn from_str(text: &str) -> Result<Self, String> {
                let parse: fn(&str) -> Option<$inner> = $parse;
                parse(text).map(Self).ok_or_else(|| format!(
                    concat!("unknown ", $what, " {:?}"), text
                ))
            }
        }

        impl Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                let show: fn(&$inner, &mut fmt::Formatter<'_>) -> fmt::Result = $show;
                show(&self.0, f)
            }
        }
    };
}

spelled! {
    /// A number of bytes, in hexadecimal.
    Size(u64),
    "size",
    |text| text.parse::<backsight_types::FileOffset>().ok().map(|size| size.0),
    |size, f| write!(f, "{size:#x}")
}
spelled! {
    /// `fe:00`.
    DeviceText(Device),
    "device",
    |text| {
        let (major, minor) = text.split_once(':')?;
        let number = |digits: &str| {
            let all = digits.bytes().all(|byte| byte.is_ascii_hexdigit());
            all.then(|| u32::from_str_radix(digits, 16).ok())?
        };
        Some(Device { major: number(major)?, minor: number(minor)? })
    },
    |device, f| write!(f, "{device}")
}
spelled! {
    /// `file`, `vdso`, `kernel` or `anonymous`.
    KindText(ModuleKind),
    "module kind",
    ModuleKind::from_name,
    |kind, f| f.write_str(kind.as_str())
}
spelled! {
    /// `x86_64`, or `em-N`.
    ArchText(Arch),
    "architecture",
    Arch::from_name,
    |arch, f| write!(f, "{arch}")
}

const KINDS: [AddrKind; 4] = [
    AddrKind::File,
    AddrKind::Vdso,
    AddrKind::Anonymous,
    AddrKind::Kernel,
];

/// `"kind"` of an address.
pub(super) mod kind {
    use super::{AddrKind, Deserializer, KINDS, Serializer, Word};

    pub(crate) fn serialize<S: Serializer>(
        kind: &Option<AddrKind>,
        to: S,
    ) -> Result<S::Ok, S::Error> {
        match kind {
            Some(kind) => to.serialize_str(kind.as_str()),
            None => to.serialize_none(),
        }
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
        from: D,
    ) -> Result<Option<AddrKind>, D::Error> {
        let known = |word: &str| KINDS.into_iter().find(|kind| kind.as_str() == word);
        from.deserialize_str(Word(known)).map(Some)
    }
}

/// `"lookup"` of an address.
pub(super) mod lookup {
    use super::{Deserializer, Lookup, Serializer, Word};

    pub(crate) fn serialize<S: Serializer>(lookup: &Lookup, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(match lookup {
            Lookup::Exact => "exact",
            Lookup::Return => "return",
        })
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Lookup, D::Error> {
        from.deserialize_str(Word(|word: &str| match word {
            "exact" => Some(Lookup::Exact),
            "return" => Some(Lookup::Return),
            _ => None,
        }))
    }
}

/// Reads one word of a fixed set.
struct Word<F>(F);

impl<T, F: Fn(&str) -> Option<T>> Visitor<'_> for Word<F> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("one of its fixed words")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<T, E> {
        (self.0)(text).ok_or_else(|| E::custom(format_args!("unknown word {text:?}")))
    }
}

/// Bytes as pairs of hexadecimal digits, for paths that are not UTF-8.
#[derive(Clone, Debug)]
pub(super) struct HexBytes(pub(super) Vec<u8>);

impl HexBytes {
    /// Returns `raw` as text. If it is not UTF-8, its bytes are returned, too.
    pub(super) fn beside_text(raw: &[u8]) -> (String, Option<Self>) {
        match str::from_utf8(raw) {
            Ok(text) => (text.to_owned(), None),
            Err(_) => (
                String::from_utf8_lossy(raw).into_owned(),
                Some(Self(raw.to_vec())),
            ),
        }
    }
}

impl Display for HexBytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl FromStr for HexBytes {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let digit = |byte: u8| char::from(byte).to_digit(16);
        let pairs = text.as_bytes().chunks(2).map(|pair| match *pair {
            [high, low] => {
                let value = (digit(high)? << 4) | digit(low)?;
                u8::try_from(value).ok()
            }
            _ => None,
        });
        let bytes: Option<Vec<u8>> = pairs.collect();
        bytes.map(Self).ok_or("not pairs of hexadecimal digits")
    }
}
