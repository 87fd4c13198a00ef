//! Count profiles of Go: goroutines, created threads.
//!
//! ```text
//! goroutine profile: total 10
//! 5 @ 0x4378b6 0x40619b 0x405cd8
//! # 0x4b3efa main.worker+0x1a /src/g.go:4
//! ```

use std::io::{self, BufRead};

use backsight_types::Lookup;

use super::build::LegacyBuilder;
use super::heap::stacks;
use super::sample_line::addresses;
use super::text::LineError;
use super::text::TextLines;

/// Returns what the first line says is counted.
pub(super) fn kind_of(line: &str) -> Option<&str> {
    let (kind, total) = line.split_once(" profile: total ")?;
    let is_number = !total.is_empty() && total.bytes().all(|byte| byte.is_ascii_digit());
    let is_word = !kind.is_empty() && !kind.contains(char::is_whitespace);
    (is_number && is_word).then_some(kind)
}

pub(super) fn read<R: BufRead, F: FnMut(&LineError)>(
    text: &mut TextLines<R, F>,
    builder: &mut LegacyBuilder,
) -> io::Result<()> {
    text.next_but_comments()?;
    let Some(kind) = kind_of(&text.line).map(str::to_owned) else {
        text.wrong("not the header of counts");
        return Ok(());
    };
    builder.count(&[(&kind, "count")]);
    builder.period((&kind, "count"), 1);
    stacks(text, builder, |line, builder| {
        let (count, addrs) = line.split_once('@').ok_or("no @ with a stack after it")?;
        let count = count.trim_ascii().parse::<i64>();
        let count = count.map_err(|_| "a count that is not a number of 64 bits")?;
        let stack = builder.stack(&addresses(addrs)?, Lookup::Return);
        builder.sample(&stack, None, &[count], &[]);
        Ok(stack)
    })
}
