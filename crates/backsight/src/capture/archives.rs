//! Mappings of libraries from inside an archive, such as an APK.
//!
//! A recording has the path of the archive and offsets in it. If the archive is at hand and is
//! the recorded file, the mapping is made one of the member: with the path of the member, and
//! offsets in it, as the linker of Android and `normalize` name it.

use std::collections::HashMap;
use std::fs::File;

use backsight_files::ArchiveMember;
use backsight_types::trace::Mmap;
use backsight_types::{Device, FileOffset, Module, ModuleKind};

use crate::find::ModuleFiles;

/// A recorded file: path, device and inode.
type RecordedFile = (Vec<u8>, Device, u64);

/// The recorded files that were looked at; `None` for those that are no archives or are not at
/// hand.
#[derive(Debug, Default)]
pub(super) struct Archives(HashMap<RecordedFile, Option<File>>);

impl Archives {
    /// Changes the mapping of an archive to one of the member that it begins in.
    ///
    /// Without a build ID, which no archive has, only device and inode prove a file, and they
    /// do only on the machine of the recording (`trust_inodes`), unless paths are trusted.
    pub(super) fn mapped(&mut self, mapping: &mut Mmap, files: &ModuleFiles, trust_inodes: bool) {
        let may_be_member = mapping.build_id.is_none()
            && mapping.perms.is_executable()
            && mapping.offset.0 > 0
            && mapping.as_path().is_some()
            && (trust_inodes || files.trusts_paths());
        if !may_be_member {
            return;
        }
        let recorded = (mapping.name.clone(), mapping.device, mapping.inode);
        let archive = self.0.entry(recorded);
        let archive = archive.or_insert_with(|| open_archive(mapping, files));
        let Some(archive) = archive else { return };
        // What is wrong with a damaged archive is said when its module is read.
        if let Ok(Some(member)) = ArchiveMember::at(archive, mapping.offset.0) {
            mapping.name = member.path_in(&mapping.name);
            mapping.offset = FileOffset(mapping.offset.0.saturating_sub(member.range.start));
        }
    }
}

/// Opens the file of a mapping, if it is an archive.
fn open_archive(mapping: &Mmap, files: &ModuleFiles) -> Option<File> {
    let module = Module::default()
        .with_kind(ModuleKind::File)
        .with_path(mapping.name.clone())
        .with_device(mapping.device)
        .with_inode(mapping.inode);
    let file = files.open(&module).ok()?;
    ArchiveMember::is_archive(&file).ok()?.then_some(file)
}
