//! Which rows of a long list are shown.

use std::cmp::Reverse;

use super::shown_rows::ShownRows;

/// So many rows are shown before and after one with samples.
const CONTEXT: usize = 5;

/// Rows without samples are left out only if there are more than this.
const MIN_GAP: usize = 4;

/// Returns for each row whether it is shown. `amounts` has its own amount and its total.
pub(super) fn shown(amounts: &[(i64, i64)], view: ShownRows) -> Vec<bool> {
    let mut shown = vec![view.is_whole; amounts.len()];
    if view.is_whole {
        return shown;
    }
    if let Some(rows) = view.rows {
        let with_samples = amounts.iter().enumerate();
        let mut order: Vec<(usize, &(i64, i64))> =
            with_samples.filter(|(_, of)| **of != (0, 0)).collect();
        order.sort_by_key(|(at, (own, total))| {
            Reverse((own.saturating_abs(), total.saturating_abs(), Reverse(*at)))
        });
        for (at, _) in order.into_iter().take(rows) {
            if let Some(is_shown) = shown.get_mut(at) {
                *is_shown = true;
            }
        }
        return shown;
    }
    for (at, _) in amounts.iter().enumerate().filter(|(_, of)| **of != (0, 0)) {
        let end = at.saturating_add(CONTEXT + 1).min(shown.len());
        let around = shown.get_mut(at.saturating_sub(CONTEXT)..end);
        around.unwrap_or_default().fill(true);
    }
    // A short gap is not worth a line that says how long it is.
    let mut gap = 0;
    for at in 0..shown.len() {
        match shown.get(at).copied().unwrap_or_default() {
            false => gap += 1,
            true if gap > MIN_GAP => gap = 0,
            true => {
                shown
                    .get_mut(at.saturating_sub(gap)..at)
                    .unwrap_or_default()
                    .fill(true);
                gap = 0;
            }
        }
    }
    shown
}

/// Returns for each row the number of the gap that it is in, unless it is shown.
pub(super) fn numbers(shown: &[bool]) -> Vec<Option<usize>> {
    let mut number = 0;
    let rows = shown.iter().map(|is_shown| match is_shown {
        true => {
            number += 1;
            None
        }
        false => Some(number),
    });
    rows.collect()
}

#[cfg(test)]
mod tests {
    use super::{ShownRows, numbers, shown};

    fn places(of: &[usize], count: usize, rows: Option<usize>) -> Vec<usize> {
        let mut amounts = vec![(0, 0); count];
        for (place, at) in of.iter().zip(1..) {
            amounts[*place] = (at, at);
        }
        let view = ShownRows {
            has_source: true,
            has_code: true,
            rows,
            is_whole: false,
        };
        let shown = shown(&amounts, view);
        (0..count).filter(|at| shown[*at]).collect()
    }

    #[test]
    fn rows_around_samples_are_shown() {
        assert_eq!(places(&[20], 60, None), (15..=25).collect::<Vec<_>>());
        // From 26 to 29 are four rows.
        assert_eq!(places(&[20, 35], 60, None), (15..=40).collect::<Vec<_>>());
        let apart: Vec<usize> = (15..=25).chain(31..=41).collect();
        assert_eq!(places(&[20, 36], 60, None), apart);
        assert_eq!(places(&[2], 4, None), [0, 1, 2, 3]);
        assert_eq!(places(&[], 4, None), [0; 0]);
    }

    #[test]
    fn rows_between_two_that_are_shown_are_one_gap() {
        let found = numbers(&[false, false, true, true, false, true]);
        assert_eq!(found, [Some(0), Some(0), None, None, Some(2), None]);
    }

    #[test]
    fn so_many_rows_are_the_hottest() {
        assert_eq!(places(&[5, 30, 40], 60, Some(2)), [30, 40]);
        assert_eq!(places(&[5], 60, Some(9)), [5]);
        assert_eq!(places(&[5], 60, Some(0)), [0; 0]);
    }
}
