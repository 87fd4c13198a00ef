//! `backsight index build`: debug files to an index.

use std::fs::File;
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use backsight_symbolize::{
    BuiltIndex, Error, IndexDir, IndexError, Shortfall, ShortfallKind, Source, SymbolIndex,
};

use super::listing;
use crate::args::Format;
use crate::debug_files::DebugFiles;
use crate::failure::{Cause, Done, Failure, Result, complain};
use crate::file::{Shown, is_same, open_regular};
use crate::index_file;
use crate::kept_indexes::KeptIndexes;
use crate::output;
use crate::oversized;
use crate::shortfalls;
use crate::symbolize::Symbols;
use crate::symbolize::accounted::say_sought;

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
    #[arg(short, long, value_name = "OUT", conflicts_with = "index_dir")]
    output: Option<PathBuf>,

    #[command(flatten)]
    kept: KeptIndexes,

    /// Store demangled names too: lookups need not make them, and the index takes more
    /// room
    #[arg(long)]
    demangled: bool,

    #[command(flatten)]
    debug_files: DebugFiles,

    /// Say on standard error where files were looked for, and why those that were there did
    /// not count
    #[arg(short, long)]
    verbose: bool,

    /// How to print what was written
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

impl Build {
    pub(crate) fn run(self, out: &mut impl Write) -> Result {
        let path = &self.file;
        let file = open_regular(path).map_err(|error| Failure::io(Shown(path), &error))?;
        let dir = self.kept.dir();
        let beside = self.output.unwrap_or_else(|| beside_us(path));
        if dir.is_none() {
            check_place(&beside, &file).map_err(|cause| Failure::of(Shown(&beside), cause))?;
        }
        let symbols = Symbols::of(self.debug_files, self.verbose);
        symbols.check();
        let source = Source::File {
            file: Arc::new(file),
            path: Some(path.clone()),
        };
        let options = symbols.options();
        let built = BuiltIndex::of(source, None, &options);
        let built = built.map_err(|error| match error {
            Error::Oversized { needed, allowed } => {
                Failure::of(Shown(path), oversized::cause(needed, allowed))
            }
            error => Failure::of(Shown(path), error),
        })?;
        built.oversized.iter().for_each(oversized::say_file);
        let damaged = |it: &&Shortfall| it.kind != ShortfallKind::Missing;
        shortfalls::say_all(built.shortfalls.iter().filter(damaged).cloned());
        if symbols.verbose {
            say_sought(built.sought.iter().cloned());
        }
        let mut index = built.index;
        if self.demangled {
            index.add_demangled(options.limits.name_bytes);
        }
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
        let to = match dir {
            Some(dir) => keep(&index, &dir, path)?,
            None => {
                output::replace(&beside, |mut out| Ok(index.write_to(&mut out)?))?;
                beside
            }
        };
        listing::begin(out, self.format)?;
        listing::write(out, self.format, &to, &index)?;
        Ok(Done::Fully)
    }
}

/// Writes the index into the directory, and returns its path there.
fn keep(index: &SymbolIndex, dir: &IndexDir, module: &Path) -> Result<PathBuf, Failure> {
    let Some(id) = index.build_id() else {
        let cause = "no build ID, by which indexes are kept: write the index to a file with -o";
        return Err(Failure::of(Shown(module), cause));
    };
    let to = dir.path_of(id);
    let kept = dir.keep(index);
    kept.map_err(|error| match error {
        IndexError::File(backsight_files::Error::TooLarge { limit }) => {
            let size = index.file_size();
            let cause =
                format!("its index takes {size} bytes, and --index-dir-size allows {limit} in all");
            Failure::of(Shown(module), cause)
        }
        error => not_written(&to, &error),
    })?;
    Ok(to)
}

fn not_written(to: &Path, error: &IndexError) -> Failure {
    let cause = index_file::cause(error);
    Failure::of(Shown(to), format_args!("cannot be written: {cause}"))
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
    if is_same(&there, &module) {
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
