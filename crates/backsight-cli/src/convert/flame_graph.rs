//! A flame graph: an SVG that shows its names on a click.
//!
//! inferno draws it from folded stacks. It knows no escape, so three things are done to
//! the names before: what XML has no place for becomes �; a number at the end of a name
//! is held to it by a space that does not break, as it would count as a value (`a 7`,
//! followed by the stack's own); and `;` and control characters show as folded stacks
//! show them. Markup is inferno's to escape, and a test holds it to that.

use std::io::{self, Write};

use backsight_formats::folded::{self, RootFrame};
use backsight_profile::Profile;
use inferno::flamegraph::{self, Options};

use super::shown;
use crate::failure::{Failure, Result, complain};

/// Draws one of the values. Frames narrower than a hundredth of a percent are left out.
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
            Failure::Failed("its values are more than 2^63 together: too many to draw".to_owned())
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

/// Returns the names of a stack as they can be drawn.
fn drawable(names: &str) -> String {
    let names = names.split(';').map(|name| {
        let name = name.replace(['\u{fffe}', '\u{ffff}'], "\u{fffd}");
        let is_value = |tail: &str| {
            tail.bytes()
                .all(|byte| byte.is_ascii_digit() || byte == b'.')
        };
        match name.trim() {
            // inferno takes a line's ends for no part of it.
            "" => "[unknown]".to_owned(),
            // The blank is escaped at the end of a line, and must not make another name.
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
