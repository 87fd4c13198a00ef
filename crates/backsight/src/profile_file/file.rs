//! A profile that was read from a file, and is symbolized and written.

use std::fs::File;
use std::path::{Path, PathBuf};

use backsight_profile::Profile;

use super::error::ProfileFileError;
use super::format::ProfileFormat;
use super::notes::ProfileNotes;
use super::options::ProfileFileOptions;
use super::{read, write};
use crate::demangled::Demangled;
use crate::find::ModuleFiles;
use crate::profile_symbolizer::ProfileSymbolizer;

type Result<T, E = ProfileFileError> = std::result::Result<T, E>;

/// A profile that was read from a file of any format, with notes on what was wrong with it.
///
/// ```no_run
/// use backsight::{ProfileFile, ProfileFileOptions};
///
/// let mut profile = ProfileFile::read("perf.data", &ProfileFileOptions::default())?;
/// profile.symbolize()?;
/// profile.write("out.pb.gz", None)?;
/// assert_eq!(profile.notes(), [""; 0]);
/// # Ok::<(), backsight::ProfileFileError>(())
/// ```
#[derive(Debug)]
pub struct ProfileFile {
    profile: Profile,
    files: ModuleFiles,
    /// Whether samples had times, which were summed up.
    is_summed: bool,
    /// Of the file that it was read from.
    format: ProfileFormat,
    threads: usize,
    notes: ProfileNotes,
}

impl ProfileFile {
    /// Reads a profile from a file, or a recording of `perf record` from its file or directory.
    /// It has no more names than the file has. What is malformed is left out and noted.
    ///
    /// # Errors
    /// If the file cannot be read, is damaged from its begin on, or is of no known format.
    pub fn read(path: impl AsRef<Path>, options: &ProfileFileOptions) -> Result<Self> {
        let path = path.as_ref();
        let threads = options.symbols.threads.map_or(1, usize::from);
        let files = ModuleFiles::of_this_host()
            .with_symbols(options.symbols.clone())
            .with_trust_in_paths(options.trust_paths)
            .with_recording(path);
        let read = in_pool(threads, || read::run(path, options, &files));
        let (profile, format, notes) = read??;
        let had_times = matches!(
            format,
            ProfileFormat::Perf | ProfileFormat::PerfScript | ProfileFormat::Ndjson
        );
        Ok(Self {
            profile,
            files,
            is_summed: !options.times && had_times,
            format,
            threads,
            notes,
        })
    }

    /// Adds functions, inlined frames and lines to the addresses that have none, from the files
    /// that its modules are found in, and demangles names that it has.
    ///
    /// # Errors
    /// If no thread can be started.
    pub fn symbolize(&mut self) -> Result<()> {
        let Self {
            profile,
            files,
            threads,
            notes,
            ..
        } = self;
        let found = in_pool(*threads, || {
            Demangled::default().demangle_new(profile);
            ProfileSymbolizer::new(files.clone()).look_up(profile)
        })?;
        for module in found.by_path_alone {
            let path = profile.module(module).map(|module| module.path_lossy());
            let path = path.unwrap_or_default();
            notes.say(format_args!("{path}: accepted by its path alone"));
        }
        for file in found.oversized {
            let path = file.path.unwrap_or_default();
            notes.say(format_args!(
                "{}: its debug information needs {} bytes, more than `unpacked_bytes` allows",
                path.display(),
                file.needed
            ));
        }
        Ok(())
    }

    /// Writes it to a file, which it replaces when all is written; in the format that the name
    /// ends in, if none is given.
    ///
    /// # Errors
    /// If the file cannot be written, or the format is not known or not of this profile.
    pub fn write(&mut self, path: impl AsRef<Path>, format: Option<ProfileFormat>) -> Result<()> {
        let path = path.as_ref();
        let failed = |error: std::io::Error| ProfileFileError::of(path.display(), error);
        let format = format.or_else(|| ProfileFormat::of_output(path));
        let format = format.ok_or_else(|| unknown(path))?;
        let unfinished = unfinished(path);
        let file = File::create_new(&unfinished).map_err(failed)?;
        let written = self.write_to(&file, format, path);
        let done = written.and_then(|()| std::fs::rename(&unfinished, path).map_err(failed));
        if done.is_err() {
            // What was begun is of no use, and the error says why.
            let _ = std::fs::remove_file(&unfinished);
        }
        done
    }

    /// Writes it to an open file, which `name` names in errors.
    ///
    /// # Errors
    /// If the file cannot be written, or the format is not of this profile.
    pub fn write_to(&mut self, file: &File, format: ProfileFormat, name: &Path) -> Result<()> {
        if !format.is_written() {
            let what = format!("{} is not written", format.as_str());
            return Err(ProfileFileError::UnknownFormat(what));
        }
        if self.is_summed && format.has_times() {
            return Err(ProfileFileError::TimesSummed {
                what: name.display().to_string(),
            });
        }
        let written = write::run(&self.profile, self.format, format, file);
        let flaws = written.map_err(|error| ProfileFileError::of(name.display(), error))?;
        flaws.iter().for_each(|flaws| self.notes.flaws(flaws));
        Ok(())
    }

    /// Returns the profile.
    #[must_use]
    pub fn profile(&self) -> &Profile {
        &self.profile
    }

    /// Returns the format of the file that it was read from.
    #[must_use]
    pub fn format(&self) -> ProfileFormat {
        self.format
    }

    /// Returns what was wrong with the file, what has no place in the profile, and what the
    /// formats that it was written in could not represent: a line each.
    #[must_use]
    pub fn notes(&self) -> &[String] {
        &self.notes.lines
    }

    /// Returns how many parts of the input were malformed.
    #[must_use]
    pub fn malformed(&self) -> u64 {
        self.notes.malformed
    }

    /// Returns how many records the recorder lost.
    #[must_use]
    pub fn lost(&self) -> u64 {
        self.notes.lost
    }
}

/// Runs what uses rayon's current pool in one of its own, which ends before this returns.
fn in_pool<T: Send>(threads: usize, run: impl FnOnce() -> T + Send) -> Result<T> {
    let builder = rayon::ThreadPoolBuilder::new().num_threads(threads);
    let spawned = builder.build_scoped(rayon::ThreadBuilder::run, |pool| pool.install(run));
    spawned.map_err(|error| ProfileFileError::of("starting threads", error))
}

/// The file beside an output that is written before it takes its place.
fn unfinished(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{}.part", std::process::id()));
    PathBuf::from(name)
}

fn unknown(path: &Path) -> ProfileFileError {
    let ends = ProfileFormat::ends().join(", ");
    ProfileFileError::UnknownFormat(format!(
        "{}: its format is not recognized by name: end it in {ends}, or set `format`",
        path.display()
    ))
}
