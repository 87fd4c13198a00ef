//! The hottest functions, modules, lines, threads and processes.

use std::cmp::Reverse;
use std::collections::HashMap;

use backsight_profile::{Profile, ThreadIdx};

use crate::amounts::{self, Amounts};
use crate::entry::{Inlines, ReportEntry, RowKind};
use crate::first_threads::FirstThreads;
use crate::frames::FrameEntries;

/// A list of rows, those with most of their own first.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct ReportTable {
    /// The sum of all samples, which shares are of.
    pub whole: i64,
    /// The rows: by their own amount, then by the total.
    pub rows: Vec<ReportRow>,
}

/// A row of a [`ReportTable`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ReportRow {
    /// What it stands for.
    pub entry: ReportEntry,
    /// The amount of samples whose innermost frame it is.
    pub own: i64,
    /// The amount of samples in whose stack it is.
    pub total: i64,
}

impl ReportTable {
    /// Sums a value of the samples, given by the index of its sample type.
    #[must_use]
    pub fn of(profile: &Profile, value: u32, by: RowKind, inlines: Inlines) -> Self {
        match by {
            RowKind::Thread | RowKind::Process => Self::of_tasks(profile, value, by),
            _ => Self::of_frames(profile, value, by, inlines),
        }
    }

    fn of_frames(profile: &Profile, value: u32, by: RowKind, inlines: Inlines) -> Self {
        let amounts = Amounts::of(profile, value);
        let mut frames = FrameEntries::new(profile, by, inlines);
        let mut sums: Vec<(i64, i64)> = Vec::new();
        // The number of the last stack that counted an entry, from 1.
        let mut counted: Vec<usize> = Vec::new();
        let mut numbers = Vec::new();
        for (nth, (stack, amount)) in (1..).zip(&amounts.by_stack) {
            frames.of_stack(*stack, &mut numbers);
            sums.resize(frames.entries.len(), (0, 0));
            counted.resize(frames.entries.len(), 0);
            for (depth, number) in numbers.iter().enumerate() {
                let Ok(at) = usize::try_from(*number) else {
                    continue;
                };
                let (Some((own, total)), Some(last)) = (sums.get_mut(at), counted.get_mut(at))
                else {
                    continue;
                };
                if depth == 0 {
                    *own = own.saturating_add(*amount);
                }
                if *last != nth {
                    *last = nth;
                    *total = total.saturating_add(*amount);
                }
            }
        }
        let rows = frames.entries.iter().zip(sums);
        let rows = rows.map(|(entry, (own, total))| ReportRow {
            entry: *entry,
            own,
            total,
        });
        Self::sorted(amounts.whole, rows.collect(), profile, by)
    }

    fn of_tasks(profile: &Profile, value: u32, by: RowKind) -> Self {
        let mut sums: HashMap<Option<ThreadIdx>, i64> = HashMap::new();
        let firsts = FirstThreads::of_processes(profile);
        let mut whole = 0_i64;
        amounts::each(profile, value, |sample, amount| {
            whole = whole.saturating_add(amount.saturating_abs());
            let thread = match by {
                RowKind::Process => sample.thread.map(|thread| firsts.of(profile, thread)),
                _ => sample.thread,
            };
            let sum = sums.entry(thread).or_default();
            *sum = sum.saturating_add(amount);
        });
        let rows = sums.into_iter().map(|(thread, sum)| ReportRow {
            entry: ReportEntry {
                thread,
                ..ReportEntry::default()
            },
            own: sum,
            total: sum,
        });
        Self::sorted(whole, rows.collect(), profile, by)
    }

    /// Sorts rows; equal ones by name, so that the order is always the same.
    fn sorted(whole: i64, mut rows: Vec<ReportRow>, profile: &Profile, by: RowKind) -> Self {
        let order = |row: &ReportRow| {
            (
                Reverse(row.own.saturating_abs()),
                Reverse(row.total.saturating_abs()),
            )
        };
        rows.sort_by(|a, b| {
            order(a).cmp(&order(b)).then_with(|| {
                let (x, y) = (a.entry.name(profile, by), b.entry.name(profile, by));
                x.cmp(&y).then_with(|| a.entry.rank().cmp(&b.entry.rank()))
            })
        });
        Self { whole, rows }
    }

    /// Sorts the rows by the total, then by their own amount.
    #[must_use]
    pub fn by_total(mut self) -> Self {
        // The sort is stable: equal ones stay in the order of names.
        self.rows.sort_by_key(|row| {
            (
                Reverse(row.total.saturating_abs()),
                Reverse(row.own.saturating_abs()),
            )
        });
        self
    }
}

/// An event or another value of a profile, and its sum.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct EventRow {
    /// The index of its sample type.
    pub value: u32,
    /// How many rows of samples have it.
    pub samples: u64,
    /// The sum of it.
    pub sum: i64,
}

/// Returns the sum of each sample type, in the profile's order.
#[must_use]
pub fn events(profile: &Profile) -> Vec<EventRow> {
    let types = u32::try_from(profile.sample_types.len()).unwrap_or(u32::MAX);
    let row = |value| {
        let (mut samples, mut sum) = (0_u64, 0_i64);
        amounts::each(profile, value, |_, amount| {
            samples = samples.saturating_add(1);
            sum = sum.saturating_add(amount);
        });
        EventRow {
            value,
            samples,
            sum,
        }
    };
    (0..types).map(row).collect()
}
