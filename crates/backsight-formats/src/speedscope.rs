//! speedscope's JSON: open it on <https://www.speedscope.app>.
//!
//! A file has a list of frames, and one or more profiles: here, one for each thread. The frames of
//! a stack are indices in that list, outermost first:
//!
//! ```text
//! {"$schema": "https://www.speedscope.app/file-format-schema.json",
//!  "shared": {"frames": [{"name": "main", "file": "a.c", "line": 3}, {"name": "work"}]},
//!  "profiles": [{"type": "sampled", "name": "a-7/7", "unit": "nanoseconds", "startValue": 0,
//!                "endValue": 30, "samples": [[0, 1], [0]], "weights": [20, 10]}]}
//! ```
//!
//! A profile of the type `evented` has instead a list of events, each of which opens or closes a
//! frame (`O`, `C`) at a time.
//!
//! speedscope takes frames that differ in the line for different functions. So we write as line that
//! in which the function starts; the column is known of code that V8 made alone.
//!
//! Not written: addresses, modules and labels; values of other sample types than the requested one,
//! and lines of frames that are not those of their functions, unless the options ask for them.
//!
//! Source: `src/lib/file-format-spec.ts` of github.com/jlfwong/speedscope.

mod build;
mod events;
mod names;
mod schema;
mod text;
mod units;
mod write;

pub use crate::protobuf::{Error, Limits};
pub use write::{WriteOptions, write, write_with};

use std::io::Read;

use backsight_profile::Profile;

use crate::flaws::Flaws;
use crate::protobuf::{MemoryBudget, unpack_as};

/// Whether a text that starts like this is such a file: it names the schema, or has a member that
/// other formats do not have.
#[must_use]
pub fn is_one(begin: &[u8]) -> bool {
    let begin = String::from_utf8_lossy(begin);
    let has = |what: &str| begin.contains(what);
    begin
        .trim_start_matches('\u{feff}')
        .trim_ascii_start()
        .starts_with('{')
        && (has("speedscope.app/file-format-schema.json")
            || has("\"shared\"") && has("\"frames\"") && has("\"name\"")
            || has("\"profiles\"") && (has("\"evented\"") || has("\"sampled\"")))
}

/// Reads a file, gzipped or not. Returns the profile, and counts of its flaws.
///
/// Each of its profiles becomes a thread. Times become nanoseconds; values without a unit are
/// counts, or the unit says which fraction of one (`1e-3`). Samples with weights have no times, and
/// stay in order. Of events, each interval becomes a sample of the stack that is open, with the
/// time at which it starts; while no frame is open there is no sample.
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
    let text = unpack_as(input, &mut budget, check_begin)?;
    let file = text::read(&text, budget)?;
    drop(text);
    build::profile(file)
}

fn check_begin(begin: &[u8]) -> Result<(), Error> {
    let text = begin.strip_prefix(b"\xef\xbb\xbf").unwrap_or(begin);
    let is_object = text.trim_ascii_start().starts_with(b"{");
    is_object.then_some(()).ok_or(Error::Malformed {
        offset: 0,
        reason: "it is not a JSON object",
    })
}
