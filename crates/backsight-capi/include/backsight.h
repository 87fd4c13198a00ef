/* libbacksight: from stack addresses to functions and lines.
 *
 * Written by `cargo xtask header`: change crates/backsight-capi/src instead.
 *
 * Calls return BACKSIGHT_OK or the number of an error, of which backsight_last_error() tells more.
 * Structures that you make begin with their size; set what you do not use to 0, which is the
 * default of each field:
 *
 *     backsight_symbol_options options = { .size = sizeof options, .flags = BACKSIGHT_NAMES_ONLY };
 *
 * Structures that the library makes may have more fields in later versions: use pointers to them
 * alone. Handles are no addresses: one that was freed, or is of another kind, is an error. In a
 * forked child all are, and new ones are to be made. Sizes and offsets are in bytes.
 */

#ifndef BACKSIGHT_H
#define BACKSIGHT_H

#include <stddef.h>
#include <stdint.h>

/**
 * `file_offset` of an answer is known.
 */
#define BACKSIGHT_ANSWER_FILE_OFFSET 1

/**
 * `virtual_offset` of an answer is known.
 */
#define BACKSIGHT_ANSWER_VIRTUAL_OFFSET 2

/**
 * `start` of a frame is known.
 */
#define BACKSIGHT_FRAME_START 1

/**
 * `offset` of a frame is known.
 */
#define BACKSIGHT_FRAME_OFFSET 2

/**
 * The function was inlined into that of the next frame.
 */
#define BACKSIGHT_FRAME_INLINED 4

/**
 * What a fetch callback returns if it has opened the file.
 */
#define BACKSIGHT_FETCH_FOUND 0

/**
 * What a fetch callback returns if it has no such file.
 */
#define BACKSIGHT_FETCH_NONE -1

/**
 * A module itself is wanted.
 */
#define BACKSIGHT_FETCH_MODULE 0

/**
 * The separate debug file of a module is wanted.
 */
#define BACKSIGHT_FETCH_DEBUG_FILE 1

/**
 * A file that debug information of several modules refers to is wanted (dwz).
 */
#define BACKSIGHT_FETCH_SUPPLEMENTARY 2

/**
 * A file of another kind is wanted.
 */
#define BACKSIGHT_FETCH_OTHER 65535

/**
 * A file, or a memfd.
 */
#define BACKSIGHT_MODULE_FILE 0

/**
 * The vDSO: code that the kernel maps into every process.
 */
#define BACKSIGHT_MODULE_VDSO 1

/**
 * The kernel's image, or one of its modules.
 */
#define BACKSIGHT_MODULE_KERNEL 2

/**
 * Memory without a file, with code that was made at run time.
 */
#define BACKSIGHT_MODULE_ANONYMOUS 3

/**
 * A kind that this version has no number for.
 */
#define BACKSIGHT_MODULE_OTHER 65535

/**
 * The file was deleted or replaced since it was mapped.
 */
#define BACKSIGHT_MODULE_DELETED 1

/**
 * Headers and build ID were read from the process's memory, since the file cannot be opened.
 */
#define BACKSIGHT_MODULE_FROM_MEMORY 2

/**
 * No mapping says that the code is of this file: it was moved to memory without a file.
 */
#define BACKSIGHT_MODULE_INFERRED 4

/**
 * The first address is that of an instruction, and the others are return addresses: a stack.
 */
#define BACKSIGHT_ADDRESSES_STACK 0

/**
 * All addresses are those of instructions.
 */
#define BACKSIGHT_ADDRESSES_EXACT 1

/**
 * All addresses are return addresses.
 */
#define BACKSIGHT_ADDRESSES_RETURN 2

/**
 * Names of code that the process made at run time are not read.
 */
#define BACKSIGHT_PROCESS_NO_JIT_MAPS 1

/**
 * Names of code made at run time are also read where another user may have written them.
 */
#define BACKSIGHT_PROCESS_ALL_JIT_MAPS 2

/**
 * Addresses of the kernel get no names.
 */
#define BACKSIGHT_PROCESS_NO_KERNEL 4

/**
 * Text that the program moved to memory without a file is not recovered.
 */
#define BACKSIGHT_PROCESS_NO_REMAPPED_TEXT 8

/**
 * Samples keep their times. Without it, samples that differ only in time are summed, and formats
 * that have times cannot be written.
 */
#define BACKSIGHT_PROFILE_TIMES 1

/**
 * A file is accepted by its path alone, if neither a build ID nor device and inode can prove that
 * it is the recorded one.
 */
#define BACKSIGHT_PROFILE_TRUST_PATHS 2

/**
 * Names of code made at run time are not read.
 */
#define BACKSIGHT_PROFILE_NO_JIT_MAPS 4

/**
 * Recognized by content or else by name when reading, and by name when writing.
 */
#define BACKSIGHT_FORMAT_AUTO 0

/**
 * The file or directory that `perf record` writes. Read alone.
 */
#define BACKSIGHT_FORMAT_PERF 1

/**
 * profile.proto, packed by gzip when it is written.
 */
#define BACKSIGHT_FORMAT_PPROF 2

/**
 * profile.proto, not packed when it is written.
 */
#define BACKSIGHT_FORMAT_PPROF_RAW 3

/**
 * NDJSON of the command `backsight`.
 */
#define BACKSIGHT_FORMAT_NDJSON 4

/**
 * Folded stacks, one a line.
 */
#define BACKSIGHT_FORMAT_FOLDED 5

/**
 * Profiles of gperftools, tcmalloc, jemalloc and Go (debug=1). Read alone.
 */
#define BACKSIGHT_FORMAT_LEGACY 6

/**
 * The text of `perf script`. Read alone.
 */
#define BACKSIGHT_FORMAT_PERF_SCRIPT 7

/**
 * speedscope's JSON.
 */
#define BACKSIGHT_FORMAT_SPEEDSCOPE 8

/**
 * The JSON of V8. Read alone.
 */
#define BACKSIGHT_FORMAT_CPUPROFILE 9

/**
 * A trace of Perfetto. Read alone.
 */
#define BACKSIGHT_FORMAT_PERFETTO 10

/**
 * The JSON of the Firefox Profiler. Written alone.
 */
#define BACKSIGHT_FORMAT_FIREFOX 11

/**
 * There is an answer, and nothing is missing in it.
 */
#define BACKSIGHT_REASON_NONE 0

/**
 * A reason that this version has no number for.
 */
#define BACKSIGHT_REASON_OTHER 65535

/**
 * No mapping covers the address.
 */
#define BACKSIGHT_REASON_UNMAPPED 1

/**
 * The mapping is not executable.
 */
#define BACKSIGHT_REASON_NOT_EXECUTABLE 2

/**
 * Executable memory without a file, usually just-in-time compiled code.
 */
#define BACKSIGHT_REASON_ANONYMOUS 3

/**
 * In the vDSO, whose image could not be read or has no symbol there.
 */
#define BACKSIGHT_REASON_VDSO_NO_SYMBOLS 4

/**
 * In the kernel.
 */
#define BACKSIGHT_REASON_KERNEL 5

/**
 * The file was deleted or replaced, and can no longer be opened.
 */
#define BACKSIGHT_REASON_DELETED 6

/**
 * The file cannot be opened or read, or is not an ELF file.
 */
#define BACKSIGHT_REASON_UNREADABLE 7

/**
 * There is a file at the path, but nothing proves that it is the mapped one.
 */
#define BACKSIGHT_REASON_IDENTITY_UNPROVEN 8

/**
 * The file has neither a symbol nor debug information for the address.
 */
#define BACKSIGHT_REASON_NO_SYMBOLS 9

/**
 * Only a file offset is known, and the program headers that convert it are not available.
 */
#define BACKSIGHT_REASON_NEEDS_PROGRAM_HEADERS 10

/**
 * A limit on memory, depth or work was reached.
 */
#define BACKSIGHT_REASON_LIMIT 11

/**
 * The process ended before the address was looked up.
 */
#define BACKSIGHT_REASON_PROCESS_GONE 12

/**
 * In the kernel of a virtual machine, whose mappings are not known.
 */
#define BACKSIGHT_REASON_GUEST_KERNEL 13

/**
 * In a program that runs in a virtual machine.
 */
#define BACKSIGHT_REASON_GUEST_USER 14

/**
 * In the hypervisor below the kernel.
 */
#define BACKSIGHT_REASON_HYPERVISOR 15

/**
 * The files of modules are kept open, for `backsight_symbolizer_add_module`. Takes a descriptor
 * for each, until `backsight_session_release_images`.
 */
#define BACKSIGHT_SESSION_IMAGES 1

/**
 * Nothing is asked twice: the caller reports each change of the process.
 */
#define BACKSIGHT_SESSION_TRUST_EVENTS 2

/**
 * No build IDs are read.
 */
#define BACKSIGHT_SESSION_NO_BUILD_IDS 4

/**
 * No program headers are read, and there are no virtual offsets.
 */
#define BACKSIGHT_SESSION_NO_SEGMENTS 8

/**
 * The memory map is read as text, also where the kernel answers queries.
 */
#define BACKSIGHT_SESSION_TEXT 16

/**
 * The `module` of a place that is in none.
 */
#define BACKSIGHT_NO_MODULE 4294967295

/**
 * The mapping may be executed.
 */
#define BACKSIGHT_MMAP_EXECUTE 4

/**
 * The mapping may be written.
 */
#define BACKSIGHT_MMAP_WRITE 2

/**
 * The mapping may be read.
 */
#define BACKSIGHT_MMAP_READ 1

/**
 * The mapping is shared.
 */
#define BACKSIGHT_MMAP_SHARED 8

/**
 * Names of functions alone, from symbol tables: no lines, no inlined functions, and no debug
 * information is read. Takes little time and memory for large files.
 */
#define BACKSIGHT_NAMES_ONLY 1

/**
 * No inlined functions: the physical function alone.
 */
#define BACKSIGHT_NO_INLINES 2

/**
 * Names as the linker has them.
 */
#define BACKSIGHT_NO_DEMANGLE 4

/**
 * No files whose paths stand in debug information.
 */
#define BACKSIGHT_NO_NAMED_FILES 8

/**
 * Debug files in `debug_dirs` alone, not in /usr/lib/debug.
 */
#define BACKSIGHT_NO_DEFAULT_DEBUG_DIR 16

/**
 * The address is a virtual offset: what symbols and DWARF of the module have.
 */
#define BACKSIGHT_ADDRESS_VIRTUAL 0

/**
 * The address is an offset in the file of the module.
 */
#define BACKSIGHT_ADDRESS_FILE_OFFSET 1

/**
 * The address is that of the instruction.
 */
#define BACKSIGHT_LOOKUP_EXACT 0

/**
 * The address is a return address, and is looked up one byte lower, where the call is.
 */
#define BACKSIGHT_LOOKUP_RETURN 1

/**
 * Code with a beginning and an end.
 */
#define BACKSIGHT_SYMBOL_FUNCTION 0

/**
 * Data.
 */
#define BACKSIGHT_SYMBOL_OBJECT 1

/**
 * A place in code that assembly gives a name to.
 */
#define BACKSIGHT_SYMBOL_LABEL 2

/**
 * A kind that this version has no number for.
 */
#define BACKSIGHT_SYMBOL_OTHER 65535

/**
 * The version of the binary interface that this header describes. It grows when something is
 * added. The soname of the library changes when something that was there becomes different.
 */
#define BACKSIGHT_ABI_VERSION 1

/**
 * The answers of one call at a time. Make them once and use them for many calls, which then
 * allocate little. Each thread needs its own.
 */
typedef struct backsight_answers backsight_answers;

/**
 * Modules that several sessions share: the build ID of a library is read once for all processes
 * that map it, and a module has the same index in all of them. Threads may share it.
 */
typedef struct backsight_modules backsight_modules;

/**
 * A live process, and the symbols of the files that it has mapped. Files that it maps later are
 * found when an address in them is asked for. One thread uses it at a time; others wait.
 */
typedef struct backsight_process backsight_process;

/**
 * A profile. One thread uses it at a time; others wait.
 */
typedef struct backsight_profile backsight_profile;

/**
 * A process whose addresses are normalized in many calls. One thread uses it at a time; others
 * wait.
 */
typedef struct backsight_session backsight_session;

/**
 * Modules, and their symbols. Threads may use it at the same time, with answers of their own.
 */
typedef struct backsight_symbolizer backsight_symbolizer;

/**
 * A list of symbols. Nothing changes it, and threads may share it.
 */
typedef struct backsight_symbols backsight_symbols;

/**
 * What a call returns: `BACKSIGHT_OK`, or why it failed. Numbers are added and never change.
 */
typedef int32_t backsight_status;

/**
 * A text. Names of functions are UTF-8; paths are bytes as the kernel has them. A NUL follows
 * the last byte. A text with NUL bytes inside is longer than `strlen` says.
 */
typedef struct backsight_string {
  /**
   * The bytes; null if there is no text, which is not the same as an empty one.
   */
  const char *data;
  /**
   * Their number, without the NUL.
   */
  size_t len;
} backsight_string;

/**
 * One call level at an address. Later versions add fields at the end: do not make or copy one.
 */
typedef struct backsight_frame {
  /**
   * The function that this one was inlined into; null after the last, which has code of its
   * own.
   */
  const struct backsight_frame *next;
  /**
   * The function, demangled.
   */
  struct backsight_string function;
  /**
   * Its name as the linker has it, if that is another one.
   */
  struct backsight_string linkage_name;
  /**
   * The source file.
   */
  struct backsight_string file;
  /**
   * The line, counted from 1; 0 if it is not known.
   */
  uint32_t line;
  /**
   * The column, counted from 1; 0 if it is not known.
   */
  uint32_t column;
  /**
   * The line that the function starts on; 0 if it is not known.
   */
  uint32_t start_line;
  /**
   * `BACKSIGHT_FRAME_START` and so on.
   */
  uint32_t flags;
  /**
   * Where the function starts, in virtual offsets of its file.
   */
  uint64_t start;
  /**
   * How far behind the start of the function the address is, in bytes.
   */
  uint64_t offset;
} backsight_frame;

/**
 * A mapped file, or what takes the place of one. Later versions add fields at the end: do not
 * make or copy one.
 */
typedef struct backsight_module {
  /**
   * Its path, as the process names it.
   */
  struct backsight_string path;
  /**
   * Its build ID; `data` is null if it has none. Bytes, not digits.
   */
  struct backsight_string build_id;
  /**
   * One of `BACKSIGHT_MODULE_FILE` and so on.
   */
  uint32_t kind;
  /**
   * `BACKSIGHT_MODULE_DELETED` and so on.
   */
  uint32_t flags;
  /**
   * Why its file cannot be read: one of `BACKSIGHT_REASON_…`, 0 if it can.
   */
  uint32_t unreadable;
  /**
   * Its place in the session's list of modules. In answers, equal numbers are one module.
   */
  uint32_t index;
  /**
   * The device of its file.
   */
  uint32_t device_major;
  /**
   * The device of its file.
   */
  uint32_t device_minor;
  /**
   * The inode of its file.
   */
  uint64_t inode;
} backsight_module;

/**
 * What is known of one address. Later versions add fields at the end: do not make or copy one.
 */
typedef struct backsight_answer {
  /**
   * The answer for the next address; null after the last.
   */
  const struct backsight_answer *next;
  /**
   * The innermost frame; null if there is none, which `reason` then explains.
   */
  const struct backsight_frame *frames;
  /**
   * The number of frames.
   */
  size_t frame_count;
  /**
   * The module that the address is in; null if it is in none, or not known here.
   */
  const struct backsight_module *module;
  /**
   * The address as it was asked for.
   */
  uint64_t address;
  /**
   * The address as an offset in the file of the module.
   */
  uint64_t file_offset;
  /**
   * The address as symbols and DWARF of the module have it.
   */
  uint64_t virtual_offset;
  /**
   * Why there are no frames, or why something is missing in them: `BACKSIGHT_REASON_…`.
   */
  uint32_t reason;
  /**
   * `BACKSIGHT_ANSWER_FILE_OFFSET` and so on.
   */
  uint32_t flags;
} backsight_answer;

/**
 * Brings a file by its build ID. `build_id` has `build_id_len` bytes; `path` is where the module
 * stood, or null; `kind` is one of `BACKSIGHT_FETCH_MODULE` and so on. All are there during the
 * call alone.
 *
 * Returns `BACKSIGHT_FETCH_FOUND` and sets `*fd` to a descriptor that is open for reading, which
 * the library closes; `BACKSIGHT_FETCH_NONE`; or an `errno` that says why the file cannot be had,
 * though it may be there. A file with another build ID is not used.
 *
 * It is called by several threads at once, and asked once for each file of a module. It must not
 * call this library, but for the functions that return names and the last error. It must not
 * leave by `longjmp`; a C++ exception that leaves it ends the process.
 */
typedef int (*backsight_fetch)(void *data,
                               const uint8_t *build_id,
                               size_t build_id_len,
                               const char *path,
                               uint32_t kind,
                               int *fd);

/**
 * Where names are looked for, and what is looked up. Fields that are 0 mean the default.
 */
typedef struct backsight_symbol_options {
  /**
   * `sizeof (backsight_symbol_options)`.
   */
  size_t size;
  /**
   * `BACKSIGHT_NAMES_ONLY` and so on.
   */
  uint64_t flags;
  /**
   * Directories with separate debug files, which are asked before /usr/lib/debug.
   */
  const char *const *debug_dirs;
  /**
   * Their number.
   */
  size_t debug_dir_count;
  /**
   * Root directories that paths of modules begin at, such as those of containers. Of a live
   * process, the default is its own.
   */
  const char *const *roots;
  /**
   * Their number.
   */
  size_t root_count;
  /**
   * A directory where indexes are kept between runs; null for none. It must exist.
   */
  const char *index_dir;
  /**
   * What it may hold, in bytes; 4 GiB by default.
   */
  uint64_t index_dir_bytes;
  /**
   * The threads that symbolize; as many as there are processors by default.
   */
  uint32_t threads;
  /**
   * Must be 0.
   */
  uint32_t reserved;
  /**
   * What may be kept in memory between calls, in bytes.
   */
  uint64_t kept_bytes;
  /**
   * What decompressing the debug information of one file may take, in bytes.
   */
  uint64_t unpacked_bytes;
  /**
   * Asked for files that no directory has; null for none.
   */
  backsight_fetch fetch;
  /**
   * Passed to `fetch`.
   */
  void *fetch_data;
} backsight_symbol_options;

/**
 * How a process is opened. Fields that are 0 mean the default.
 */
typedef struct backsight_process_options {
  /**
   * `sizeof (backsight_process_options)`.
   */
  size_t size;
  /**
   * `BACKSIGHT_PROCESS_NO_JIT_MAPS` and so on.
   */
  uint64_t flags;
  /**
   * Where names are looked for; null for the default.
   */
  const struct backsight_symbol_options *symbols;
  /**
   * The directory to use instead of /proc; null for /proc. Not of the calling process.
   */
  const char *proc_root;
  /**
   * The directory with `proc`, `sys`, `boot` and `lib` of the kernel; null for `/`.
   */
  const char *kernel_root;
} backsight_process_options;

/**
 * How a profile is read. Fields that are 0 mean the default.
 */
typedef struct backsight_profile_options {
  /**
   * `sizeof (backsight_profile_options)`.
   */
  size_t size;
  /**
   * `BACKSIGHT_PROFILE_TIMES` and so on.
   */
  uint64_t flags;
  /**
   * Where files and names are looked for; null for the default.
   */
  const struct backsight_symbol_options *symbols;
  /**
   * The event of a recording whose samples are taken; null for all.
   */
  const char *event;
  /**
   * One of `BACKSIGHT_FORMAT_…`; recognized by content by default.
   */
  uint32_t format;
  /**
   * Must be 0.
   */
  uint32_t reserved;
  /**
   * Limit of memory for formats that are read as a whole, in bytes.
   */
  uint64_t max_memory;
} backsight_profile_options;

/**
 * What a profile has.
 */
typedef struct backsight_profile_info {
  /**
   * `sizeof (backsight_profile_info)`, set by the caller.
   */
  size_t size;
  /**
   * Samples, after equal ones were summed.
   */
  uint64_t samples;
  /**
   * Different stacks.
   */
  uint64_t stacks;
  /**
   * Different addresses.
   */
  uint64_t locations;
  /**
   * Those of them that have no function.
   */
  uint64_t unnamed;
  /**
   * Malformed parts of the input. `backsight_profile_notes` says which.
   */
  uint64_t malformed;
  /**
   * Records that the recorder lost.
   */
  uint64_t lost;
} backsight_profile_info;

/**
 * How a process is opened. Fields that are 0 mean the default.
 */
typedef struct backsight_session_options {
  /**
   * `sizeof (backsight_session_options)`.
   */
  size_t size;
  /**
   * `BACKSIGHT_SESSION_IMAGES` and so on.
   */
  uint64_t flags;
  /**
   * The directory to use instead of /proc; null for /proc.
   */
  const char *proc_root;
  /**
   * The table that modules are put into; null for one of its own.
   */
  struct backsight_modules *modules;
} backsight_session_options;

/**
 * Where an address is.
 */
typedef struct backsight_place {
  /**
   * The index of the module; `BACKSIGHT_NO_MODULE` if it is in none.
   */
  uint32_t module;
  /**
   * Why it is in none: `BACKSIGHT_REASON_…`; 0 if it is in one.
   */
  uint32_t reason;
  /**
   * The offset in the file of the module.
   */
  uint64_t file_offset;
} backsight_place;

/**
 * A mapping, as a record MMAP2 of perf tells it. What is 0 is not known.
 */
typedef struct backsight_mmap {
  /**
   * `sizeof (backsight_mmap)`.
   */
  size_t size;
  /**
   * The first address.
   */
  uint64_t start;
  /**
   * The first address behind it.
   */
  uint64_t end;
  /**
   * The offset of the first byte in the file.
   */
  uint64_t file_offset;
  /**
   * `BACKSIGHT_MMAP_READ` and so on.
   */
  uint32_t flags;
  /**
   * The device of the file.
   */
  uint32_t device_major;
  /**
   * The device of the file.
   */
  uint32_t device_minor;
  /**
   * The number of bytes of `build_id`, at most 64.
   */
  uint32_t build_id_len;
  /**
   * The inode of the file.
   */
  uint64_t inode;
  /**
   * The build ID, or null.
   */
  const uint8_t *build_id;
  /**
   * The name: a path, `[vdso]`, `//anon` or nothing. Any bytes but NUL.
   */
  const char *name;
  /**
   * The number of bytes of `name`, without a NUL behind.
   */
  size_t name_len;
} backsight_mmap;

/**
 * An address in a module.
 */
typedef struct backsight_request {
  /**
   * The module, as `backsight_symbolizer_add_…` has numbered it.
   */
  uint64_t module;
  /**
   * The address.
   */
  uint64_t address;
  /**
   * `BACKSIGHT_ADDRESS_VIRTUAL` or `BACKSIGHT_ADDRESS_FILE_OFFSET`.
   */
  uint32_t kind;
  /**
   * `BACKSIGHT_LOOKUP_EXACT` or `BACKSIGHT_LOOKUP_RETURN`.
   */
  uint32_t lookup;
} backsight_request;

/**
 * What a symbolizer has at the moment.
 */
typedef struct backsight_usage {
  /**
   * `sizeof (backsight_usage)`, set by the caller.
   */
  size_t size;
  /**
   * Modules that were added and not removed.
   */
  uint64_t modules;
  /**
   * Those that were read.
   */
  uint64_t loaded;
  /**
   * Those that are indexed as a whole.
   */
  uint64_t indexed;
  /**
   * The memory that is kept for them, in bytes.
   */
  uint64_t kept_bytes;
  /**
   * How often one was dropped to keep within the budget.
   */
  uint64_t evicted;
  /**
   * Indexes that could not be written to the directory of indexes.
   */
  uint64_t not_written;
} backsight_usage;

/**
 * How a module is added. Fields that are 0 mean the default.
 */
typedef struct backsight_module_options {
  /**
   * `sizeof (backsight_module_options)`.
   */
  size_t size;
  /**
   * Root directories for this module alone, where its debug file is looked for first, such as
   * `/proc/PID/root` of a container. By default those of the symbolizer.
   */
  const char *const *roots;
  /**
   * Their number.
   */
  size_t root_count;
  /**
   * The build ID that it must have: another file is not used. Null if it is not known.
   */
  const uint8_t *build_id;
  /**
   * Its number of bytes, at most 64.
   */
  size_t build_id_len;
} backsight_module_options;

/**
 * A function, object or label. Later versions add fields at the end: do not make or copy one.
 */
typedef struct backsight_symbol {
  /**
   * The next one, by virtual offset and then by name; null after the last.
   */
  const struct backsight_symbol *next;
  /**
   * Its name for people: demangled, if it can be.
   */
  struct backsight_string name;
  /**
   * Its name for the linker.
   */
  struct backsight_string linkage_name;
  /**
   * The source file of a function.
   */
  struct backsight_string file;
  /**
   * The line in it, counted from 1; 0 if it is not known.
   */
  uint32_t line;
  /**
   * `BACKSIGHT_SYMBOL_FUNCTION` and so on.
   */
  uint32_t kind;
  /**
   * The virtual offset of its first byte.
   */
  uint64_t start;
  /**
   * In bytes; 0 if it is not known.
   */
  uint64_t bytes;
} backsight_symbol;

/**
 * Done.
 */
#define BACKSIGHT_OK 0

/**
 * A pointer that must not be null is null.
 */
#define BACKSIGHT_ERROR_NULL 1

/**
 * Not a handle, one of another kind, or one that was freed.
 */
#define BACKSIGHT_ERROR_HANDLE 2

/**
 * The handle was made before this process was forked. Make another one here.
 */
#define BACKSIGHT_ERROR_FORKED 3

/**
 * A structure has a `size` that is too small, or sets a field or flag that this version of
 * the library does not have.
 */
#define BACKSIGHT_ERROR_OPTIONS 4

/**
 * An argument has a value that it cannot have.
 */
#define BACKSIGHT_ERROR_ARGUMENT 5

/**
 * Another call is writing these answers.
 */
#define BACKSIGHT_ERROR_BUSY 6

/**
 * The call was made from inside a callback.
 */
#define BACKSIGHT_ERROR_IN_CALLBACK 7

/**
 * There is no such process, or it is hidden from this user.
 */
#define BACKSIGHT_ERROR_NO_SUCH_PROCESS 8

/**
 * The process has ended, or runs another program now.
 */
#define BACKSIGHT_ERROR_PROCESS_GONE 9

/**
 * This user may not do that.
 */
#define BACKSIGHT_ERROR_DENIED 10

/**
 * The kernel, or this build, cannot do that.
 */
#define BACKSIGHT_ERROR_UNSUPPORTED 11

/**
 * A system call failed: see `backsight_last_errno`.
 */
#define BACKSIGHT_ERROR_IO 12

/**
 * A file or text is damaged, or not of the format that it should have.
 */
#define BACKSIGHT_ERROR_MALFORMED 13

/**
 * The format of a profile is not recognized, or does not exist.
 */
#define BACKSIGHT_ERROR_FORMAT 14

/**
 * A limit on memory was reached.
 */
#define BACKSIGHT_ERROR_LIMIT 15

/**
 * The library has a bug, which was caught. The handles of the call can only be freed.
 */
#define BACKSIGHT_ERROR_PANIC 16

/**
 * There is no such module or event.
 */
#define BACKSIGHT_ERROR_NOT_FOUND 17

#ifdef __cplusplus
extern "C" {
#endif // __cplusplus

/**
 * Makes answers, with none in it.
 */
backsight_status backsight_answers_new(struct backsight_answers **answers);

/**
 * Frees answers, and all that was borrowed from them.
 */
backsight_status backsight_answers_free(struct backsight_answers *answers);

/**
 * Returns the first answer, which leads to all others; null if there is none. They are in the
 * order of the addresses, one for each. All that is reached from here is there until a call
 * fills or frees these answers.
 */
const struct backsight_answer *backsight_answers_first(const struct backsight_answers *answers);

/**
 * Returns the answer for the address at this place of the call; null if there are fewer.
 */
const struct backsight_answer *backsight_answers_at(const struct backsight_answers *answers,
                                                    size_t place);

/**
 * Returns the number of answers; 0 if these are none.
 */
size_t backsight_answers_count(const struct backsight_answers *answers);

/**
 * Returns what the last failed call of this thread says: the file or process, the cause and,
 * where there is one, the way out. `""` if none failed. The text is there until the next
 * failed call of this thread. A call that succeeds does not change it.
 */
const char *backsight_last_error(void);

/**
 * Returns the status of the last failed call of this thread; `BACKSIGHT_OK` if none failed.
 */
backsight_status backsight_last_status(void);

/**
 * Returns the `errno` of the system call that made the last failed call of this thread fail; 0
 * if none did.
 */
int backsight_last_errno(void);

extern int _Unwind_Backtrace(int (*visit)(void*, void*), void *data);

extern size_t _Unwind_GetIPInfo(void *context, int *is_exact);

extern void *_Unwind_FindEnclosingFunction(void *address);

/**
 * Sets `addresses` to the return addresses of the calling thread's stack, innermost first: the
 * first is in the caller of this function. `*count` is set to their number, at most `max`.
 * Allocates nothing, and takes no lock of this library.
 *
 * All are for `BACKSIGHT_ADDRESSES_RETURN`: where a signal interrupted a function, it is the
 * address of the instruction and 1.
 */
backsight_status backsight_self_addresses(uint64_t *addresses, size_t max, size_t *count);

/**
 * Fills `answers` with the stack of the calling thread, innermost first: the first answer is of
 * the caller of this function, unless `skip` leaves that and more out. `process` is from
 * `backsight_self_open`. Libraries that were loaded meanwhile are found.
 */
backsight_status backsight_self_stack(struct backsight_process *process,
                                      size_t skip,
                                      struct backsight_answers *answers);

/**
 * Opens a process. `options` may be null.
 */
backsight_status backsight_process_open(uint32_t pid,
                                        const struct backsight_process_options *options,
                                        struct backsight_process **process);

/**
 * Opens the calling process. `options` may be null. In a child that is forked later, open it
 * again: the handle is one of the parent's.
 */
backsight_status backsight_self_open(const struct backsight_process_options *options,
                                     struct backsight_process **process);

/**
 * Closes a process.
 */
backsight_status backsight_process_close(struct backsight_process *process);

/**
 * Fills `answers` with one answer for each of `count` addresses, in their order. `kind` is
 * `BACKSIGHT_ADDRESSES_STACK` or another one.
 */
backsight_status backsight_process_symbolize(struct backsight_process *process,
                                             const uint64_t *addresses,
                                             size_t count,
                                             uint32_t kind,
                                             struct backsight_answers *answers);

/**
 * Reads a profile from a file, or a recording of `perf record` from its file or directory. It has
 * no more names than the file has; see `backsight_profile_symbolize`. `options` may be null.
 * What is malformed is left out and noted.
 */
backsight_status backsight_profile_read(const char *path,
                                        const struct backsight_profile_options *options,
                                        struct backsight_profile **profile);

/**
 * Frees a profile.
 */
backsight_status backsight_profile_free(struct backsight_profile *profile);

/**
 * Adds functions, inlined frames and lines to the addresses of a profile that have none, from the
 * files that its modules are found in, and demangles names that it has.
 */
backsight_status backsight_profile_symbolize(struct backsight_profile *profile);

/**
 * Writes a profile to a file, which it replaces when all is written. `format` is one of
 * `BACKSIGHT_FORMAT_…`; 0 is that of its name.
 */
backsight_status backsight_profile_write(struct backsight_profile *profile,
                                         const char *path,
                                         uint32_t format);

/**
 * Writes a profile to a descriptor that is open for writing, and stays open. `format` is one of
 * `BACKSIGHT_FORMAT_…`.
 */
backsight_status backsight_profile_write_fd(struct backsight_profile *profile,
                                            int fd,
                                            uint32_t format);

/**
 * Returns what was wrong with the input, what has no place in the profile, and what its formats
 * could not represent: a line each; `""` if there is nothing, and null if `profile` is none. The
 * text is there until the next call for this profile.
 */
const char *backsight_profile_notes(struct backsight_profile *profile);

/**
 * Sets `*info`, as far as its `size` says, to what a profile has.
 */
backsight_status backsight_profile_info_of(struct backsight_profile *profile,
                                           struct backsight_profile_info *info);

/**
 * Returns the name of a reason as the command prints it, such as `"unmapped"`; `""` for
 * `BACKSIGHT_REASON_NONE`, and `"unknown"` for other numbers. The text is always there.
 */
const char *backsight_reason_name(uint32_t reason);

/**
 * Opens a process. The session is bound to its address space: it never answers for another
 * process with the same PID, nor for another program after `execve`. `options` may be null.
 */
backsight_status backsight_session_open(uint32_t pid,
                                        const struct backsight_session_options *options,
                                        struct backsight_session **session);

/**
 * Opens the calling process. `options` may be null.
 */
backsight_status backsight_session_open_self(const struct backsight_session_options *options,
                                             struct backsight_session **session);

/**
 * Starts a session of a process that cannot be opened any more, or not by this user: all that is
 * known of it is what the events say. `pid` stands in messages alone.
 */
backsight_status backsight_session_of_events(uint32_t pid,
                                             const struct backsight_session_options *options,
                                             struct backsight_session **session);

/**
 * Closes a session.
 */
backsight_status backsight_session_close(struct backsight_session *session);

/**
 * Sets `places[i]` to where `addresses[i]` is, for `count` addresses of the process. Sorted
 * addresses are the fastest. If the call fails, `places` are not changed.
 */
backsight_status backsight_session_normalize(struct backsight_session *session,
                                             const uint64_t *addresses,
                                             size_t count,
                                             struct backsight_place *places);

/**
 * Returns how many modules were found so far; 0 if `session` is none. Their indices are below,
 * and never change.
 */
size_t backsight_session_module_count(struct backsight_session *session);

/**
 * Sets `*module` to a module that was found. It is there until the session is closed.
 */
backsight_status backsight_session_module(struct backsight_session *session,
                                          uint32_t index,
                                          const struct backsight_module **module);

/**
 * Sets `*virtual_offset` to what symbols and DWARF of a module have for an offset in its file.
 */
backsight_status backsight_session_virtual_offset(struct backsight_session *session,
                                                  uint32_t index,
                                                  uint64_t file_offset,
                                                  uint64_t *virtual_offset);

/**
 * Closes the files of all modules but the `keep` that were added last: those that a symbolizer
 * was given stay open there. If `dropped` is not null, it is set to their number.
 */
backsight_status backsight_session_release_images(struct backsight_session *session,
                                                  size_t keep,
                                                  size_t *dropped);

/**
 * Reports that the process mapped memory. While it lives, the kernel is asked and completes the
 * report; when it has ended, the report is the answer.
 */
backsight_status backsight_session_on_mmap(struct backsight_session *session,
                                           const struct backsight_mmap *mmap);

/**
 * Reports that the process unmapped the addresses from `start` to before `end`, or changed their
 * permissions.
 */
backsight_status backsight_session_on_munmap(struct backsight_session *session,
                                             uint64_t start,
                                             uint64_t end);

/**
 * Has the addresses from `start` to before `end` asked for again.
 */
backsight_status backsight_session_invalidate(struct backsight_session *session,
                                              uint64_t start,
                                              uint64_t end);

/**
 * Reports that the process called `execve`, and opens its new address space. Modules keep their
 * indices.
 */
backsight_status backsight_session_on_exec(struct backsight_session *session);

/**
 * Reports that the process forked, and sets `*child` to a session of the child, with what is
 * known of its parent.
 */
backsight_status backsight_session_on_fork(struct backsight_session *session,
                                           uint32_t pid,
                                           struct backsight_session **child);

/**
 * Reports that the process has ended. No system call is made for it from now on, and what was
 * found and reported so far still answers.
 */
backsight_status backsight_session_on_exit(struct backsight_session *session);

/**
 * Makes a table for modules that sessions share.
 */
backsight_status backsight_modules_new(struct backsight_modules **modules);

/**
 * Frees the table. Sessions that share it keep it.
 */
backsight_status backsight_modules_free(struct backsight_modules *modules);

/**
 * Drops the open files of all modules but the `keep` that were added last. If `dropped` is not
 * null, it is set to their number. Everything else of the modules is kept.
 */
backsight_status backsight_modules_release_images(struct backsight_modules *modules,
                                                  size_t keep,
                                                  size_t *dropped);

/**
 * Forgets a module, for example of a program that was replaced. Its index is not used again.
 */
backsight_status backsight_modules_remove(struct backsight_modules *modules, uint32_t module);

/**
 * Returns the name of a status, such as `"denied"`; `"unknown"` for other numbers. The text is
 * always there.
 */
const char *backsight_status_name(backsight_status status);

/**
 * Makes a symbolizer. `options` may be null.
 */
backsight_status backsight_symbolizer_new(const struct backsight_symbol_options *options,
                                          struct backsight_symbolizer **symbolizer);

/**
 * Frees a symbolizer. Answers that it has filled are kept.
 */
backsight_status backsight_symbolizer_free(struct backsight_symbolizer *symbolizer);

/**
 * Fills `answers` with one answer for each of `count` requests, in their order.
 */
backsight_status backsight_symbolizer_symbolize(const struct backsight_symbolizer *symbolizer,
                                                const struct backsight_request *requests,
                                                size_t count,
                                                struct backsight_answers *answers);

/**
 * Forgets a module. Its number is not used again, unless the same module is added.
 */
backsight_status backsight_symbolizer_remove(struct backsight_symbolizer *symbolizer,
                                             uint64_t module);

/**
 * Drops what was read of modules until at most `bytes` are kept. They are read again when they
 * are needed.
 */
backsight_status backsight_symbolizer_evict(struct backsight_symbolizer *symbolizer,
                                            uint64_t bytes);

/**
 * Sets `*usage`, as far as its `size` says, to what the symbolizer has at the moment.
 */
backsight_status backsight_symbolizer_usage(const struct backsight_symbolizer *symbolizer,
                                            struct backsight_usage *usage);

/**
 * Adds a file. It is opened now, and read when an address in it is looked up. A path ending in
 * `!/` and a name is a member of an archive. `options` may be null.
 */
backsight_status backsight_symbolizer_add_file(struct backsight_symbolizer *symbolizer,
                                               const char *path,
                                               const struct backsight_module_options *options,
                                               uint64_t *module);

/**
 * Adds a file that is open for reading. The descriptor is duplicated: close yours when you like.
 * `path` is what the file is called, for its debug link; it may be null. `options` may be null.
 */
backsight_status backsight_symbolizer_add_fd(struct backsight_symbolizer *symbolizer,
                                             int fd,
                                             const char *path,
                                             const struct backsight_module_options *options,
                                             uint64_t *module);

/**
 * Adds an ELF file that is in memory, which is copied. `options` may be null.
 */
backsight_status backsight_symbolizer_add_bytes(struct backsight_symbolizer *symbolizer,
                                                const uint8_t *bytes,
                                                size_t len,
                                                const struct backsight_module_options *options,
                                                uint64_t *module);

/**
 * Adds a module of which only the build ID is known, in `options`. It is looked for in the
 * debug directories, and fetched.
 */
backsight_status backsight_symbolizer_add_build_id(struct backsight_symbolizer *symbolizer,
                                                   const uint8_t *build_id,
                                                   size_t len,
                                                   const struct backsight_module_options *options,
                                                   uint64_t *module);

/**
 * Adds a module of a session that was opened with `BACKSIGHT_SESSION_IMAGES`: the very file that
 * the process has mapped. Without its file, its build ID may still lead to a debug file.
 * `options` may be null.
 */
backsight_status backsight_symbolizer_add_module(struct backsight_symbolizer *symbolizer,
                                                 struct backsight_session *session,
                                                 uint32_t index,
                                                 const struct backsight_module_options *options,
                                                 uint64_t *module);

/**
 * Lists what a module defines: every symbol, and the functions that debug information alone
 * knows. With a `name`, which is not null, those of this name alone, as the linker or as people
 * have it: `memchr`, `_ZN3abs3runEv`, `abs::run()`.
 */
backsight_status backsight_symbolizer_symbols(const struct backsight_symbolizer *symbolizer,
                                              uint64_t module,
                                              const char *name,
                                              struct backsight_symbols **symbols);

/**
 * Returns the first symbol, which leads to all others; null if there is none. They are there
 * until the list is freed.
 */
const struct backsight_symbol *backsight_symbols_first(const struct backsight_symbols *symbols);

/**
 * Returns the number of symbols; 0 if `symbols` is no list.
 */
size_t backsight_symbols_count(const struct backsight_symbols *symbols);

/**
 * Frees the list, and all that was borrowed from it.
 */
backsight_status backsight_symbols_free(struct backsight_symbols *symbols);

/**
 * Returns the version of the binary interface that the library has. A program needs at least
 * `BACKSIGHT_ABI_VERSION` of the header that it was compiled with.
 */
uint32_t backsight_abi_version(void);

/**
 * Returns the version of the library as text, such as `"0.1.0"`. The text is always there.
 */
const char *backsight_version(void);

#ifdef __cplusplus
}  // extern "C"
#endif  // __cplusplus

#endif  /* BACKSIGHT_H */
