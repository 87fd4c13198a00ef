//! Mappings of libraries from inside an archive, such as an APK.
//!
//! A recording has the path of the archive and offsets in it. If the archive is at hand and is
//! the recorded file, the mapping is made one of the member: with the path of the member, and
//! offsets in it, as the linker of Android and `normalize` name it.
//!
//! An archive may begin with a program, as one that unpacks itself does. Then the recording has
//! the build ID of the program for all of the file.

use std::collections::HashMap;
use std::fs::File;

use backsight_elf::Headers;
use backsight_files::{ArchiveMember, By, FilePart};
use backsight_types::trace::Mmap;
use backsight_types::{BuildId, Device, FileOffset, Module, ModuleKind};

use crate::find::ModuleFiles;

/// A recorded file: path, device, inode and build ID.
type RecordedFile = (Vec<u8>, Device, u64, Option<BuildId>);

/// The recorded files that were looked at.
#[derive(Debug, Default)]
pub(super) struct Archives(HashMap<RecordedFile, Looked>);

/// What a recorded file turned out to be.
#[derive(Debug)]
enum Looked {
    /// No archive, or a file that is not at hand.
    Other,
    /// A program, behind which an archive may follow. Nearly all are programs alone, so that none
    /// stays open.
    Program(Headers),
    Archive {
        file: File,
        /// Those of the program that it begins with.
        program: Option<Headers>,
    },
}

/// The archives that stay open. Others are opened for each mapping.
const MAX_OPEN: usize = 64;

impl Archives {
    /// Changes the mapping of an archive to one of the member that it begins in.
    ///
    /// Without a build ID, which no archive has, only device and inode prove a file, and they
    /// do only on the machine of the recording (`trust_inodes`), unless paths are trusted.
    pub(super) fn mapped(&mut self, mapping: &mut Mmap, files: &ModuleFiles, trust_inodes: bool) {
        let may_be_member = mapping.perms.is_executable()
            && mapping.offset.0 > 0
            && mapping.as_path().is_some()
            && (mapping.build_id.is_some() || trust_inodes || files.trusts_paths());
        if !may_be_member {
            return;
        }
        let Mmap {
            name,
            device,
            inode,
            build_id,
            ..
        } = &*mapping;
        let recorded = (name.clone(), *device, *inode, *build_id);
        let looked = self.0.entry(recorded).or_insert_with(|| match *build_id {
            Some(id) => Looked::program(mapping, id, files),
            None => Looked::archive(mapping, files),
        });
        if looked.is_of_program(mapping) {
            return;
        }
        if let (Looked::Program(_), Some(id)) = (&*looked, *build_id) {
            *looked = Looked::behind_program(mapping, id, files);
        }
        let Looked::Archive { file, .. } = &*looked else {
            return;
        };
        // What is wrong with a damaged archive is said when its module is read.
        if let Ok(Some(member)) = ArchiveMember::at(file, mapping.offset.0) {
            if mapping.build_id.is_some() {
                let member = FilePart::new(file, member.range.clone());
                let headers = Headers::read(member).ok();
                mapping.build_id = headers.and_then(|headers| headers.build_id);
            }
            mapping.name = member.path_in(&mapping.name);
            mapping.offset = FileOffset(mapping.offset.0.saturating_sub(member.range.start));
        }
        self.close_some();
    }

    /// Forgets all files.
    pub(super) fn clear(&mut self) {
        self.0 = HashMap::new();
    }

    fn close_some(&mut self) {
        let is_open = |looked: &Looked| matches!(looked, Looked::Archive { .. });
        if self.0.values().filter(|it| is_open(it)).count() > MAX_OPEN {
            self.0.retain(|_, looked| !is_open(looked));
        }
    }
}

impl Looked {
    /// Opens the file of a mapping, if it is an archive.
    fn archive(mapping: &Mmap, files: &ModuleFiles) -> Self {
        let opened = Self::open(mapping, files);
        opened.map_or(Self::Other, |file| Self::Archive {
            file,
            program: None,
        })
    }

    fn open(mapping: &Mmap, files: &ModuleFiles) -> Option<File> {
        let module = Module::default()
            .with_kind(ModuleKind::File)
            .with_path(mapping.name.clone())
            .with_device(mapping.device)
            .with_inode(mapping.inode);
        let file = files.open(&module).ok()?;
        ArchiveMember::is_archive(&file).ok()?.then_some(file)
    }

    /// Reads the program of this build that the file of a mapping begins with.
    fn program(mapping: &Mmap, id: BuildId, files: &ModuleFiles) -> Self {
        let found = Self::open_program(mapping, id, files);
        found.map_or(Self::Other, |(_, program)| Self::Program(program))
    }

    /// Opens the archive behind a program.
    fn behind_program(mapping: &Mmap, id: BuildId, files: &ModuleFiles) -> Self {
        match Self::open_program(mapping, id, files) {
            Some((file, program)) if ArchiveMember::is_archive(&file).unwrap_or(false) => {
                Self::Archive {
                    file,
                    program: Some(program),
                }
            }
            _ => Self::Other,
        }
    }

    /// Opens the file of a mapping at its path, if it begins with the program of this build.
    fn open_program(mapping: &Mmap, id: BuildId, files: &ModuleFiles) -> Option<(File, Headers)> {
        let path = mapping.as_path()?;
        let roots = files.symbols().roots.iter();
        let inside = roots.filter_map(|root| backsight_files::open_inside(root, path).ok());
        let here = || backsight_files::open(path, By::File).ok();
        inside.chain(here()).find_map(|file| {
            let program = Headers::read(&file).ok();
            let program = program.filter(|program| program.build_id == Some(id))?;
            Some((file, program))
        })
    }

    /// Whether a mapping has bytes of one of the program's segments.
    fn is_of_program(&self, mapping: &Mmap) -> bool {
        let start = mapping.offset.0;
        let size = mapping.range.end.0.saturating_sub(mapping.range.start.0);
        let end = start.saturating_add(size);
        let overlaps = |from: u64, size: u64| from < end && start < from.saturating_add(size);
        let program = match self {
            Self::Program(program) => Some(program),
            Self::Archive { program, .. } => program.as_ref(),
            Self::Other => None,
        };
        program.is_some_and(|program| {
            let mut segments = program.segments.as_slice().iter();
            segments.any(|segment| overlaps(segment.file_offset.0, segment.file_size))
        })
    }
}
