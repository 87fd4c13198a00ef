//! Stacks of all threads.
//!
//! ```text
//! --- threadz 1 ---
//!
//! --- Thread 7f794ab90940 (name: main/14748) stack: ---
//!   PC: 0x40bce4 0x40a2b1
//!       0x7f59e0c4524a
//! --- Thread 7f794a58f700 (name: worker/14749) stack: ---
//!     [same as previous thread]
//! ```

use std::io::{self, BufRead};

use backsight_types::Lookup;

use super::build::LegacyBuilder;
use super::sample_line::MAX_FRAMES;
use super::text::LineError;
use super::text::{TextLines, begins_maps};

pub(super) fn is_header(line: &str) -> bool {
    line.starts_with("--- threadz ") || thread_of(line).is_some()
}

/// Returns the name and ID of the thread that a line starts.
fn thread_of(line: &str) -> Option<(&str, u32)> {
    let rest = line.strip_prefix("--- Thread ")?;
    let rest = rest.strip_suffix(" stack: ---")?;
    let (_, rest) = rest.split_once(" (name: ")?;
    let (name, tid) = rest.strip_suffix(')')?.rsplit_once('/')?;
    Some((name, tid.parse().ok()?))
}

pub(super) fn read<R: BufRead, F: FnMut(&LineError)>(
    text: &mut TextLines<R, F>,
    builder: &mut LegacyBuilder,
) -> io::Result<()> {
    builder.count(&[("thread", "count")]);
    builder.period(("thread", "count"), 1);
    // The current thread, its addresses, and those of the previous thread.
    let mut thread: Option<(String, u32)> = None;
    let (mut addrs, mut before) = (Vec::new(), Vec::new());
    while text.next_but_comments()? {
        let is_end = begins_maps(&text.line);
        if text.line.starts_with("---") {
            finish(&mut thread, &mut addrs, &mut before, builder);
            match thread_of(&text.line) {
                Some((name, tid)) => thread = Some((name.to_owned(), tid)),
                None if is_end || text.line.starts_with("--- threadz ") => {}
                None if text.line.starts_with("---- no stack trace for") => {
                    builder.flaws.leave_out("threads without a stack");
                }
                None => text.wrong("not the start of a thread"),
            }
        } else if text.line.contains("same as previous thread") {
            addrs.clone_from(&before);
        } else if thread.is_some() && !is_end {
            match numbers(&text.line) {
                Ok(more) if addrs.len().saturating_add(more.len()) <= MAX_FRAMES => {
                    addrs.extend(more);
                }
                Ok(_) => text.wrong("more than 65,536 addresses in one stack"),
                Err(cause) => text.wrong(cause),
            }
        }
        if is_end {
            return Ok(());
        }
    }
    finish(&mut thread, &mut addrs, &mut before, builder);
    Ok(())
}

fn finish(
    thread: &mut Option<(String, u32)>,
    addrs: &mut Vec<u64>,
    before: &mut Vec<u64>,
    builder: &mut LegacyBuilder,
) {
    let Some((name, tid)) = thread.take() else {
        return;
    };
    if addrs.is_empty() {
        builder.flaws.leave_out("threads without a stack");
    } else {
        let thread = builder.thread(tid, &name);
        let stack = builder.stack(addrs, Lookup::Exact);
        builder.sample(&stack, thread, &[1], &[]);
    }
    *before = std::mem::take(addrs);
}

/// Returns the addresses in a line.
fn numbers(line: &str) -> Result<Vec<u64>, &'static str> {
    let words = line.split_ascii_whitespace();
    let digits = words.filter_map(|word| word.strip_prefix("0x"));
    let is_hex = |it: &&str| !it.is_empty() && it.bytes().all(|byte| byte.is_ascii_hexdigit());
    let numbers = digits.filter(is_hex).map(|it| u64::from_str_radix(it, 16));
    let numbers: Result<Vec<u64>, _> = numbers.collect();
    numbers.map_err(|_| "an address that is not a number of 64 bits")
}
