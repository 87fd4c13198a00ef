//! What was in an input and is not in the output, by cause.

use backsight_formats::flaws::Flaws;

use crate::capture::Ends;
use crate::jit::said::MapUse;

/// What was in the input and is not in the output.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct LeftOut {
    /// Samples that are not written: the cause, as a plural noun phrase that follows the number,
    /// and the number.
    pub samples: Vec<(String, u64)>,
    /// Other things that are not written, such as records or parts of samples, in the same form.
    pub others: Vec<(String, u64)>,
    /// How the unwinding of recorded stack memory ended.
    pub ends: Ends,
    /// What came of the lists of names of code that was made at run time.
    pub maps: Vec<MapUse>,
}

impl LeftOut {
    /// Counts samples that are not written. `cause` is a plural noun phrase that follows the
    /// number.
    pub fn add(&mut self, cause: &str, count: u64) {
        if count > 0 {
            self.samples.push((cause.to_owned(), count));
        }
    }

    /// Counts something other than samples. `what` is a plural noun phrase that follows the
    /// number.
    pub fn add_other(&mut self, what: &str, count: u64) {
        if count > 0 {
            self.others.push((what.to_owned(), count));
        }
    }

    /// Counts the flaws of an input that lost samples, and everything that the format has no
    /// place for.
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
