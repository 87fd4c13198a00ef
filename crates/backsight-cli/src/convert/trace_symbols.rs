//! Symbols of a trace of Perfetto, which are appended to it.

use std::io::Write;
use std::path::Path;

use backsight::account::Tally;
use backsight_formats::perfetto;
use backsight_profile::Profile;

use super::profile_input::ProfileInput;
use super::read::ReadReport;
use crate::failure::{Failure, Result, complain};
use crate::file::Shown;

/// Reads a trace, and looks up all addresses that it has no symbols for.
pub(super) fn read(
    profile: &ProfileInput,
    input: &Path,
    tally: &mut Tally,
) -> Result<(Profile, ReadReport)> {
    if !profile.has_symbols() {
        let message = "--no-symbols leaves nothing to write of symbols: omit it";
        return Err(Failure::Usage(message.to_owned()));
    }
    let read = profile.for_trace().whole(input, false, |_| false, tally)?;
    match read.1.places {
        Some(_) => Ok(read),
        None => {
            let cause = "symbols are written for a trace of Perfetto, and this is none: write a \
                         profile, such as .pb.gz";
            Err(Failure::of(Shown(input), cause))
        }
    }
}

/// Writes the symbols, and says for how many addresses there are none.
pub(super) fn write(
    input: &Path,
    (profile, report): &(Profile, ReadReport),
    out: &mut impl Write,
) -> Result<()> {
    let Some(places) = &report.places else {
        return Ok(());
    };
    let found = perfetto::write_symbols(profile, places, out)?;
    let all = places.len();
    if found < all {
        let without = all.saturating_sub(found);
        complain(format_args!(
            "{}: {without} of {all} addresses without symbols in the trace have none here either: \
             they keep what name the recorder had",
            Shown(input)
        ));
    }
    Ok(())
}
