//! `backsight doctor`: reports what this kernel and this user allow.
//!
//! Each file is one check. A check looks at one thing and reports what it found, and what to do
//! if something is missing. Checks only look: they change nothing and trace no process. One opens an
//! event of this process, which counts nothing.

mod debug_files;
mod descriptors;
mod finding;
mod hidepid;
mod inspected_proc;
mod kernel;
mod kernel_symbols;
mod map_files;
mod perf_events;
mod procmap_query;
mod ptrace;
mod seccomp;
mod yama;

use std::io::Write;

use backsight_formats::escape::Terminal;
use backsight_formats::ndjson::{CheckLine, HeaderLine, Writer};

use crate::args::Format;
use crate::failure::{Done, Result};
use crate::palette::Palette;
use crate::tool::TOOL;
use finding::Finding;
use inspected_proc::InspectedProc;

/// Report what this kernel and this user allow, and how to get the rest
///
/// Each line starts with ok, limited (works in part, or by another way) or missing. The exit
/// code is 0 whatever is found.
#[derive(Debug, clap::Args)]
pub(crate) struct Doctor {
    /// How to write the findings
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// A check, and its name in JSON.
type NamedCheck = (&'static str, fn(&InspectedProc) -> Finding);

const CHECKS: [NamedCheck; 12] = [
    ("kernel", kernel::check),
    ("procmap-query", procmap_query::check),
    ("seccomp", seccomp::check),
    ("map-files", map_files::check),
    ("ptrace", ptrace::check),
    ("yama", yama::check),
    ("hidepid", hidepid::check),
    ("descriptors", descriptors::check),
    ("debug-files", debug_files::check),
    ("kernel-symbols", kernel_symbols::check),
    ("perf-events", perf_events::check),
    ("user", inspected_proc::user),
];

impl Doctor {
    pub(crate) fn run(self, out: &mut impl Write) -> Result {
        let host = InspectedProc::this();
        let findings = CHECKS.map(|(name, check)| (name, check(&host)));
        match self.format {
            Format::Text => write_text(out, &Palette::of_stdout(), &findings)?,
            Format::Json => {
                let mut writer = Writer::new(out);
                writer.header(&HeaderLine::new(TOOL))?;
                for (name, finding) in &findings {
                    writer.check(&CheckLine {
                        name,
                        state: finding.state.name(),
                        found: &finding.found,
                        advice: finding.advice.as_deref(),
                    })?;
                }
            }
        }
        Ok(Done::Fully)
    }
}

fn write_text(
    out: &mut impl Write,
    palette: &Palette,
    findings: &[(&str, Finding)],
) -> std::io::Result<()> {
    for (name, finding) in findings {
        let colour = finding.state.colour(palette);
        let state = finding.state.name();
        // It contains text from the kernel and the environment.
        let found = Terminal(finding.found.as_bytes());
        writeln!(out, "{colour}{state:<8}{colour:#} {name:<15} {found}")?;
        if let Some(advice) = &finding.advice {
            let advice = Terminal(advice.as_bytes());
            writeln!(out, "{:<8} {:<15} → {advice}", "", "")?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::finding::{Finding, State};
    use super::inspected_proc::InspectedProc;
    use super::write_text;
    use crate::palette::Palette;

    #[test]
    fn a_finding_is_a_line_and_its_advice_another() {
        let findings = [
            ("kernel", Finding::ok("Linux 6.18")),
            ("map-files", Finding::limited("no\x1b", "do this")),
        ];
        let mut out = Vec::new();
        write_text(&mut out, &Palette::default(), &findings).unwrap();
        let want = "ok       kernel          Linux 6.18\n\
                    limited  map-files       no\\x1b\n                         → do this\n";
        assert_eq!(String::from_utf8(out).unwrap(), want);
    }

    #[test]
    fn every_finding_but_ok_has_advice() {
        let empty = tempfile::tempdir().unwrap();
        for host in [InspectedProc::this(), InspectedProc::new(empty.path())] {
            for (name, check) in super::CHECKS {
                let finding = check(&host);
                let is_ok = finding.state == State::Ok;
                assert!(is_ok || finding.advice.is_some(), "{name}: {finding:?}");
            }
        }
    }
}
