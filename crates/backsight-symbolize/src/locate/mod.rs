//! Where the files are that go with a module.
//!
//! Its debug file by build ID, then by the link that `objcopy --add-gnu-debuglink`
//! leaves:
//!
//! ```text
//!   DEBUG_DIR/.build-id/77/c7…4d.debug      DEBUG_DIR is /usr/lib/debug by default
//!   DEBUG_DIR/.build-id/77/c7…4d/debug      as perf keeps it, in ~/.debug by default
//!   FOLDER/NAME                             FOLDER is the module's own
//!   FOLDER/.debug/NAME
//!   DEBUG_DIR/FOLDER/NAME
//! ```
//!
//! and by the module's own path, without `.xz` and the like behind a kernel module's
//! name, and with or without `/usr` before it:
//!
//! ```text
//!   DEBUG_DIR/lib/modules/6.12.1/kernel/fs/ext4/ext4.ko
//!   DEBUG_DIR/usr/bin/ls.debug
//! ```
//!
//! and, for the file that has the DWARF, what [`named`] it.
//!
//! Each first inside the target's roots ([`Options::roots`]), then on the host. A
//! file found there counts only when its content proves it: a stale one would give
//! wrong lines without a word. By build ID it must carry the build ID itself. By
//! link its checksum must be the link's; and where both files have a build ID,
//! these must be equal too. By path the build IDs must be equal. What does not count is passed over, and the next place
//! is looked at.

mod fetched;
mod kallsyms;
mod module;
mod named;
mod search;
mod search_base;
mod site;

pub use kallsyms::open as open_kallsyms;
pub use module::find as find_module;
pub(crate) use search::FileSearch;
pub use search::find_debug_file;
pub(crate) use search_base::SearchBase;
pub(crate) use site::Site;
