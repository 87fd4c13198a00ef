//! Recognizes the text, and the lines that start its samples.

use super::frame;
use super::head::{self, FirstLine, Shape};

/// The maximum length of a thread name in the kernel, without the final zero byte.
const MAX_COMM: usize = 15;

/// Whether a text that starts like this is the output of `perf script`.
///
/// A line with a time is enough. Otherwise the first line that is not a comment must start a
/// sample, and the next line must continue it.
#[must_use]
pub fn is_one(begin: &[u8]) -> bool {
    let lines = begin.split(|byte| *byte == b'\n');
    let lines = lines.map(|line| String::from_utf8_lossy(line.trim_ascii_end()));
    let mut lines = lines.filter(|line| !line.trim_ascii().is_empty() && !line.starts_with('#'));
    let Some(first) = lines.next() else {
        return false;
    };
    // Source lines are printed between frames.
    let is_source = |line: &str| line.starts_with(' ') && frame::source_line(line).is_some();
    let next = lines.find(|line| !is_source(line));
    let is_frame = |line: &str| {
        let is_inside = line.starts_with('\t') || line.starts_with("    ");
        let frame = frame::parse(line).filter(|_| is_inside);
        // perf prints this for unknown functions and files.
        let is_unknown = line.contains("[unknown]");
        frame.is_some_and(|frame| frame.function.is_some() || frame.dso.is_some() || is_unknown)
    };
    if first.starts_with('\t') {
        return is_frame(&first) && next.is_none_or(|next| is_frame(&next));
    }
    if with_time_printed(&first).is_some() {
        return true;
    }
    match next {
        Some(next) if is_frame(&next) && without_time_printed(&first, false).is_some() => true,
        Some(next) => {
            without_time_printed(&first, true).is_some()
                && without_time_printed(&next, true).is_some()
        }
        None => without_time_printed(&first, true).is_some(),
    }
}

/// Parses a first line that has a time.
pub(super) fn with_time_printed(line: &str) -> Option<(FirstLine<'_>, Shape)> {
    let shapes = Shape::ALL.into_iter().filter(|shape| shape.time);
    first(line, shapes)
}

/// Parses a first line without a time. `with_frame` says whether its only frame is on the same
/// line.
pub(super) fn without_time_printed(line: &str, with_frame: bool) -> Option<(FirstLine<'_>, Shape)> {
    let mut shapes = Shape::ALL.into_iter().filter(|shape| !shape.time);
    shapes.find_map(|shape| match head::parse(line, shape)? {
        FirstLine::Sample(head) => {
            let is_name = shape != Shape::default() || head.comm.len() <= MAX_COMM;
            let frame = head::only_frame(head.rest);
            let fits = is_name
                && match with_frame {
                    true => frame.is_some_and(has_long_address),
                    false => frame.is_none(),
                };
            fits.then_some((FirstLine::Sample(head), shape))
        }
        FirstLine::Record => None,
    })
}

/// Whether a frame has an address that cannot be a word: it has at least six digits, because code
/// starts at 4 MiB or higher.
fn has_long_address(frame: &str) -> bool {
    let addr = frame.split_ascii_whitespace().next().unwrap_or_default();
    addr.len() >= 6 && addr.bytes().any(|byte| byte.is_ascii_digit())
}

/// Parses a first line with the first of these shapes that fits.
pub(super) fn first(
    line: &str,
    shapes: impl Iterator<Item = Shape>,
) -> Option<(FirstLine<'_>, Shape)> {
    let mut shapes = shapes;
    shapes.find_map(|shape| Some((head::parse(line, shape)?, shape)))
}
