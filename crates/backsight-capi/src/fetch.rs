//! Files that the caller fetches: a function of theirs is asked for a build ID.

use std::ffi::{CString, c_char, c_int, c_void};
use std::fs::File;
use std::os::fd::{AsFd, BorrowedFd, FromRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::sync::Arc;
use std::{fmt, io, ptr};

use backsight_symbolize::{Fetch, FetchError, Fetched, SoughtKind, Wanted};

use crate::failure::in_callback;

/// What a fetch callback returns if it has opened the file.
pub const BACKSIGHT_FETCH_FOUND: c_int = 0;
/// What a fetch callback returns if it has no such file.
pub const BACKSIGHT_FETCH_NONE: c_int = -1;

/// A module itself is wanted.
pub const BACKSIGHT_FETCH_MODULE: u32 = 0;
/// The separate debug file of a module is wanted.
pub const BACKSIGHT_FETCH_DEBUG_FILE: u32 = 1;
/// A file that debug information of several modules refers to is wanted (dwz).
pub const BACKSIGHT_FETCH_SUPPLEMENTARY: u32 = 2;
/// A file of another kind is wanted.
pub const BACKSIGHT_FETCH_OTHER: u32 = 0xffff;

/// Brings a file by its build ID. `build_id` has `build_id_len` bytes; `path` is where the module
/// stood, or null; `kind` is one of `BACKSIGHT_FETCH_MODULE` and so on. All are there during the
/// call alone.
///
/// Returns `BACKSIGHT_FETCH_FOUND` and sets `*fd` to a descriptor that is open for reading, which
/// the library closes; `BACKSIGHT_FETCH_NONE`; or an `errno` that says why the file cannot be had,
/// though it may be there. A file with another build ID is not used.
///
/// It is called by several threads at once, and asked once for each file of a module. It must not
/// call this library, but for the functions that return names and the last error. It must not
/// leave by `longjmp`; a C++ exception that leaves it ends the process.
pub type backsight_fetch = Option<
    unsafe extern "C-unwind" fn(
        data: *mut c_void,
        build_id: *const u8,
        build_id_len: usize,
        path: *const c_char,
        kind: u32,
        fd: *mut c_int,
    ) -> c_int,
>;

type FetchFunction = unsafe extern "C-unwind" fn(
    *mut c_void,
    *const u8,
    usize,
    *const c_char,
    u32,
    *mut c_int,
) -> c_int;

/// A callback, and what it is passed.
pub(crate) struct FetchCallback {
    function: FetchFunction,
    data: *mut c_void,
}

// SAFETY: the caller says that the function may be called by any thread with this pointer.
unsafe impl Send for FetchCallback {}
// SAFETY: as above, by several at once.
unsafe impl Sync for FetchCallback {}

impl FetchCallback {
    pub(crate) fn new(function: backsight_fetch, data: *mut c_void) -> Option<Self> {
        function.map(|function| Self { function, data })
    }

    pub(crate) fn shared(self) -> Arc<dyn Fetch> {
        Arc::new(self)
    }
}

impl fmt::Debug for FetchCallback {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FetchCallback").finish_non_exhaustive()
    }
}

impl Fetch for FetchCallback {
    fn fetch(&self, wanted: &Wanted<'_>) -> Result<Option<Fetched>, FetchError> {
        let id = wanted.build_id.as_bytes();
        let path = wanted.path.map(|path| path.as_os_str().as_bytes());
        let path = path.and_then(|path| CString::new(path).ok());
        let kind = match wanted.kind {
            SoughtKind::Module => BACKSIGHT_FETCH_MODULE,
            SoughtKind::DebugFile => BACKSIGHT_FETCH_DEBUG_FILE,
            SoughtKind::Supplementary => BACKSIGHT_FETCH_SUPPLEMENTARY,
            _ => BACKSIGHT_FETCH_OTHER,
        };
        let mut fd: c_int = -1;
        let path = path.as_ref().map_or(ptr::null(), |path| path.as_ptr());
        let done = in_callback(|| {
            // SAFETY: all pointers are valid during the call, and the caller says that the
            // function keeps to its description.
            unsafe { (self.function)(self.data, id.as_ptr(), id.len(), path, kind, &raw mut fd) }
        });
        let failed = |why: String| FetchError::new(PathBuf::from("the fetch callback"), why);
        match done {
            BACKSIGHT_FETCH_NONE => Ok(None),
            BACKSIGHT_FETCH_FOUND => {
                let taken = taken(fd)
                    .map_err(|why| failed(format!("it returned the descriptor {fd}: {why}")))?;
                let name = format!("build ID {} from the fetch callback", wanted.build_id);
                Ok(Some(Fetched::new(taken, name)))
            }
            errno => {
                let why = match errno > 0 {
                    true => io::Error::from_raw_os_error(errno).to_string(),
                    false => format!("it returned {errno}, which is no errno"),
                };
                Err(failed(why))
            }
        }
    }
}

/// Takes over a descriptor, if it is one.
fn taken(fd: c_int) -> io::Result<File> {
    let file = duplicated(fd)?;
    // SAFETY: it is open, as duplicating it has shown, and the callback has given it away.
    drop(unsafe { OwnedFd::from_raw_fd(fd) });
    Ok(file)
}

/// Duplicates a descriptor of the caller's.
pub(crate) fn duplicated(fd: c_int) -> io::Result<File> {
    const EBADF: i32 = 9;
    if fd < 0 {
        return Err(io::Error::from_raw_os_error(EBADF));
    }
    // SAFETY: it is not -1, and if it is not open, duplicating it fails.
    let borrowed = unsafe { BorrowedFd::borrow_raw(fd) };
    Ok(File::from(borrowed.as_fd().try_clone_to_owned()?))
}
