//! Decimal fractions, which some tools write as values, summed exactly.

/// The number of decimal places that are kept. Further digits are rounded.
const DIGITS: u32 = 9;

/// A value, or a sum of values, in units of 10⁻⁹.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Decimal(i128);

impl Decimal {
    /// Parses `12`, `-3`, `1.5`, `2e3`, `1.25E-05`. Returns `None` for anything else, for numbers
    /// that do not fit 64 bits, and for infinities. The flag says whether the value was rounded.
    pub(super) fn read(text: &str) -> Option<(Self, bool)> {
        if let Ok(whole) = text.parse::<i64>() {
            return Some((Self(i128::from(whole).checked_mul(scale(DIGITS))?), false));
        }
        let (number, exponent) = match text.split_once(['e', 'E']) {
            Some((number, exponent)) => (number, exponent.parse::<i32>().ok()?),
            None => (text, 0),
        };
        let (negative, number) = match number.strip_prefix('-') {
            Some(number) => (true, number),
            None => (false, number.strip_prefix('+').unwrap_or(number)),
        };
        let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
        let is_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        if !is_digits(whole) || !is_digits(fraction) || (whole.is_empty() && fraction.is_empty()) {
            return None;
        }
        let digits = i32::try_from(fraction.len()).ok()?;
        // Without leading and trailing zeros, so that most numbers have few digits.
        let all = [whole, fraction].concat();
        let all = all.trim_start_matches('0');
        let ended = all.trim_end_matches('0');
        let zeros = i32::try_from(all.len().checked_sub(ended.len())?).ok()?;
        if ended.is_empty() {
            return Some((Self(0), false));
        }
        let shift = exponent.checked_sub(digits)?.checked_add(zeros)?;
        let shift = shift.checked_add(i32::try_from(DIGITS).ok()?)?;
        // 17 digits identify any double, and 38 digits fit.
        let (ended, cut) = ended.split_at_checked(30).unwrap_or((ended, ""));
        let shift = shift.checked_add(i32::try_from(cut.len()).ok()?)?;
        let mantissa = ended.parse::<i128>().ok()?;
        let (value, lost) = match u32::try_from(shift) {
            Ok(up) => (mantissa.checked_mul(10_i128.checked_pow(up)?)?, false),
            Err(_) => match 10_i128.checked_pow(shift.unsigned_abs()) {
                Some(down) => (rounded(mantissa, down), true),
                None => (0, true),
            },
        };
        let value = if negative {
            value.checked_neg()?
        } else {
            value
        };
        let fits = i64::try_from(value.checked_div(scale(DIGITS))?).is_ok();
        fits.then_some((Self(value), lost || !cut.is_empty()))
    }

    /// Adds, and saturates at the limits of 64 bits.
    pub(super) fn add(&mut self, other: Self) {
        let least = i128::from(i64::MIN).saturating_mul(scale(DIGITS));
        let most = i128::from(i64::MAX).saturating_mul(scale(DIGITS));
        self.0 = self.0.saturating_add(other.0).clamp(least, most);
    }

    /// Returns the number of decimal places.
    pub(super) fn digits(self) -> u32 {
        let has_more = |digits: u32| {
            let unit = scale(DIGITS.saturating_sub(digits));
            self.0.checked_rem(unit) != Some(0)
        };
        (0..DIGITS)
            .find(|digits| !has_more(*digits))
            .unwrap_or(DIGITS)
    }

    /// Returns the value in units of 10^-`digits`, rounded; `None` if it does not fit 64 bits.
    pub(super) fn in_units_of(self, digits: u32) -> Option<i64> {
        i64::try_from(rounded(self.0, scale(DIGITS.saturating_sub(digits)))).ok()
    }
}

fn scale(digits: u32) -> i128 {
    10_i128.saturating_pow(digits)
}

/// Divides, and rounds half away from zero.
fn rounded(value: i128, by: i128) -> i128 {
    let half = by.checked_div(2).unwrap_or(0);
    let half = if value < 0 {
        half.saturating_neg()
    } else {
        half
    };
    value.saturating_add(half).checked_div(by).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::Decimal;

    #[test]
    fn decimals_are_exact() {
        let cases = [
            ("12", Some((12_000_000_000, 0, false))),
            ("-3", Some((-3_000_000_000, 0, false))),
            ("1.50", Some((1_500_000_000, 1, false))),
            (".25", Some((250_000_000, 2, false))),
            ("7.", Some((7_000_000_000, 0, false))),
            ("1.25E-05", Some((12_500, 7, false))),
            ("2e3", Some((2_000_000_000_000, 0, false))),
            ("0.0000000016", Some((2, 9, true))),
            ("0.33333333333333331", Some((333_333_333, 9, true))),
            ("-0.0", Some((0, 0, false))),
            ("0e99999", Some((0, 0, false))),
            ("1e-400", Some((0, 0, true))),
            (
                "9223372036854775807",
                Some((i128::from(i64::MAX) * 1_000_000_000, 0, false)),
            ),
            ("9223372036854775808", None),
            ("1e400", None),
            ("1e99999999999", None),
            ("inf", None),
            ("nan", None),
            ("0x10", None),
            ("1.2.3", None),
            ("-", None),
            (".", None),
            ("", None),
        ];
        for (text, want) in cases {
            let got = Decimal::read(text).map(|(value, lost)| (value.0, value.digits(), lost));
            assert_eq!(got, want, "{text}");
        }
    }

    #[test]
    fn sums_are_exact_and_stop_at_the_ends() {
        let mut sum = Decimal::default();
        for _ in 0..10 {
            sum.add(Decimal::read("0.1").unwrap().0);
        }
        assert_eq!((sum.digits(), sum.in_units_of(0)), (0, Some(1)));
        let mut most = Decimal::read("9223372036854775807").unwrap().0;
        most.add(most);
        assert_eq!(most.in_units_of(0), Some(i64::MAX));
        assert_eq!(most.in_units_of(1), None);
        assert_eq!(Decimal::read("-1.5").unwrap().0.in_units_of(0), Some(-2));
    }
}
