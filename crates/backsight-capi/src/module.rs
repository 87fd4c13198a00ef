//! What a caller sees of a module.

use backsight_types::{Module, ModuleKind};

use crate::reason::number_of;
use crate::strings::{TextArena, backsight_string};

/// A file, or a memfd.
pub const BACKSIGHT_MODULE_FILE: u32 = 0;
/// The vDSO: code that the kernel maps into every process.
pub const BACKSIGHT_MODULE_VDSO: u32 = 1;
/// The kernel's image, or one of its modules.
pub const BACKSIGHT_MODULE_KERNEL: u32 = 2;
/// Memory without a file, with code that was made at run time.
pub const BACKSIGHT_MODULE_ANONYMOUS: u32 = 3;
/// A kind that this version has no number for.
pub const BACKSIGHT_MODULE_OTHER: u32 = 0xffff;

/// The file was deleted or replaced since it was mapped.
pub const BACKSIGHT_MODULE_DELETED: u32 = 1;
/// Headers and build ID were read from the process's memory, since the file cannot be opened.
pub const BACKSIGHT_MODULE_FROM_MEMORY: u32 = 2;
/// No mapping says that the code is of this file: it was moved to memory without a file.
pub const BACKSIGHT_MODULE_INFERRED: u32 = 4;

/// A mapped file, or what takes the place of one. Later versions add fields at the end: do not
/// make or copy one.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct backsight_module {
    /// Its path, as the process names it.
    pub path: backsight_string,
    /// Its build ID; `data` is null if it has none. Bytes, not digits.
    pub build_id: backsight_string,
    /// One of `BACKSIGHT_MODULE_FILE` and so on.
    pub kind: u32,
    /// `BACKSIGHT_MODULE_DELETED` and so on.
    pub flags: u32,
    /// Why its file cannot be read: one of `BACKSIGHT_REASON_…`, 0 if it can.
    pub unreadable: u32,
    /// Its place in the session's list of modules. In answers, equal numbers are one module.
    pub index: u32,
    /// The device of its file.
    pub device_major: u32,
    /// The device of its file.
    pub device_minor: u32,
    /// The inode of its file.
    pub inode: u64,
}

impl backsight_module {
    /// Shows a module, with its texts in `texts`.
    pub(crate) fn new(module: &Module, index: u32, texts: &mut TextArena) -> Self {
        let flags = [
            (module.deleted, BACKSIGHT_MODULE_DELETED),
            (module.from_memory, BACKSIGHT_MODULE_FROM_MEMORY),
            (module.inferred, BACKSIGHT_MODULE_INFERRED),
        ];
        let flags = flags.iter().filter(|(is_set, _)| *is_set);
        Self {
            path: texts.add(&module.path),
            build_id: match &module.build_id {
                Some(id) => texts.add(id.as_bytes()),
                None => backsight_string::NONE,
            },
            kind: match module.kind {
                ModuleKind::File => BACKSIGHT_MODULE_FILE,
                ModuleKind::Vdso => BACKSIGHT_MODULE_VDSO,
                ModuleKind::Kernel => BACKSIGHT_MODULE_KERNEL,
                ModuleKind::Anonymous => BACKSIGHT_MODULE_ANONYMOUS,
                _ => BACKSIGHT_MODULE_OTHER,
            },
            flags: flags.map(|(_, flag)| flag).sum(),
            unreadable: number_of(module.unreadable),
            index,
            device_major: module.device.major,
            device_minor: module.device.minor,
            inode: module.inode,
        }
    }
}
