//! The kernel that runs here: where its code is, what it is called, and where its files are.
//!
//! ```text
//!   AbsAddr ──▶ image, or a module ──▶ distance from its first byte ──▶ vmlinux, .ko
//!               /proc/kallsyms         `_text`, or the base in           proven by build ID
//!               /proc/modules          /proc/modules
//! ```
//!
//! An address of the kernel holds for one boot: with KASLR, the image and its modules are
//! elsewhere after the next one. The distance from the first byte of the image or of the module
//! holds for all boots and hosts, and recordings of `perf` count so, too.
//!
//! Sources: `kernel/kallsyms.c`, `kernel/module/procfs.c` (`/proc/modules`),
//! `kernel/module/sysfs.c` (sections and notes of a module), `kernel/ksysfs.c`
//! (`/sys/kernel/notes`), `kernel/vmcore_info.c` and `fs/proc/kcore.c` (the KASLR offset).

mod area;
mod bpf_lines;
mod candidate;
mod error;
mod file_names;
mod image_file;
mod installed;
mod introduce;
mod kcore;
mod kernel_file;
mod layout;
mod loaded;
mod module_names;
mod module_table;
mod options;
mod root;
mod running;
mod session;
mod shortfall;

pub use error::KernelError;
pub use options::KernelOptions;
pub use running::{KernelPlace, RunningKernel};
pub use session::LiveKernel;
pub use shortfall::KernelShortfall;

pub(crate) use installed::Installed;
pub(crate) use introduce::KernelFiles;
pub(crate) use kernel_file::{is_kernel_image, kernel_module_of};
pub(crate) use module_names::ModuleNames;
pub(crate) use running::IMAGE_PATH;
pub(crate) use session::KernelSession;
