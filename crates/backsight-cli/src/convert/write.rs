//! Writes a profile in any output format.

use std::io::Write;

use backsight_formats::flaws::Flaws;
use backsight_formats::folded;
use backsight_formats::ndjson::{self, HeaderLine};
#[cfg(feature = "otlp")]
use backsight_formats::otlp;
use backsight_formats::{firefox, pprof, speedscope};
use backsight_profile::Profile;

use super::flame_graph;
use super::format::Output;
use super::stack_flags::StackFlags;
use crate::failure::{Failure, Result, complain};
use crate::page;
use crate::tool::TOOL;

/// Writes a profile, and reports what could not be represented.
pub(crate) fn run(
    profile: &Profile,
    format: Output,
    stacks: &StackFlags,
    out: &mut impl Write,
) -> Result<()> {
    let shown = profile.default_type.and_then(|at| usize::try_from(at).ok());
    let shown = shown.unwrap_or_default();
    match format {
        Output::Ndjson => ndjson::write_profile(&HeaderLine::new(TOOL), profile, out)?,
        Output::Folded => folded::write(profile, shown, stacks.folded(), out)?,
        Output::Pprof | Output::Pb => {
            let options = pprof::Options::default().with_gzip(format == Output::Pprof);
            report_flaws(&pprof::write(profile, out, &options)?);
        }
        #[cfg(feature = "otlp")]
        Output::Otlp | Output::OtlpGz => {
            let options = otlp::Options::default()
                .with_gzip(format == Output::OtlpGz)
                .with_times(true);
            report_flaws(&otlp::write(profile, out, &options)?);
        }
        Output::Firefox => firefox::write(profile, shown, out)?,
        Output::Svg => flame_graph::write(profile, shown, stacks, out)?,
        Output::Html => page::write(profile, stacks.title.as_deref(), shown, out)?,
        Output::Speedscope => report_flaws(&speedscope::write(profile, shown, out)?),
        // Written of a trace alone, in `trace_symbols`.
        Output::PerfettoSymbols => {
            let cause = "symbols are written for a trace of Perfetto";
            return Err(Failure::Failed(cause.to_owned()));
        }
    }
    Ok(())
}

/// Writes a profile that was read of speedscope's JSON with the lines that its frames had there.
pub(super) fn speedscope_again(
    profile: &Profile,
    has_all_values: bool,
    out: &mut impl Write,
) -> Result<()> {
    let shown = profile.default_type.unwrap_or_default();
    let shown = usize::try_from(shown).unwrap_or_default();
    let options = speedscope::WriteOptions::default()
        .with_all_values(has_all_values)
        .with_lines_of_frames(true)
        .with_names_of_file(true);
    report_flaws(&speedscope::write_with(profile, shown, &options, out)?);
    Ok(())
}

/// Writes each value of the samples in profiles of its own.
pub(super) fn speedscope_of_all_values(profile: &Profile, out: &mut impl Write) -> Result<()> {
    let shown = profile.default_type.unwrap_or_default();
    let shown = usize::try_from(shown).unwrap_or_default();
    let options = speedscope::WriteOptions::default().with_all_values(true);
    report_flaws(&speedscope::write_with(profile, shown, &options, out)?);
    Ok(())
}

/// Reports what the format could not represent.
fn report_flaws(flaws: &Flaws) {
    for (what, count) in flaws.iter().chain(flaws.left_out()) {
        complain(format_args!(
            "left out of the output or changed: {count} {what}"
        ));
    }
}
