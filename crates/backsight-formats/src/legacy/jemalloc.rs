//! Heap profiles of jemalloc.
//!
//! ```text
//! heap_v2/524288
//!   t*: 2643: 6120634 [0: 0]      all threads
//! @ 0x7f59e0ea2630 0x7f59e0ea2d21
//!   t*: 2638: 6099941 [0: 0]
//!   t0: 2638: 6099941 [0: 0]      thread 0, which is included in the sum
//! ```

use std::io::{self, BufRead};

use backsight_types::Lookup;

use super::build::LegacyBuilder;
use super::heap::Header;
use super::sample_line::{addresses, four_numbers};
use super::text::LineError;
use super::text::{TextLines, begins_maps};

/// Returns the average number of bytes between samples, from the first line.
pub(super) fn rate(line: &str) -> Option<i64> {
    let rate = line.strip_prefix("heap_v2/")?;
    rate.parse().ok().filter(|rate| *rate >= 0)
}

pub(super) fn read<R: BufRead, F: FnMut(&LineError)>(
    text: &mut TextLines<R, F>,
    builder: &mut LegacyBuilder,
) -> io::Result<()> {
    text.next_but_comments()?;
    let Some(rate) = rate(&text.line) else {
        text.wrong("not the header of a heap profile");
        return Ok(());
    };
    let mut header = None;
    // A stack whose numbers follow.
    let mut stack = None;
    while text.next_but_comments()? {
        if begins_maps(&text.line) || text.line.starts_with("---") {
            break;
        }
        if text.line.starts_with('@') {
            if stack.is_some() {
                text.wrong("the previous stack has no numbers");
                stack = None;
            }
            match addresses(text.line.strip_prefix('@').unwrap_or_default()) {
                Ok(addrs) => stack = Some(builder.stack(&addrs, Lookup::Return)),
                Err(cause) => text.wrong(cause),
            }
            continue;
        }
        let Some((thread, numbers)) = text.line.split_once(':') else {
            text.wrong("neither a stack nor the numbers of one");
            continue;
        };
        let Some(numbers) = four_numbers(numbers).filter(|_| thread.starts_with('t')) else {
            text.wrong("not the four numbers of a stack");
            continue;
        };
        // The numbers of each thread are included in the sum.
        if thread != "t*" {
            continue;
        }
        match (&header, stack.take()) {
            // The first numbers are those of the whole heap.
            (None, None) => {
                let [.., all, all_size] = numbers;
                let begun = Header::sampled(rate, all != 0 || all_size != 0);
                begun.begin(builder);
                header = Some(begun);
            }
            (Some(_), None) => text.wrong("numbers without a stack"),
            (known, Some(stack)) => {
                let begun = known.unwrap_or_else(|| {
                    let begun = Header::sampled(rate, false);
                    begun.begin(builder);
                    begun
                });
                header = Some(begun);
                if let Err(cause) = begun.sample(numbers, &stack, builder) {
                    text.wrong(cause);
                }
            }
        }
    }
    if stack.is_some() {
        text.wrong("the previous stack has no numbers");
    }
    Ok(())
}
