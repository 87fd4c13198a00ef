//! Modules that a symbolizer is given: files, bytes, build IDs, and modules of sessions.

use std::ffi::{c_char, c_int};
use std::fs::File;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::sync::Arc;

use backsight_normalize::ModuleImage;
use backsight_symbolize::{Cause, ModuleInput, NewModule};
use backsight_types::Segments;

use crate::failure::{Failure, Result, ended};
use crate::fetch::duplicated;
use crate::handles::{self, lock};
use crate::raw::{self, OutPlace, SizedStruct};
use crate::session::{SessionObject, backsight_session, check_images};
use crate::session_events::build_id_of;
use crate::status::{
    BACKSIGHT_ERROR_ARGUMENT, BACKSIGHT_ERROR_LIMIT, BACKSIGHT_ERROR_MALFORMED,
    BACKSIGHT_ERROR_NOT_FOUND, backsight_status,
};
use crate::symbolizer::{SymbolizerObject, backsight_symbolizer};

/// How a module is added. Fields that are 0 mean the default.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct backsight_module_options {
    /// `sizeof (backsight_module_options)`.
    pub size: usize,
    /// Root directories for this module alone, where its debug file is looked for first, such as
    /// `/proc/PID/root` of a container. By default those of the symbolizer.
    pub roots: *const *const c_char,
    /// Their number.
    pub root_count: usize,
    /// The build ID that it must have: another file is not used. Null if it is not known.
    pub build_id: *const u8,
    /// Its number of bytes, at most 64.
    pub build_id_len: usize,
}

// SAFETY: it has numbers and pointers behind its size.
unsafe impl SizedStruct for backsight_module_options {
    const NAME: &'static str = "backsight_module_options";
}

/// Adds a module that `input` makes, and numbers it.
///
/// # Safety
/// As for [`raw::sized`], what the options point to is as their fields say, and a number may be
/// written to `module`.
unsafe fn add(
    symbolizer: *mut backsight_symbolizer,
    options: *const backsight_module_options,
    module: *mut u64,
    input: impl FnOnce() -> Result<(ModuleInput, Option<Segments>)>,
) -> backsight_status {
    ended(|| {
        // SAFETY: the same is promised.
        let place = unsafe { OutPlace::new(module, 0, "module") }?;
        let of = handles::get::<SymbolizerObject>(symbolizer)?;
        // SAFETY: the same is promised.
        let given = unsafe { raw::sized(options) }?;
        // SAFETY: the same is promised.
        let roots = unsafe { raw::paths(given.roots, given.root_count, "roots") }?;
        // SAFETY: the same is promised.
        let build_id = unsafe { raw::slice(given.build_id, given.build_id_len, "build_id") }?;
        let wanted = match build_id {
            [] => None,
            bytes => Some(build_id_of(bytes)?),
        };
        let (input, segments) = input()?;
        let own = match &input {
            ModuleInput::BuildId(id) => Some(*id),
            _ => None,
        };
        let new = NewModule::new(input)
            .with_build_id(wanted.or(own))
            .with_roots(Some(roots).filter(|roots| !roots.is_empty()))
            .with_segments(segments);
        place.put(of.number(of.symbolizer.add_new(new)));
        Ok(())
    })
}

/// Adds a file. It is opened now, and read when an address in it is looked up. A path ending in
/// `!/` and a name is a member of an archive. `options` may be null.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn backsight_symbolizer_add_file(
    symbolizer: *mut backsight_symbolizer,
    path: *const c_char,
    options: *const backsight_module_options,
    module: *mut u64,
) -> backsight_status {
    let input = || {
        // SAFETY: the caller says that it ends with a NUL.
        let path = unsafe { raw::path(path, "path") }?;
        Ok((
            ModuleInput::open(&path).map_err(|error| of_symbols(&error))?,
            None,
        ))
    };
    // SAFETY: the caller says that the pointers are as described.
    unsafe { add(symbolizer, options, module, input) }
}

/// Adds a file that is open for reading. The descriptor is duplicated: close yours when you like.
/// `path` is what the file is called, for its debug link; it may be null. `options` may be null.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn backsight_symbolizer_add_fd(
    symbolizer: *mut backsight_symbolizer,
    fd: c_int,
    path: *const c_char,
    options: *const backsight_module_options,
    module: *mut u64,
) -> backsight_status {
    let input = || {
        // SAFETY: the caller says that it ends with a NUL.
        let path = unsafe { raw::optional_path(path, "path") }?;
        let file = duplicated(fd).and_then(regular);
        let file = file.map_err(|error| Failure::of(format!("the descriptor {fd}"), &error))?;
        let file = Arc::new(file);
        Ok((ModuleInput::File { file, path }, None))
    };
    // SAFETY: the caller says that the pointers are as described.
    unsafe { add(symbolizer, options, module, input) }
}

/// A pipe or a terminal would be waited for.
fn regular(file: File) -> std::io::Result<File> {
    match file.metadata()?.is_file() {
        true => Ok(file),
        false => Err(std::io::Error::other("not a regular file")),
    }
}

/// Adds an ELF file that is in memory, which is copied. `options` may be null.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn backsight_symbolizer_add_bytes(
    symbolizer: *mut backsight_symbolizer,
    bytes: *const u8,
    len: usize,
    options: *const backsight_module_options,
    module: *mut u64,
) -> backsight_status {
    let input = || {
        // SAFETY: the caller says that they are there.
        let bytes = unsafe { raw::slice(bytes, len, "bytes") }?;
        Ok((ModuleInput::Bytes(bytes.into()), None))
    };
    // SAFETY: the caller says that the pointers are as described.
    unsafe { add(symbolizer, options, module, input) }
}

/// Adds a module of which only the build ID is known, in `options`. It is looked for in the
/// debug directories, and fetched.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn backsight_symbolizer_add_build_id(
    symbolizer: *mut backsight_symbolizer,
    build_id: *const u8,
    len: usize,
    options: *const backsight_module_options,
    module: *mut u64,
) -> backsight_status {
    let input = || {
        // SAFETY: the caller says that they are there.
        let bytes = unsafe { raw::slice(build_id, len, "build_id") }?;
        match bytes {
            [] => Err(Failure::new(BACKSIGHT_ERROR_ARGUMENT, "build_id is empty")),
            bytes => Ok((ModuleInput::BuildId(build_id_of(bytes)?), None)),
        }
    };
    // SAFETY: the caller says that the pointers are as described.
    unsafe { add(symbolizer, options, module, input) }
}

/// Adds a module of a session that was opened with `BACKSIGHT_SESSION_IMAGES`: the very file that
/// the process has mapped. Without its file, its build ID may still lead to a debug file.
/// `options` may be null.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn backsight_symbolizer_add_module(
    symbolizer: *mut backsight_symbolizer,
    session: *mut backsight_session,
    index: u32,
    options: *const backsight_module_options,
    module: *mut u64,
) -> backsight_status {
    let input = || {
        let session = handles::get::<SessionObject>(session)?;
        let state = lock(&session.0)?;
        check_images(&state.options)?;
        let found = state.module(index)?;
        let segments = found.module.segments.clone();
        let path = PathBuf::from(std::ffi::OsStr::from_bytes(&found.module.path));
        let input = match (found.image, found.module.build_id) {
            (Some(ModuleImage::File(file)), _) => ModuleInput::File {
                file,
                path: Some(path),
            },
            (Some(ModuleImage::Bytes(bytes)), _) => ModuleInput::Bytes(bytes),
            (_, Some(id)) => ModuleInput::BuildId(id),
            _ => {
                let why = found.module.unreadable.map_or("released", |it| it.as_str());
                let message = format!(
                    "module {index}, {}, has neither a file ({why}) nor a build ID",
                    path.display()
                );
                return Err(Failure::new(BACKSIGHT_ERROR_NOT_FOUND, message));
            }
        };
        Ok((input, segments))
    };
    // SAFETY: the caller says that the pointers are as described.
    unsafe { add(symbolizer, options, module, input) }
}

/// Returns the failure that an error of a symbolizer is.
pub(crate) fn of_symbols(error: &backsight_symbolize::Error) -> Failure {
    let failure = Failure::of("symbols", error);
    match error.cause() {
        Cause::File(backsight_files::Error::Io(_)) => failure,
        Cause::NotFound => failure.with_status(BACKSIGHT_ERROR_NOT_FOUND),
        Cause::TooLarge { .. } | Cause::Oversized { .. } => {
            failure.with_status(BACKSIGHT_ERROR_LIMIT)
        }
        _ => failure.with_status(BACKSIGHT_ERROR_MALFORMED),
    }
}
