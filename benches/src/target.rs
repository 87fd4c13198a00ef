//! What a ratio must be, and whether it is.

use std::fmt;

use serde::Serialize;

use crate::race::Lane;
use crate::stats::Spread;

/// What is asked of one contestant's time against another's.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    /// Who must reach it.
    pub of: &'static str,
    /// The floor or the peer.
    pub against: &'static str,
    /// What the ratio must be.
    pub bound: Bound,
}

/// A bound of a ratio.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Bound {
    /// At most so many times the other's time.
    AtMost(f64),
    /// The other takes at least so many times as long.
    FasterBy(f64),
}

/// A target, and what was measured.
#[derive(Clone, Debug, Serialize)]
pub struct Verdict {
    /// Who must reach it.
    pub of: &'static str,
    /// The floor or the peer.
    pub against: &'static str,
    /// What the ratio must be.
    pub bound: Bound,
    /// The ratio as `bound` counts it.
    pub ratio: Spread,
    /// Whether the median reaches it.
    pub met: bool,
}

impl Target {
    pub(crate) fn judge(&self, lanes: &[Lane]) -> Verdict {
        let lane = |name| {
            lanes
                .iter()
                .find(|lane| lane.name == name)
                .unwrap_or_else(|| panic!("a target names {name:?}, which did not enter"))
        };
        let (of, against) = (lane(self.of), lane(self.against));
        let (ratio, met) = match self.bound {
            Bound::AtMost(most) => {
                let ratio = of.ratio_to(against);
                (ratio, ratio.median <= most)
            }
            Bound::FasterBy(least) => {
                let ratio = against.ratio_to(of);
                (ratio, ratio.median >= least)
            }
        };
        Verdict {
            of: self.of,
            against: self.against,
            bound: self.bound,
            ratio,
            met,
        }
    }
}

impl fmt::Display for Verdict {
    /// Writes target and ratio, and of a miss by how much.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            of,
            against,
            bound,
            ratio,
            met,
        } = self;
        let (asked, beyond) = match bound {
            Bound::AtMost(most) => {
                write!(f, "{of} ≤ {most} × {against}: ")?;
                (most, ratio.median / most - 1.0)
            }
            Bound::FasterBy(least) => {
                write!(f, "{of} ≥ {least} × faster than {against}: ")?;
                (least, 1.0 - ratio.median / least)
            }
        };
        // As many digits as the target has, and one more to tell a close call.
        let digits = asked.to_string().split('.').nth(1).map_or(0, str::len) + 1;
        let Spread { p10, median, p90 } = ratio;
        write!(f, "{median:.digits$} ({p10:.digits$}–{p90:.digits$}), ")?;
        if *met {
            f.write_str("met")
        } else {
            write!(f, "MISSED by {:.1} %", beyond * 100.0)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Bound, Target};
    use crate::race::{Lane, Role};
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
            let verdict = Target { of, against, bound }.judge(&lanes);
            let said = verdict.to_string();
            assert!(said.ends_with(want), "{name}: {said}");
            assert_eq!(verdict.met, want.ends_with(", met"), "{name}");
        }
    }
}
