//! The stacks of two profiles side by side.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;

use backsight_formats::folded::{self, RootFrame};
use backsight_profile::Profile;
use inferno::flamegraph::{self, Options};

use crate::convert::drawable;
use crate::failure::{Failure, Result};
use crate::file::Shown;
use crate::output;

/// Whether a file of this name is a flame graph.
pub(super) fn is_drawn(output: &Path) -> bool {
    output.to_string_lossy().ends_with(".svg")
}

/// Writes folded stacks with two values each, or a differential flame graph. `wholes` are what shares
/// are of.
pub(super) fn write(
    output: &Path,
    sides: [(&Profile, u32); 2],
    wholes: [i64; 2],
    out: &mut impl Write,
) -> Result<()> {
    let is_drawn = is_drawn(output);
    let is_folded = output.to_string_lossy().ends_with(".folded");
    if !is_drawn && !is_folded && output != Path::new("-") {
        let cause = "stacks of two profiles are written as .folded, .svg, .html or .pb.gz";
        return Err(Failure::of(Shown(output), cause));
    }
    let stacks = both(sides)?;
    let write = |out: &mut dyn Write| match is_drawn {
        true => draw(&stacks, wholes, out),
        false => {
            for (stack, [before, after]) in &stacks {
                writeln!(out, "{stack} {before} {after}")?;
            }
            Ok(())
        }
    };
    match output == Path::new("-") {
        true => write(out),
        false => output::replace(output, write),
    }
}

/// Returns the values of each stack.
fn both(sides: [(&Profile, u32); 2]) -> Result<BTreeMap<String, [i64; 2]>> {
    let mut stacks: BTreeMap<String, [i64; 2]> = BTreeMap::new();
    for (side, (profile, value)) in sides.into_iter().enumerate() {
        let value = usize::try_from(value).unwrap_or(usize::MAX);
        let mut text = Vec::new();
        folded::write(profile, value, RootFrame::None, &mut text)?;
        let text = String::from_utf8_lossy(&text);
        for (stack, amount) in text.lines().filter_map(|line| line.rsplit_once(' ')) {
            let amount: i64 = amount.parse().unwrap_or_default();
            let sums = stacks.entry(stack.to_owned()).or_default();
            if let Some(sum) = sums.get_mut(side) {
                *sum = sum.saturating_add(amount);
            }
        }
    }
    Ok(stacks)
}

fn draw(
    stacks: &BTreeMap<String, [i64; 2]>,
    [before, after]: [i64; 2],
    out: &mut dyn Write,
) -> Result<()> {
    // inferno compares values, so both sides get the whole of the second.
    if before <= 0 || after <= 0 {
        let message = "a profile without positive values: nothing to draw";
        return Err(Failure::Failed(message.to_owned()));
    }
    let line = |(stack, [first, second]): (&String, &[i64; 2])| {
        let first = i128::from(*first) * i128::from(after) / i128::from(before);
        format!("{} {first} {second}", drawable(stack))
    };
    let lines: Vec<String> = stacks.iter().map(line).collect();
    let mut options = Options::default();
    // The same profiles give the same file.
    options.deterministic = true;
    options.title = "Differential flame graph: red grew, blue shrank".to_owned();
    // It makes room for the legend, which stands left of it.
    options.subtitle = Some("widths are of the profile after".to_owned());
    let mut drawn = Vec::new();
    let lines = lines.iter().map(String::as_str);
    flamegraph::from_lines(&mut options, lines, &mut drawn).map_err(Failure::from)?;
    let (picture, end) = drawn.split_at(drawn.len().saturating_sub(SVG_END.len()));
    out.write_all(picture)?;
    if end == SVG_END {
        out.write_all(LEGEND.as_bytes())?;
    }
    Ok(out.write_all(end)?)
}

/// The end of the picture, before which the legend stands.
const SVG_END: &[u8] = b"</svg>";

/// What the colours mean: those of the largest changes, and of none.
const LEGEND: &str = "<text id=\"legend\" x=\"10\" y=\"48\">\
    own share: <tspan fill=\"rgb(255,100,100)\">■</tspan> grew \
    <tspan fill=\"rgb(100,100,255)\">■</tspan> shrank \
    <tspan fill=\"rgb(250,250,250)\" stroke=\"rgb(120,120,120)\">■</tspan> the same</text>";
