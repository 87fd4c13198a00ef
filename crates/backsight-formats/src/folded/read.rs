//! Reads folded stacks.

use std::collections::HashMap;
use std::io::{self, BufRead};

use backsight_profile::{Location, LocationIdx, Profile, Sample, StackIdx, StrIdx, ValueType};

use super::value::Decimal;
use crate::escape::unfolded;
use crate::flaws::Flaws;
use crate::jit_frame::jit_frame;
use crate::lines::{BoundedLine, LineReader};

/// A stack of a thousand C++ names takes about a hundredth of this.
const MAX_LINE: u64 = 16 << 20;

/// A malformed line. It is skipped, and reading continues.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {cause}")]
#[non_exhaustive]
pub struct Error {
    /// The line, counted from 1.
    pub line: u64,
    /// What is wrong with it.
    pub cause: &'static str,
}

/// The number of lines that are read to recognize the format.
const FIRST_LINES: usize = 32;

/// The unit of the samples for each number of decimal places.
const UNITS: [&str; 10] = [
    "count", "1e-1", "1e-2", "1e-3", "1e-4", "1e-5", "1e-6", "1e-7", "1e-8", "1e-9",
];

/// Reported for stacks if some values have fractions.
const SCALED: &str = "stacks whose values have decimal places: all are whole numbers of a fraction, which is the unit (1e-3: thousandths)";

/// Reported for stacks with two values.
const COMPARED: &str =
    "stacks with two values, which are a comparison: read as `before` and `after`";

/// Reported for values that had to be rounded.
const ROUNDED: &str = "values that were rounded";

/// Reported if the text may have been cut within its last value. Some tools end no last line.
const CUT: &str = "last line without a line end: if the text was cut, its value is too small";

/// Reads folded stacks. Returns the profile, and counts of what was not read as written; each
/// malformed line is passed to `malformed`.
///
/// Values count `samples`; those of equal stacks are summed. Some tools write fractions. Then all
/// values are scaled to the unit that makes them whole numbers (`1e-3` is a thousandth), so that
/// totals and shares do not change. Digits after the ninth decimal place are rounded off.
///
/// If each of the first lines ends in two values, they are a comparison, as `difffolded.pl` writes
/// it. The values are named `before` and `after`. The default is `after`, which is the value that
/// `flamegraph.pl` draws.
///
/// A line that starts with `#` and contains no call is a comment; [`write`](super::write) escapes a
/// name that would look like one. A text that was cut between two lines cannot be told from a whole
/// one. Bytes that are not UTF-8 are replaced by �.
///
/// # Errors
/// Those of the input.
pub fn read(
    input: impl BufRead,
    mut malformed: impl FnMut(&Error),
) -> io::Result<(Profile, Flaws)> {
    let mut lines = LineReader::new(input, MAX_LINE);
    let mut first: Vec<(u64, Result<String, &'static str>)> = Vec::new();
    let mut next = || -> io::Result<_> {
        let Some((number, line)) = lines.next()? else {
            return Ok(None);
        };
        let line = match line {
            BoundedLine::Whole(line) => Ok(String::from_utf8_lossy(line).into_owned()),
            BoundedLine::TooLong => Err("longer than 16 MiB"),
        };
        Ok(Some((number, line)))
    };
    while first.len() < FIRST_LINES
        && let Some(line) = next()?
    {
        first.push(line);
    }
    let known = first.iter().filter_map(|(_, line)| line.as_deref().ok());
    let mut text = FoldedParser {
        is_compared: is_compared(known),
        ..FoldedParser::default()
    };
    let mut take = |(number, line): (u64, Result<String, &'static str>)| {
        if let Err(cause) = line.and_then(|line| text.take(&line)) {
            let line = number;
            malformed(&Error { line, cause });
        }
    };
    first.into_iter().for_each(&mut take);
    while let Some(line) = next()? {
        take(line);
    }
    if !lines.is_ended() {
        text.flaws.change(CUT, 1);
    }
    Ok(text.finish())
}

/// Whether the lines are a comparison: each line with a value has a second one before it, and one
/// line contains a call. Lines with a single name are not enough: a thread may be named `worker 1`.
fn is_compared<'l>(lines: impl Iterator<Item = &'l str>) -> bool {
    let mut has_call = false;
    let stacks = lines.filter(|line| !is_comment(line));
    for (names, _) in stacks.filter_map(|line| split_value(line).ok()) {
        match split_at_last_blank(names) {
            Ok((names, _)) => has_call |= names.contains(';'),
            Err(_) => return false,
        }
    }
    has_call
}

/// Whether a text looks like folded stacks: each of its first lines ends in a value, and one of
/// them contains a call.
#[must_use]
pub fn is_one(begin: &[u8]) -> bool {
    let whole = match begin.iter().rposition(|byte| *byte == b'\n') {
        Some(end) => begin.get(..end).unwrap_or_default(),
        None => begin,
    };
    let lines = whole.split(|byte| *byte == b'\n').take(FIRST_LINES);
    let lines = lines.map(String::from_utf8_lossy);
    let mut has_call = false;
    for line in lines.filter(|line| !is_comment(line) && !line.trim_ascii().is_empty()) {
        match split_value(&line) {
            Ok((names, _)) => has_call |= names.contains(';'),
            Err(_) => return false,
        }
    }
    has_call
}

fn is_comment(line: &str) -> bool {
    let call = |line: &str| split_value(line).is_ok_and(|(names, _)| names.contains(';'));
    line.starts_with('#') && !call(line)
}

/// Splits a line into its names and its value. The flag says whether the value was rounded.
fn split_value(line: &str) -> Result<(&str, (Decimal, bool)), &'static str> {
    split_at_last_blank(line.trim_ascii_end())
}

fn split_at_last_blank(line: &str) -> Result<(&str, (Decimal, bool)), &'static str> {
    let (names, value) = line
        .rsplit_once([' ', '\t'])
        .ok_or("no value after its last space")?;
    let value = Decimal::read(value).ok_or("its value is not a number of 64 bits")?;
    Ok((names, value))
}

#[derive(Debug, Default)]
struct FoldedParser {
    profile: Profile,
    locations: HashMap<StrIdx, LocationIdx>,
    /// Whether each stack has two values, before and after.
    is_compared: bool,
    /// The stacks in the order of the input, with the sums of their values: before (0 if there is
    /// only one value), and after.
    sums: Vec<(Option<StackIdx>, [Decimal; 2])>,
    places: HashMap<Option<StackIdx>, usize>,
    flaws: Flaws,
}

impl FoldedParser {
    fn take(&mut self, line: &str) -> Result<(), &'static str> {
        if line.trim_ascii().is_empty() || is_comment(line) {
            return Ok(());
        }
        let (names, (value, lost)) = split_value(line)?;
        let (names, (before, lost_before)) = match self.is_compared {
            true => {
                let parted = split_at_last_blank(names);
                parted.map_err(|_| "one value, but earlier lines have two")?
            }
            false => (names, (Decimal::default(), false)),
        };
        if lost || lost_before {
            self.flaws.change(ROUNDED, 1);
        }
        let mut stack = None;
        for name in names.split(';') {
            let name = self.profile.strings.intern(&unfolded(name));
            let location = match self.locations.get(&name) {
                Some(location) => *location,
                None => {
                    let location = add_named_location(&mut self.profile, name);
                    let location = location.ok_or("more than 2^32 names")?;
                    self.locations.insert(name, location);
                    location
                }
            };
            stack = Some(self.profile.stacks.call(stack, location));
        }
        let place = *self.places.entry(stack).or_insert_with(|| {
            self.sums.push((stack, <[Decimal; 2]>::default()));
            self.sums.len().saturating_sub(1)
        });
        if let Some((_, sums)) = self.sums.get_mut(place) {
            for (sum, value) in sums.iter_mut().zip([before, value]) {
                sum.add(value);
            }
        }
        Ok(())
    }

    /// Converts all sums to the largest unit in which they are whole numbers, if they fit.
    fn finish(mut self) -> (Profile, Flaws) {
        let sums = || self.sums.iter().flat_map(|(_, sums)| sums);
        let wanted = sums().map(|sum| sum.digits()).max().unwrap_or(0);
        let fits = |digits: &u32| {
            let mut total = 0_i64;
            sums().all(|sum| {
                let value = sum.in_units_of(*digits);
                let sum = value.and_then(|value| total.checked_add(value.checked_abs()?));
                sum.is_some_and(|sum| {
                    total = sum;
                    true
                })
            })
        };
        let digits = (1..=wanted).rev().find(fits).unwrap_or(0);
        let strings = &mut self.profile.strings;
        let place = usize::try_from(digits).unwrap_or_default();
        let unit = strings.intern(UNITS.get(place).copied().unwrap_or("count"));
        let kinds: &[&str] = match self.is_compared {
            true => &["before", "after"],
            false => &["samples"],
        };
        for kind in kinds {
            let kind = strings.intern(kind);
            self.profile.sample_types.push(ValueType { kind, unit });
        }
        self.profile.default_type = self.is_compared.then_some(1);
        for (stack, sums) in &self.sums {
            if sums.iter().any(|sum| sum.digits() > digits) {
                self.flaws.change(ROUNDED, 1);
            }
            let sample = Sample {
                stack: *stack,
                ..Sample::default()
            };
            let [before, value] = sums.map(|sum| sum.in_units_of(digits).unwrap_or_default());
            let samples = &mut self.profile.samples;
            match self.is_compared {
                true => samples.sum(sample, &[before, value], &[]),
                false => samples.sum(sample, &[value], &[]),
            }
        }
        let stacks = u64::try_from(self.sums.len()).unwrap_or(u64::MAX);
        if self.is_compared {
            self.flaws.change(COMPARED, stacks);
        }
        if digits > 0 {
            self.flaws.change(SCALED, stacks);
        }
        (self.profile, self.flaws)
    }
}

fn add_named_location(profile: &mut Profile, function: StrIdx) -> Option<LocationIdx> {
    let frame = jit_frame(&mut profile.strings, function);
    let frames = profile.add_frames([frame])?;
    profile.add_location(Location {
        frames,
        ..Location::default()
    })
}
