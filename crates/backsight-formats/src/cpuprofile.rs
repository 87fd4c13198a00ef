//! V8's JSON of a CPU profile (`.cpuprofile`), as Node.js (`node --cpu-prof`), Chrome and Deno write
//! it.
//!
//! The call tree is a list of nodes; samples name the node of the innermost function, and how many
//! microseconds after the sample before each was taken:
//!
//! ```text
//! {"nodes": [{"id": 1, "callFrame": {"functionName": "(root)", "url": "", "lineNumber": -1, …},
//!             "hitCount": 0, "children": [2]},
//!            {"id": 2, "callFrame": {"functionName": "work", "url": "file:///a.js",
//!             "lineNumber": 6, "columnNumber": 13}, "hitCount": 2}],
//!  "startTime": 100, "endTime": 3100, "samples": [2, 2], "timeDeltas": [1000, 1000]}
//! ```
//!
//! - A sample stands for the time until the next one, the last one until the end; that is its value
//!   `time`. Its other value counts it.
//! - Lines of functions count from 0 there, and from 1 here. They are those in which functions
//!   start. How many samples of a node were taken on which line is in its `positionTicks`, from 1;
//!   which of them is not, so they are given out in their order: the counts of lines are those of
//!   V8, and their times are approximate. Callers have no line. Of code that was inlined from another
//!   file V8 gives the line there; a line before the begin of the function is left out, and counted.
//!   Others of them cannot be told from lines of the function.
//! - The frame `(root)` is left out. What V8 writes in place of functions stays as it is: `(idle)`,
//!   `(program)` (native code), `(garbage collector)`.
//! - A file without samples has only the counts of its nodes.
//! - The clock is one of the process, so a profile has no date.
//!
//! Source: the type `Profiler.Profile` of the Chrome DevTools Protocol.

mod build;
mod text;

pub use crate::protobuf::{Error, Limits};

use std::io::Read;

use backsight_profile::Profile;

use crate::flaws::Flaws;
use crate::protobuf::{MemoryBudget, unpack_as};

/// Whether a text that starts like this is such a file.
#[must_use]
pub fn is_one(begin: &[u8]) -> bool {
    let begin = String::from_utf8_lossy(begin);
    let has = |what: &str| begin.contains(what);
    let text = begin.trim_start_matches('\u{feff}').trim_ascii_start();
    let starts = text.starts_with('{') && !has("\"traceEvents\"") && !has("\"selfSize\"");
    starts && has("\"callFrame\"") && has("\"functionName\"") && !has("\"head\"")
}

/// Reads a file, gzipped or not. Returns the profile, and counts of its flaws.
///
/// A malformed part is left out, or read as far as possible. Only damage that makes the whole file
/// unreadable is an error.
///
/// # Errors
///
/// [`Error::Io`] if reading the input fails; [`Error::Malformed`] if it is not such a file, or is
/// damaged or cut off; [`Error::TooLarge`] if a limit is exceeded.
pub fn read(input: impl Read, limits: &Limits) -> Result<(Profile, Flaws), Error> {
    let mut budget = MemoryBudget::new(limits.memory);
    let text = unpack_as(input, &mut budget, |begin| {
        let text = begin.strip_prefix(b"\xef\xbb\xbf").unwrap_or(begin);
        let is_object = text.trim_ascii_start().starts_with(b"{");
        is_object.then_some(()).ok_or(Error::Malformed {
            offset: 0,
            reason: "it is not a JSON object",
        })
    })?;
    let file = text::read(&text, budget)?;
    drop(text);
    build::profile(file)
}
