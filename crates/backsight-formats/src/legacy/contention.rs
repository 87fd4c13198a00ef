//! Lock contention profiles of gperftools and Go.
//!
//! ```text
//! --- mutex:
//! cycles/second=2445415926
//! sampling period=1
//! 260864534 97 @ 0x4b43be 0x4b4359       cycles, count
//! ```

use std::io::{self, BufRead};

use backsight_types::Lookup;

use super::build::LegacyBuilder;
use super::heap::stacks;
use super::sample_line::addresses;
use super::text::LineError;
use super::text::TextLines;

pub(super) fn is_header(line: &str) -> bool {
    let begins = ["--- contentionz ", "--- mutex:", "--- contention:"];
    begins.iter().any(|begin| line.starts_with(begin))
}

pub(super) fn read<R: BufRead, F: FnMut(&LineError)>(
    text: &mut TextLines<R, F>,
    builder: &mut LegacyBuilder,
) -> io::Result<()> {
    text.next_but_comments()?;
    builder.count(&[("contentions", "count"), ("delay", "nanoseconds")]);
    let (mut cycles, mut period) = (None, 1_i64);
    stacks(text, builder, |line, builder| {
        if let Some((key, value)) = line.split_once('=') {
            let number = value.trim_ascii().parse::<i64>();
            let number = number.ok().filter(|number| *number >= 0);
            let number = number.ok_or("a setting that is not a number of 63 bits");
            match key.trim_ascii() {
                "cycles/second" => cycles = Some(number?).filter(|cycles| *cycles > 0),
                "sampling period" => period = number?,
                "ms since reset" => {
                    let duration = number?.checked_mul(1_000_000);
                    let duration = duration.and_then(|it| u64::try_from(it).ok());
                    builder.profile.duration_ns = duration;
                }
                "discarded samples" => {
                    let lost = u64::try_from(number?).unwrap_or(0);
                    if lost > 0 {
                        builder
                            .flaws
                            .change("samples that the profiler discarded", lost);
                    }
                }
                "format" | "resolution" => {
                    return Err("a setting of Java's profiles, which are not read");
                }
                _ => return Err("an unknown setting"),
            }
            return Ok(Vec::new());
        }
        let (numbers, addrs) = line.split_once('@').ok_or("no @ with a stack after it")?;
        let mut numbers = numbers.split_ascii_whitespace().map(str::parse::<i64>);
        let (Some(Ok(delay)), Some(Ok(count)), None) =
            (numbers.next(), numbers.next(), numbers.next())
        else {
            return Err("not the two numbers of a stack");
        };
        let stack = builder.stack(&addresses(addrs)?, Lookup::Return);
        let (delay, count) = match period {
            0 => (delay, count),
            _ => (
                cycles.map_or(delay, |cycles| nanoseconds(delay, period, cycles)),
                count.saturating_mul(period),
            ),
        };
        builder.sample(&stack, None, &[count, delay], &[]);
        Ok(stack)
    })?;
    builder.period(("contentions", "count"), period);
    Ok(())
}

#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    reason = "the calculation of pprof; casts of floats saturate"
)]
fn nanoseconds(cycles: i64, period: i64, per_second: i64) -> i64 {
    let per_nanosecond = per_second as f64 / 1e9;
    (cycles as f64 * period as f64 / per_nanosecond) as i64
}
