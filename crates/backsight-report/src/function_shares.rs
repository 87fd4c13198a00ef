//! The shares of the lines and addresses of functions.

use std::cmp::Reverse;
use std::collections::HashMap;

use backsight_profile::{LocationIdx, Profile, ProfileFrame, StrIdx};

use crate::amounts::Amounts;
use crate::entry::{Inlines, ReportEntry, RowKind};
use crate::frames::FrameEntries;

/// A function, with the amounts of its lines and addresses.
///
/// The own amounts of all lines together are that of the function, as are those of what has no
/// line. A total counts a sample once for each line that is in its stack: where a function calls
/// itself from several lines, their totals may be more than that of the function.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct FunctionShares {
    /// The function.
    pub entry: ReportEntry,
    /// The amount of samples whose innermost frame it is.
    pub own: i64,
    /// The amount of samples in whose stack it is.
    pub total: i64,
    /// The smallest line on which it is known to start, and the file of it.
    pub start: Option<(StrIdx, u32)>,
    /// Its lines, by file and number. What has no line is last, in one row.
    pub lines: Vec<LineShare>,
    /// The addresses in whose frames it is, in the order of the profile's locations.
    pub places: Vec<PlaceShare>,
}

/// The amounts of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct LineShare {
    /// The source file.
    pub file: Option<StrIdx>,
    /// The line, from 1; `None` for what has no line.
    pub line: Option<u32>,
    /// The amount of samples that were taken on it.
    pub own: i64,
    /// The amount of samples in whose stack it is.
    pub total: i64,
}

/// The amounts of an address: of the code in it, whichever of the functions in its frames it is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PlaceShare {
    /// The location.
    pub location: LocationIdx,
    /// The amount of samples that were taken there.
    pub own: i64,
    /// The amount of samples in whose stack it is.
    pub total: i64,
}

/// FunctionSums, and the number of the last stack that counted, from 1.
#[derive(Clone, Copy, Default)]
struct Sum {
    own: i64,
    total: i64,
    counted: usize,
}

impl Sum {
    fn add(&mut self, amount: i64, is_innermost: bool, stack: usize) {
        if is_innermost {
            self.own = self.own.saturating_add(amount);
        }
        if self.counted != stack {
            self.counted = stack;
            self.total = self.total.saturating_add(amount);
        }
    }
}

#[derive(Default)]
struct FunctionSums {
    all: Sum,
    start: Option<(StrIdx, u32)>,
    lines: HashMap<(Option<StrIdx>, Option<u32>), Sum>,
    places: HashMap<LocationIdx, Sum>,
}

impl FunctionShares {
    /// FunctionSums a value of the samples for the functions that `wanted` takes, given by the index of
    /// its sample type. Returns them with the largest own amount first, and the sum of all
    /// samples.
    #[must_use]
    pub fn of(
        profile: &Profile,
        value: u32,
        inlines: Inlines,
        mut wanted: impl FnMut(&ReportEntry) -> bool,
    ) -> (i64, Vec<Self>) {
        let amounts = Amounts::of(profile, value);
        let mut frames = FrameEntries::new(profile, RowKind::Function, inlines);
        let mut is_wanted: Vec<bool> = Vec::new();
        let mut found: HashMap<u32, FunctionSums> = HashMap::new();
        for (nth, (stack, amount)) in (1..).zip(&amounts.by_stack) {
            for (depth, index) in profile.stacks.iter(*stack).enumerate() {
                let location = profile.location(index).copied().unwrap_or_default();
                let all = profile.frames_of(&location);
                let numbers = frames.of_location(index).to_vec();
                let new = frames.entries.iter().skip(is_wanted.len());
                is_wanted.extend(new.map(&mut wanted).collect::<Vec<_>>());
                // Merged, the outermost frame alone has a number.
                let skipped = all.len().saturating_sub(numbers.len());
                for (at, number) in numbers.iter().enumerate() {
                    let place = usize::try_from(*number).ok();
                    if !place.and_then(|at| is_wanted.get(at)).is_some_and(|it| *it) {
                        continue;
                    }
                    let frame = all.get(at.saturating_add(skipped));
                    let sums = found.entry(*number).or_default();
                    sums.note_start(frame);
                    let is_innermost = depth == 0 && at == 0;
                    sums.all.add(*amount, is_innermost, nth);
                    let line = frame.and_then(|frame| frame.line);
                    let file = frame
                        .and_then(|frame| frame.file)
                        .filter(|_| line.is_some());
                    let line = sums.lines.entry((file, line)).or_default();
                    line.add(*amount, is_innermost, nth);
                    let place = sums.places.entry(index).or_default();
                    // The function may be twice in one location.
                    if place.counted != nth || depth > 0 {
                        place.add(*amount, depth == 0, nth);
                    }
                }
            }
        }
        let found = found.into_iter();
        let mut all: Vec<Self> = found
            .map(|(number, sums)| sums.finish(profile, frames.entry(number)))
            .collect();
        all.sort_by(|a, b| {
            let amounts = |of: &Self| {
                let [own, total] = [of.own, of.total].map(i64::saturating_abs);
                Reverse((own, total))
            };
            let name = |of: &Self| of.entry.name(profile, RowKind::Function).into_owned();
            let by_amount = amounts(a).cmp(&amounts(b));
            let by_name = || name(a).cmp(&name(b));
            by_amount
                .then_with(by_name)
                .then_with(|| a.entry.rank().cmp(&b.entry.rank()))
        });
        (amounts.whole, all)
    }
}

impl FunctionSums {
    fn note_start(&mut self, frame: Option<&ProfileFrame>) {
        let start = frame.and_then(|frame| frame.file.zip(frame.start_line));
        if let Some(start) = start
            && self.start.is_none_or(|(_, line)| start.1 < line)
        {
            self.start = Some(start);
        }
    }

    fn finish(self, profile: &Profile, entry: ReportEntry) -> FunctionShares {
        let lines = self.lines.into_iter();
        let mut lines: Vec<LineShare> = lines
            .map(|((file, line), sum)| LineShare {
                file,
                line,
                own: sum.own,
                total: sum.total,
            })
            .collect();
        lines.sort_by_key(|of| {
            let file = of.file.and_then(|file| profile.strings.get(file));
            (of.line.is_none(), file, of.line)
        });
        let places = self.places.into_iter();
        let mut places: Vec<PlaceShare> = places
            .map(|(location, sum)| PlaceShare {
                location,
                own: sum.own,
                total: sum.total,
            })
            .collect();
        places.sort_unstable_by_key(|of| of.location);
        FunctionShares {
            entry,
            own: self.all.own,
            total: self.all.total,
            start: self.start,
            lines,
            places,
        }
    }
}
