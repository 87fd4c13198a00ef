//! How long a contestant took.

use serde::Serialize;

use crate::stats::Spread;

/// What a contestant stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// The least that must be done, by raw calls.
    Floor,
    /// Backsight.
    Ours,
    /// Another project's code for the same.
    Peer,
}

/// How long one contestant took.
#[derive(Clone, Debug, Serialize)]
pub struct Lane {
    /// The contestant.
    pub name: &'static str,
    /// What it stands for.
    pub role: Role,
    /// Calls in each turn.
    pub calls: u32,
    /// Nanoseconds a call.
    pub ns: Spread,
    /// Nanoseconds a call in each round.
    #[serde(skip)]
    pub times: Vec<f64>,
}

impl Lane {
    /// Returns the floor of this one of `lanes`: the last that entered before it, or
    /// itself.
    #[must_use]
    pub fn floor_among<'l>(&self, lanes: &'l [Self]) -> Option<&'l Self> {
        let this = lanes.iter().position(|lane| lane.name == self.name)?;
        let until = lanes.get(..=this)?;
        until.iter().rfind(|lane| lane.role == Role::Floor)
    }

    /// Returns how many times as long as `other` this one took, round by round.
    #[must_use]
    pub fn ratio_to(&self, other: &Self) -> Spread {
        let rounds = self.times.iter().zip(&other.times);
        Spread::of(rounds.map(|(this, that)| this / that))
    }
}

#[cfg(test)]
mod tests {
    use super::{Lane, Role};
    use crate::stats::Spread;

    #[test]
    fn a_ratio_is_taken_within_each_round() {
        let lane = |times: [f64; 3]| Lane {
            name: "",
            role: Role::Ours,
            calls: 1,
            ns: Spread::of(times),
            times: times.into(),
        };
        // Everything was ten times slower in the second round, for both.
        let (ours, floor) = (lane([3.0, 30.0, 2.9]), lane([2.0, 20.0, 2.0]));
        assert_eq!(ours.ratio_to(&floor).median, 1.5);
    }
}
