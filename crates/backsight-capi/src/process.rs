//! A live process with its symbols: addresses become functions and lines in one call.

use std::ffi::c_char;
use std::ptr;
use std::sync::Mutex;

use backsight::{Live, LiveError, LiveOptions, MapsOf};
use backsight_types::{AbsAddr, Lookup};

use crate::answer_list::lookup_at;
use crate::answers::{AnswersObject, backsight_answers};
use crate::failure::{Failure, Result, ended};
use crate::handles::{self, Object, lock};
use crate::raw::{self, OutPlace, SizedStruct, bad_argument};
use crate::status::backsight_status;
use crate::symbol_options::{self, backsight_symbol_options};

/// The first address is that of an instruction, and the others are return addresses: a stack.
pub const BACKSIGHT_ADDRESSES_STACK: u32 = 0;
/// All addresses are those of instructions.
pub const BACKSIGHT_ADDRESSES_EXACT: u32 = 1;
/// All addresses are return addresses.
pub const BACKSIGHT_ADDRESSES_RETURN: u32 = 2;

/// Names of code that the process made at run time are not read.
pub const BACKSIGHT_PROCESS_NO_JIT_MAPS: u64 = 1;
/// Names of code made at run time are also read where another user may have written them.
pub const BACKSIGHT_PROCESS_ALL_JIT_MAPS: u64 = 2;
/// Addresses of the kernel get no names.
pub const BACKSIGHT_PROCESS_NO_KERNEL: u64 = 4;
/// Text that the program moved to memory without a file is not recovered.
pub const BACKSIGHT_PROCESS_NO_REMAPPED_TEXT: u64 = 8;

const ALL: u64 = BACKSIGHT_PROCESS_NO_JIT_MAPS
    | BACKSIGHT_PROCESS_ALL_JIT_MAPS
    | BACKSIGHT_PROCESS_NO_KERNEL
    | BACKSIGHT_PROCESS_NO_REMAPPED_TEXT;

/// A live process, and the symbols of the files that it has mapped. Files that it maps later are
/// found when an address in them is asked for. One thread uses it at a time; others wait.
#[derive(Debug)]
pub struct backsight_process {
    _unused: [u8; 0],
}

/// How a process is opened. Fields that are 0 mean the default.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct backsight_process_options {
    /// `sizeof (backsight_process_options)`.
    pub size: usize,
    /// `BACKSIGHT_PROCESS_NO_JIT_MAPS` and so on.
    pub flags: u64,
    /// Where names are looked for; null for the default.
    pub symbols: *const backsight_symbol_options,
    /// The directory to use instead of /proc; null for /proc. Not of the calling process.
    pub proc_root: *const c_char,
    /// The directory with `proc`, `sys`, `boot` and `lib` of the kernel; null for `/`.
    pub kernel_root: *const c_char,
}

// SAFETY: it has numbers and pointers behind its size.
unsafe impl SizedStruct for backsight_process_options {
    const NAME: &'static str = "backsight_process_options";
}

pub(crate) struct ProcessObject {
    live: Mutex<Live>,
    /// Whether it is the calling process.
    pub(crate) is_self: bool,
}

impl Object for ProcessObject {
    type Handle = backsight_process;
    const NAME: &'static str = "a process";
}

/// Reads the options of a process.
///
/// # Safety
/// As for [`raw::sized`], and what it points to is as its fields say.
unsafe fn read(given: *const backsight_process_options) -> Result<LiveOptions> {
    // SAFETY: the same is promised.
    let given = unsafe { raw::sized(given) }?;
    raw::check_flags(given.flags, ALL, "backsight_process_options.flags")?;
    let has = |flag| given.flags & flag != 0;
    // SAFETY: the same is promised.
    let symbols = unsafe { symbol_options::read(given.symbols) }?;
    // SAFETY: the same is promised.
    let proc_root = unsafe { raw::optional_path(given.proc_root, "proc_root") }?;
    // SAFETY: the same is promised.
    let kernel_root = unsafe { raw::optional_path(given.kernel_root, "kernel_root") }?;
    let maps = match () {
        () if has(BACKSIGHT_PROCESS_NO_JIT_MAPS) => MapsOf::Nobody,
        () if has(BACKSIGHT_PROCESS_ALL_JIT_MAPS) => MapsOf::All,
        () => MapsOf::Own,
    };
    let mut options = LiveOptions::default()
        .with_symbols(symbols)
        .with_proc_root(proc_root)
        .with_maps_of(maps)
        .with_remapped_text(!has(BACKSIGHT_PROCESS_NO_REMAPPED_TEXT));
    if has(BACKSIGHT_PROCESS_NO_KERNEL) {
        options = options.with_kernel_root(None);
    } else if kernel_root.is_some() {
        options = options.with_kernel_root(kernel_root);
    }
    Ok(options)
}

/// Opens a process. `options` may be null.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn backsight_process_open(
    pid: u32,
    options: *const backsight_process_options,
    process: *mut *mut backsight_process,
) -> backsight_status {
    ended(|| {
        // SAFETY: the caller may have it written.
        let place = unsafe { OutPlace::new(process, ptr::null_mut(), "process") }?;
        // SAFETY: the caller says that they are as described.
        let options = unsafe { read(options) }?;
        let live = Live::open_with(pid, options).map_err(|error| of_live(&error))?;
        place.put(handles::add(ProcessObject {
            live: Mutex::new(live),
            is_self: false,
        })?);
        Ok(())
    })
}

/// Opens the calling process. `options` may be null. In a child that is forked later, open it
/// again: the handle is one of the parent's.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn backsight_self_open(
    options: *const backsight_process_options,
    process: *mut *mut backsight_process,
) -> backsight_status {
    ended(|| {
        // SAFETY: the caller may have it written.
        let place = unsafe { OutPlace::new(process, ptr::null_mut(), "process") }?;
        // SAFETY: the caller says that they are as described.
        let options = unsafe { read(options) }?;
        if options.proc_root.is_some() {
            return Err(bad_argument(
                "the calling process is in /proc: proc_root must be null",
            ));
        }
        let live = Live::of_this_with(options).map_err(|error| of_live(&error))?;
        place.put(handles::add(ProcessObject {
            live: Mutex::new(live),
            is_self: true,
        })?);
        Ok(())
    })
}

/// Closes a process.
#[unsafe(no_mangle)]
pub extern "C" fn backsight_process_close(process: *mut backsight_process) -> backsight_status {
    ended(|| handles::free::<ProcessObject>(process))
}

/// Fills `answers` with one answer for each of `count` addresses, in their order. `kind` is
/// `BACKSIGHT_ADDRESSES_STACK` or another one.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn backsight_process_symbolize(
    process: *mut backsight_process,
    addresses: *const u64,
    count: usize,
    kind: u32,
    answers: *mut backsight_answers,
) -> backsight_status {
    ended(|| {
        let process = handles::get::<ProcessObject>(process)?;
        let answers = handles::get::<AnswersObject>(answers)?;
        // SAFETY: the caller says that the addresses are there.
        let addresses = unsafe { raw::slice(addresses, count, "addresses") }?;
        let lookup = |place| match kind {
            BACKSIGHT_ADDRESSES_STACK => Ok(lookup_at(place, false)),
            BACKSIGHT_ADDRESSES_EXACT => Ok(Lookup::Exact),
            BACKSIGHT_ADDRESSES_RETURN => Ok(Lookup::Return),
            other => Err(bad_argument(format!(
                "kind is {other}: one of BACKSIGHT_ADDRESSES_… is wanted"
            ))),
        };
        lookup(0)?;
        let asked = addresses.iter().enumerate();
        let asked = asked.map(|(at, address)| Ok((AbsAddr(*address), lookup(at)?)));
        let asked = asked.collect::<Result<Vec<_>>>()?;
        symbolize(&process, &answers, asked)
    })
}

/// Fills answers with those of a process.
pub(crate) fn symbolize(
    process: &ProcessObject,
    answers: &AnswersObject,
    asked: Vec<(AbsAddr, Lookup)>,
) -> Result {
    let mut live = lock(&process.live)?;
    answers.fill(|list| {
        let begun = live.begin(asked).map_err(|error| of_live(&error))?;
        let found = begun.look_up(live.symbolizer());
        found.each(|answer| {
            list.add(answer, live.module_of(answer));
            Ok(())
        })
    })
}

/// Returns the failure that an error of a live process is.
pub(crate) fn of_live(error: &LiveError) -> Failure {
    match error {
        LiveError::Process { pid, error } => Failure::of_process(*pid, error),
        LiveError::Threads { pid, error } => Failure::of(
            format_args!("process {pid}: cannot read where its threads are"),
            error,
        ),
        other => Failure::of("process", other),
    }
}
