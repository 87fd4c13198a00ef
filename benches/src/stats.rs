//! Medians and spreads over rounds.

use serde::Serialize;

/// The median of some figures, and the range of most of them.
///
/// There is no mean: on a machine with other load, a few rounds take many times longer, and
/// would dominate it.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Spread {
    /// The 10th percentile.
    pub p10: f64,
    /// The median.
    pub median: f64,
    /// The 90th percentile.
    pub p90: f64,
}

impl Spread {
    /// Returns the spread of `figures`, in any order.
    ///
    /// # Panics
    /// When there are none: a race has at least one round.
    #[must_use]
    pub fn of(figures: impl IntoIterator<Item = f64>) -> Self {
        let mut sorted: Vec<f64> = figures.into_iter().collect();
        sorted.sort_by(f64::total_cmp);
        Self {
            p10: quantile(&sorted, 0.1),
            median: quantile(&sorted, 0.5),
            p90: quantile(&sorted, 0.9),
        }
    }
}

/// Returns the quantile `q` of `sorted`, interpolated between the two nearest figures.
fn quantile(sorted: &[f64], q: f64) -> f64 {
    let place = q * (sorted.len() - 1) as f64;
    let (below, above) = (
        sorted[place.floor() as usize],
        sorted[place.ceil() as usize],
    );
    below + (above - below) * place.fract()
}

#[cfg(test)]
mod tests {
    use super::Spread;

    #[test]
    fn a_median_is_the_middle_or_between_the_two_middles() {
        let cases: [(&str, &[f64], f64); 5] = [
            ("one", &[7.0], 7.0),
            ("odd, in no order", &[3.0, 1.0, 2.0], 2.0),
            ("even", &[4.0, 1.0, 3.0, 2.0], 2.5),
            ("one is far off", &[1.0, 1.0, 1.0, 1.0, 1e9], 1.0),
            ("all the same", &[5.0; 4], 5.0),
        ];
        for (name, figures, want) in cases {
            assert_eq!(Spread::of(figures.iter().copied()).median, want, "{name}");
        }
    }

    #[test]
    fn a_spread_leaves_out_a_tenth_on_each_side() {
        let spread = Spread::of((0..=10).rev().map(f64::from));
        assert_eq!((spread.p10, spread.median, spread.p90), (1.0, 5.0, 9.0));
    }
}
