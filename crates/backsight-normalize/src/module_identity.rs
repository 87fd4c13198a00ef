//! When two mappings are of one module.

use backsight_files::ArchiveMember;
use backsight_types::{BuildId, Device, FileOffset, Module, ModuleKind, Reason};
use vma_query::{Vma, VmaName};

use crate::image::NormalizedModule;

/// The group of modules, the inode, and the device.
pub(crate) type FileKey = (Group, u64, Device);

/// Modules of one group only are compared by inode and device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Group {
    File,
    /// It has neither inode nor device.
    Vdso,
    /// Files whose code is in anonymous memory.
    Inferred,
    /// Files by build ID alone: a record of perf with a build ID has neither inode nor device.
    /// The inode is a hash of the build ID.
    ByBuildId,
}

pub(crate) fn file_key(module: &Module) -> FileKey {
    let group = match module.kind {
        ModuleKind::Vdso => Group::Vdso,
        _ if module.inferred => Group::Inferred,
        _ => Group::File,
    };
    match module.build_id {
        Some(id) if group == Group::File && module.inode == 0 => build_id_key(id),
        _ => (group, module.inode, module.device),
    }
}

/// Returns the key by which a file with this build ID is found without its inode.
pub(crate) fn build_id_key(id: BuildId) -> FileKey {
    let mut first = [0; 8];
    for (to, from) in first.iter_mut().zip(id.as_bytes()) {
        *to = *from;
    }
    (
        Group::ByBuildId,
        u64::from_ne_bytes(first),
        Device::default(),
    )
}

/// Returns whether a module has this key: its own, or that of its build ID.
pub(crate) fn has_key(module: &Module, key: FileKey) -> bool {
    match key.0 {
        Group::ByBuildId => {
            let id = module.build_id.filter(|_| is_file(module));
            id.map(build_id_key) == Some(key)
        }
        _ => file_key(module) == key,
    }
}

/// Returns whether a module is also found by its build ID alone.
pub(crate) fn is_file(module: &Module) -> bool {
    module.kind == ModuleKind::File && !module.inferred
}

/// Returns a hash of a file's key.
pub(crate) fn digest((group, inode, device): FileKey) -> u64 {
    let device = u64::from(device.major).rotate_left(20) ^ u64::from(device.minor);
    (inode ^ device.rotate_left(32)).wrapping_add(u64::from(group != Group::File))
}

/// Returns whether two files with the same device and inode, found at different times,
/// are the same: by build ID, or without one by all other fields.
pub(crate) fn is_same_file(known: &Module, now: &Module) -> bool {
    match (known.build_id, now.build_id) {
        (Some(known), Some(now)) => known == now,
        (None, None) => known == now,
        _ => false,
    }
}

/// Returns the offset in the module of the first byte of a VMA: that in its file, unless the
/// module is the member of an archive. `None` if the VMA begins before it.
#[inline]
pub(crate) fn offset_in(known: &NormalizedModule, vma: &Vma) -> Option<FileOffset> {
    vma.offset.0.checked_sub(start_of(known)).map(FileOffset)
}

/// Returns where in its file a module begins, in bytes: not at 0 if it is the member of an
/// archive.
#[inline]
pub(crate) fn start_of(known: &NormalizedModule) -> u64 {
    known.member.as_ref().map_or(0, |range| range.start)
}

/// Returns whether a module of the same device and inode has this path, and a VMA with this file
/// offset is in it.
pub(crate) fn covers(known: &NormalizedModule, path: &[u8], offset: FileOffset) -> bool {
    match &known.member {
        Some(range) => range.contains(&offset.0) && is_member_of(&known.module.path, path),
        // An archive with nothing at one offset may have a member at another. So what could not
        // be read is read again.
        None => {
            known.module.path == path
                && known.module.unreadable != Some(Reason::Unreadable)
                && !is_behind_segments(&known.module, offset)
        }
    }
}

/// Returns whether a program ends before this file offset. An archive may be behind it.
fn is_behind_segments(module: &Module, offset: FileOffset) -> bool {
    let segments = module.segments.as_ref().map(|all| all.as_slice());
    let ends = segments.unwrap_or_default().iter();
    let ends = ends.map(|one| one.file_offset.0.saturating_add(one.file_size));
    ends.max().is_some_and(|end| end <= offset.0)
}

/// Returns whether `path` is that of a member of this archive.
fn is_member_of(path: &[u8], archive: &[u8]) -> bool {
    ArchiveMember::split(path).is_some_and(|(of, _)| of == archive)
}

/// Returns the path for display, and whether it was marked as deleted.
pub(crate) fn shown(raw_name: &[u8]) -> (&[u8], bool) {
    match VmaName::new(raw_name) {
        VmaName::Path { path, deleted } => (path, deleted),
        // A memfd never has a path, so ` (deleted)` has no meaning for it.
        VmaName::Memfd { .. } => (
            raw_name.strip_suffix(b" (deleted)").unwrap_or(raw_name),
            false,
        ),
        _ => (raw_name, false),
    }
}
