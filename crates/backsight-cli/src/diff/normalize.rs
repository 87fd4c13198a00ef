//! What the values of two profiles have in common.

use std::time::Duration;

use backsight_profile::Profile;
use clap::ValueEnum;

use crate::failure::{Failure, Result};

/// How the values of both are made comparable.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(super) enum NormalizeArg {
    /// By their sums: what takes the same share is equal
    #[default]
    Total,
    /// By the durations of the recordings: what takes the same amount in a second is equal
    Time,
    /// Not: what has the same value is equal
    None,
}

impl NormalizeArg {
    /// Returns what shares are percents of, in words.
    pub(super) fn percent_of(self) -> &'static str {
        match self {
            Self::Total => "the sum of each",
            Self::Time => "the sum after, before taken to last as long",
            Self::None => "the sum after",
        }
    }

    /// Its name as a flag's value.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Total => "total",
            Self::Time => "time",
            Self::None => "none",
        }
    }

    /// Returns by which the values of before are multiplied. `wholes` are the sums of both.
    pub(super) fn scale(self, profiles: [&Profile; 2], wholes: [i64; 2]) -> Result<f64> {
        let [before, after] = match self {
            Self::None => return Ok(1.0),
            Self::Total => wholes.map(amount),
            Self::Time => {
                let mut seconds = [0.0; 2];
                let sides = ["before", "after"];
                for ((place, profile), side) in seconds.iter_mut().zip(profiles).zip(sides) {
                    let known = profile.duration_ns.filter(|duration| *duration > 0);
                    let duration = known.ok_or_else(|| {
                        let cause = format!("--normalize time: {side} does not say how long it is");
                        Failure::Failed(cause)
                    })?;
                    *place = Duration::from_nanos(duration).as_secs_f64();
                }
                seconds
            }
        };
        match before > 0.0 && after > 0.0 {
            true => Ok(after / before),
            false => Ok(1.0),
        }
    }

    /// Returns the whole of which the shares of before are.
    #[expect(
        clippy::cast_possible_truncation,
        reason = "a whole that is scaled is rounded"
    )]
    pub(super) fn whole_before(self, scale: f64, [before, after]: [i64; 2]) -> i64 {
        match self {
            Self::Total => before,
            _ => (amount(after) / scale).round() as i64,
        }
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "sums are scaled to within rounding"
)]
fn amount(sum: i64) -> f64 {
    sum as f64
}
