//! Targets for times and ratios, and whether they are met.

use std::fmt;

use serde::Serialize;

use crate::lane::{Lane, Role};
use crate::stats::Spread;

/// A target for the time of one contestant.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    /// The contestant.
    pub of: &'static str,
    /// The floor or peer to compare with; empty if the bound is on the time itself.
    pub against: &'static str,
    /// The bound.
    pub bound: Bound,
}

/// A bound on a time.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Bound {
    /// At most this multiple of the other's time.
    AtMost(f64),
    /// The other takes at least this multiple of the time.
    FasterBy(f64),
    /// At most this many nanoseconds per address.
    Each(f64),
    /// At most this many nanoseconds more than the other.
    Beyond(f64),
    /// At most this many nanoseconds, or other units, per call.
    ACall(f64),
}

/// A bound, and the measured figure.
#[derive(Clone, Debug, Serialize)]
pub struct Verdict {
    /// The contestant.
    pub of: &'static str,
    /// The floor or peer to compare with; empty if the bound is on the time itself.
    pub against: &'static str,
    /// The bound.
    pub bound: Bound,
    /// The measured figure, in the unit of `bound`.
    pub figure: Spread,
    /// Whether the median meets the bound.
    pub met: bool,
    /// The figure of the floor, unless the bound is relative to it.
    pub floor: Option<f64>,
}

impl Bound {
    fn number(self) -> f64 {
        match self {
            Self::AtMost(number)
            | Self::FasterBy(number)
            | Self::Each(number)
            | Self::Beyond(number)
            | Self::ACall(number) => number,
        }
    }

    fn is_met_by(self, figure: f64) -> bool {
        match self {
            Self::FasterBy(least) => figure >= least,
            Self::AtMost(most) | Self::Each(most) | Self::Beyond(most) | Self::ACall(most) => {
                figure <= most
            }
        }
    }
}

impl Target {
    pub(crate) fn judge(&self, lanes: &[Lane], addresses: usize) -> Verdict {
        let lane = |name| {
            lanes
                .iter()
                .find(|lane| lane.name == name)
                .unwrap_or_else(|| panic!("a target names {name:?}, which did not enter"))
        };
        let of = lane(self.of);
        let figure_of = |of: &Lane| match self.bound {
            Bound::AtMost(_) => of.ratio_to(lane(self.against)),
            Bound::FasterBy(_) => lane(self.against).ratio_to(of),
            Bound::Each(_) => Spread::of(of.times.iter().map(|time| time / addresses as f64)),
            Bound::ACall(_) => of.ns,
            Bound::Beyond(_) => {
                let rounds = of.times.iter().zip(&lane(self.against).times);
                Spread::of(rounds.map(|(this, that)| this - that))
            }
        };
        let figure = figure_of(of);
        let against_floor = || lane(self.against).role == Role::Floor;
        let floor = match self.bound {
            Bound::AtMost(_) | Bound::Beyond(_) if against_floor() => None,
            _ => of.floor_among(lanes),
        };
        Verdict {
            of: self.of,
            against: self.against,
            bound: self.bound,
            figure,
            met: self.bound.is_met_by(figure.median),
            floor: floor.map(|floor| figure_of(floor).median),
        }
    }
}

impl fmt::Display for Verdict {
    /// Writes the bound and the figure; for a miss also its amount, and whether the floor would
    /// miss it, too.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            of,
            against,
            bound,
            figure,
            met,
            floor,
        } = self;
        match bound {
            Bound::AtMost(most) => write!(f, "{of} ≤ {most} × {against}: ")?,
            Bound::FasterBy(least) => write!(f, "{of} ≥ {least} × faster than {against}: ")?,
            Bound::Each(most) => write!(f, "{of} ≤ {most} ns an address: ")?,
            Bound::Beyond(most) => write!(f, "{of} ≤ {against} + {most} ns: ")?,
            Bound::ACall(most) => write!(f, "{of} ≤ {most} a call: ")?,
        }
        let asked = bound.number();
        // One more digit than the target has, to show a close result.
        let digits = asked.to_string().split('.').nth(1).map_or(0, str::len) + 1;
        let Spread { p10, median, p90 } = figure;
        write!(f, "{median:.digits$} ({p10:.digits$}–{p90:.digits$}), ")?;
        if *met {
            return f.write_str("met");
        }
        f.write_str("MISSED")?;
        if asked > 0.0 {
            let beyond = (median / asked - 1.0).abs();
            write!(f, " by {:.1} %", beyond * 100.0)?;
        }
        match floor {
            Some(floor) if !bound.is_met_by(*floor) => {
                write!(
                    f,
                    "; out of reach here: the floor itself gets {floor:.digits$}"
                )
            }
            Some(floor) => write!(f, "; the floor gets {floor:.digits$}"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Bound, Target};
    use crate::lane::{Lane, Role};
    use crate::stats::Spread;

    #[test]
    fn a_target_is_met_at_its_bound_and_missed_beyond() {
        let lane = |name, time| Lane {
            name,
            role: Role::Ours,
            calls: 1,
            ns: Spread::of([time]),
            times: vec![time],
        };
        let lanes = [lane("ours", 2.0), lane("other", 1.0)];
        let cases = [
            (
                "at most, met",
                "ours",
                Bound::AtMost(2.0),
                "2.0 (2.0–2.0), met",
            ),
            (
                "at most, missed",
                "ours",
                Bound::AtMost(1.6),
                "2.00 (2.00–2.00), MISSED by 25.0 %",
            ),
            (
                "faster, met",
                "other",
                Bound::FasterBy(2.0),
                "2.0 (2.0–2.0), met",
            ),
            (
                "faster, missed",
                "other",
                Bound::FasterBy(2.5),
                "2.00 (2.00–2.00), MISSED by 20.0 %",
            ),
            (
                "slower, of course missed",
                "ours",
                Bound::FasterBy(1.0),
                "0.5 (0.5–0.5), MISSED by 50.0 %",
            ),
        ];
        for (name, of, bound, want) in cases {
            let against = if of == "ours" { "other" } else { "ours" };
            let verdict = Target { of, against, bound }.judge(&lanes, 1);
            let said = verdict.to_string();
            assert!(said.ends_with(want), "{name}: {said}");
            assert_eq!(verdict.met, want.ends_with(", met"), "{name}");
        }
    }
}
