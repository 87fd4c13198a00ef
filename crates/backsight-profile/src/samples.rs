//! Samples, their values and their labels.

use std::hash::BuildHasher;

use hashbrown::{DefaultHashBuilder, HashTable};

use crate::index::ThreadIdx;
use crate::stacks::StackIdx;
use crate::strings::StrIdx;

/// A sample: stack, thread and time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Sample {
    /// The thread, if the format has threads.
    pub thread: Option<ThreadIdx>,
    /// When it was taken, in nanoseconds. All samples use the same clock.
    pub time_ns: Option<u64>,
    /// The stack; `None` if it has no addresses.
    pub stack: Option<StackIdx>,
    /// The sample type of its first value: an index in the profile's sample types. The
    /// other values belong to the following types. All other types are zero.
    pub first_type: u32,
}

/// A property of a sample, as key and value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Label {
    /// Its name.
    pub key: StrIdx,
    /// Its value.
    pub value: LabelValue,
}

/// The value of a label. All formats have these two forms. It is exhaustive, because
/// every writer would have to handle a third form.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LabelValue {
    /// A text.
    Text(StrIdx),
    /// A number, with its unit if it has one.
    Number(i64, Option<StrIdx>),
}

/// Samples in order, with their values and labels.
#[derive(Clone, Debug, Default)]
pub struct Samples {
    rows: Vec<Row>,
    values: Vec<i64>,
    labels: Vec<Label>,
    /// The rows that [`Samples::sum`] may add to.
    sums: HashTable<u32>,
    hasher: DefaultHashBuilder,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Row {
    sample: Sample,
    /// The end of its values and of its labels. They start at the end of those of the row
    /// before.
    values_end: usize,
    labels_end: usize,
}

impl Samples {
    /// Adds a sample.
    pub fn push(&mut self, sample: Sample, values: &[i64], labels: &[Label]) {
        self.values.extend_from_slice(values);
        self.labels.extend_from_slice(labels);
        self.rows.push(Row {
            sample,
            values_end: self.values.len(),
            labels_end: self.labels.len(),
        });
    }

    /// Adds the values to those of an equal sample, ignoring the time, for formats
    /// without times. If there is no such sample, it is added without its time.
    ///
    /// Sums are saturating.
    pub fn sum(&mut self, sample: Sample, values: &[i64], labels: &[Label]) {
        let sample = Sample {
            time_ns: None,
            ..sample
        };
        let hash = self.hasher.hash_one((sample, values.len(), labels));
        let is_alike = |place: &u32| {
            let found = usize::try_from(*place).ok().and_then(|at| self.get(at));
            found.is_some_and(|(other, sums, others)| {
                other == sample && sums.len() == values.len() && others == labels
            })
        };
        if let Some(place) = self.sums.find(hash, is_alike).copied() {
            let range = usize::try_from(place)
                .ok()
                .and_then(|at| self.values_of(at));
            let sums = range.and_then(|range| self.values.get_mut(range));
            for (sum, value) in sums.unwrap_or_default().iter_mut().zip(values) {
                *sum = sum.saturating_add(*value);
            }
            return;
        }
        let place = u32::try_from(self.rows.len());
        self.push(sample, values, labels);
        // Rows from the 2^32nd on are not found again.
        if let Ok(place) = place {
            let mut sums = std::mem::take(&mut self.sums);
            sums.insert_unique(hash, place, |place| {
                let found = usize::try_from(*place).ok().and_then(|at| self.get(at));
                let (sample, values, labels) = found.unwrap_or_default();
                self.hasher.hash_one((sample, values.len(), labels))
            });
            self.sums = sums;
        }
    }

    /// Returns a sample with its values and labels.
    #[must_use]
    pub fn get(&self, at: usize) -> Option<(Sample, &[i64], &[Label])> {
        let row = self.rows.get(at)?;
        let values = self.values.get(self.values_of(at)?)?;
        let labels_start = match at.checked_sub(1) {
            Some(before) => self.rows.get(before)?.labels_end,
            None => 0,
        };
        let labels = self.labels.get(labels_start..row.labels_end)?;
        Some((row.sample, values, labels))
    }

    fn values_of(&self, at: usize) -> Option<std::ops::Range<usize>> {
        let start = match at.checked_sub(1) {
            Some(before) => self.rows.get(before)?.values_end,
            None => 0,
        };
        Some(start..self.rows.get(at)?.values_end)
    }

    /// Iterates over the samples with their values and labels.
    pub fn iter(&self) -> impl Iterator<Item = (Sample, &[i64], &[Label])> {
        (0..self.rows.len()).filter_map(|at| self.get(at))
    }

    /// Returns the number of samples.
    #[must_use]
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Returns whether there are no samples.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Removes all samples and keeps the memory, for writers that write in parts.
    pub fn clear(&mut self) {
        self.rows.clear();
        self.values.clear();
        self.labels.clear();
        self.sums.clear();
    }
}

impl PartialEq for Samples {
    fn eq(&self, other: &Self) -> bool {
        self.rows == other.rows && self.values == other.values && self.labels == other.labels
    }
}

impl Eq for Samples {}

#[cfg(test)]
mod tests {
    use super::{Label, LabelValue, Sample, Samples};
    use crate::stacks::StackIdx;
    use crate::strings::StrIdx;

    #[test]
    fn sums_keep_apart_what_differs_in_more_than_time() {
        let at = |time_ns, stack| Sample {
            time_ns: Some(time_ns),
            stack: Some(StackIdx(stack)),
            ..Sample::default()
        };
        let label = Label {
            key: StrIdx(0),
            value: LabelValue::Number(1, None),
        };
        let mut samples = Samples::default();
        samples.sum(at(1, 0), &[1, 10], &[]);
        samples.sum(at(2, 1), &[1, 20], &[]);
        samples.sum(at(3, 0), &[1, 30], &[]);
        samples.sum(at(4, 0), &[1, i64::MAX], &[label]);
        samples.sum(at(5, 0), &[1, 1], &[label]);
        let rows: Vec<_> = samples
            .iter()
            .map(|(sample, values, labels)| (sample.stack, sample.time_ns, values, labels.len()))
            .collect();
        let stack = |place| Some(StackIdx(place));
        assert_eq!(
            rows,
            [
                (stack(0), None, &[2, 40][..], 0),
                (stack(1), None, &[1, 20], 0),
                (stack(0), None, &[2, i64::MAX], 1),
            ]
        );
        samples.clear();
        assert!(samples.is_empty());
        samples.push(at(6, 0), &[5], &[label]);
        assert_eq!(samples.get(0), Some((at(6, 0), &[5][..], &[label][..])));
    }
}
