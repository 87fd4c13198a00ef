//! Profiles are written in each format.

use std::fs::File;
use std::io::{BufWriter, Result, Write};

use backsight_formats::flaws::Flaws;
use backsight_formats::ndjson::{self, HeaderLine};
use backsight_formats::{firefox, folded, pprof, speedscope};
use backsight_profile::Profile;

use super::format::ProfileFormat;

const TOOL: &str = concat!("backsight ", env!("CARGO_PKG_VERSION"));

/// Writes a profile that was read from a file of another format or the same. Returns what the
/// format could not represent.
pub(super) fn run(
    profile: &Profile,
    read_of: ProfileFormat,
    format: ProfileFormat,
    file: &File,
) -> Result<Option<Flaws>> {
    let shown = profile.default_type.unwrap_or_default();
    let shown = usize::try_from(shown).unwrap_or_default();
    let mut out = BufWriter::new(file);
    let flaws = match format {
        ProfileFormat::Ndjson => {
            ndjson::write_profile(&HeaderLine::new(TOOL), profile, &mut out)?;
            None
        }
        ProfileFormat::Folded => {
            let options = folded::Options::default().with_root_frame(folded::RootFrame::Process);
            folded::write(profile, shown, options, &mut out)?;
            None
        }
        ProfileFormat::Firefox => {
            firefox::write(profile, shown, &mut out)?;
            None
        }
        ProfileFormat::Speedscope => {
            // What another file of speedscope has is kept as it has it.
            let is_again = read_of == ProfileFormat::Speedscope;
            // In recordings, all values of an event count the same samples.
            let is_recorded = matches!(read_of, ProfileFormat::Perf | ProfileFormat::PerfScript);
            let options = speedscope::WriteOptions::default()
                .with_all_values(!is_recorded)
                .with_lines_of_frames(is_again)
                .with_names_of_file(is_again);
            Some(speedscope::write_with(profile, shown, &options, &mut out)?)
        }
        _ => {
            let options = pprof::Options::default().with_gzip(format != ProfileFormat::PprofRaw);
            Some(pprof::write(profile, &mut out, &options)?)
        }
    };
    out.flush()?;
    Ok(flaws)
}
