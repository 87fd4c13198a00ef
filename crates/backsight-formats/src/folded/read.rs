//! Folded stacks as a profile.

use std::collections::HashMap;
use std::io::{self, BufRead};

use backsight_types::profile::{Frame, Location, LocationIdx, Profile, Sample, StrIdx, ValueType};

use crate::escape::unfolded;
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

/// Reads folded stacks, and hands what is malformed to `malformed`.
///
/// Values count `samples`. A fraction, which some tools write, is rounded to a whole
/// number. What is not UTF-8 becomes �.
///
/// # Errors
/// Those of the input.
pub fn read(input: impl BufRead, mut malformed: impl FnMut(&Error)) -> io::Result<Profile> {
    let mut profile = Profile::default();
    let kind = profile.strings.intern("samples");
    let unit = profile.strings.intern("count");
    profile.sample_types.push(ValueType { kind, unit });
    let mut known = HashMap::new();
    let mut lines = Lines::new(input, MAX_LINE);
    while let Some((number, line)) = lines.next()? {
        let taken = match line {
            Line::Whole(line) => take(&mut profile, &mut known, &String::from_utf8_lossy(line)),
            Line::TooLong => Err("longer than 16 MiB"),
        };
        if let Err(cause) = taken {
            let line = number;
            malformed(&Error { line, cause });
        }
    }
    Ok(profile)
}

fn take(
    profile: &mut Profile,
    known: &mut HashMap<StrIdx, LocationIdx>,
    line: &str,
) -> Result<(), &'static str> {
    if line.trim_ascii().is_empty() {
        return Ok(());
    }
    let (names, value) = line
        .trim_ascii_end()
        .rsplit_once(' ')
        .ok_or("no value behind a space at its end")?;
    let value = value_of(value).ok_or("its value is no number of 64 bits")?;
    let mut stack = None;
    for name in names.split(';') {
        let name = profile.strings.intern(&unfolded(name));
        let location = match known.get(&name) {
            Some(location) => *location,
            None => {
                let location = called(profile, name).ok_or("there are 2^32 names before it")?;
                known.insert(name, location);
                location
            }
        };
        stack = Some(profile.stacks.call(stack, location));
    }
    let sample = Sample {
        stack,
        ..Sample::default()
    };
    profile.samples.sum(sample, &[value], &[]);
    Ok(())
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

fn value_of(text: &str) -> Option<i64> {
    if let Ok(whole) = text.parse() {
        return Some(whole);
    }
    let (whole, fraction) = text.split_once('.')?;
    let is_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if !is_digits(whole) || !is_digits(fraction) {
        return None;
    }
    let up = fraction
        .as_bytes()
        .first()
        .is_some_and(|digit| *digit >= b'5');
    whole.parse::<i64>().ok()?.checked_add(i64::from(up))
}
