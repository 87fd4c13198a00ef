//! The times of a contestant.

use serde::Serialize;

use crate::stats::Spread;

/// The kind of a contestant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// A floor: the minimal work, by raw system calls.
    Floor,
    /// Backsight.
    Ours,
    /// Another project's code for the same work.
    Peer,
}

/// The times of a contestant.
#[derive(Clone, Debug, Serialize)]
pub struct Lane {
    /// The contestant's name.
    pub name: &'static str,
    /// Its kind.
    pub role: Role,
    /// Calls per turn.
    pub calls: u32,
    /// Nanoseconds per call.
    pub ns: Spread,
    /// Nanoseconds per call in each round.
    #[serde(skip)]
    pub times: Vec<f64>,
}

impl Lane {
    /// Returns the floor of this one of `lanes`: the last floor added before it, or itself.
    #[must_use]
    pub fn floor_among<'l>(&self, lanes: &'l [Self]) -> Option<&'l Self> {
        let this = lanes.iter().position(|lane| lane.name == self.name)?;
        let until = lanes.get(..=this)?;
        until.iter().rfind(|lane| lane.role == Role::Floor)
    }

    /// Returns the ratio of this one's times to those of `other`, by round.
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
        // In the second round, both were ten times slower.
        let (ours, floor) = (lane([3.0, 30.0, 2.9]), lane([2.0, 20.0, 2.0]));
        assert_eq!(ours.ratio_to(&floor).median, 1.5);
    }
}
