//! Writes a profile in any output format.

use std::io::Write;

use backsight_formats::flaws::Flaws;
use backsight_formats::folded::{self, RootFrame};
use backsight_formats::ndjson::{self, HeaderLine};
#[cfg(feature = "otlp")]
use backsight_formats::otlp;
use backsight_formats::{firefox, pprof};
use backsight_profile::Profile;

use super::flame_graph;
use super::format::Output;
use crate::failure::{Result, complain};
use crate::tool::TOOL;

/// Writes a profile, and reports what could not be represented.
pub(crate) fn run(
    profile: &Profile,
    format: Output,
    root_frame: RootFrame,
    out: &mut impl Write,
) -> Result<()> {
    let shown = profile.default_type.and_then(|at| usize::try_from(at).ok());
    let shown = shown.unwrap_or_default();
    match format {
        Output::Ndjson => ndjson::write_profile(&HeaderLine::new(TOOL), profile, out)?,
        Output::Folded => folded::write(profile, shown, root_frame, out)?,
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
        Output::Svg => flame_graph::write(profile, shown, root_frame, out)?,
    }
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
