//! Profiles: read, symbolized and written.

use std::ffi::{CString, c_char, c_int};
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::ptr;
use std::sync::Mutex;

use backsight::profile::Profile;
use backsight::{Demangled, MapOptions, MapsOf, ModuleFiles, ProfileSymbolizer};
use backsight_formats::ndjson::{self, HeaderLine};
use backsight_formats::{firefox, folded, pprof, speedscope};

use crate::failure::{Failure, Result, ended, nothing, value_or};
use crate::fetch::duplicated;
use crate::handles::{self, Object, lock};
use crate::profile_format::{
    BACKSIGHT_FORMAT_FIREFOX, BACKSIGHT_FORMAT_FOLDED, BACKSIGHT_FORMAT_NDJSON,
    BACKSIGHT_FORMAT_PERF, BACKSIGHT_FORMAT_PERF_SCRIPT, BACKSIGHT_FORMAT_PPROF,
    BACKSIGHT_FORMAT_SPEEDSCOPE, has_time, of_output,
};
use crate::profile_read::{self, Notes, ProfileReading};
use crate::raw::{self, OutPlace, SizedStruct, bad_argument};
use crate::status::{BACKSIGHT_ERROR_LIMIT, BACKSIGHT_ERROR_OPTIONS, backsight_status};
use crate::symbol_options::{self, backsight_symbol_options};

const TOOL: &str = concat!("backsight ", env!("CARGO_PKG_VERSION"));

/// Samples keep their times. Without it, samples that differ only in time are summed, and formats
/// that have times cannot be written.
pub const BACKSIGHT_PROFILE_TIMES: u64 = 1;
/// A file is accepted by its path alone, if neither a build ID nor device and inode can prove that
/// it is the recorded one.
pub const BACKSIGHT_PROFILE_TRUST_PATHS: u64 = 2;
/// Names of code made at run time are not read.
pub const BACKSIGHT_PROFILE_NO_JIT_MAPS: u64 = 4;

const ALL: u64 =
    BACKSIGHT_PROFILE_TIMES | BACKSIGHT_PROFILE_TRUST_PATHS | BACKSIGHT_PROFILE_NO_JIT_MAPS;

/// A profile. One thread uses it at a time; others wait.
#[derive(Debug)]
pub struct backsight_profile {
    _unused: [u8; 0],
}

/// How a profile is read. Fields that are 0 mean the default.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct backsight_profile_options {
    /// `sizeof (backsight_profile_options)`.
    pub size: usize,
    /// `BACKSIGHT_PROFILE_TIMES` and so on.
    pub flags: u64,
    /// Where files and names are looked for; null for the default.
    pub symbols: *const backsight_symbol_options,
    /// The event of a recording whose samples are taken; null for all.
    pub event: *const c_char,
    /// One of `BACKSIGHT_FORMAT_…`; recognized by content by default.
    pub format: u32,
    /// Must be 0.
    pub reserved: u32,
    /// Limit of memory for formats that are read as a whole, in bytes.
    pub max_memory: u64,
}

// SAFETY: it has numbers and pointers behind its size.
unsafe impl SizedStruct for backsight_profile_options {
    const NAME: &'static str = "backsight_profile_options";
}

/// What a profile has.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct backsight_profile_info {
    /// `sizeof (backsight_profile_info)`, set by the caller.
    pub size: usize,
    /// Samples, after equal ones were summed.
    pub samples: u64,
    /// Different stacks.
    pub stacks: u64,
    /// Different addresses.
    pub locations: u64,
    /// Those of them that have no function.
    pub unnamed: u64,
    /// Malformed parts of the input. `backsight_profile_notes` says which.
    pub malformed: u64,
    /// Records that the recorder lost.
    pub lost: u64,
}

// SAFETY: it has numbers alone, behind its size.
unsafe impl SizedStruct for backsight_profile_info {
    const NAME: &'static str = "backsight_profile_info";
}

struct ProfileState {
    profile: Profile,
    files: ModuleFiles,
    is_summed: bool,
    /// Of the file that it was read from.
    format: u32,
    threads: usize,
    notes: Notes,
    /// The notes, as they were lent out.
    lent: CString,
}

struct ProfileObject(Mutex<ProfileState>);

impl Object for ProfileObject {
    type Handle = backsight_profile;
    const NAME: &'static str = "a profile";
}

/// Runs what uses rayon's current pool in one of its own, which ends before this returns.
fn in_pool<T: Send>(threads: usize, run: impl FnOnce() -> T + Send) -> Result<T> {
    let builder = rayon::ThreadPoolBuilder::new().num_threads(threads);
    let spawned = builder.build_scoped(rayon::ThreadBuilder::run, |pool| pool.install(run));
    spawned.map_err(|error| Failure::of("starting threads", &error))
}

/// Reads a profile from a file, or a recording of `perf record` from its file or directory. It has
/// no more names than the file has; see `backsight_profile_symbolize`. `options` may be null.
/// What is malformed is left out and noted.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn backsight_profile_read(
    path: *const c_char,
    options: *const backsight_profile_options,
    profile: *mut *mut backsight_profile,
) -> backsight_status {
    ended(|| {
        // SAFETY: the caller may have it written.
        let place = unsafe { OutPlace::new(profile, ptr::null_mut(), "profile") }?;
        // SAFETY: the caller says that it ends with a NUL.
        let path = unsafe { raw::path(path, "path") }?;
        // SAFETY: the caller says that they are as described.
        let given = unsafe { raw::sized(options) }?;
        raw::check_flags(given.flags, ALL, "backsight_profile_options.flags")?;
        let reserved = u64::from(given.reserved);
        raw::check_flags(reserved, 0, "backsight_profile_options.reserved")?;
        let has = |flag| given.flags & flag != 0;
        // SAFETY: the caller says that they are as described.
        let symbols = unsafe { symbol_options::read(given.symbols) }?;
        // SAFETY: the caller says that it ends with a NUL.
        let event = unsafe { raw::optional_path(given.event, "event") }?;
        let event = event.map(PathBuf::into_os_string).map(|event| {
            event
                .into_string()
                .map_err(|_| bad_argument("event is not UTF-8"))
        });
        let threads = symbols.threads.map_or(1, usize::from);
        let files = ModuleFiles::of_this_host()
            .with_symbols(symbols)
            .with_trust_in_paths(has(BACKSIGHT_PROFILE_TRUST_PATHS))
            .with_recording(&path);
        let maps = match has(BACKSIGHT_PROFILE_NO_JIT_MAPS) {
            true => MapOptions::default().with_maps_of(MapsOf::Nobody),
            false => MapOptions::default(),
        };
        let is_summed = !has(BACKSIGHT_PROFILE_TIMES);
        let options = ProfileReading {
            format: given.format,
            is_summed,
            maps,
            event: event.transpose()?,
            max_memory: Some(given.max_memory).filter(|bytes| *bytes > 0),
            files: files.clone(),
        };
        let is_of_perf =
            |format| matches!(format, BACKSIGHT_FORMAT_PERF | BACKSIGHT_FORMAT_PERF_SCRIPT);
        let wanted = options.event.clone();
        let (read, format, notes) = in_pool(threads, || profile_read::run(&path, options))??;
        if let Some(event) = wanted.filter(|_| format != BACKSIGHT_FORMAT_PERF) {
            return Err(bad_argument(format!(
                "{}: event {event}: events are those of a recording of perf",
                path.display()
            )));
        }
        let state = ProfileState {
            profile: read,
            files,
            is_summed: is_summed && (is_of_perf(format) || format == BACKSIGHT_FORMAT_NDJSON),
            format,
            threads,
            notes,
            lent: CString::default(),
        };
        place.put(handles::add(ProfileObject(Mutex::new(state)))?);
        Ok(())
    })
}

/// Frees a profile.
#[unsafe(no_mangle)]
pub extern "C" fn backsight_profile_free(profile: *mut backsight_profile) -> backsight_status {
    ended(|| handles::free::<ProfileObject>(profile))
}

/// Adds functions, inlined frames and lines to the addresses of a profile that have none, from the
/// files that its modules are found in, and demangles names that it has.
#[unsafe(no_mangle)]
pub extern "C" fn backsight_profile_symbolize(profile: *mut backsight_profile) -> backsight_status {
    ended(|| {
        let profile = handles::get::<ProfileObject>(profile)?;
        let mut state = lock(&profile.0)?;
        let ProfileState {
            profile,
            files,
            threads,
            notes,
            ..
        } = &mut *state;
        let found = in_pool(*threads, || {
            Demangled::default().demangle_new(profile);
            ProfileSymbolizer::new(files.clone()).look_up(profile)
        })?;
        for module in found.by_path_alone {
            let path = profile.module(module).map(|module| module.path_lossy());
            let path = path.unwrap_or_default();
            notes
                .lines
                .push(format!("{path}: accepted by its path alone"));
        }
        for file in found.oversized {
            let path = file.path.unwrap_or_default();
            notes.lines.push(format!(
                "{}: its debug information needs {} bytes, more than `unpacked_bytes` allows",
                path.display(),
                file.needed
            ));
        }
        Ok(())
    })
}

/// Writes a profile to a file, which it replaces when all is written. `format` is one of
/// `BACKSIGHT_FORMAT_…`; 0 is that of its name.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn backsight_profile_write(
    profile: *mut backsight_profile,
    path: *const c_char,
    format: u32,
) -> backsight_status {
    ended(|| {
        let profile = handles::get::<ProfileObject>(profile)?;
        // SAFETY: the caller says that it ends with a NUL.
        let path = unsafe { raw::path(path, "path") }?;
        let format = of_output(&path, format)?;
        let mut state = lock(&profile.0)?;
        let failed = |error: io::Error| Failure::of(path.display(), &error);
        let unfinished = unfinished(&path);
        let file = File::create_new(&unfinished).map_err(failed)?;
        let written = write(&mut state, &file, format, &path);
        let done = written.and_then(|()| std::fs::rename(&unfinished, &path).map_err(failed));
        if done.is_err() {
            // What was begun is of no use, and the failure says why.
            let _ = std::fs::remove_file(&unfinished);
        }
        done
    })
}

/// Writes a profile to a descriptor that is open for writing, and stays open. `format` is one of
/// `BACKSIGHT_FORMAT_…`.
#[unsafe(no_mangle)]
pub extern "C" fn backsight_profile_write_fd(
    profile: *mut backsight_profile,
    fd: c_int,
    format: u32,
) -> backsight_status {
    ended(|| {
        let profile = handles::get::<ProfileObject>(profile)?;
        let name = PathBuf::from(format!("the descriptor {fd}"));
        let format = of_output(&name, format)?;
        let file = duplicated(fd).map_err(|error| Failure::of(name.display(), &error))?;
        write(&mut *lock(&profile.0)?, &file, format, &name)
    })
}

/// The file beside an output that is written before it takes its place.
fn unfinished(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{}.part", std::process::id()));
    PathBuf::from(name)
}

fn write(state: &mut ProfileState, file: &File, format: u32, name: &Path) -> Result {
    if state.is_summed && has_time(format) {
        return Err(Failure::new(
            BACKSIGHT_ERROR_OPTIONS,
            format!(
                "{}: the format has times, which were summed up: read the profile with \
                 BACKSIGHT_PROFILE_TIMES",
                name.display()
            ),
        ));
    }
    let ProfileState {
        profile,
        notes,
        format: read_of,
        ..
    } = state;
    let shown = profile.default_type.unwrap_or_default();
    let shown = usize::try_from(shown).unwrap_or_default();
    let mut out = BufWriter::new(file);
    let written = match format {
        BACKSIGHT_FORMAT_NDJSON => {
            ndjson::write_profile(&HeaderLine::new(TOOL), profile, &mut out).map(|()| None)
        }
        BACKSIGHT_FORMAT_FOLDED => {
            let options = folded::Options::default().with_root_frame(folded::RootFrame::Process);
            folded::write(profile, shown, options, &mut out).map(|()| None)
        }
        BACKSIGHT_FORMAT_FIREFOX => firefox::write(profile, shown, &mut out).map(|()| None),
        BACKSIGHT_FORMAT_SPEEDSCOPE => {
            // What another file of speedscope has is kept as it has it.
            let is_again = *read_of == BACKSIGHT_FORMAT_SPEEDSCOPE;
            let options = speedscope::WriteOptions::default()
                .with_all_values(is_again)
                .with_lines_of_frames(is_again);
            speedscope::write_with(profile, shown, &options, &mut out).map(Some)
        }
        _ => {
            let options = pprof::Options::default().with_gzip(format == BACKSIGHT_FORMAT_PPROF);
            pprof::write(profile, &mut out, &options).map(Some)
        }
    };
    let flaws = written.and_then(|flaws| out.flush().map(|()| flaws));
    let flaws = flaws.map_err(|error| Failure::of(name.display(), &error))?;
    flaws.iter().for_each(|flaws| notes.flaws(flaws));
    Ok(())
}

/// Returns what was wrong with the input, what has no place in the profile, and what its formats
/// could not represent: a line each; `""` if there is nothing, and null if `profile` is none. The
/// text is there until the next call for this profile.
#[unsafe(no_mangle)]
pub extern "C" fn backsight_profile_notes(profile: *mut backsight_profile) -> *const c_char {
    let notes = || {
        let profile = handles::get::<ProfileObject>(profile)?;
        let mut state = lock(&profile.0)?;
        let text = state.notes.lines.join("\n").replace('\0', "\\0");
        state.lent = CString::new(text).map_err(|_| {
            Failure::new(
                BACKSIGHT_ERROR_LIMIT,
                "the notes have a NUL that was not replaced",
            )
        })?;
        Ok(state.lent.as_ptr())
    };
    value_or(notes).unwrap_or_else(nothing)
}

/// Sets `*info`, as far as its `size` says, to what a profile has.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn backsight_profile_info_of(
    profile: *mut backsight_profile,
    info: *mut backsight_profile_info,
) -> backsight_status {
    ended(|| {
        let profile = handles::get::<ProfileObject>(profile)?;
        if info.is_null() {
            return Err(raw::null("info"));
        }
        let state = lock(&profile.0)?;
        let of = &state.profile;
        let count = |it: usize| u64::try_from(it).unwrap_or(u64::MAX);
        let unnamed = of
            .locations
            .iter()
            .filter(|location| of.frames_of(location).is_empty());
        let now = backsight_profile_info {
            size: 0,
            samples: count(of.samples.len()),
            stacks: count(of.stacks.len()),
            locations: count(of.locations.len()),
            unnamed: count(unnamed.count()),
            malformed: state.notes.malformed,
            lost: state.notes.lost,
        };
        // SAFETY: the caller says that it has its size and may be written.
        unsafe { raw::put_sized(info, &now) }
    })
}
