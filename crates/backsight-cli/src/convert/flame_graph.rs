//! Draws flame graphs: an SVG that can be zoomed by clicking.
//!
//! inferno draws it from folded stacks. Its input format has no escapes, so names are changed
//! first in three ways: a character that XML does not allow becomes �; a number at the end of a
//! name is joined to it by a no-break space, since `a 7` would be read as the name `a` with the
//! value 7; and `;` and control characters are shown as in folded stacks. inferno escapes
//! markup; a test checks that.

use std::io::Write;

use backsight_formats::escape::Terminal;
use backsight_formats::folded;
use backsight_profile::Profile;
use inferno::flamegraph::color::MultiPalette;
use inferno::flamegraph::{self, Direction, Options, Palette, TextTruncateDirection};

use super::caption::Caption;
use super::shown;
use super::stack_flags::StackFlags;
use crate::decimals::decimals;
use crate::failure::{Failure, Result, complain};

/// Draws the values of one type. Frames narrower than 0.01 % are left out.
pub(super) fn write(
    profile: &Profile,
    sample_type: usize,
    flags: &StackFlags,
    out: &mut impl Write,
) -> Result<()> {
    let mut stacks = Vec::new();
    folded::write(profile, sample_type, flags.drawn(), &mut stacks)?;
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
    let caption = Caption::of(profile, sample_type);
    let title = flags.title.clone().or(caption.title);
    let mut options = Options::default();
    // The same profile gives the same file.
    options.deterministic = true;
    let width = flags.width.unwrap_or(DEFAULT_WIDTH);
    let legend = legend(&lines, width);
    // Beside the title are two buttons, and left of the subtitle is the legend.
    let title = plain(&title.unwrap_or_else(|| "Flame graph".to_owned()));
    options.title = fitted(&title, width.saturating_sub(200) / 10);
    let beside = if legend.is_empty() {
        20
    } else {
        2 * LEGEND_WIDTH
    };
    let subtitle = plain(&caption.subtitle);
    options.subtitle = Some(fitted(&subtitle, width.saturating_sub(beside) / 7));
    options.count_name = unit(profile, sample_type);
    // The kernel, inlined functions and code that was made at run time have a palette each.
    options.colors = Palette::Multi(MultiPalette::Java);
    // The end of a name tells least: it is the parameters.
    options.text_truncate_direction = TextTruncateDirection::Right;
    options.reverse_stack_order = flags.reverse;
    options.image_width = flags.width.and_then(|width| usize::try_from(width).ok());
    options.direction = match flags.icicle {
        true => Direction::Inverted,
        false => Direction::Straight,
    };
    let mut drawn = Vec::new();
    let lines = lines.iter().map(String::as_str);
    flamegraph::from_lines(&mut options, lines, &mut drawn).map_err(Failure::from)?;
    let Some((picture, end)) = drawn.split_last_chunk::<SVG_END_LEN>() else {
        return Ok(out.write_all(&drawn)?);
    };
    out.write_all(picture)?;
    out.write_all(legend.as_bytes())?;
    if !flags.icicle {
        out.write_all(OPENS_AT_BASE)?;
    }
    Ok(out.write_all(end)?)
}

/// The width of a picture in pixels, if none is asked for.
const DEFAULT_WIDTH: u32 = 1200;

/// The width of the legend with its margin, in pixels.
const LEGEND_WIDTH: u32 = 250;

/// The marks of names, what they mean, and a colour of the palette that they have.
const COLOURS: [(&str, &str, &str); 3] = [
    ("_[k]", "kernel", "rgb(225,125,0)"),
    ("_[i]", "inlined", "rgb(80,190,190)"),
    ("_[j]", "JIT", "rgb(80,225,80)"),
];

/// Returns what the colours of a picture mean, if there are several and there is room.
fn legend(lines: &[String], width: u32) -> String {
    let mut legend = String::new();
    for (mark, meaning, colour) in COLOURS {
        let is_marked = |name: &str| name.trim_end_matches([' ', '.', '-']).ends_with(mark);
        let names = |line: &String| {
            let names = line.rsplit_once(' ').map_or(&**line, |(names, _)| names);
            names.split(';').any(is_marked)
        };
        if lines.iter().any(names) {
            legend += &format!("<tspan fill=\"{colour}\">■</tspan> {meaning} ");
        }
    }
    if legend.is_empty() || width < 3 * LEGEND_WIDTH {
        return String::new();
    }
    // Names with `::` are yellow, and others red.
    let others = "<tspan fill=\"rgb(225,90,90)\">■</tspan>\
                  <tspan fill=\"rgb(215,215,60)\">■</tspan> other";
    format!("<text id=\"legend\" x=\"10\" y=\"48\">{legend}{others}</text>")
}

/// Cuts a text that is longer than so many characters.
fn fitted(text: &str, most: u32) -> String {
    let most = usize::try_from(most).unwrap_or(usize::MAX).max(8);
    match text.chars().count() > most {
        true => text.chars().take(most - 1).chain(['…']).collect(),
        false => text.to_owned(),
    }
}

/// The end of the picture, before which a script can stand.
const SVG_END_LEN: usize = "</svg>".len();

/// A picture that is higher than the window opens where its base is.
const OPENS_AT_BASE: &[u8] = b"<script type=\"text/ecmascript\"><![CDATA[\
addEventListener(\"load\", function () { scrollTo(0, document.documentElement.scrollHeight); });\
]]></script>";

/// Text for XML: inferno escapes markup alone.
fn plain(text: &str) -> String {
    Terminal(text.as_bytes())
        .to_string()
        .replace(['\u{fffe}', '\u{ffff}'], "\u{fffd}")
}

/// Returns the names of a stack in a form that inferno draws unchanged.
pub(crate) fn drawable(names: &str) -> String {
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

/// Returns what the values count: `samples`, or their unit; `× 0.1 samples` of values that are kept
/// as tenths.
fn unit(profile: &Profile, sample_type: usize) -> String {
    let shown = profile.sample_types.get(sample_type);
    let text = |at| profile.strings.get(at).filter(|text| !text.is_empty());
    let name = shown.and_then(|shown| {
        let kind = text(shown.kind).map(str::to_owned);
        match text(shown.unit) {
            None | Some("count") => kind,
            Some(unit) => match decimals(unit) {
                Some(places) => Some(format!("× 0.{:0>places$} {}", 1, kind.unwrap_or_default())),
                None => Some(unit.to_owned()),
            },
        }
    });
    name.map_or_else(|| "samples".to_owned(), |name| drawable(&name))
}
