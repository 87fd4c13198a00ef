//! A profile as one page for a browser: a flame graph, the hottest functions, and the callers and
//! callees of a function, of any event and thread.
//!
//! ```text
//!   Profile ──FrameEntries──▶ PageData ──JSON──▶ page.html with style and scripts
//! ```
//!
//! The page loads nothing: it works from a file, and its own policy (CSP) refuses the network.
//! Names are untrusted. They are in the page only as JSON, in which `<` is escaped, so that no name
//! ends the element; the scripts show them only as text. What acts on a terminal is shown as an
//! escape here, too: a name that turns the direction of writing would lie.

mod data;
mod escaped;

use std::io::Write;

use backsight_profile::Profile;

use crate::failure::Result;
use data::PageData;
use escaped::WithoutMarkup;

const PAGE: &str = include_str!("page/page.html");
const STYLE: &str = include_str!("page/style.css");
const SCRIPTS: [&str; 3] = [
    include_str!("page/model.js"),
    include_str!("page/graph.js"),
    include_str!("page/main.js"),
];

/// Writes the page of a profile. The title is the command that was recorded, unless another is given. The value
/// of the sample type `shown` is shown first.
pub(crate) fn write(
    profile: &Profile,
    title: Option<&str>,
    shown: usize,
    out: &mut impl Write,
) -> Result<()> {
    write_data(&PageData::of(profile, title, shown), out)
}

/// Writes the page of two profiles, which are the two values of `both`: coloured by what grew and
/// shrank. `wholes` are what the shares of both are of.
pub(crate) fn write_comparison(
    both: &Profile,
    title: &str,
    wholes: [i64; 2],
    out: &mut dyn Write,
) -> Result<()> {
    let shown = both.sample_types.len().saturating_sub(1);
    let data = PageData::of(both, Some(title), shown).compared(wholes);
    write_data(&data, out)
}

fn write_data(data: &PageData, out: &mut dyn Write) -> Result<()> {
    let mut rest = PAGE;
    let mut until = |mark: &str, out: &mut dyn Write| -> Result<()> {
        let (before, after) = rest.split_once(mark).unwrap_or((rest, ""));
        rest = after;
        Ok(out.write_all(before.as_bytes())?)
    };
    until("/*STYLE*/\n", out)?;
    out.write_all(STYLE.as_bytes())?;
    until("/*PROFILE*/", out)?;
    serde_json::to_writer(WithoutMarkup(&mut *out), data).map_err(std::io::Error::from)?;
    until("/*SCRIPT*/\n", out)?;
    for script in SCRIPTS {
        out.write_all(script.as_bytes())?;
        out.write_all(b"\n")?;
    }
    until("", out)?;
    Ok(out.write_all(rest.as_bytes())?)
}
