//! The jitdump of a live process: a file `jit-PID.dump`, of which the process has mapped a page
//! as executable to mark it.

use std::borrow::Cow;
use std::ffi::OsStr;
use std::fs::File;
use std::io::{BufReader, Seek, SeekFrom};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use backsight_files::{By, Identity};
use backsight_formats::jitdump::{Error, Jitdump, Limits, Timeline};
use backsight_formats::ndjson::JsonFrame;
use backsight_types::{AbsAddr, Lookup, Reason};
use nix::sys::stat::{major, minor};
use vma_query::{Filter, NameBuf, ProcMaps, Vma, VmaName};

use super::dump_file::is_dump;
use super::found::owned;
use super::jit_frame::frame_of;
use super::said::{MapRead, MapRefusal, MapUse};
use super::stack_code::stack_code;

/// The jitdump of a process, as far as it was read.
#[derive(Debug, Default)]
pub(super) struct LiveDump {
    pid: u32,
    dump: Jitdump,
    /// The code as it is now.
    now: Timeline,
    /// The file, by device and inode, and its size when it was read last.
    file: Option<(u64, u64)>,
    size: u64,
    said: Option<MapUse>,
}

impl LiveDump {
    pub(super) fn new(pid: u32) -> Self {
        Self {
            pid,
            ..Self::default()
        }
    }

    /// Reads what was written since the last time. `folder` is that of the process in `/proc`.
    pub(super) fn refresh(
        &mut self,
        maps: &ProcMaps,
        folder: &Path,
        root: &Path,
        check_owner: impl Fn(u32) -> Result<(), MapRefusal>,
    ) {
        let Some((vma, path)) = marker(maps) else {
            *self = Self::new(self.pid);
            return;
        };
        let file = mapped_file(&vma, &path, folder, root);
        let read = file
            .and_then(|file| owned(file, check_owner))
            .and_then(|file| self.read(file));
        if read.is_err() {
            *self = Self::new(self.pid);
        }
        self.said = Some(MapUse {
            pid: self.pid,
            read: read.map_err(|refusal| refusal.with_path(Some(&path))),
            path: Some(path),
        });
    }

    /// Returns the frame of an address in such code.
    pub(super) fn frame(&self, addr: AbsAddr, lookup: Lookup) -> Option<JsonFrame<'static>> {
        let at = |addr| self.now.at(addr);
        let (number, offset) = stack_code(addr, lookup, at, |(_, offset)| *offset == 0)?;
        let code = self.dump.code(number)?;
        let mut frame = frame_of(code.name, code.start);
        if let Some((file, line)) = self.dump.line(number, offset) {
            if !file.is_empty() {
                let file = String::from_utf8_lossy(file).into_owned();
                // The line where the function begins is one of its own file.
                let is_own = frame.file.as_deref() == Some(&*file);
                frame.start_line = frame.start_line.filter(|_| is_own);
                frame.file = Some(Cow::Owned(file));
            }
            frame.line = Some(line).filter(|line| *line > 0);
        }
        Some(frame)
    }

    /// Returns what came of the file when it was read last; `None` if there is none.
    pub(super) fn said(&self) -> Option<&MapUse> {
        self.said.as_ref()
    }

    fn read(&mut self, mut file: File) -> Result<MapRead, MapRefusal> {
        let failed = |error| MapRefusal::of_file("read", error);
        let metadata = file.metadata().map_err(failed)?;
        let identity = (metadata.dev(), metadata.ino());
        let size = metadata.len();
        let is_new = self.file != Some(identity) || size < self.size;
        if is_new {
            let input = BufReader::with_capacity(1 << 18, file);
            self.dump = Jitdump::read(input, &Limits::default()).map_err(|error| match error {
                Error::Io(error) => failed(error),
                other => MapRefusal::Malformed(other.to_string()),
            })?;
            self.now = Timeline::default();
        } else if size > self.size {
            let at = SeekFrom::Start(self.dump.bytes_read());
            file.seek(at).map_err(failed)?;
            let input = BufReader::with_capacity(1 << 18, file);
            let more = self.dump.read_more(input, &Limits::default());
            more.map_err(failed)?;
        }
        (self.file, self.size) = (Some(identity), size);
        self.now.advance(&self.dump, u64::MAX);
        Ok(MapRead::of_dump(&self.dump))
    }
}

/// Returns the executable mapping of a jitdump, and its path; the last one, if there are several.
fn marker(maps: &ProcMaps) -> Option<(Vma, PathBuf)> {
    let code_of_files = Filter::FILE_BACKED | Filter::EXECUTABLE;
    let mut vmas = maps.vmas().only(code_of_files);
    let mut name = NameBuf::default();
    let mut found = None;
    while let Some(Ok(vma)) = vmas.next_named(&mut name) {
        let VmaName::Path { path, .. } = name.name() else {
            continue;
        };
        let path = Path::new(OsStr::from_bytes(path));
        let is_one = path.file_name().is_some_and(|it| is_dump(it.as_bytes()));
        if is_one {
            found = Some((vma, path.to_owned()));
        }
    }
    found
}

/// Opens the file that is mapped: by the mapping, or by its path in the root of the process if
/// it is the same file by device and inode.
fn mapped_file(vma: &Vma, path: &Path, folder: &Path, root: &Path) -> Result<File, MapRefusal> {
    let link = format!("map_files/{:x}-{:x}", vma.start.0, vma.end.0);
    if let Ok(file) = backsight_files::open(&folder.join(link), By::Caller)
        && Identity::of(&file).is_ok_and(|it| it.inode == vma.inode)
    {
        return Ok(file);
    }
    let file = backsight_files::open_inside(root, path);
    let file = file.map_err(MapRefusal::Unreadable)?;
    let identity = Identity::of(&file).map_err(|error| MapRefusal::of_file("stat", error))?;
    let device = (major(identity.device), minor(identity.device));
    let mapped = (vma.device.major.into(), vma.device.minor.into());
    match identity.inode == vma.inode && device == mapped {
        true => Ok(file),
        false => Err(MapRefusal::NotTheMapped(Reason::IdentityUnproven)),
    }
}
