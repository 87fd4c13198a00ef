//! Units of values.

/// The unit of a profile's values.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Unit {
    #[default]
    None,
    Bytes,
    /// So many nanoseconds.
    Time(i64),
}

impl Unit {
    /// Returns the unit of this name.
    pub(super) fn named(name: &str) -> Option<Self> {
        Some(match name {
            "none" => Self::None,
            "bytes" => Self::Bytes,
            "nanoseconds" => Self::Time(1),
            "microseconds" => Self::Time(1_000),
            "milliseconds" => Self::Time(1_000_000),
            "seconds" => Self::Time(1_000_000_000),
            _ => return None,
        })
    }

    /// Returns the kind and unit of the sample type.
    pub(super) fn value_type(self) -> (&'static str, &'static str) {
        match self {
            Self::None => ("samples", "count"),
            Self::Bytes => ("space", "bytes"),
            Self::Time(_) => ("time", "nanoseconds"),
        }
    }

    /// Whether the values of both have the same sample type.
    pub(super) fn is_like(self, other: Self) -> bool {
        self.value_type() == other.value_type()
    }
}
