//! Two profiles as a page for a browser.

use std::path::Path;

use backsight_profile::Profile;
use backsight_report::side_by_side;

use super::normalize::NormalizeArg;
use crate::convert::Output;
use crate::failure::Result;
use crate::output;
use crate::page;

/// Whether a file of this name is a page.
pub(super) fn is_page(output: &Path) -> bool {
    matches!(Output::of(output, None), Ok(Output::Html)) && output != Path::new("-")
}

/// Writes the page. `wholes` are what shares are of, and `names` the inputs.
pub(super) fn write(
    output: &Path,
    sides: [(&Profile, u32); 2],
    wholes: [i64; 2],
    names: [&Path; 2],
    normalize: NormalizeArg,
) -> Result<()> {
    let [before, after] = sides;
    let both = side_by_side(before, after);
    let [from, to] = names.map(Path::display);
    let mut title = format!("{from} → {to}");
    if normalize != NormalizeArg::Total {
        title = format!("{title}: % of {}", normalize.percent_of());
    }
    output::replace(output, |out| {
        page::write_comparison(&both, &title, wholes, out)
    })
}
