//! Units of values that have decimal places.

/// Returns the number of decimal places of values that are counted in fractions: 3 for the unit
/// `1e-3`.
pub(crate) fn decimals(unit: &str) -> Option<usize> {
    let places = unit.strip_prefix("1e-")?.parse().ok()?;
    (1..=9).contains(&places).then_some(places)
}
