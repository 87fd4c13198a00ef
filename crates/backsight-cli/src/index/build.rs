//! `backsight index build`: writes the index of a module.

use std::fs::File;
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use backsight_symbolize::{
    BuiltIndex, Cause, IndexCause, IndexDir, IndexError, ModuleInput, Shortfall, ShortfallKind,
    SymbolIndex,
};

use super::listing;
use crate::args::Format;
use crate::debug_files::DebugFiles;
use crate::failure::{Failure, Result, WithWayOut, complain};
use crate::file::{Shown, is_same, open_regular};
use crate::index_file;
use crate::kept_indexes::KeptIndexes;
use crate::not_elf;
use crate::output;
use crate::oversized;
use crate::shortfalls;
use crate::symbolize::Symbols;
use crate::symbolize::accounted::report_sought;

/// Read a module and its debug files, and write their index
///
/// The index is written completely or not at all: to a temporary file first, which then replaces
/// an existing file of that name.
#[derive(Debug, clap::Args)]
pub(crate) struct Build {
    /// An executable, a library, an object file or a debug file
    #[arg(value_name = "FILE")]
    file: PathBuf,

    /// Where to write the index [default: FILE.index in the current directory]
    #[arg(short, long, value_name = "OUT", conflicts_with = "index_dir")]
    output: Option<PathBuf>,

    #[command(flatten)]
    kept: KeptIndexes,

    /// Also store demangled names: lookups are faster, and the index is larger
    #[arg(long)]
    demangled: bool,

    #[command(flatten)]
    debug_files: DebugFiles,

    /// Print on standard error where files were looked for, and why files that were found were
    /// not used
    #[arg(short, long)]
    verbose: bool,

    /// How to print the summary of the index
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

impl Build {
    pub(crate) fn run(self, out: &mut impl Write) -> Result {
        let path = &self.file;
        let file = open_regular(path).map_err(|error| Failure::io(Shown(path), &error))?;
        let dir = self.kept.dir();
        let output = self.output.unwrap_or_else(|| default_output(path));
        if dir.is_none() {
            check_output(&output, &file).map_err(|cause| Failure::of(Shown(&output), cause))?;
        }
        let symbols = Symbols::of(self.debug_files, self.verbose);
        let checked = symbols.check();
        let file = Arc::new(file);
        let input = ModuleInput::File {
            file: Arc::clone(&file),
            path: Some(path.clone()),
        };
        let options = symbols.options();
        let built = BuiltIndex::of(input, None, &options);
        let built = built.map_err(|error| match error.cause() {
            Cause::Oversized { needed, allowed } => {
                Failure::of(Shown(path), oversized::cause(*needed, *allowed))
            }
            cause => Failure::of(Shown(path), not_elf::of_cause(cause, &file, path)),
        })?;
        built.oversized.iter().for_each(oversized::report_file);
        let damaged = |it: &&Shortfall| it.kind != ShortfallKind::Missing;
        let damaged = built.shortfalls.iter().filter(damaged).cloned();
        let mut reports = shortfalls::ReportOnce::new(symbols.verbose_flag());
        reports.report(damaged, &built.sought);
        if symbols.verbose {
            report_sought(built.sought.iter().cloned());
        }
        symbols.fetchers().report(symbols.verbose);
        let mut index = built.index;
        if self.demangled {
            index.add_demangled(options.limits.name_bytes);
        }
        // Not an error: a file without symbols is a valid input.
        if index
            .tables()
            .iter()
            .all(|table| table.name != "functions" || table.rows == 0)
        {
            let cause = "neither it nor any debug file found has symbols: give the directory of its \
                         debug file with --debug-dir";
            complain(format_args!("{}: {cause}", Shown(path)));
        }
        let to = match dir {
            Some(dir) => keep(&index, &dir, path)?,
            None => {
                output::replace(&output, |mut out| Ok(index.write_to(&mut out)?))?;
                output
            }
        };
        listing::begin(out, self.format)?;
        listing::write(out, self.format, &to, &index)?;
        Ok(checked)
    }
}

/// Writes the index into the index directory, and returns its path.
fn keep(index: &SymbolIndex, dir: &IndexDir, module: &Path) -> Result<PathBuf, Failure> {
    let Some(id) = index.build_id() else {
        let cause =
            "no build ID, which an index directory needs: write the index to a file with -o";
        return Err(Failure::of(Shown(module), cause));
    };
    let to = dir.path_of(id);
    let kept = dir.keep(index);
    kept.map_err(|error| {
        if let IndexCause::File(backsight_files::Error::TooLarge { limit }) = error.cause() {
            let size = index.file_size();
            let cause =
                format!("its index takes {size} bytes, more than the {limit} of --index-dir-size");
            return Failure::of(Shown(module), cause);
        }
        not_written(&to, &error)
    })?;
    Ok(to)
}

fn not_written(to: &Path, error: &IndexError) -> Failure {
    let cause = index_file::cause(error);
    Failure::of(Shown(to), format_args!("cannot be written: {cause}"))
}

/// Returns the default output: in the current directory, because that of a system library is
/// rarely writable.
fn default_output(path: &Path) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".index");
    PathBuf::from(name)
}

/// Checks that the output is not the module itself, nor an existing file that is not a regular
/// one.
fn check_output(to: &Path, module: &File) -> Result<(), String> {
    let there = match to.metadata() {
        Ok(there) => there,
        Err(error) if error.kind() == ErrorKind::NotFound => return check_directory(to),
        Err(error) => return Err(WithWayOut(&error).to_string()),
    };
    let module = module.metadata().map_err(|error| error.to_string())?;
    if is_same(&there, &module) {
        return Err("the index would replace the module: give another file with -o".to_owned());
    }
    if there.is_file() {
        return Ok(());
    }
    Err("not a regular file: give another file with -o".to_owned())
}

/// Fails early if the output's directory does not exist.
fn check_directory(to: &Path) -> Result<(), String> {
    let parent = to.parent().filter(|path| !path.as_os_str().is_empty());
    let metadata = parent.unwrap_or(Path::new(".")).metadata();
    let is_dir = metadata.map(|metadata| metadata.is_dir());
    match is_dir.map_err(|error| format!("its directory: {}", WithWayOut(&error)))? {
        true => Ok(()),
        false => Err("its parent is not a directory".to_owned()),
    }
}
