//! Sessions: addresses of one process become modules and offsets in their files.

use std::ffi::c_char;
use std::ptr;
use std::sync::Mutex;

use backsight_normalize::{Backend, BuildIds, NormalizedModule, Options, Session, Trust};
use backsight_types::{AbsAddr, ModuleIdx, Outcome};

use crate::failure::{Failure, Result, ended};
use crate::handles::{self, Object, lock};
use crate::module::backsight_module;
use crate::module_store::ModuleStore;
use crate::raw::{self, OutPlace, SizedStruct, bad_argument};
use crate::reason::number_of;
use crate::shared_modules::{SharedTable, backsight_modules, no_module, put_count};
use crate::status::{BACKSIGHT_ERROR_OPTIONS, backsight_status};

/// The files of modules are kept open, for `backsight_symbolizer_add_module`. Takes a descriptor
/// for each, until `backsight_session_release_images`.
pub const BACKSIGHT_SESSION_IMAGES: u64 = 1;
/// Nothing is asked twice: the caller reports each change of the process.
pub const BACKSIGHT_SESSION_TRUST_EVENTS: u64 = 2;
/// No build IDs are read.
pub const BACKSIGHT_SESSION_NO_BUILD_IDS: u64 = 4;
/// No program headers are read, and there are no virtual offsets.
pub const BACKSIGHT_SESSION_NO_SEGMENTS: u64 = 8;
/// The memory map is read as text, also where the kernel answers queries.
pub const BACKSIGHT_SESSION_TEXT: u64 = 16;

const ALL: u64 = BACKSIGHT_SESSION_IMAGES
    | BACKSIGHT_SESSION_TRUST_EVENTS
    | BACKSIGHT_SESSION_NO_BUILD_IDS
    | BACKSIGHT_SESSION_NO_SEGMENTS
    | BACKSIGHT_SESSION_TEXT;

/// The `module` of a place that is in none.
pub const BACKSIGHT_NO_MODULE: u32 = 0xffff_ffff;

/// A process whose addresses are normalized in many calls. One thread uses it at a time; others
/// wait.
#[derive(Debug)]
pub struct backsight_session {
    _unused: [u8; 0],
}

/// How a process is opened. Fields that are 0 mean the default.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct backsight_session_options {
    /// `sizeof (backsight_session_options)`.
    pub size: usize,
    /// `BACKSIGHT_SESSION_IMAGES` and so on.
    pub flags: u64,
    /// The directory to use instead of /proc; null for /proc.
    pub proc_root: *const c_char,
    /// The table that modules are put into; null for one of its own.
    pub modules: *mut backsight_modules,
}

// SAFETY: it has numbers and pointers behind its size.
unsafe impl SizedStruct for backsight_session_options {
    const NAME: &'static str = "backsight_session_options";
}

/// Where an address is.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct backsight_place {
    /// The index of the module; `BACKSIGHT_NO_MODULE` if it is in none.
    pub module: u32,
    /// Why it is in none: `BACKSIGHT_REASON_…`; 0 if it is in one.
    pub reason: u32,
    /// The offset in the file of the module.
    pub file_offset: u64,
}

pub(crate) struct SessionState {
    /// `None` while one is being made.
    pub(crate) session: Session,
    pub(crate) pid: u32,
    pub(crate) options: Options,
    shown: ModuleStore,
    outcomes: Vec<Outcome>,
}

pub(crate) struct SessionObject(pub(crate) Mutex<SessionState>);

impl Object for SessionObject {
    type Handle = backsight_session;
    const NAME: &'static str = "a session";
}

impl SessionState {
    pub(crate) fn new(session: Session, pid: u32, options: Options) -> Self {
        Self {
            session,
            pid,
            options,
            shown: ModuleStore::default(),
            outcomes: Vec::new(),
        }
    }

    pub(crate) fn module_count(&self) -> usize {
        match self.session.shared_modules() {
            Some(shared) => shared.read().len(),
            None => self.session.modules().len(),
        }
    }

    /// Returns a copy of a module, whose files are shared.
    pub(crate) fn module(&self, index: u32) -> Result<NormalizedModule> {
        let at = ModuleIdx(index).as_usize();
        let found = match self.session.shared_modules() {
            Some(shared) => shared.read().get(at).map(|module| (**module).clone()),
            None => self.session.modules().get(at).cloned(),
        };
        found.ok_or_else(|| no_module(index))
    }
}

/// Reads the options of a session.
///
/// # Safety
/// As for [`raw::sized`], and what it points to is as its fields say.
unsafe fn read(
    given: *const backsight_session_options,
) -> Result<(Options, Option<backsight_normalize::SharedModules>)> {
    // SAFETY: the same is promised.
    let given = unsafe { raw::sized(given) }?;
    raw::check_flags(given.flags, ALL, "backsight_session_options.flags")?;
    let has = |flag| given.flags & flag != 0;
    // SAFETY: the same is promised.
    let proc_root = unsafe { raw::optional_path(given.proc_root, "proc_root") }?;
    let shared = match given.modules.is_null() {
        true => None,
        false => Some(handles::get::<SharedTable>(given.modules)?.0.clone()),
    };
    let options = Options::default()
        .with_images(has(BACKSIGHT_SESSION_IMAGES))
        .with_segments(!has(BACKSIGHT_SESSION_NO_SEGMENTS))
        .with_proc_root(proc_root);
    let options = match has(BACKSIGHT_SESSION_TRUST_EVENTS) {
        true => options.with_trust(Trust::UntilInvalidated),
        false => options,
    };
    let options = match has(BACKSIGHT_SESSION_NO_BUILD_IDS) {
        true => options.with_build_ids(BuildIds::None),
        false => options,
    };
    let options = match has(BACKSIGHT_SESSION_TEXT) {
        true => options.with_backend(Backend::Text),
        false => options,
    };
    Ok((options, shared))
}

/// Makes a session by `open`.
///
/// # Safety
/// As for [`read`], and the session's handle may be written.
unsafe fn make(
    pid: u32,
    options: *const backsight_session_options,
    session: *mut *mut backsight_session,
    open: impl FnOnce(&Options) -> Result<Session, vma_query::Error>,
) -> backsight_status {
    ended(|| {
        // SAFETY: the same is promised.
        let place = unsafe { OutPlace::new(session, ptr::null_mut(), "session") }?;
        // SAFETY: the same is promised.
        let (options, shared) = unsafe { read(options) }?;
        let opened = open(&options).map_err(|error| Failure::of_process(pid, &error))?;
        let opened = match &shared {
            Some(shared) => opened.sharing(shared),
            None => opened,
        };
        let state = SessionState::new(opened, pid, options);
        place.put(handles::add(SessionObject(Mutex::new(state)))?);
        Ok(())
    })
}

/// Opens a process. The session is bound to its address space: it never answers for another
/// process with the same PID, nor for another program after `execve`. `options` may be null.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn backsight_session_open(
    pid: u32,
    options: *const backsight_session_options,
    session: *mut *mut backsight_session,
) -> backsight_status {
    let open = |options: &Options| Session::open(pid, options.clone());
    // SAFETY: the caller says that the pointers are as described.
    unsafe { make(pid, options, session, open) }
}

/// Opens the calling process. `options` may be null.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn backsight_session_open_self(
    options: *const backsight_session_options,
    session: *mut *mut backsight_session,
) -> backsight_status {
    let open = |options: &Options| Session::open_self(options.clone());
    // SAFETY: the caller says that the pointers are as described.
    unsafe { make(std::process::id(), options, session, open) }
}

/// Starts a session of a process that cannot be opened any more, or not by this user: all that is
/// known of it is what the events say. `pid` stands in messages alone.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn backsight_session_of_events(
    pid: u32,
    options: *const backsight_session_options,
    session: *mut *mut backsight_session,
) -> backsight_status {
    let open = |options: &Options| Ok(Session::of_records(options.clone()));
    // SAFETY: the caller says that the pointers are as described.
    unsafe { make(pid, options, session, open) }
}

/// Closes a session.
#[unsafe(no_mangle)]
pub extern "C" fn backsight_session_close(session: *mut backsight_session) -> backsight_status {
    ended(|| handles::free::<SessionObject>(session))
}

/// Sets `places[i]` to where `addresses[i]` is, for `count` addresses of the process. Sorted
/// addresses are the fastest. If the call fails, `places` are not changed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn backsight_session_normalize(
    session: *mut backsight_session,
    addresses: *const u64,
    count: usize,
    places: *mut backsight_place,
) -> backsight_status {
    ended(|| {
        let session = handles::get::<SessionObject>(session)?;
        // SAFETY: the caller says that the addresses are there.
        let addresses = unsafe { raw::slice(addresses, count, "addresses") }?;
        // SAFETY: the caller says that there is room.
        let places = unsafe { raw::places(places, count, "places") }?;
        let mut state = lock(&session.0)?;
        let SessionState {
            session,
            outcomes,
            pid,
            ..
        } = &mut *state;
        let done = session.normalize(AbsAddr::from_slice(addresses), outcomes);
        done.map_err(|error| Failure::of_process(*pid, &error))?;
        for (place, outcome) in places.iter_mut().zip(outcomes) {
            let place = place.write(backsight_place {
                module: BACKSIGHT_NO_MODULE,
                reason: 0,
                file_offset: 0,
            });
            match *outcome {
                Outcome::Located {
                    module,
                    file_offset,
                } => (place.module, place.file_offset) = (module.0, file_offset.0),
                Outcome::Unresolved(reason) => place.reason = number_of(Some(reason)),
                _ => place.reason = crate::reason::BACKSIGHT_REASON_OTHER,
            }
        }
        Ok(())
    })
}

/// Returns how many modules were found so far; 0 if `session` is none. Their indices are below,
/// and never change.
#[unsafe(no_mangle)]
pub extern "C" fn backsight_session_module_count(session: *mut backsight_session) -> usize {
    let count = || Ok(lock(&handles::get::<SessionObject>(session)?.0)?.module_count());
    crate::failure::value_or(count).unwrap_or(0)
}

/// Sets `*module` to a module that was found. It is there until the session is closed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn backsight_session_module(
    session: *mut backsight_session,
    index: u32,
    module: *mut *const backsight_module,
) -> backsight_status {
    ended(|| {
        // SAFETY: the caller may have it written.
        let place = unsafe { OutPlace::new(module, ptr::null(), "module") }?;
        let session = handles::get::<SessionObject>(session)?;
        let mut state = lock(&session.0)?;
        let found = state.module(index)?;
        place.put(state.shown.show(index, &found.module));
        Ok(())
    })
}

/// Sets `*virtual_offset` to what symbols and DWARF of a module have for an offset in its file.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn backsight_session_virtual_offset(
    session: *mut backsight_session,
    index: u32,
    file_offset: u64,
    virtual_offset: *mut u64,
) -> backsight_status {
    ended(|| {
        // SAFETY: the caller may have it written.
        let place = unsafe { OutPlace::new(virtual_offset, 0, "virtual_offset") }?;
        let session = handles::get::<SessionObject>(session)?;
        let found = lock(&session.0)?.module(index)?;
        let offset = backsight_types::FileOffset(file_offset);
        let virt = found.module.virt_offset_of(offset).ok_or_else(|| {
            bad_argument(format!(
                "no program header of module {index} has the file offset {file_offset:#x}"
            ))
        })?;
        place.put(virt.0);
        Ok(())
    })
}

/// Closes the files of all modules but the `keep` that were added last: those that a symbolizer
/// was given stay open there. If `dropped` is not null, it is set to their number.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn backsight_session_release_images(
    session: *mut backsight_session,
    keep: usize,
    dropped: *mut usize,
) -> backsight_status {
    ended(|| {
        let session = handles::get::<SessionObject>(session)?;
        let count = lock(&session.0)?.session.release_images(keep);
        // SAFETY: the caller may have it written.
        unsafe { put_count(dropped, count, "dropped") }
    })
}

/// Refuses a session that has no files of its modules.
pub(crate) fn check_images(options: &Options) -> Result {
    match options.images {
        true => Ok(()),
        false => Err(Failure::new(
            BACKSIGHT_ERROR_OPTIONS,
            "the session keeps no files of modules: open it with BACKSIGHT_SESSION_IMAGES",
        )),
    }
}
