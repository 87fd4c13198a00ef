//! Numbers of a JSON text, whole ones exactly.

use std::fmt;

use serde::de::{Error, Visitor};
use serde::{Deserialize, Deserializer};

/// A number.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Number {
    Whole(i64),
    /// It has a fraction, or does not fit 64 bits.
    Fraction(f64),
}

impl Default for Number {
    fn default() -> Self {
        Self::Whole(0)
    }
}

impl Number {
    /// Returns the number times a factor as a whole number, and whether it had to be rounded.
    pub(crate) fn times(self, factor: i64) -> (i64, bool) {
        match self {
            Self::Whole(number) => match number.checked_mul(factor) {
                Some(product) => (product, false),
                None => {
                    let end = if number < 0 { i64::MIN } else { i64::MAX };
                    (end, true)
                }
            },
            Self::Fraction(number) => {
                let exact = number * float(factor);
                let whole = exact.round();
                // A decimal fraction is not exact in binary: 12.345 times 1000 is not whole.
                let is_rounded = (exact - whole).abs() > 1e-6_f64.max(whole.abs() * 1e-15);
                (truncated(whole), is_rounded || whole.abs() >= 9.3e18)
            }
        }
    }

    /// Returns the number of decimal places.
    pub(crate) fn places(self) -> usize {
        match self {
            Self::Whole(_) => 0,
            Self::Fraction(number) => {
                let text = number.to_string();
                text.split_once('.').map_or(0, |(_, places)| places.len())
            }
        }
    }

    /// Returns the number as a double, rounded if it exceeds 2^53.
    pub(crate) fn as_float(self) -> f64 {
        match self {
            Self::Whole(number) => float(number),
            Self::Fraction(number) => number,
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "rounding is what is wanted")]
fn float(number: i64) -> f64 {
    number as f64
}

/// Converts a whole number; one that does not fit becomes the nearest that does.
#[expect(
    clippy::cast_possible_truncation,
    reason = "the conversion ends at the ends of the range"
)]
fn truncated(number: f64) -> i64 {
    number as i64
}

impl<'de> Deserialize<'de> for Number {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(NumberVisitor)
    }
}

struct NumberVisitor;

impl Visitor<'_> for NumberVisitor {
    type Value = Number;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a number")
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<Number, E> {
        Ok(Number::Whole(number))
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<Number, E> {
        #[expect(clippy::cast_precision_loss, reason = "beyond 63 bits")]
        let far = number as f64;
        Ok(i64::try_from(number).map_or(Number::Fraction(far), Number::Whole))
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<Number, E> {
        // Some writers write whole numbers with a decimal point.
        let is_whole = number.fract() == 0.0 && number.abs() < 9_007_199_254_740_992.0;
        Ok(match is_whole {
            true => Number::Whole(truncated(number)),
            false => Number::Fraction(number),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::Number;

    #[test]
    fn numbers_are_scaled_exactly() {
        let cases = [
            ("12", 1000, (12_000, false), 0),
            ("12.0", 1000, (12_000, false), 0),
            ("12.345", 1000, (12_345, false), 3),
            ("12.3456", 1000, (12_346, true), 4),
            ("-0.5", 10, (-5, false), 1),
            (
                "1700000000000000001",
                1,
                (1_700_000_000_000_000_001, false),
                0,
            ),
            ("9223372036854775807", 2, (i64::MAX, true), 0),
            ("18446744073709551615", 1, (i64::MAX, true), 0),
            ("1e300", 1, (i64::MAX, true), 0),
        ];
        for (text, factor, want, places) in cases {
            let number: Number = serde_json::from_str(text).unwrap();
            assert_eq!(number.times(factor), want, "{text}");
            assert_eq!(number.places(), places, "{text}");
        }
        assert!(serde_json::from_str::<Number>("\"7\"").is_err());
        assert!(serde_json::from_str::<Number>("null").is_err());
    }
}
