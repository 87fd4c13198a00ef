//! What of an input is not in the output, by causes.

use backsight_formats::flaws::Flaws;

use crate::capture::Ends;
use crate::jit::said::MapUse;

/// What of an input is not in the output.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct LeftOut {
    /// Samples that are not written: a plural that follows their number, and the number.
    pub samples: Vec<(String, u64)>,
    /// Things that are no samples, such as parts of them and records: named and counted
    /// alike.
    pub others: Vec<(String, u64)>,
    /// How the walks ended of stacks that were recorded as memory.
    pub ends: Ends,
    /// What came of the lists of names of code that was made at run time.
    pub maps: Vec<MapUse>,
}

impl LeftOut {
    /// Counts samples that have no place in the profile. `cause` is a plural that follows
    /// their number.
    pub fn add(&mut self, cause: &str, count: u64) {
        if count > 0 {
            self.samples.push((cause.to_owned(), count));
        }
    }

    /// Counts what is no sample: `what` is a plural that follows the number.
    pub fn add_other(&mut self, what: &str, count: u64) {
        if count > 0 {
            self.others.push((what.to_owned(), count));
        }
    }

    /// Counts what was wrong with an input, as far as that are samples, and what there is
    /// no place for.
    pub fn add_flaws(&mut self, flaws: &Flaws) {
        let is_samples = |what: &str| what.starts_with("samples ");
        for (what, count) in flaws.iter().filter(|(what, _)| is_samples(what)) {
            self.add(what, count);
        }
        for (what, count) in flaws.left_out() {
            match is_samples(what) {
                true => self.add(what, count),
                false => self.add_other(what, count),
            }
        }
    }

    /// Returns how many samples are left out.
    pub fn total(&self) -> u64 {
        self.samples
            .iter()
            .fold(0, |sum, (_, n)| sum.saturating_add(*n))
    }
}
