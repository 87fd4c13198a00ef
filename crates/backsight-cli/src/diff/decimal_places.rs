//! Values with different numbers of decimal places.

use backsight_profile::{Profile, Samples};

use crate::decimals::decimals;
use crate::failure::{Failure, Result};
use crate::report::{Measured, ReadProfile};

/// Gives two profiles one unit, if they count the same in different fractions: `1e-2` and `1e-1`, or
/// whole numbers.
pub(super) fn unite(before: &mut ReadProfile, after: &mut ReadProfile) -> Result<()> {
    let of = |side: &ReadProfile| {
        let Measured { kind, unit } = Measured::of(&side.profile, side.value);
        let places = match unit {
            "count" => Some(0),
            unit => decimals(unit),
        };
        Some((kind.to_owned(), unit.to_owned(), places?))
    };
    let Some(((kind, unit, places), (other_kind, other_unit, other_places))) =
        of(before).zip(of(after))
    else {
        return Ok(());
    };
    if kind != other_kind {
        return Ok(());
    }
    let scaled = match places < other_places {
        true => scale(before, other_places.saturating_sub(places), &other_unit),
        false => scale(after, places.saturating_sub(other_places), &unit),
    };
    scaled.ok_or_else(|| {
        let cause = "the values of one are too large for the decimal places of the other";
        Failure::Failed(cause.to_owned())
    })
}

/// Multiplies the compared values by a power of ten. `None` if one is too large for that.
fn scale(side: &mut ReadProfile, places: usize, unit: &str) -> Option<()> {
    if places == 0 {
        return Some(());
    }
    let factor = 10_i64.checked_pow(u32::try_from(places).ok()?)?;
    let at = usize::try_from(side.value).ok()?;
    let Profile {
        samples,
        sample_types,
        strings,
        ..
    } = &mut side.profile;
    let mut all = Samples::default();
    let mut values = Vec::new();
    for (sample, old, labels) in samples.iter() {
        values.clear();
        values.extend_from_slice(old);
        if let Some(value) = values.get_mut(at) {
            *value = value.checked_mul(factor)?;
        }
        all.push(sample, &values, labels);
    }
    *samples = all;
    if let Some(of) = sample_types.get_mut(at) {
        of.unit = strings.intern(unit);
    }
    Some(())
}
