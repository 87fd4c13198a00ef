//! Heap profiles of gperftools, tcmalloc and Go.
//!
//! ```text
//! heap profile:  1000:  1009500 [  1050:  1012700] @ heapprofile
//!   1000:  1009500 [  1000:  1009500] @ 0x5634bf3da185 0x5634bf3da1a5
//! ```
//!
//! The numbers are the objects and bytes in use and, in brackets, ever allocated. The word after
//! `@` in the header gives the sampling: `heapprofile` counts all allocations, `heap_v2/524288`
//! samples one per 524,288 bytes, and Go's `heap/1048576` one per half of the number.

use std::io::{self, BufRead};

use backsight_profile::{Label, LabelValue, LocationIdx};
use backsight_types::Lookup;

use super::build::LegacyBuilder;
use super::sample_line::MAX_FRAMES;
use super::sample_line::{addresses, four_numbers, go_frame, unsampled};
use super::text::LineError;
use super::text::{TextLines, begins_maps};

/// The first line of a profile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header {
    /// The average number of bytes between samples; 1 if all allocations are counted.
    rate: i64,
    /// Whether values have to be scaled.
    is_sampled: bool,
    /// Whether freed objects are counted, too.
    pub(super) has_total: bool,
}

impl Header {
    pub(super) fn parse(line: &str) -> Option<Self> {
        let rest = line.trim_ascii().strip_prefix("heap profile:")?;
        let (numbers, kind) = rest.split_once('@')?;
        let [count, size, all, all_size] = four_numbers(numbers)?;
        let kind = kind.trim_ascii();
        let (kind, rate) = kind.split_once('/').unwrap_or((kind, ""));
        let rate = match rate {
            "" => 0,
            rate => rate.parse::<i64>().ok().filter(|rate| *rate >= 0)?,
        };
        let has_total = (all != count && all != 0) || (all_size != size && all_size != 0);
        let (rate, is_sampled, has_total) = match kind {
            "heapz_v2" | "heap_v2" => (rate, true, has_total),
            "heapprofile" => (1, false, has_total),
            "heap" => (rate.checked_div(2)?, true, has_total),
            "growthz" | "growth" | "fragmentationz" | "fragmentation" => (1, false, false),
            _ => return None,
        };
        Some(Self {
            rate,
            is_sampled,
            has_total,
        })
    }

    /// Sets the sample types. The last one is the default.
    pub(super) fn begin(&self, builder: &mut LegacyBuilder) {
        let in_use = [("inuse_objects", "count"), ("inuse_space", "bytes")];
        let total = [("alloc_objects", "count"), ("alloc_space", "bytes")];
        match self.has_total {
            true => builder.count(&[total, in_use].concat()),
            false => builder.count(&[("objects", "count"), ("space", "bytes")]),
        }
        builder.period(("space", "bytes"), self.rate);
    }

    pub(super) fn sampled(rate: i64, has_total: bool) -> Self {
        Self {
            rate,
            is_sampled: true,
            has_total,
        }
    }

    /// Adds a stack with its four numbers.
    pub(super) fn sample(
        &self,
        numbers: [i64; 4],
        stack: &[LocationIdx],
        builder: &mut LegacyBuilder,
    ) -> Result<(), &'static str> {
        let [count, size, all, all_size] = numbers;
        let of = |count: i64, size: i64| match (count, self.is_sampled) {
            (0, _) if size != 0 => Err("bytes without objects"),
            (_, true) => Ok(unsampled(count, size, self.rate)),
            (_, false) => Ok((count, size)),
        };
        let mut values = Vec::with_capacity(4);
        if self.has_total {
            let (count, size) = of(all, all_size)?;
            values.extend([count, size]);
        }
        let (in_use, in_use_size) = of(count, size)?;
        values.extend([in_use, in_use_size]);
        // The average size of an object: of those in use, or else of all.
        let of_one = |count: i64, size: i64| size.checked_div(count);
        let all = of_one(all, all_size).filter(|_| self.has_total);
        let one = of_one(count, size).or(all).unwrap_or(0);
        let strings = &mut builder.profile.strings;
        let label = Label {
            key: strings.intern("bytes"),
            value: LabelValue::Number(one, Some(strings.intern("bytes"))),
        };
        builder.sample(stack, None, &values, &[label]);
        Ok(())
    }
}

pub(super) fn read<R: BufRead, F: FnMut(&LineError)>(
    text: &mut TextLines<R, F>,
    builder: &mut LegacyBuilder,
) -> io::Result<()> {
    text.next_but_comments()?;
    let Some(header) = Header::parse(&text.line) else {
        text.wrong("not the header of a heap profile");
        return Ok(());
    };
    header.begin(builder);
    stacks(text, builder, |line, builder| {
        let (numbers, addrs) = line.split_once('@').ok_or("no @ with a stack after it")?;
        let numbers = four_numbers(numbers).ok_or("not the four numbers of a stack")?;
        let stack = builder.stack(&addresses(addrs)?, Lookup::Return);
        header.sample(numbers, &stack, builder)?;
        Ok(stack)
    })
}

/// Passes each line of a stack to `take`, and adds the functions that follow it. Ends where the
/// memory map or another part starts.
pub(super) fn stacks<R: BufRead, F: FnMut(&LineError)>(
    text: &mut TextLines<R, F>,
    builder: &mut LegacyBuilder,
    mut take: impl FnMut(&str, &mut LegacyBuilder) -> Result<Vec<LocationIdx>, &'static str>,
) -> io::Result<()> {
    let (mut stack, mut frames) = (Vec::new(), Vec::new());
    while text.next()? {
        if let Some(frame) = go_frame(&text.line) {
            if frames.len() < MAX_FRAMES {
                frames.push(frame);
            } else {
                text.wrong("more than 65,536 functions in one stack");
            }
            continue;
        }
        if text.line.starts_with('#') {
            continue;
        }
        builder.name(&stack, &frames);
        frames.clear();
        stack.clear();
        if begins_maps(&text.line) || text.line.starts_with("---") {
            return Ok(());
        }
        match take(&text.line, builder) {
            Ok(taken) => stack = taken,
            Err(cause) => text.wrong(cause),
        }
    }
    builder.name(&stack, &frames);
    Ok(())
}
