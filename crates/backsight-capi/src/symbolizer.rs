//! Symbolizers: offsets in modules become functions, inlined frames and lines.

use std::collections::HashMap;
use std::ptr;
use std::sync::{PoisonError, RwLock};

use backsight_symbolize::{ModuleId, Place as SymbolPlace, Request, Symbolizer};
use backsight_types::{FileOffset, Lookup, VirtOffset};

use crate::answers::{AnswersObject, backsight_answers};
use crate::failure::{Failure, Result, ended};
use crate::handles::{self, Object, try_lock};
use crate::raw::{self, OutPlace, SizedStruct, bad_argument};
use crate::status::{BACKSIGHT_ERROR_NOT_FOUND, backsight_status};
use crate::symbol_options::{self, backsight_symbol_options};

/// The address is a virtual offset: what symbols and DWARF of the module have.
pub const BACKSIGHT_ADDRESS_VIRTUAL: u32 = 0;
/// The address is an offset in the file of the module.
pub const BACKSIGHT_ADDRESS_FILE_OFFSET: u32 = 1;

/// The address is that of the instruction.
pub const BACKSIGHT_LOOKUP_EXACT: u32 = 0;
/// The address is a return address, and is looked up one byte lower, where the call is.
pub const BACKSIGHT_LOOKUP_RETURN: u32 = 1;

/// Modules, and their symbols. Threads may use it at the same time, with answers of their own.
#[derive(Debug)]
pub struct backsight_symbolizer {
    _unused: [u8; 0],
}

/// An address in a module.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct backsight_request {
    /// The module, as `backsight_symbolizer_add_…` has numbered it.
    pub module: u64,
    /// The address.
    pub address: u64,
    /// `BACKSIGHT_ADDRESS_VIRTUAL` or `BACKSIGHT_ADDRESS_FILE_OFFSET`.
    pub kind: u32,
    /// `BACKSIGHT_LOOKUP_EXACT` or `BACKSIGHT_LOOKUP_RETURN`.
    pub lookup: u32,
}

/// What a symbolizer has at the moment.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct backsight_usage {
    /// `sizeof (backsight_usage)`, set by the caller.
    pub size: usize,
    /// Modules that were added and not removed.
    pub modules: u64,
    /// Those that were read.
    pub loaded: u64,
    /// Those that are indexed as a whole.
    pub indexed: u64,
    /// The memory that is kept for them, in bytes.
    pub kept_bytes: u64,
    /// How often one was dropped to keep within the budget.
    pub evicted: u64,
    /// Indexes that could not be written to the directory of indexes.
    pub not_written: u64,
}

// SAFETY: it has numbers alone, behind its size.
unsafe impl SizedStruct for backsight_usage {
    const NAME: &'static str = "backsight_usage";
}

/// A symbolizer, and the numbers that its modules have for the caller.
pub(crate) struct SymbolizerObject {
    pub(crate) symbolizer: Symbolizer,
    modules: RwLock<Numbered>,
}

/// The number of a module is one more than its place. No number is used again.
#[derive(Default)]
struct Numbered {
    ids: Vec<ModuleId>,
    numbers: HashMap<ModuleId, u64>,
}

impl Object for SymbolizerObject {
    type Handle = backsight_symbolizer;
    const NAME: &'static str = "a symbolizer";
}

impl SymbolizerObject {
    /// Numbers a module, or returns the number that it has.
    pub(crate) fn number(&self, id: ModuleId) -> u64 {
        let mut modules = self.modules.write().unwrap_or_else(PoisonError::into_inner);
        let Numbered { ids, numbers } = &mut *modules;
        *numbers.entry(id).or_insert_with(|| {
            ids.push(id);
            u64::try_from(ids.len()).unwrap_or(u64::MAX)
        })
    }

    /// Returns a module by its number.
    pub(crate) fn module(&self, number: u64) -> Result<ModuleId> {
        let modules = self.modules.read().unwrap_or_else(PoisonError::into_inner);
        let place = number
            .checked_sub(1)
            .and_then(|at| usize::try_from(at).ok());
        let found = place.and_then(|at| modules.ids.get(at));
        found.copied().ok_or_else(|| {
            let message = format!("the symbolizer has no module {number}");
            Failure::new(BACKSIGHT_ERROR_NOT_FOUND, message)
        })
    }
}

/// Makes a symbolizer. `options` may be null.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn backsight_symbolizer_new(
    options: *const backsight_symbol_options,
    symbolizer: *mut *mut backsight_symbolizer,
) -> backsight_status {
    ended(|| {
        // SAFETY: the caller may have it written.
        let place = unsafe { OutPlace::new(symbolizer, ptr::null_mut(), "symbolizer") }?;
        // SAFETY: the caller says that they are as described.
        let options = unsafe { symbol_options::read(options) }?;
        place.put(handles::add(SymbolizerObject {
            symbolizer: Symbolizer::new(options),
            modules: RwLock::default(),
        })?);
        Ok(())
    })
}

/// Frees a symbolizer. Answers that it has filled are kept.
#[unsafe(no_mangle)]
pub extern "C" fn backsight_symbolizer_free(
    symbolizer: *mut backsight_symbolizer,
) -> backsight_status {
    ended(|| handles::free::<SymbolizerObject>(symbolizer))
}

/// Fills `answers` with one answer for each of `count` requests, in their order.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn backsight_symbolizer_symbolize(
    symbolizer: *const backsight_symbolizer,
    requests: *const backsight_request,
    count: usize,
    answers: *mut backsight_answers,
) -> backsight_status {
    ended(|| {
        let of = handles::get::<SymbolizerObject>(symbolizer)?;
        let answers = handles::get::<AnswersObject>(answers)?;
        // SAFETY: the caller says that the requests are there.
        let given = unsafe { raw::slice(requests, count, "requests") }?;
        let requests = given.iter().map(|request| read(&of, request));
        let requests = requests.collect::<Result<Vec<Request>>>()?;
        answers.fill(|list| {
            let mut found = try_lock(&answers.found)?;
            of.symbolizer.symbolize_into(&requests, &mut found);
            for ((given, request), answer) in given.iter().zip(&requests).zip(found.iter()) {
                let (virt, file) = match request.place {
                    SymbolPlace::Virt(virt) => (Some(virt), None),
                    SymbolPlace::File(file) => (None, Some(file)),
                    _ => (None, None),
                };
                list.add_stack(given.address, virt, file, &answer);
            }
            // The tables that they point into are not kept longer than the symbolizer keeps them.
            found.clear();
            Ok(())
        })
    })
}

fn read(of: &SymbolizerObject, request: &backsight_request) -> Result<Request> {
    let place = match request.kind {
        BACKSIGHT_ADDRESS_VIRTUAL => SymbolPlace::Virt(VirtOffset(request.address)),
        BACKSIGHT_ADDRESS_FILE_OFFSET => SymbolPlace::File(FileOffset(request.address)),
        other => {
            return Err(bad_argument(format!(
                "backsight_request.kind is {other}: one of BACKSIGHT_ADDRESS_… is wanted"
            )));
        }
    };
    let lookup = match request.lookup {
        BACKSIGHT_LOOKUP_EXACT => Lookup::Exact,
        BACKSIGHT_LOOKUP_RETURN => Lookup::Return,
        other => {
            return Err(bad_argument(format!(
                "backsight_request.lookup is {other}: one of BACKSIGHT_LOOKUP_… is wanted"
            )));
        }
    };
    Ok(Request::new(of.module(request.module)?, place, lookup))
}

/// Forgets a module. Its number is not used again, unless the same module is added.
#[unsafe(no_mangle)]
pub extern "C" fn backsight_symbolizer_remove(
    symbolizer: *mut backsight_symbolizer,
    module: u64,
) -> backsight_status {
    ended(|| {
        let of = handles::get::<SymbolizerObject>(symbolizer)?;
        match of.symbolizer.remove(of.module(module)?) {
            true => Ok(()),
            false => Err(Failure::new(
                BACKSIGHT_ERROR_NOT_FOUND,
                format!("module {module} was removed before"),
            )),
        }
    })
}

/// Drops what was read of modules until at most `bytes` are kept. They are read again when they
/// are needed.
#[unsafe(no_mangle)]
pub extern "C" fn backsight_symbolizer_evict(
    symbolizer: *mut backsight_symbolizer,
    bytes: u64,
) -> backsight_status {
    ended(|| {
        let of = handles::get::<SymbolizerObject>(symbolizer)?;
        of.symbolizer.evict(bytes);
        Ok(())
    })
}

/// Sets `*usage`, as far as its `size` says, to what the symbolizer has at the moment.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn backsight_symbolizer_usage(
    symbolizer: *const backsight_symbolizer,
    usage: *mut backsight_usage,
) -> backsight_status {
    ended(|| {
        let of = handles::get::<SymbolizerObject>(symbolizer)?;
        if usage.is_null() {
            return Err(raw::null("usage"));
        }
        let now = of.symbolizer.usage();
        let count = |it: usize| u64::try_from(it).unwrap_or(u64::MAX);
        let now = backsight_usage {
            size: 0,
            modules: count(now.modules),
            loaded: count(now.loaded),
            indexed: count(now.indexed),
            kept_bytes: now.kept_bytes,
            evicted: now.evicted,
            not_written: count(now.not_written),
        };
        // SAFETY: the caller says that it has its size and may be written.
        unsafe { raw::put_sized(usage, &now) }
    })
}
