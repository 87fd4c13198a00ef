//! Amounts and shares as text.

use backsight_profile::Profile;

use crate::decimals::decimals;

/// What a value measures.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Measured<'p> {
    pub(crate) kind: &'p str,
    pub(crate) unit: &'p str,
}

impl<'p> Measured<'p> {
    /// Returns what the value with this index of a sample type measures.
    pub(crate) fn of(profile: &'p Profile, value: u32) -> Self {
        let at = usize::try_from(value).ok();
        let of = at.and_then(|at| profile.sample_types.get(at));
        let text = |at| profile.strings.get(at).filter(|text| !text.is_empty());
        Self {
            kind: of.and_then(|of| text(of.kind)).unwrap_or("samples"),
            unit: of.and_then(|of| text(of.unit)).unwrap_or("count"),
        }
    }

    /// Returns an amount with a unit that suits its size.
    pub(crate) fn amount(&self, amount: i64) -> String {
        match self.unit {
            "nanoseconds" => scaled(amount, &[("ns", 1.0), ("us", 1e3), ("ms", 1e6), ("s", 1e9)]),
            "bytes" => scaled(
                amount,
                &[
                    ("B", 1.0),
                    ("KiB", 1024.0),
                    ("MiB", 1_048_576.0),
                    ("GiB", 1_073_741_824.0),
                ],
            ),
            "count" => grouped(amount),
            unit if decimals(unit).is_some() => decimal(amount, decimals(unit).unwrap_or_default()),
            unit => format!("{} {unit}", grouped(amount)),
        }
    }
}

/// Returns an amount that is counted in fractions as a decimal number, without zeros at its end.
fn decimal(amount: i64, places: usize) -> String {
    let digits = format!("{:0>1$}", amount.unsigned_abs(), places + 1);
    let (whole, part) = digits.split_at(digits.len() - places);
    let sign = if amount < 0 { "-" } else { "" };
    let whole = whole.parse().map_or_else(|_| whole.to_owned(), grouped);
    match part.trim_end_matches('0') {
        "" => format!("{sign}{whole}"),
        part => format!("{sign}{whole}.{part}"),
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "an amount is shown with three digits"
)]
fn scaled(amount: i64, units: &[(&str, f64)]) -> String {
    let exact = amount as f64;
    let fits = units.iter().rev().find(|(_, size)| exact.abs() >= *size);
    match fits.or(units.first()) {
        Some((unit, size)) if *size > 1.0 => {
            let number = exact / size;
            let digits = match number.abs() {
                it if it >= 100.0 => 0,
                it if it >= 10.0 => 1,
                _ => 2,
            };
            format!("{number:.digits$} {unit}")
        }
        Some((unit, _)) => format!("{amount} {unit}"),
        None => amount.to_string(),
    }
}

/// Returns a number with a comma between thousands.
pub(crate) fn grouped(number: i64) -> String {
    let digits = number.unsigned_abs().to_string();
    let mut grouped = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    match number < 0 {
        true => format!("-{grouped}"),
        false => grouped,
    }
}

/// Returns a share of the whole, in percent.
#[expect(
    clippy::cast_precision_loss,
    reason = "a share is shown with two digits"
)]
pub(crate) fn percent(amount: i64, whole: i64) -> f64 {
    match whole {
        0 => 0.0,
        _ => amount as f64 / whole as f64 * 100.0,
    }
}

/// Returns so many percent of the whole, rounded up.
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    reason = "a bound between what is shown and what is folded"
)]
pub(crate) fn part(whole: i64, percent: f64) -> i64 {
    (whole as f64 * percent / 100.0).ceil() as i64
}

#[cfg(test)]
mod tests {
    use super::{Measured, grouped, part, percent};

    #[test]
    fn amounts_have_units_of_their_size() {
        let time = Measured {
            kind: "cpu-clock",
            unit: "nanoseconds",
        };
        let cases = [
            (0, "0 ns"),
            (999, "999 ns"),
            (-1_500, "-1.50 us"),
            (12_345_678, "12.3 ms"),
            (123_456_789_000, "123 s"),
        ];
        for (amount, want) in cases {
            assert_eq!(time.amount(amount), want);
        }
        let tenths = Measured {
            kind: "samples",
            unit: "1e-1",
        };
        assert_eq!(tenths.amount(15), "1.5");
        assert_eq!(tenths.amount(-5), "-0.5");
        assert_eq!(tenths.amount(12_345_670), "1,234,567");
        assert_eq!(grouped(-1_234_567), "-1,234,567");
        assert_eq!(grouped(i64::MIN), "-9,223,372,036,854,775,808");
        assert_eq!(grouped(999), "999");
    }

    #[test]
    fn shares_of_nothing_are_zero() {
        assert!(percent(5, 0).abs() < f64::EPSILON);
        assert_eq!(part(1_001, 10.0), 101);
        assert_eq!(part(0, 10.0), 0);
    }
}
