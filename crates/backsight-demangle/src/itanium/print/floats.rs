//! Floating-point literals, in C's hexadecimal notation (`%a`).

use super::super::node::FloatFormat;

/// The layout of a floating-point format.
struct Format {
    exponent_bits: u32,
    fraction_bits: u32,
    /// Whether the integer bit is stored, as in x87's format.
    has_integer_bit: bool,
    suffix: &'static str,
}

/// Returns the number with these bytes, given in hexadecimal, most significant first.
pub(super) fn hexadecimal(digits: &str, width: FloatFormat) -> Option<String> {
    let bits = u128::from_str_radix(digits, 16).ok()?;
    let format = match width {
        FloatFormat::Float => Format {
            exponent_bits: 8,
            fraction_bits: 23,
            has_integer_bit: false,
            suffix: "f",
        },
        FloatFormat::Double => Format {
            exponent_bits: 11,
            fraction_bits: 52,
            has_integer_bit: false,
            suffix: "",
        },
        FloatFormat::Extended => Format {
            exponent_bits: 15,
            fraction_bits: 64,
            has_integer_bit: true,
            suffix: "L",
        },
        FloatFormat::Quad => Format {
            exponent_bits: 15,
            fraction_bits: 112,
            has_integer_bit: false,
            suffix: "L",
        },
    };
    format.text(bits)
}

impl Format {
    fn text(&self, bits: u128) -> Option<String> {
        let fraction = bits & mask(self.fraction_bits)?;
        let above = bits.checked_shr(self.fraction_bits)?;
        let exponent = above & mask(self.exponent_bits)?;
        let is_negative = above.checked_shr(self.exponent_bits)? & 1 == 1;
        let sign = if is_negative { "-" } else { "" };
        let suffix = self.suffix;
        if exponent == mask(self.exponent_bits)? {
            // Without the integer bit.
            let rest = if self.has_integer_bit {
                fraction & mask(63)?
            } else {
                fraction
            };
            let word = if rest == 0 { "inf" } else { "nan" };
            return Some(format!("{sign}{word}{suffix}"));
        }
        let bias = i64::try_from(mask(self.exponent_bits.checked_sub(1)?)?).ok()?;
        let exponent = i64::try_from(exponent).ok()?;
        let (lead, digits, shift) = if self.has_integer_bit {
            // glibc shows the four highest bits before the point.
            let lead = fraction.checked_shr(60)?;
            (lead, hex_digits(fraction & mask(60)?, 60)?, 3)
        } else {
            let lead = u128::from(exponent != 0);
            // Padded to whole digits.
            let width = self.fraction_bits.checked_next_multiple_of(4)?;
            let fraction = fraction.checked_shl(width.checked_sub(self.fraction_bits)?)?;
            (lead, hex_digits(fraction, width)?, 0)
        };
        let is_zero = lead == 0 && digits.is_empty();
        let power = match (is_zero, exponent) {
            (true, _) => 0,
            (false, 0) => 1_i64.checked_sub(bias)?.checked_sub(shift)?,
            _ => exponent.checked_sub(bias)?.checked_sub(shift)?,
        };
        let point = if digits.is_empty() { "" } else { "." };
        Some(format!("{sign}0x{lead:x}{point}{digits}p{power:+}{suffix}"))
    }
}

fn mask(bits: u32) -> Option<u128> {
    1_u128.checked_shl(bits)?.checked_sub(1)
}

/// Returns the lowest `bits` bits in hexadecimal, without trailing zeros.
fn hex_digits(value: u128, bits: u32) -> Option<String> {
    let width = usize::try_from(bits.checked_div(4)?).ok()?;
    let digits = format!("{value:0width$x}");
    Some(digits.trim_end_matches('0').to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_match_printf() {
        // Output of glibc's `printf("%a")` and `"%La"`.
        let cases = [
            ("3f800000", FloatFormat::Float, "0x1p+0f"),
            ("40490fdb", FloatFormat::Float, "0x1.921fb6p+1f"),
            ("bf000000", FloatFormat::Float, "-0x1p-1f"),
            ("00000000", FloatFormat::Float, "0x0p+0f"),
            ("7f800000", FloatFormat::Float, "inff"),
            (
                "400921fb54442d18",
                FloatFormat::Double,
                "0x1.921fb54442d18p+1",
            ),
            ("8000000000000000", FloatFormat::Double, "-0x0p+0"),
            (
                "0000000000000001",
                FloatFormat::Double,
                "0x0.0000000000001p-1022",
            ),
            ("7ff8000000000000", FloatFormat::Double, "nan"),
            ("3fff8000000000000000", FloatFormat::Extended, "0x8p-3L"),
            (
                "4000c90fdaa22168c235",
                FloatFormat::Extended,
                "0xc.90fdaa22168c235p-2L",
            ),
            (
                "3fff0000000000000000000000000000",
                FloatFormat::Quad,
                "0x1p+0L",
            ),
        ];
        for (digits, width, want) in cases {
            let text = hexadecimal(digits, width);
            assert_eq!(text.as_deref(), Some(want), "{digits}");
        }
    }
}
