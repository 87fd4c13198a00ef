//! `backsight index build`: debug files to an index.

use std::fs::File;
use std::io::{ErrorKind, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use backsight_symbolize::{Source, SymbolIndex};

use super::listing;
use crate::args::Format;
use crate::failure::{Cause, Done, Failure, Result, complain};
use crate::file::{Shown, open_regular};
use crate::symbolize::Symbols;

/// Read a module and its debug files, and write the index of them
///
/// The index is written whole or not at all: beside its place first, then under its
/// name, which it takes from a file that was there.
#[derive(Debug, clap::Args)]
pub(crate) struct Build {
    /// An executable, a library, an object file or a debug file
    #[arg(value_name = "FILE")]
    file: PathBuf,

    /// Where to write the index [default: in the current directory, under the name
    /// of FILE with .index behind it]
    #[arg(short, long, value_name = "OUT")]
    output: Option<PathBuf>,

    /// Look here for separate debug files, as DIR/.build-id/xx/rest.debug or by their
    /// debug links, instead of in /usr/lib/debug; may be given several times
    #[arg(long, value_name = "DIR")]
    debug_dir: Vec<PathBuf>,

    /// How to print what was written
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

impl Build {
    pub(crate) fn run(self, out: &mut impl Write) -> Result {
        let path = &self.file;
        let file = open_regular(path).map_err(|error| Failure::io(Shown(path), &error))?;
        let to = self.output.unwrap_or_else(|| beside_us(path));
        check_place(&to, &file).map_err(|cause| Failure::of(Shown(&to), cause))?;
        let symbols = Symbols::in_debug_dirs(self.debug_dir);
        symbols.check();
        let source = Source::File {
            file: Arc::new(file),
            path: Some(path.clone()),
        };
        let index = SymbolIndex::build(source, None, &symbols.options());
        let index = index.map_err(|error| Failure::of(Shown(path), error))?;
        // Not an error: that a place has no symbols is an answer.
        if index
            .tables()
            .iter()
            .all(|table| table.name != "functions" || table.rows == 0)
        {
            let cause = "neither it nor a debug file that was found has symbols: name where its \
                         debug file is with --debug-dir";
            complain(format_args!("{}: {cause}", Shown(path)));
        }
        let written = index.write(&to);
        written.map_err(|error| {
            let cause = super::cause(&error);
            Failure::of(Shown(&to), format_args!("cannot be written: {cause}"))
        })?;
        listing::begin(out, self.format)?;
        listing::write(out, self.format, &to, &index)?;
        Ok(Done::Fully)
    }
}

/// The directory of a system's library is seldom one to write to.
fn beside_us(path: &Path) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".index");
    PathBuf::from(name)
}

/// The index takes the name of what stands there: that must not be the module, nor
/// a device.
fn check_place(to: &Path, module: &File) -> Result<(), String> {
    let there = match to.metadata() {
        Ok(there) => there,
        Err(error) if error.kind() == ErrorKind::NotFound => return check_directory(to),
        Err(error) => return Err(Cause(&error).to_string()),
    };
    let module = module.metadata().map_err(|error| error.to_string())?;
    if (there.dev(), there.ino()) == (module.dev(), module.ino()) {
        return Err("the index would replace the file it is of: name another with -o".to_owned());
    }
    if there.is_file() {
        return Ok(());
    }
    Err("not a regular file: name one for the index with -o".to_owned())
}

/// What cannot be written is better said before the work.
fn check_directory(to: &Path) -> Result<(), String> {
    let parent = to.parent().filter(|path| !path.as_os_str().is_empty());
    let metadata = parent.unwrap_or(Path::new(".")).metadata();
    let is_dir = metadata.map(|metadata| metadata.is_dir());
    match is_dir.map_err(|error| format!("its directory: {}", Cause(&error)))? {
        true => Ok(()),
        false => Err("what should be its directory is none".to_owned()),
    }
}
