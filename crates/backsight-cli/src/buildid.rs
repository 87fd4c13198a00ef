//! `backsight buildid`: prints the GNU build ID of each file.

use std::io::Write;
use std::path::{Path, PathBuf};

use crate::failure::{Done, Result, WithWayOut, complain};
use crate::file::{Shown, open_regular};
use crate::not_elf;

/// Print the GNU build IDs of files, one per line
///
/// For one file, only the build ID is printed; for several, `ID  FILE`. A file that has none, or
/// cannot be read, is reported on standard error, and the exit code is 1.
#[derive(Debug, clap::Args)]
pub(crate) struct BuildIdCommand {
    /// ELF files
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
}

impl BuildIdCommand {
    pub(crate) fn run(self, out: &mut impl Write) -> Result {
        let several = self.files.len() > 1;
        let mut done = Done::Fully;
        for path in &self.files {
            match read(path) {
                Ok(id) if several => writeln!(out, "{id}  {}", Shown(path))?,
                Ok(id) => writeln!(out, "{id}")?,
                Err(cause) => {
                    // Flush, so that results and messages appear in the order of the files.
                    out.flush()?;
                    complain(format_args!("{}: {cause}", Shown(path)));
                    done = Done::InPart;
                }
            }
        }
        Ok(done)
    }
}

fn read(path: &Path) -> Result<backsight_types::BuildId, String> {
    let file = open_regular(path).map_err(|error| WithWayOut(&error).to_string())?;
    let headers = backsight::headers(&file, Some(path))
        .map_err(|error| not_elf::of_headers(&error, &file, path))?;
    headers
        .build_id
        .ok_or_else(|| "it has no GNU build ID: link it with -Wl,--build-id".to_owned())
}
