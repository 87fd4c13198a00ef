//! Which filters leave nothing.

use backsight_profile::{Profile, Samples};

use super::filter_flags::FilterFlags;

/// The samples of a profile before any filter, and the filters. If nothing is left, they tell
/// which filters are the cause.
#[derive(Debug, Default)]
pub(crate) struct Unfiltered {
    samples: Samples,
    flags: FilterFlags,
}

/// The flags that leave nothing. Those that make no difference are not among them.
#[derive(Debug, PartialEq, Eq)]
struct Blame {
    flags: Vec<&'static str>,
    /// Whether each of them leaves nothing by itself. Otherwise they do so together.
    is_each: bool,
}

impl Unfiltered {
    /// Keeps the samples if there are filters.
    pub(super) fn of(profile: &Profile, flags: &FilterFlags) -> Self {
        let samples = match flags.takes_all() {
            true => Samples::default(),
            false => profile.samples.clone(),
        };
        let flags = flags.clone();
        Self { samples, flags }
    }

    /// Returns why no sample is left.
    pub(crate) fn why_nothing(&self, profile: &Profile) -> String {
        let blamed = self.blamed(profile, |profile| !profile.samples.is_empty());
        match blamed {
            Some(blamed) => format!("no samples: {blamed} none"),
            None => "no samples: the input has none".to_owned(),
        }
    }

    /// Returns which flags leave nothing, with a verb: `--hide leaves`. `is_left` tells whether
    /// something is left of a profile. `None` if there is nothing without filters, either.
    pub(crate) fn blamed(
        &self,
        profile: &Profile,
        is_left: impl Fn(&Profile) -> bool,
    ) -> Option<String> {
        let mut profile = profile.clone();
        let given = self.flags.given();
        let blame = Blame::of(&given, |kept| {
            profile.samples = self.samples.clone();
            let flags = self.flags.keeping(kept);
            // What the samples lack is said before.
            let Ok(filters) = flags.of(&profile) else {
                return false;
            };
            filters.tasks.apply(&mut profile);
            filters.stacks.apply(&mut profile);
            is_left(&profile)
        });
        blame.map(|blame| blame.to_string())
    }
}

impl Blame {
    /// Returns the flags that are to blame. `leaves` tells whether something is left with some of
    /// them.
    fn of(given: &[&'static str], mut leaves: impl FnMut(&[&str]) -> bool) -> Option<Self> {
        if !leaves(&[]) {
            return None;
        }
        let others = |flag: &str| -> Vec<&str> {
            let others = given.iter().copied().filter(|other| *other != flag);
            others.collect()
        };
        let needed = given.iter().copied().filter(|flag| leaves(&others(flag)));
        let needed: Vec<&'static str> = needed.collect();
        if !needed.is_empty() {
            return Some(Self {
                flags: needed,
                is_each: false,
            });
        }
        // None of them makes the difference.
        let enough = given.iter().copied().filter(|flag| !leaves(&[flag]));
        let enough: Vec<&'static str> = enough.collect();
        Some(match enough.is_empty() {
            false => Self {
                flags: enough,
                is_each: true,
            },
            true => Self {
                flags: given.to_vec(),
                is_each: false,
            },
        })
    }
}

impl std::fmt::Display for Blame {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match (self.flags.split_last(), self.is_each) {
            (None, _) => f.write_str("a filter leaves"),
            (Some((only, [])), _) => write!(f, "{only} leaves"),
            (Some((last, first)), true) => {
                write!(f, "each of {} and {last} leaves", first.join(", "))
            }
            (Some((last, first)), false) => {
                write!(f, "{} and {last} together leave", first.join(", "))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Blame;

    /// What is said if these sets of flags leave nothing, and those with more flags.
    fn said(given: &[&'static str], nothing: &[&[&str]]) -> Option<String> {
        let leaves = |kept: &[&str]| {
            let has_all = |set: &&[&str]| set.iter().all(|flag| kept.contains(flag));
            !nothing.iter().any(has_all)
        };
        Blame::of(given, leaves).map(|blame| blame.to_string())
    }

    #[test]
    fn only_what_makes_a_difference_is_blamed() {
        let given = ["--user", "--focus", "--hide"];
        let cases: [(&[&[&str]], &str); 5] = [
            (&[&["--hide"]], "--hide leaves"),
            (&[&["--user", "--hide"]], "--user and --hide together leave"),
            (
                &[&["--focus"], &["--hide"]],
                "each of --focus and --hide leaves",
            ),
            (&[&given], "--user, --focus and --hide together leave"),
            // Each two of them.
            (
                &[
                    &["--user", "--hide"],
                    &["--focus", "--hide"],
                    &["--user", "--focus"],
                ],
                "--user, --focus and --hide together leave",
            ),
        ];
        for (nothing, want) in cases {
            assert_eq!(said(&given, nothing).as_deref(), Some(want));
        }
        assert_eq!(said(&given, &[&[]]), None);
    }
}
