//! Files of processes that are being recorded, which were opened while these lived.
//!
//! A path in a record is that of the process: at the end of the recording it may lead nowhere, or
//! to another file. The open file is the mapped one, also if it was deleted or replaced, or is in
//! another mount namespace. But it is one that others may write to, as `cp new.so old.so` does: then
//! it is not the recorded one any more, neither here nor at its path ([`Contents`]).

use std::collections::{BTreeMap, HashMap};
use std::ffi::OsStr;
use std::fs::{File, Metadata};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use backsight_files::ArchiveMember;
use backsight_types::trace::Mmap;
use backsight_types::{BuildId, Device, Module, Reason};
use nix::fcntl::{OFlag, open};
use nix::sys::stat::Mode;

use crate::descriptors;
use crate::file_contents::Contents;

/// The most files that stay open, and no more than half of what
/// [`for_files`](descriptors::for_files) says: the symbolizer has as many.
const MAX_OPEN: usize = 1024;

/// The most root directories that stay open.
const MAX_ROOTS: usize = 64;

/// Of how many files it is known what was in them.
const MAX_CONTENTS: usize = 1 << 14;

/// The images of vDSOs: of each kind of process one.
const MAX_VDSOS: usize = 8;

/// The files that are open. Shared by all who look for the modules of a recording.
#[derive(Debug, Default)]
pub(crate) struct HeldFiles(Mutex<Held>);

#[derive(Debug, Default)]
struct Held {
    by_record: HashMap<RecordedAs, HeldFile>,
    /// In the order in which they were opened.
    order: BTreeMap<u64, RecordedAs>,
    opened: u64,
    /// Files that were closed for others, and that no path of this host leads to.
    given_up: u64,
    vdsos: Vec<(BuildId, Arc<[u8]>)>,
    /// Why files could not be opened while a process had them mapped.
    refused: HashMap<RecordedAs, Reason>,
    /// The root directories of processes that have another one than this process.
    roots: Vec<ProcessRoot>,
    /// What was in files when they were opened, also of those that were closed for others.
    contents: HashMap<RecordedAs, Contents>,
}

/// A file as records name it. A record has either a build ID or device and inode.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct RecordedAs {
    path: Vec<u8>,
    device: Device,
    inode: u64,
    build_id: Option<BuildId>,
}

#[derive(Debug)]
struct HeldFile {
    file: Arc<File>,
    number: u64,
    /// Whether its path led to it on this host when it was opened.
    is_at_path: bool,
    /// The root directory that its path begins at, if it is another one than that of this process:
    /// there are its debug files.
    root: Option<Arc<OwnedFd>>,
}

/// A root directory. It is also there when its processes have ended.
#[derive(Debug)]
struct ProcessRoot {
    /// Device and inode.
    identity: (u64, u64),
    directory: Arc<OwnedFd>,
}

impl RecordedAs {
    fn new(path: &[u8], device: Device, inode: u64, build_id: Option<BuildId>) -> Self {
        const DELETED: &[u8] = b" (deleted)";
        let path = path.strip_suffix(DELETED).unwrap_or(path);
        Self {
            path: path.to_owned(),
            device,
            inode,
            // One that was learnt from the file since does not count.
            build_id: build_id.filter(|_| inode == 0),
        }
    }

    /// The file of a record.
    pub(crate) fn mapped(mapping: &Mmap) -> Self {
        let Mmap {
            name,
            device,
            inode,
            build_id,
            ..
        } = mapping;
        Self::new(name, *device, *inode, *build_id)
    }

    /// The file of a module; the archive if it is a member of one.
    fn of(module: &Module) -> Self {
        let Module {
            device,
            inode,
            build_id,
            ..
        } = module;
        let path = ArchiveMember::split(&module.path).map_or(&*module.path, |(path, _)| path);
        Self::new(path, *device, *inode, *build_id)
    }
}

impl HeldFiles {
    /// Whether a file is open.
    pub(crate) fn has(&self, recorded: &RecordedAs) -> bool {
        self.held().by_record.contains_key(recorded)
    }

    /// Keeps a file open. If there are too many, another one is closed: the one that was opened
    /// first, of those that a path of this host leads to if there are such.
    /// `root` is the root directory of the process, as `/proc` has it.
    pub(crate) fn hold(&self, recorded: RecordedAs, file: Arc<File>, root: Option<&Path>) {
        let most = MAX_OPEN.min(descriptors::for_files() / 2);
        let held = &mut *self.held();
        let root = root.and_then(|root| held.root(root, most / 8));
        held.hold(recorded, file, root, most);
    }

    /// Returns the root directory that the path of a module begins at, if its file is open and it
    /// is another one than that of this process. It is there as long as these files are.
    pub(crate) fn root_of(&self, module: &Module) -> Option<PathBuf> {
        let held = self.held();
        let known = held.by_record.get(&RecordedAs::of(module))?;
        let number = known.root.as_ref()?.as_raw_fd();
        Some(PathBuf::from(format!("/proc/self/fd/{number}")))
    }

    /// Keeps in mind why a file cannot be opened.
    pub(crate) fn refuse(&self, recorded: RecordedAs, reason: Reason) {
        let held = &mut *self.held();
        if held.refused.len() < MAX_OPEN {
            held.refused.insert(recorded, reason);
        }
    }

    /// Returns the file of a module, if it has not been written to since it was opened.
    pub(crate) fn of(&self, module: &Module) -> Option<Arc<File>> {
        let held = self.held();
        if held.by_record.is_empty() {
            return None;
        }
        let recorded = RecordedAs::of(module);
        let known = held.by_record.get(&recorded)?;
        let is_as_opened = held.is_as_opened(&recorded, &known.file);
        is_as_opened.then(|| Arc::clone(&known.file))
    }

    /// Returns why the file of a module could not be opened while a process had it mapped.
    pub(crate) fn refusal(&self, module: &Module) -> Option<Reason> {
        let held = self.held();
        held.refused.get(&RecordedAs::of(module)).copied()
    }

    /// Returns whether the file of a module, found again, has not been written to since it was
    /// opened while a process had it mapped; also if it never was.
    pub(crate) fn is_unchanged(&self, module: &Module, file: &File) -> bool {
        self.held().is_as_opened(&RecordedAs::of(module), file)
    }

    /// Keeps the image of a vDSO.
    pub(crate) fn add_vdso(&self, build_id: BuildId, image: Arc<[u8]>) {
        let vdsos = &mut self.held().vdsos;
        if vdsos.len() < MAX_VDSOS && vdsos.iter().all(|(known, _)| *known != build_id) {
            vdsos.push((build_id, image));
        }
    }

    /// Returns the image of the vDSO with this build ID.
    pub(crate) fn vdso(&self, build_id: BuildId) -> Option<Arc<[u8]>> {
        let held = self.held();
        let mut vdsos = held.vdsos.iter();
        let (_, image) = vdsos.find(|(known, _)| *known == build_id)?;
        Some(Arc::clone(image))
    }

    /// Returns how many files were closed for others, though no path of this host leads to them.
    pub(crate) fn given_up(&self) -> u64 {
        self.held().given_up
    }

    /// Returns how many files were written to while processes had them mapped.
    pub(crate) fn rewritten(&self) -> usize {
        let held = self.held();
        let refused = held.refused.values();
        let before = refused.filter(|reason| **reason == Reason::IdentityUnproven);
        let since = held.by_record.iter();
        let since = since.filter(|(recorded, known)| !held.is_as_opened(recorded, &known.file));
        before.count().saturating_add(since.count())
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Held {
    fn is_as_opened(&self, recorded: &RecordedAs, file: &File) -> bool {
        let known = self.contents.get(recorded);
        known.is_none_or(|known| known.are_in(file))
    }

    /// Returns a root directory, unless it is that of this process, or there are too many.
    fn root(&mut self, path: &Path, most: usize) -> Option<Arc<OwnedFd>> {
        let of = |metadata: Metadata| (metadata.dev(), metadata.ino());
        let identity = of(std::fs::metadata(path).ok()?);
        if std::fs::metadata("/").is_ok_and(|own| of(own) == identity) {
            return None;
        }
        let mut known = self.roots.iter();
        if let Some(known) = known.find(|known| known.identity == identity) {
            return Some(Arc::clone(&known.directory));
        }
        if self.roots.len() >= most.min(MAX_ROOTS) {
            return None;
        }
        let flags = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
        let directory = Arc::new(open(path, flags, Mode::empty()).ok()?);
        self.roots.push(ProcessRoot {
            identity,
            directory: Arc::clone(&directory),
        });
        Some(directory)
    }

    fn hold(
        &mut self,
        recorded: RecordedAs,
        file: Arc<File>,
        root: Option<Arc<OwnedFd>>,
        most: usize,
    ) {
        self.refused.remove(&recorded);
        let has_room = self.contents.len() < MAX_CONTENTS;
        if has_room && let Some(contents) = Contents::of(&file) {
            self.contents.insert(recorded.clone(), contents);
        }
        let is_full = self.by_record.len() >= most;
        if is_full && !self.close_one() {
            return;
        }
        let path = Path::new(OsStr::from_bytes(&recorded.path));
        let is_at_path = is_at(&file, path);
        let number = self.opened;
        self.opened = self.opened.saturating_add(1);
        self.order.insert(number, recorded.clone());
        let file = HeldFile {
            file,
            number,
            is_at_path,
            root,
        };
        if let Some(old) = self.by_record.insert(recorded, file) {
            self.order.remove(&old.number);
        }
    }

    /// Closes a file. Returns `false` if none is open.
    fn close_one(&mut self) -> bool {
        let is_at_path = |recorded: &RecordedAs| {
            let known = self.by_record.get(recorded);
            known.is_some_and(|known| known.is_at_path)
        };
        let found = self.order.iter().find(|(_, recorded)| is_at_path(recorded));
        let Some(number) = found
            .or(self.order.iter().next())
            .map(|(number, _)| *number)
        else {
            return false;
        };
        let Some(recorded) = self.order.remove(&number) else {
            return false;
        };
        let closed = self.by_record.remove(&recorded);
        if closed.is_some_and(|closed| !closed.is_at_path) {
            self.given_up = self.given_up.saturating_add(1);
        }
        true
    }
}

/// Whether a path of this host leads to a file.
fn is_at(file: &File, path: &Path) -> bool {
    let there = std::fs::metadata(path);
    let same = |file: Metadata| {
        there.is_ok_and(|there| (there.dev(), there.ino()) == (file.dev(), file.ino()))
    };
    file.metadata().is_ok_and(same)
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::sync::Arc;

    use backsight_types::{BuildId, Module};

    use super::{Held, HeldFiles, RecordedAs};

    fn recorded(path: &str, inode: u64) -> RecordedAs {
        RecordedAs::of(&module(path, inode))
    }

    fn module(path: &str, inode: u64) -> Module {
        let module = Module::default().with_path(path);
        module.with_inode(inode)
    }

    #[test]
    fn those_that_a_path_leads_to_are_closed_first() {
        let dir = tempfile::tempdir().unwrap();
        let mut held = Held::default();
        let path = |at: usize| dir.path().join(at.to_string()).display().to_string();
        // The files with odd numbers are deleted.
        for at in 0..6 {
            let file = Arc::new(File::create(path(at)).unwrap());
            if at % 2 == 1 {
                std::fs::remove_file(path(at)).unwrap();
            }
            held.hold(recorded(&path(at), 7), file, None, 4);
        }
        let left = |held: &Held| {
            let is_open = |at: &usize| held.by_record.contains_key(&recorded(&path(*at), 7));
            (0..8).filter(is_open).collect::<Vec<_>>()
        };
        assert_eq!((left(&held), held.given_up), (vec![1, 3, 4, 5], 0));
        for at in 6..8 {
            let file = Arc::new(File::create(path(at)).unwrap());
            std::fs::remove_file(path(at)).unwrap();
            held.hold(recorded(&path(at), 7), file, None, 4);
        }
        assert_eq!((left(&held), held.given_up), (vec![3, 5, 6, 7], 1));
        assert_eq!(held.order.len(), held.by_record.len());
    }

    #[test]
    fn a_file_is_that_of_its_record() {
        let files = HeldFiles::default();
        let file = Arc::new(File::open("/proc/self/exe").unwrap());
        let id = |byte| BuildId::from_bytes(&[byte; 20]).ok();
        files.hold(recorded("/a", 7), Arc::clone(&file), None);
        let b = RecordedAs::of(&module("/b", 0).with_build_id(id(1)));
        files.hold(b, file, None);
        let has = |module: Module| files.of(&module).is_some();
        assert!(has(module("/a", 7)) && !has(module("/a", 8)) && !has(module("/c", 7)));
        // The build ID was read from the file.
        assert!(has(module("/a", 7).with_build_id(id(1))));
        assert!(has(module("/a!/lib/b.so", 7)));
        assert!(has(module("/b", 0).with_build_id(id(1))));
        assert!(!has(module("/b", 0).with_build_id(id(2))) && !has(module("/b", 0)));
    }
}
