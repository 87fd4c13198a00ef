//! Folded stacks as a profile.

use std::collections::HashMap;
use std::io::{self, BufRead};

use backsight_types::profile::{
    Frame, Location, LocationIdx, Profile, Sample, StackIdx, StrIdx, ValueType,
};

use super::value::Exact;
use crate::escape::unfolded;
use crate::flaws::Flaws;
use crate::lines::{Line, Lines};

/// A stack of a thousand names of C++ has a hundredth of this.
const MAX_LINE: u64 = 16 << 20;

/// A line that is not understood. It is skipped; reading goes on.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {cause}")]
pub struct Error {
    /// The line, counted from 1.
    pub line: u64,
    /// What is wrong with it.
    pub cause: &'static str,
}

/// What samples are counted in, by the digits that values have behind their points.
const UNITS: [&str; 10] = [
    "count", "1e-1", "1e-2", "1e-3", "1e-4", "1e-5", "1e-6", "1e-7", "1e-8", "1e-9",
];

/// What is said of stacks when some have fractions.
const SCALED: &str = "stacks, counted in the part of one that the unit says: values have fractions";

/// What is said of a value that has more digits than all can have.
const ROUNDED: &str = "values with digits that were rounded off";

/// Reads folded stacks, hands what is malformed to `malformed`, and returns what else was
/// not taken as it is.
///
/// Values count `samples`, and those of one stack are a sum. They may have fractions,
/// which some tools write: then all are counted in the unit that they need (`1e-3` is a
/// thousandth), so that no share and no total changes. Digits behind the ninth are rounded
/// off. A line that begins with `#` and names no call is a comment; [`write`](super::write)
/// escapes such a name. What is not UTF-8 becomes �.
///
/// # Errors
/// Those of the input.
pub fn read(
    input: impl BufRead,
    mut malformed: impl FnMut(&Error),
) -> io::Result<(Profile, Flaws)> {
    let mut text = Text::default();
    let mut lines = Lines::new(input, MAX_LINE);
    while let Some((number, line)) = lines.next()? {
        let taken = match line {
            Line::Whole(line) => text.take(&String::from_utf8_lossy(line)),
            Line::TooLong => Err("longer than 16 MiB"),
        };
        if let Err(cause) = taken {
            let line = number;
            malformed(&Error { line, cause });
        }
    }
    Ok(text.finish())
}

/// Returns whether a text that begins so looks like folded stacks: each of its first
/// lines ends in a value, and one of them names a call.
#[must_use]
pub fn is_one(begin: &[u8]) -> bool {
    let whole = match begin.iter().rposition(|byte| *byte == b'\n') {
        Some(end) => begin.get(..end).unwrap_or_default(),
        None => begin,
    };
    let lines = whole.split(|byte| *byte == b'\n').take(32);
    let lines = lines.map(String::from_utf8_lossy);
    let mut has_call = false;
    for line in lines.filter(|line| !is_comment(line) && !line.trim_ascii().is_empty()) {
        match parted(&line) {
            Ok((names, _)) => has_call |= names.contains(';'),
            Err(_) => return false,
        }
    }
    has_call
}

fn is_comment(line: &str) -> bool {
    let call = |line: &str| parted(line).is_ok_and(|(names, _)| names.contains(';'));
    line.starts_with('#') && !call(line)
}

/// Parts a line into its names and its value, and says whether digits of that are lost.
fn parted(line: &str) -> Result<(&str, (Exact, bool)), &'static str> {
    let (names, value) = line
        .trim_ascii_end()
        .rsplit_once([' ', '\t'])
        .ok_or("no value behind a space at its end")?;
    let value = Exact::read(value).ok_or("its value is no number of 64 bits")?;
    Ok((names, value))
}

#[derive(Debug, Default)]
struct Text {
    profile: Profile,
    locations: HashMap<StrIdx, LocationIdx>,
    /// The stacks, in their order, and their sums.
    sums: Vec<(Option<StackIdx>, Exact)>,
    places: HashMap<Option<StackIdx>, usize>,
    flaws: Flaws,
}

impl Text {
    fn take(&mut self, line: &str) -> Result<(), &'static str> {
        if line.trim_ascii().is_empty() || is_comment(line) {
            return Ok(());
        }
        let (names, (value, lost)) = parted(line)?;
        if lost {
            self.flaws.change(ROUNDED, 1);
        }
        let mut stack = None;
        for name in names.split(';') {
            let name = self.profile.strings.intern(&unfolded(name));
            let location = match self.locations.get(&name) {
                Some(location) => *location,
                None => {
                    let location = called(&mut self.profile, name);
                    let location = location.ok_or("there are 2^32 names before it")?;
                    self.locations.insert(name, location);
                    location
                }
            };
            stack = Some(self.profile.stacks.call(stack, location));
        }
        let place = *self.places.entry(stack).or_insert_with(|| {
            self.sums.push((stack, Exact::default()));
            self.sums.len().saturating_sub(1)
        });
        if let Some((_, sum)) = self.sums.get_mut(place) {
            sum.add(value);
        }
        Ok(())
    }

    /// Counts all in the largest unit in which the sums are whole numbers, if they fit.
    fn finish(mut self) -> (Profile, Flaws) {
        let sums = self.sums.iter().map(|(_, sum)| *sum);
        let wanted = sums.clone().map(Exact::digits).max().unwrap_or(0);
        let fits = |digits: &u32| {
            let mut total = 0_i64;
            sums.clone().all(|sum| {
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
        let kind = strings.intern("samples");
        let place = usize::try_from(digits).unwrap_or_default();
        let unit = strings.intern(UNITS.get(place).copied().unwrap_or("count"));
        self.profile.sample_types.push(ValueType { kind, unit });
        for (stack, sum) in &self.sums {
            if sum.digits() > digits {
                self.flaws.change(ROUNDED, 1);
            }
            let sample = Sample {
                stack: *stack,
                ..Sample::default()
            };
            let value = sum.in_units_of(digits).unwrap_or_default();
            self.profile.samples.sum(sample, &[value], &[]);
        }
        if digits > 0 {
            let stacks = u64::try_from(self.sums.len()).unwrap_or(u64::MAX);
            self.flaws.change(SCALED, stacks);
        }
        (self.profile, self.flaws)
    }
}

fn called(profile: &mut Profile, function: StrIdx) -> Option<LocationIdx> {
    let frames = profile.add_frames([Frame {
        function: Some(function),
        ..Frame::default()
    }])?;
    profile.add_location(Location {
        frames,
        ..Location::default()
    })
}
