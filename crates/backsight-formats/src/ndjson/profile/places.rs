//! The location of each line of type `address`.

use backsight_profile::LocationIdx;

/// Why a line is refused if indices are exhausted.
pub(super) const TOO_MANY: &str = "more than 2^32 lines of this type";

/// The location of each line of type `address`, by index.
#[derive(Debug, Default)]
pub(super) struct AddressLines {
    /// Sorted by index.
    rows: Vec<(u64, LocationIdx)>,
}

impl AddressLines {
    /// Adds the location of a line, which has the given index or else the next one.
    pub(super) fn add(&mut self, number: Option<u64>, at: LocationIdx) -> Result<(), String> {
        let next = match self.rows.last() {
            Some((last, _)) => last.checked_add(1).ok_or(TOO_MANY)?,
            None => 0,
        };
        let number = number.unwrap_or(next);
        if number < next {
            return Err(format!("address {number} is defined already"));
        }
        self.rows.push((number, at));
        Ok(())
    }

    pub(super) fn get(&self, number: u64) -> Option<LocationIdx> {
        // If no line was lost, the position is the index.
        let straight = usize::try_from(number).ok();
        let row = straight.and_then(|at| self.rows.get(at));
        if let Some((_, location)) = row.filter(|(of, _)| *of == number) {
            return Some(*location);
        }
        let at = self.rows.binary_search_by_key(&number, |(of, _)| *of);
        self.rows.get(at.ok()?).map(|(_, location)| *location)
    }
}

#[cfg(test)]
mod tests {
    use backsight_profile::LocationIdx;

    use super::AddressLines;

    #[test]
    fn a_lost_line_moves_no_other() {
        let mut places = AddressLines::default();
        let given = [None, Some(1), Some(3), None, Some(u64::MAX)];
        for (at, number) in (0..).zip(given) {
            places.add(number, LocationIdx(at)).unwrap();
        }
        let cases = [
            (0, Some(0)),
            (1, Some(1)),
            (2, None),
            (3, Some(2)),
            (4, Some(3)),
            (5, None),
            (u64::MAX, Some(4)),
        ];
        for (number, want) in cases {
            assert_eq!(places.get(number), want.map(LocationIdx), "{number}");
        }
        assert!(
            places.add(None, LocationIdx(5)).is_err(),
            "no number is left"
        );
        assert!(
            places.add(Some(2), LocationIdx(5)).is_err(),
            "it stands behind"
        );
    }
}
