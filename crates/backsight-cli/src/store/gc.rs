//! `backsight store gc`: removes the least recently used files of the store.

use std::io::Write;
use std::path::Path;

use super::store_flag::StoreFlag;
use super::text::{Id, failed, files, message};
use crate::args::parse_size;
use crate::failure::{Done, Result, complain};
use crate::file::Shown;

/// Remove the least recently used files of the store until the others fit a size
///
/// Only files that `backsight store add` added are counted and removed, and only if they did not
/// change since. The last use is when a file was last read (its access time, which Linux updates
/// once a day by default) or added again.
#[derive(Debug, clap::Args)]
pub(crate) struct Gc {
    /// The total size that the files may have, such as 20G; 0 removes all
    #[arg(long, value_name = "BYTES", value_parser = parse_size)]
    size: u64,

    #[command(flatten)]
    store: StoreFlag,
}

impl Gc {
    pub(crate) fn run(self, out: &mut impl Write) -> Result {
        let store = self.store.store()?;
        let collected = store.collect(self.size);
        let collected = collected.map_err(|error| failed(&error))?;
        let mut bytes: u64 = 0;
        for file in &collected.removed {
            bytes = bytes.saturating_add(file.bytes);
            let (id, kind, name) = (Id(file), file.kind, Shown(Path::new(&file.name)));
            writeln!(out, "removed  {id}  {kind:<10}  {name}")?;
        }
        let removed = files(u64::try_from(collected.removed.len()).unwrap_or(u64::MAX));
        let (kept, kept_bytes) = (files(collected.kept_files), collected.kept_bytes);
        writeln!(
            out,
            "{removed} removed, {bytes} bytes; {kept} kept, {kept_bytes} bytes"
        )?;
        out.flush()?;
        for path in &collected.altered {
            complain(format_args!(
                "{}: not removed: another file than the one that was added, or changed since",
                Shown(path)
            ));
        }
        let dir = Shown(store.path());
        if collected.forgotten > 0 {
            let forgotten = files(collected.forgotten);
            complain(format_args!(
                "{dir}: {forgotten} that were added were gone, and are forgotten now"
            ));
        }
        if collected.abandoned > 0 {
            let abandoned = collected.abandoned;
            complain(format_args!(
                "{dir}: {abandoned} unfinished copies of killed processes were removed"
            ));
        }
        for error in &collected.failed {
            complain(format_args!("{}", message(error)));
        }
        match collected.failed.is_empty() {
            true => Ok(Done::Fully),
            false => Ok(Done::InPart),
        }
    }
}
