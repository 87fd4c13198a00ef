//! Draws flame graphs: an SVG that can be zoomed by clicking.
//!
//! inferno draws it from folded stacks. Its input format has no escapes, so names are changed
//! first in three ways: a character that XML does not allow becomes �; a number at the end of a
//! name is joined to it by a no-break space, since `a 7` would be read as the name `a` with the
//! value 7; and `;` and control characters are shown as in folded stacks. inferno escapes
//! markup; a test checks that.

use std::io::{self, Write};

use backsight_formats::folded::{self, RootFrame};
use backsight_profile::Profile;
use inferno::flamegraph::{self, Options};

use super::shown;
use crate::failure::{Failure, Result, complain};

/// Draws the values of one type. Frames narrower than 0.01 % are left out.
pub(super) fn write(
    profile: &Profile,
    sample_type: usize,
    root_frame: RootFrame,
    out: &mut impl Write,
) -> Result<()> {
    let mut stacks = Vec::new();
    folded::write(profile, sample_type, root_frame, &mut stacks)?;
    let stacks = String::from_utf8_lossy(&stacks);
    let mut lines = Vec::new();
    let (mut sum, mut negative) = (0_i64, 0_u64);
    for line in stacks.lines() {
        let Some((names, value)) = line.rsplit_once(' ') else {
            continue;
        };
        let value: i64 = value.parse().unwrap_or_default();
        if value < 0 {
            negative += 1;
            continue;
        }
        sum = sum.checked_add(value).ok_or_else(|| {
            Failure::Failed(
                "the sum of its values exceeds 2^63, the most that can be drawn".to_owned(),
            )
        })?;
        lines.push(format!("{} {value}", drawable(names)));
    }
    if negative > 0 {
        complain(format_args!(
            "{negative} stacks have negative values, which a flame graph cannot show"
        ));
    }
    if sum == 0 {
        let nothing = shown::nothing(profile);
        return Err(Failure::Failed(format!(
            "{nothing}, so there is nothing to draw"
        )));
    }
    let mut options = Options::default();
    // The same profile gives the same file.
    options.deterministic = true;
    options.title = "Flame graph".to_owned();
    options.count_name = unit(profile, sample_type);
    flamegraph::from_lines(&mut options, lines.iter().map(String::as_str), out)
        .map_err(|error: io::Error| Failure::from(error))
}

/// Returns the names of a stack in a form that inferno draws unchanged.
fn drawable(names: &str) -> String {
    let names = names.split(';').map(|name| {
        let name = name.replace(['\u{fffe}', '\u{ffff}'], "\u{fffd}");
        let is_value = |tail: &str| {
            tail.bytes()
                .all(|byte| byte.is_ascii_digit() || byte == b'.')
        };
        match name.trim() {
            // inferno trims blanks at both ends of a line.
            "" => "[unknown]".to_owned(),
            // Folded stacks escape a blank at the end of a line. Treat it as a blank, so that
            // the name is the same everywhere.
            name => match name.rsplit_once("\\x20").or_else(|| name.rsplit_once(' ')) {
                Some((start, tail)) if is_value(tail) => format!("{start}\u{a0}{tail}"),
                _ => name.to_owned(),
            },
        }
    });
    names.collect::<Vec<_>>().join(";")
}

/// Returns what the values count: `samples`, or their unit.
fn unit(profile: &Profile, sample_type: usize) -> String {
    let shown = profile.sample_types.get(sample_type);
    let text = |at| profile.strings.get(at).filter(|text| !text.is_empty());
    let name = shown.and_then(|shown| match text(shown.unit) {
        Some(unit) if unit != "count" => Some(unit),
        _ => text(shown.kind),
    });
    name.map_or_else(|| "samples".to_owned(), drawable)
}
