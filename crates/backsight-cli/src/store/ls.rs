//! `backsight store ls`: lists the store.

use std::io::{self, Write};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use backsight_formats::ndjson::{HeaderLine, StoredLine, Writer};
use backsight_store::{Store, StoreListing, StoredFile};

use super::store_flag::StoreFlag;
use super::text::{Id, failed, files, message};
use crate::args::Format;
use crate::failure::{Done, Result, complain};
use crate::file::Shown;
use crate::tool::TOOL;
use crate::utc::Utc;

/// List the files of the store, the least recently used first
///
/// Prints build ID (of a Breakpad file the debug ID), kind, bytes, time of the last use, and the
/// name that the file had where it was added from. `backsight store gc` removes files in this
/// order. Files that other tools keep in the directory are not listed but counted, on standard
/// error.
#[derive(Debug, clap::Args)]
pub(crate) struct Ls {
    #[command(flatten)]
    store: StoreFlag,

    /// How to print it
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

impl Ls {
    pub(crate) fn run(self, out: &mut impl Write) -> Result {
        let store = self.store.store()?;
        let listing = store.list().map_err(|error| failed(&error))?;
        match self.format {
            Format::Text => write_text(&listing, out)?,
            Format::Json => write_json(&listing.files, out)?,
        }
        out.flush()?;
        Ok(report(&store, &listing))
    }
}

fn write_text(listing: &StoreListing, out: &mut impl Write) -> io::Result<()> {
    for file in &listing.files {
        let (kind, bytes, used) = (file.kind, file.bytes, Utc(file.last_used));
        let name = Shown(Path::new(&file.name));
        let id = Id(file);
        writeln!(out, "{id}  {kind:<10}  {bytes:>12}  {used}  {name}")?;
    }
    Ok(())
}

fn write_json(stored: &[StoredFile], out: &mut impl Write) -> io::Result<()> {
    let mut writer = Writer::new(out);
    writer.header(&HeaderLine::new(TOOL))?;
    for file in stored {
        let (path, name) = (file.path.as_os_str().as_bytes(), file.name.as_bytes());
        let used = Utc(file.last_used).seconds();
        let line = StoredLine::new(file.kind.name(), path, name, file.bytes, used);
        writer.stored(&line.with_ids(file.build_id, file.debug_id))?;
    }
    Ok(())
}

/// Reports what is not listed.
fn report(store: &Store, listing: &StoreListing) -> Done {
    let dir = Shown(store.path());
    for path in &listing.altered {
        complain(format_args!(
            "{}: another file than the one that was added, or changed since: not listed",
            Shown(path)
        ));
    }
    if listing.missing > 0 {
        let missing = files(listing.missing);
        complain(format_args!("{dir}: {missing} that were added are gone"));
    }
    if listing.others > 0 {
        let others = files(listing.others);
        complain(format_args!(
            "{dir}: {others} by build ID not listed: `backsight store add` did not add them"
        ));
    }
    for error in &listing.unreadable {
        complain(format_args!("{}", message(error)));
    }
    if listing.files.is_empty() && listing.unreadable.is_empty() {
        complain(format_args!(
            "{dir}: nothing was added: `backsight store add FILE` does"
        ));
    }
    match listing.unreadable.is_empty() {
        true => Done::Fully,
        false => Done::InPart,
    }
}
