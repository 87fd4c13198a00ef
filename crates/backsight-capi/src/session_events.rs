//! What a profiler reports to a session: mappings, `execve`, forks, and ends.

use std::ffi::c_char;
use std::ptr;
use std::sync::Mutex;

use backsight_normalize::Mmap;
use backsight_types::trace::MovedText;
use backsight_types::{AbsAddr, AbsRange, BuildId, Device, FileOffset, Perms};

use crate::failure::{Failure, Result, ended};
use crate::handles::{self, lock};
use crate::raw::{self, OutPlace, SizedStruct, bad_argument};
use crate::session::{SessionObject, SessionState, backsight_session};
use crate::status::backsight_status;

/// The mapping may be executed.
pub const BACKSIGHT_MMAP_EXECUTE: u32 = 4;
/// The mapping may be written.
pub const BACKSIGHT_MMAP_WRITE: u32 = 2;
/// The mapping may be read.
pub const BACKSIGHT_MMAP_READ: u32 = 1;
/// The mapping is shared.
pub const BACKSIGHT_MMAP_SHARED: u32 = 8;

/// A mapping, as a record MMAP2 of perf tells it. What is 0 is not known.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct backsight_mmap {
    /// `sizeof (backsight_mmap)`.
    pub size: usize,
    /// The first address.
    pub start: u64,
    /// The first address behind it.
    pub end: u64,
    /// The offset of the first byte in the file.
    pub file_offset: u64,
    /// `BACKSIGHT_MMAP_READ` and so on.
    pub flags: u32,
    /// The device of the file.
    pub device_major: u32,
    /// The device of the file.
    pub device_minor: u32,
    /// The number of bytes of `build_id`, at most 64.
    pub build_id_len: u32,
    /// The inode of the file.
    pub inode: u64,
    /// The build ID, or null.
    pub build_id: *const u8,
    /// The name: a path, `[vdso]`, `//anon` or nothing. Any bytes but NUL.
    pub name: *const c_char,
    /// The number of bytes of `name`, without a NUL behind.
    pub name_len: usize,
}

// SAFETY: it has numbers and pointers behind its size.
unsafe impl SizedStruct for backsight_mmap {
    const NAME: &'static str = "backsight_mmap";
}

/// Reads a mapping.
///
/// # Safety
/// As for [`raw::sized`], and what it points to is as its fields say.
unsafe fn read(given: *const backsight_mmap) -> Result<Mmap> {
    if given.is_null() {
        return Err(raw::null("mmap"));
    }
    // SAFETY: the same is promised.
    let given = unsafe { raw::sized(given) }?;
    let flags = [
        (BACKSIGHT_MMAP_READ, Perms::READ),
        (BACKSIGHT_MMAP_WRITE, Perms::WRITE),
        (BACKSIGHT_MMAP_EXECUTE, Perms::EXECUTE),
        (BACKSIGHT_MMAP_SHARED, Perms::SHARED),
    ];
    let known: u32 = flags.iter().map(|(flag, _)| *flag).sum();
    raw::check_flags(given.flags.into(), known.into(), "backsight_mmap.flags")?;
    let set = flags.iter().filter(|(flag, _)| given.flags & flag != 0);
    let perms = set.fold(Perms::NONE, |all, (_, perm)| all | *perm);
    let id_len = usize::try_from(given.build_id_len).unwrap_or(usize::MAX);
    // SAFETY: the same is promised.
    let build_id = unsafe { raw::slice(given.build_id, id_len, "build_id") }?;
    // SAFETY: the same is promised.
    let name = unsafe { raw::slice(given.name.cast::<u8>(), given.name_len, "name") }?;
    if name.contains(&0) {
        return Err(bad_argument(
            "backsight_mmap.name has a NUL inside, which no path has",
        ));
    }
    Ok(Mmap {
        range: range(given.start, given.end)?,
        offset: FileOffset(given.file_offset),
        perms,
        device: Device {
            major: given.device_major,
            minor: given.device_minor,
        },
        inode: given.inode,
        build_id: match build_id {
            [] => None,
            bytes => Some(build_id_of(bytes)?),
        },
        name: name.to_vec(),
        moved: MovedText::Unknown,
    })
}

/// Reads a build ID.
pub(crate) fn build_id_of(bytes: &[u8]) -> Result<BuildId> {
    BuildId::from_bytes(bytes).map_err(|error| bad_argument(format!("build_id: {error}")))
}

fn range(start: u64, end: u64) -> Result<AbsRange> {
    match start < end {
        true => Ok(AbsRange {
            start: AbsAddr(start),
            end: AbsAddr(end),
        }),
        false => Err(bad_argument(format!(
            "the addresses {start:#x} to {end:#x} are none"
        ))),
    }
}

/// Reports that the process mapped memory. While it lives, the kernel is asked and completes the
/// report; when it has ended, the report is the answer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn backsight_session_on_mmap(
    session: *mut backsight_session,
    mmap: *const backsight_mmap,
) -> backsight_status {
    ended(|| {
        let session = handles::get::<SessionObject>(session)?;
        // SAFETY: the caller says that it is as described.
        let mapping = unsafe { read(mmap) }?;
        lock(&session.0)?.session.on_mmap(&mapping);
        Ok(())
    })
}

/// Reports that the process unmapped the addresses from `start` to before `end`, or changed their
/// permissions.
#[unsafe(no_mangle)]
pub extern "C" fn backsight_session_on_munmap(
    session: *mut backsight_session,
    start: u64,
    end: u64,
) -> backsight_status {
    ended(|| {
        let session = handles::get::<SessionObject>(session)?;
        lock(&session.0)?.session.on_munmap(range(start, end)?);
        Ok(())
    })
}

/// Has the addresses from `start` to before `end` asked for again.
#[unsafe(no_mangle)]
pub extern "C" fn backsight_session_invalidate(
    session: *mut backsight_session,
    start: u64,
    end: u64,
) -> backsight_status {
    ended(|| {
        let session = handles::get::<SessionObject>(session)?;
        lock(&session.0)?.session.invalidate(range(start, end)?);
        Ok(())
    })
}

/// Reports that the process called `execve`, and opens its new address space. Modules keep their
/// indices.
#[unsafe(no_mangle)]
pub extern "C" fn backsight_session_on_exec(session: *mut backsight_session) -> backsight_status {
    ended(|| {
        let session = handles::get::<SessionObject>(session)?;
        let mut state = lock(&session.0)?;
        let pid = state.pid;
        let done = state.session.on_exec();
        done.map_err(|error| Failure::of_process(pid, &error))
    })
}

/// Reports that the process forked, and sets `*child` to a session of the child, with what is
/// known of its parent.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn backsight_session_on_fork(
    session: *mut backsight_session,
    pid: u32,
    child: *mut *mut backsight_session,
) -> backsight_status {
    ended(|| {
        // SAFETY: the caller may have it written.
        let place = unsafe { OutPlace::new(child, ptr::null_mut(), "child") }?;
        let session = handles::get::<SessionObject>(session)?;
        let state = lock(&session.0)?;
        let forked = state.session.on_fork(pid);
        let forked = forked.map_err(|error| Failure::of_process(pid, &error))?;
        let state = SessionState::new(forked, pid, state.options.clone());
        place.put(handles::add(SessionObject(Mutex::new(state)))?);
        Ok(())
    })
}

/// Reports that the process has ended. No system call is made for it from now on, and what was
/// found and reported so far still answers.
#[unsafe(no_mangle)]
pub extern "C" fn backsight_session_on_exit(session: *mut backsight_session) -> backsight_status {
    ended(|| {
        let session = handles::get::<SessionObject>(session)?;
        lock(&session.0)?.session.on_exit();
        Ok(())
    })
}
