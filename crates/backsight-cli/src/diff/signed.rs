//! Both profiles as one, in which what was before counts as negative.

use std::path::Path;

use backsight_profile::Profile;
use backsight_report::signed_difference;

use crate::convert::{Output, StackFlags, write_profile};
use crate::failure::Result;
use crate::output;

/// Whether a file of this name can have negative values.
pub(super) fn is_one(output: &Path) -> bool {
    let format = Output::of(output, None).ok();
    matches!(format, Some(Output::Pprof | Output::Pb)) && output != Path::new("-")
}

/// Writes the file. `scale` is that of the values of before.
pub(super) fn write(output: &Path, sides: [(&Profile, u32); 2], scale: f64) -> Result<()> {
    let [before, after] = sides;
    let format = Output::of(output, None)?;
    let both = signed_difference(before, after, scale);
    output::replace(output, |mut out| {
        write_profile(&both, format, &StackFlags::default(), &mut out)
    })
}
