//! Where names are looked for, and what is looked up.

use std::ffi::c_char;
use std::num::NonZeroUsize;
use std::thread;

use backsight_symbolize::{Budget, IndexDir, Options};

use crate::failure::Result;
use crate::fetch::{FetchCallback, backsight_fetch};
use crate::raw::{self, SizedStruct};

/// Names of functions alone, from symbol tables: no lines, no inlined functions, and no debug
/// information is read. Takes little time and memory for large files.
pub const BACKSIGHT_NAMES_ONLY: u64 = 1;
/// No inlined functions: the physical function alone.
pub const BACKSIGHT_NO_INLINES: u64 = 2;
/// Names as the linker has them.
pub const BACKSIGHT_NO_DEMANGLE: u64 = 4;
/// No files whose paths stand in debug information.
pub const BACKSIGHT_NO_NAMED_FILES: u64 = 8;
/// Debug files in `debug_dirs` alone, not in /usr/lib/debug.
pub const BACKSIGHT_NO_DEFAULT_DEBUG_DIR: u64 = 16;

const ALL: u64 = BACKSIGHT_NAMES_ONLY
    | BACKSIGHT_NO_INLINES
    | BACKSIGHT_NO_DEMANGLE
    | BACKSIGHT_NO_NAMED_FILES
    | BACKSIGHT_NO_DEFAULT_DEBUG_DIR;

/// The default size of a directory of indexes, in bytes.
const INDEX_DIR_BYTES: u64 = 4 << 30;

/// Where names are looked for, and what is looked up. Fields that are 0 mean the default.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct backsight_symbol_options {
    /// `sizeof (backsight_symbol_options)`.
    pub size: usize,
    /// `BACKSIGHT_NAMES_ONLY` and so on.
    pub flags: u64,
    /// Directories with separate debug files, which are asked before /usr/lib/debug.
    pub debug_dirs: *const *const c_char,
    /// Their number.
    pub debug_dir_count: usize,
    /// Root directories that paths of modules begin at, such as those of containers. Of a live
    /// process, the default is its own.
    pub roots: *const *const c_char,
    /// Their number.
    pub root_count: usize,
    /// A directory where indexes are kept between runs; null for none. It must exist.
    pub index_dir: *const c_char,
    /// What it may hold, in bytes; 4 GiB by default.
    pub index_dir_bytes: u64,
    /// The threads that symbolize; as many as there are processors by default.
    pub threads: u32,
    /// Must be 0.
    pub reserved: u32,
    /// What may be kept in memory between calls, in bytes.
    pub kept_bytes: u64,
    /// What decompressing the debug information of one file may take, in bytes.
    pub unpacked_bytes: u64,
    /// Asked for files that no directory has; null for none.
    pub fetch: backsight_fetch,
    /// Passed to `fetch`.
    pub fetch_data: *mut std::ffi::c_void,
}

// SAFETY: it has numbers, pointers and an optional function, behind its size.
unsafe impl SizedStruct for backsight_symbol_options {
    const NAME: &'static str = "backsight_symbol_options";
}

/// Reads the options of a symbolizer.
///
/// # Safety
/// As for [`raw::sized`], and what it points to is as its fields say.
pub(crate) unsafe fn read(given: *const backsight_symbol_options) -> Result<Options> {
    // SAFETY: the same is promised.
    let given = unsafe { raw::sized(given) }?;
    raw::check_flags(given.flags, ALL, "backsight_symbol_options.flags")?;
    let reserved = u64::from(given.reserved);
    raw::check_flags(reserved, 0, "backsight_symbol_options.reserved")?;
    let has = |flag| given.flags & flag != 0;
    // SAFETY: the same is promised.
    let mut dirs = unsafe { raw::paths(given.debug_dirs, given.debug_dir_count, "debug_dirs") }?;
    // SAFETY: the same is promised.
    let roots = unsafe { raw::paths(given.roots, given.root_count, "roots") }?;
    // SAFETY: the same is promised.
    let index_dir = unsafe { raw::optional_path(given.index_dir, "index_dir") }?;
    let options = Options::default();
    if !has(BACKSIGHT_NO_DEFAULT_DEBUG_DIR) {
        dirs.extend_from_slice(&options.debug_dirs);
    }
    let index_bytes = or_default(given.index_dir_bytes, INDEX_DIR_BYTES);
    let mut limits = options.limits.clone();
    limits.unpacked_bytes = or_default(given.unpacked_bytes, limits.unpacked_bytes);
    let kept_bytes = Budget::default().kept_bytes;
    let budget = Budget::default().with_kept_bytes(or_default(given.kept_bytes, kept_bytes));
    let mut options = options
        .with_debug_dirs(dirs)
        .with_roots(roots)
        .with_index_dir(index_dir.map(|path| IndexDir::new(path, index_bytes)))
        .with_inlines(!has(BACKSIGHT_NO_INLINES))
        .with_demangle(!has(BACKSIGHT_NO_DEMANGLE))
        .with_named_files(!has(BACKSIGHT_NO_NAMED_FILES))
        .with_debug_info(!has(BACKSIGHT_NAMES_ONLY))
        .with_limits(limits)
        .with_budget(budget)
        .with_threads(Some(threads(given.threads)));
    let fetch = FetchCallback::new(given.fetch, given.fetch_data);
    options.fetchers.extend(fetch.map(FetchCallback::shared));
    Ok(options)
}

/// Returns the number of threads of a pool. It is never rayon's global pool: that one is not
/// there in a forked child, which would wait for it for ever.
pub(crate) fn threads(wanted: u32) -> NonZeroUsize {
    let wanted = usize::try_from(wanted).ok().and_then(NonZeroUsize::new);
    let processors = || thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
    wanted.unwrap_or_else(processors)
}

fn or_default(given: u64, default: u64) -> u64 {
    if given == 0 { default } else { given }
}
