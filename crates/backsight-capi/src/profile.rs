//! Profiles: read, symbolized and written.

use std::ffi::{CString, c_char, c_int};
use std::path::PathBuf;
use std::ptr;
use std::sync::Mutex;

use backsight::{MapsOf, ProfileFile, ProfileFileError, ProfileFileOptions};

use crate::failure::{Failure, ended, nothing, value_or};
use crate::fetch::duplicated;
use crate::handles::{self, Object, lock};
use crate::profile_format::of_number;
use crate::raw::{self, OutPlace, SizedStruct, bad_argument};
use crate::status::{
    BACKSIGHT_ERROR_FORMAT, BACKSIGHT_ERROR_LIMIT, BACKSIGHT_ERROR_OPTIONS, backsight_status,
};
use crate::symbol_options::{self, backsight_symbol_options};

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
    file: ProfileFile,
    /// The notes, as they were lent out.
    lent: CString,
}

struct ProfileObject(Mutex<ProfileState>);

impl Object for ProfileObject {
    type Handle = backsight_profile;
    const NAME: &'static str = "a profile";
}

/// Returns the failure that an error of a profile is.
fn of_profile(error: &ProfileFileError) -> Failure {
    match error {
        ProfileFileError::UnknownFormat(what) => Failure::new(BACKSIGHT_ERROR_FORMAT, what),
        ProfileFileError::Option(what) => bad_argument(what),
        ProfileFileError::TimesSummed { what } => Failure::new(
            BACKSIGHT_ERROR_OPTIONS,
            format!(
                "{what}: the format has times, which were summed up: read the profile with \
                 BACKSIGHT_PROFILE_TIMES"
            ),
        ),
        ProfileFileError::Failed { what, error } => Failure::of(what, &**error),
        other => Failure::of("profile", other),
    }
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
        let maps = match has(BACKSIGHT_PROFILE_NO_JIT_MAPS) {
            true => MapsOf::Nobody,
            false => MapsOf::default(),
        };
        let options = ProfileFileOptions::default()
            .with_format(of_number(given.format)?)
            .with_times(has(BACKSIGHT_PROFILE_TIMES))
            .with_trust_paths(has(BACKSIGHT_PROFILE_TRUST_PATHS))
            .with_maps_of(maps)
            .with_event(event.transpose()?)
            .with_max_memory(Some(given.max_memory).filter(|bytes| *bytes > 0))
            .with_symbols(symbols);
        let file = ProfileFile::read(path, &options).map_err(|error| of_profile(&error))?;
        let state = ProfileState {
            file,
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
        let done = lock(&profile.0)?.file.symbolize();
        done.map_err(|error| of_profile(&error))
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
        let format = of_number(format)?;
        let written = lock(&profile.0)?.file.write(path, format);
        written.map_err(|error| of_profile(&error))
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
        let format = of_number(format)?.ok_or_else(|| {
            let message = format!("{}: set `format`: it has no name", name.display());
            Failure::new(BACKSIGHT_ERROR_FORMAT, message)
        })?;
        let file = duplicated(fd).map_err(|error| Failure::of(name.display(), &error))?;
        let written = lock(&profile.0)?.file.write_to(&file, format, &name);
        written.map_err(|error| of_profile(&error))
    })
}

/// Returns what was wrong with the input, what has no place in the profile, and what its formats
/// could not represent: a line each; `""` if there is nothing, and null if `profile` is none. The
/// text is there until the next call for this profile.
#[unsafe(no_mangle)]
pub extern "C" fn backsight_profile_notes(profile: *mut backsight_profile) -> *const c_char {
    let notes = || {
        let profile = handles::get::<ProfileObject>(profile)?;
        let mut state = lock(&profile.0)?;
        let text = state.file.notes().join("\n").replace('\0', "\\0");
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
        let of = state.file.profile();
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
            malformed: state.file.malformed(),
            lost: state.file.lost(),
        };
        // SAFETY: the caller says that it has its size and may be written.
        unsafe { raw::put_sized(info, &now) }
    })
}
