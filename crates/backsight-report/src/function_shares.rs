//! The shares of the lines and addresses of functions.

use std::cmp::Reverse;
use std::collections::{HashMap, HashSet};
use std::hash::Hash;

use backsight_profile::{LocationIdx, Profile, ProfileFrame, StrIdx};

use crate::amounts::Amounts;
use crate::entry::{Inlines, ReportEntry, RowKind};
use crate::frames::FrameEntries;

/// A function, with the amounts of its lines and addresses.
///
/// The own amounts of all lines together are that of the function, as are those of what has no
/// line. A total counts a sample once for each line that is in its stack: where a function calls
/// itself from several lines, their totals may be more than that of the function. The total of
/// several lines or addresses together is not their sum then: [`Self::line_totals`] and
/// [`Self::place_totals`] count each sample once.
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
    /// Stacks that have it on several lines: the positions of these in `lines`.
    on_several_lines: Vec<(Box<[u32]>, i64)>,
    /// Stacks that have it at several addresses.
    at_several_places: Vec<(Box<[LocationIdx]>, i64)>,
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

/// Sums, and the number of the last stack that counted, from 1.
#[derive(Clone, Copy, Default)]
struct Sum {
    own: i64,
    total: i64,
    counted: usize,
}

impl Sum {
    /// Returns whether the stack is counted for the first time.
    fn add(&mut self, amount: i64, is_innermost: bool, stack: usize) -> bool {
        if is_innermost {
            self.own = self.own.saturating_add(amount);
        }
        let is_first = self.counted != stack;
        if is_first {
            self.counted = stack;
            self.total = self.total.saturating_add(amount);
        }
        is_first
    }
}

/// A line of a file, as a key.
type LineKey = (Option<StrIdx>, Option<u32>);

#[derive(Default)]
struct FunctionSums {
    all: Sum,
    start: Option<(StrIdx, u32)>,
    lines: HashMap<LineKey, Sum>,
    places: HashMap<LocationIdx, Sum>,
    /// What the stack that is being counted has of it, and the sums of the stacks before.
    now_on: Vec<LineKey>,
    now_at: Vec<LocationIdx>,
    on_several_lines: HashMap<Box<[LineKey]>, i64>,
    at_several_places: HashMap<Box<[LocationIdx]>, i64>,
}

impl FunctionShares {
    /// Sums a value of the samples for the functions that `wanted` takes, given by the index of its
    /// sample type. Returns them with the largest own amount first, and the sum of all
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
        let mut in_stack: Vec<u32> = Vec::new();
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
                    if sums.all.add(*amount, is_innermost, nth) {
                        in_stack.push(*number);
                    }
                    let line = frame.and_then(|frame| frame.line);
                    let file = frame
                        .and_then(|frame| frame.file)
                        .filter(|_| line.is_some());
                    let of_line = sums.lines.entry((file, line)).or_default();
                    if of_line.add(*amount, is_innermost, nth) {
                        sums.now_on.push((file, line));
                    }
                    let place = sums.places.entry(index).or_default();
                    // The function may be twice in one location.
                    if place.counted != nth && place.add(*amount, depth == 0, nth) {
                        sums.now_at.push(index);
                    }
                }
            }
            for number in in_stack.drain(..) {
                if let Some(sums) = found.get_mut(&number) {
                    sums.end_stack(*amount);
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

    /// Returns the totals of groups of its lines: the amount of samples that have any line of the
    /// group in their stack. A line without a group is in none.
    #[must_use]
    pub fn line_totals<G: Copy + Eq + Hash>(
        &self,
        group: impl Fn(&LineShare) -> Option<G>,
    ) -> HashMap<G, i64> {
        let groups: Vec<Option<G>> = self.lines.iter().map(group).collect();
        let rows = groups.iter().zip(&self.lines);
        let rows = rows.map(|(group, line)| (*group, line.total));
        let stacks = self.on_several_lines.iter().map(|(lines, amount)| {
            let groups = lines.iter().map(|at| {
                let at = usize::try_from(*at).ok()?;
                groups.get(at).copied().flatten()
            });
            (groups, *amount)
        });
        group_totals(rows, stacks)
    }

    /// Returns the totals of groups of its addresses: the amount of samples that have any address
    /// of the group in their stack. An address without a group is in none.
    #[must_use]
    pub fn place_totals<G: Copy + Eq + Hash>(
        &self,
        group: impl Fn(LocationIdx) -> Option<G>,
    ) -> HashMap<G, i64> {
        let rows = self.places.iter();
        let rows = rows.map(|place| (group(place.location), place.total));
        let stacks = self.at_several_places.iter();
        let stacks = stacks.map(|(places, amount)| (places.iter().map(|at| group(*at)), *amount));
        group_totals(rows, stacks)
    }
}

/// Sums the rows of each group. What a stack counted for more than one of them is taken off again.
fn group_totals<G: Copy + Eq + Hash>(
    rows: impl Iterator<Item = (Option<G>, i64)>,
    stacks: impl Iterator<Item = (impl Iterator<Item = Option<G>>, i64)>,
) -> HashMap<G, i64> {
    // A sum of 64-bit amounts may leave their range before all is taken off.
    let mut sums: HashMap<G, i128> = HashMap::new();
    for (group, amount) in rows {
        if let Some(group) = group {
            let sum = sums.entry(group).or_default();
            *sum = sum.saturating_add(i128::from(amount));
        }
    }
    let mut seen: HashSet<G> = HashSet::new();
    for (groups, amount) in stacks {
        seen.clear();
        for group in groups.flatten() {
            if seen.insert(group) {
                continue;
            }
            let sum = sums.entry(group).or_default();
            *sum = sum.saturating_sub(i128::from(amount));
        }
    }
    let narrow = |sum: i128| {
        let bound = if sum < 0 { i64::MIN } else { i64::MAX };
        i64::try_from(sum).unwrap_or(bound)
    };
    let sums = sums.into_iter();
    sums.map(|(group, sum)| (group, narrow(sum))).collect()
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

    /// Notes what the stack that ends has of the function in several places.
    fn end_stack(&mut self, amount: i64) {
        note_several(&mut self.on_several_lines, &mut self.now_on, amount);
        note_several(&mut self.at_several_places, &mut self.now_at, amount);
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
        let positions = (0_u32..).zip(&lines);
        let positions: HashMap<LineKey, u32> =
            positions.map(|(at, of)| ((of.file, of.line), at)).collect();
        let on_several_lines = self.on_several_lines.into_iter();
        let on_several_lines = on_several_lines.map(|(keys, amount)| {
            let at = keys.iter().filter_map(|key| positions.get(key).copied());
            (at.collect(), amount)
        });
        FunctionShares {
            entry,
            on_several_lines: on_several_lines.collect(),
            at_several_places: self.at_several_places.into_iter().collect(),
            own: self.all.own,
            total: self.all.total,
            start: self.start,
            lines,
            places,
        }
    }
}

/// Adds the amount of a stack that has more than one of these. Stacks that have the same ones are
/// one entry.
fn note_several<K: Copy + Ord + Hash>(
    sums: &mut HashMap<Box<[K]>, i64>,
    now: &mut Vec<K>,
    amount: i64,
) {
    if now.len() > 1 {
        now.sort_unstable();
        let sum = match sums.get_mut(now.as_slice()) {
            Some(sum) => sum,
            None => sums.entry(now.as_slice().into()).or_default(),
        };
        *sum = sum.saturating_add(amount);
    }
    now.clear();
}
