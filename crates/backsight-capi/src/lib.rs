//! libbacksight: the library for C and C++, over the crates of this workspace.
//!
//! [`include/backsight.h`](https://github.com/backsight/backsight/blob/main/crates/backsight-capi/include/backsight.h)
//! is made of this crate by `cargo xtask header`, with these comments.
//!
//! # Rules
//!
//! - Each call returns a status, and 0 is success. The last error of a thread has a text and the
//!   `errno`.
//! - Handles are numbers in the form of pointers. They are looked up and never followed: a handle
//!   that was freed, or of another kind, is an error. In a forked child all handles are.
//! - Structures that the caller makes begin with their size. What a version does not know must be
//!   0, and 0 is the default of each field.
//! - Structures that the library makes grow at their end, and are reached by pointers alone.
//! - No panic leaves a call.
//!
//! # Safety
//!
//! For all functions: pointers that are not null point to what their type and the function's
//! description say, until the call ends, and nobody else writes there meanwhile.

#![allow(
    unsafe_code,
    reason = "pointers of callers; each use of one is explained"
)]
#![allow(
    non_camel_case_types,
    reason = "types have the names that C has for them"
)]
#![allow(
    clippy::missing_safety_doc,
    reason = "what pointers must be is the same for all functions and is said above"
)]

mod answer_list;
mod answers;
mod failure;
mod fetch;
mod handles;
mod module;
mod module_store;
mod own_stack;
mod process;
mod profile;
mod profile_format;
mod raw;
mod reason;
mod session;
mod session_events;
mod shared_modules;
mod status;
mod strings;
mod symbol_options;
mod symbolizer;
mod symbolizer_modules;
mod symbols;
mod version;

pub use answer_list::{
    BACKSIGHT_ANSWER_FILE_OFFSET, BACKSIGHT_ANSWER_VIRTUAL_OFFSET, BACKSIGHT_FRAME_INLINED,
    BACKSIGHT_FRAME_OFFSET, BACKSIGHT_FRAME_START, backsight_answer, backsight_frame,
};
pub use answers::{
    backsight_answers, backsight_answers_at, backsight_answers_count, backsight_answers_first,
    backsight_answers_free, backsight_answers_new,
};
pub use failure::{backsight_last_errno, backsight_last_error, backsight_last_status};
pub use fetch::{
    BACKSIGHT_FETCH_DEBUG_FILE, BACKSIGHT_FETCH_FOUND, BACKSIGHT_FETCH_MODULE,
    BACKSIGHT_FETCH_NONE, BACKSIGHT_FETCH_OTHER, BACKSIGHT_FETCH_SUPPLEMENTARY, backsight_fetch,
};
pub use module::{
    BACKSIGHT_MODULE_ANONYMOUS, BACKSIGHT_MODULE_DELETED, BACKSIGHT_MODULE_FILE,
    BACKSIGHT_MODULE_FROM_MEMORY, BACKSIGHT_MODULE_INFERRED, BACKSIGHT_MODULE_KERNEL,
    BACKSIGHT_MODULE_OTHER, BACKSIGHT_MODULE_VDSO, backsight_module,
};
pub use own_stack::{backsight_self_addresses, backsight_self_stack};
pub use process::{
    BACKSIGHT_ADDRESSES_EXACT, BACKSIGHT_ADDRESSES_RETURN, BACKSIGHT_ADDRESSES_STACK,
    BACKSIGHT_PROCESS_ALL_JIT_MAPS, BACKSIGHT_PROCESS_NO_JIT_MAPS, BACKSIGHT_PROCESS_NO_KERNEL,
    BACKSIGHT_PROCESS_NO_REMAPPED_TEXT, backsight_process, backsight_process_close,
    backsight_process_open, backsight_process_options, backsight_process_symbolize,
    backsight_self_open,
};
pub use profile::{
    BACKSIGHT_PROFILE_NO_JIT_MAPS, BACKSIGHT_PROFILE_TIMES, BACKSIGHT_PROFILE_TRUST_PATHS,
    backsight_profile, backsight_profile_free, backsight_profile_info, backsight_profile_info_of,
    backsight_profile_notes, backsight_profile_options, backsight_profile_read,
    backsight_profile_symbolize, backsight_profile_write, backsight_profile_write_fd,
};
pub use profile_format::{
    BACKSIGHT_FORMAT_AUTO, BACKSIGHT_FORMAT_CPUPROFILE, BACKSIGHT_FORMAT_FIREFOX,
    BACKSIGHT_FORMAT_FOLDED, BACKSIGHT_FORMAT_LEGACY, BACKSIGHT_FORMAT_NDJSON,
    BACKSIGHT_FORMAT_PERF, BACKSIGHT_FORMAT_PERF_SCRIPT, BACKSIGHT_FORMAT_PERFETTO,
    BACKSIGHT_FORMAT_PPROF, BACKSIGHT_FORMAT_PPROF_RAW, BACKSIGHT_FORMAT_SPEEDSCOPE,
};
pub use reason::{
    BACKSIGHT_REASON_ANONYMOUS, BACKSIGHT_REASON_DELETED, BACKSIGHT_REASON_GUEST_KERNEL,
    BACKSIGHT_REASON_GUEST_USER, BACKSIGHT_REASON_HYPERVISOR, BACKSIGHT_REASON_IDENTITY_UNPROVEN,
    BACKSIGHT_REASON_KERNEL, BACKSIGHT_REASON_LIMIT, BACKSIGHT_REASON_NEEDS_PROGRAM_HEADERS,
    BACKSIGHT_REASON_NO_SYMBOLS, BACKSIGHT_REASON_NONE, BACKSIGHT_REASON_NOT_EXECUTABLE,
    BACKSIGHT_REASON_OTHER, BACKSIGHT_REASON_PROCESS_GONE, BACKSIGHT_REASON_UNMAPPED,
    BACKSIGHT_REASON_UNREADABLE, BACKSIGHT_REASON_VDSO_NO_SYMBOLS, backsight_reason_name,
};
pub use session::{
    BACKSIGHT_NO_MODULE, BACKSIGHT_SESSION_IMAGES, BACKSIGHT_SESSION_NO_BUILD_IDS,
    BACKSIGHT_SESSION_NO_SEGMENTS, BACKSIGHT_SESSION_TEXT, BACKSIGHT_SESSION_TRUST_EVENTS,
    backsight_place, backsight_session, backsight_session_close, backsight_session_module,
    backsight_session_module_count, backsight_session_normalize, backsight_session_of_events,
    backsight_session_open, backsight_session_open_self, backsight_session_options,
    backsight_session_release_images, backsight_session_virtual_offset,
};
pub use session_events::{
    BACKSIGHT_MMAP_EXECUTE, BACKSIGHT_MMAP_READ, BACKSIGHT_MMAP_SHARED, BACKSIGHT_MMAP_WRITE,
    backsight_mmap, backsight_session_invalidate, backsight_session_on_exec,
    backsight_session_on_exit, backsight_session_on_fork, backsight_session_on_mmap,
    backsight_session_on_munmap,
};
pub use shared_modules::{
    backsight_modules, backsight_modules_free, backsight_modules_new,
    backsight_modules_release_images, backsight_modules_remove,
};
pub use status::{
    BACKSIGHT_ERROR_ARGUMENT, BACKSIGHT_ERROR_BUSY, BACKSIGHT_ERROR_DENIED, BACKSIGHT_ERROR_FORKED,
    BACKSIGHT_ERROR_FORMAT, BACKSIGHT_ERROR_HANDLE, BACKSIGHT_ERROR_IN_CALLBACK,
    BACKSIGHT_ERROR_IO, BACKSIGHT_ERROR_LIMIT, BACKSIGHT_ERROR_MALFORMED,
    BACKSIGHT_ERROR_NO_SUCH_PROCESS, BACKSIGHT_ERROR_NOT_FOUND, BACKSIGHT_ERROR_NULL,
    BACKSIGHT_ERROR_OPTIONS, BACKSIGHT_ERROR_PANIC, BACKSIGHT_ERROR_PROCESS_GONE,
    BACKSIGHT_ERROR_UNSUPPORTED, BACKSIGHT_OK, backsight_status, backsight_status_name,
};
pub use strings::backsight_string;
pub use symbol_options::{
    BACKSIGHT_NAMES_ONLY, BACKSIGHT_NO_DEFAULT_DEBUG_DIR, BACKSIGHT_NO_DEMANGLE,
    BACKSIGHT_NO_INLINES, BACKSIGHT_NO_NAMED_FILES, backsight_symbol_options,
};
pub use symbolizer::{
    BACKSIGHT_ADDRESS_FILE_OFFSET, BACKSIGHT_ADDRESS_VIRTUAL, BACKSIGHT_LOOKUP_EXACT,
    BACKSIGHT_LOOKUP_RETURN, backsight_request, backsight_symbolizer, backsight_symbolizer_evict,
    backsight_symbolizer_free, backsight_symbolizer_new, backsight_symbolizer_remove,
    backsight_symbolizer_symbolize, backsight_symbolizer_usage, backsight_usage,
};
pub use symbolizer_modules::{
    backsight_module_options, backsight_symbolizer_add_build_id, backsight_symbolizer_add_bytes,
    backsight_symbolizer_add_fd, backsight_symbolizer_add_file, backsight_symbolizer_add_module,
};
pub use symbols::{
    BACKSIGHT_SYMBOL_FUNCTION, BACKSIGHT_SYMBOL_LABEL, BACKSIGHT_SYMBOL_OBJECT,
    BACKSIGHT_SYMBOL_OTHER, backsight_symbol, backsight_symbolizer_symbols, backsight_symbols,
    backsight_symbols_count, backsight_symbols_first, backsight_symbols_free,
};
pub use version::{BACKSIGHT_ABI_VERSION, backsight_abi_version, backsight_version};
