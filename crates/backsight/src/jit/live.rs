//! The list of names of a process that lives, which grows as it makes code.

use std::borrow::Cow;
use std::fs::File;
use std::io::{BufReader, Seek, SeekFrom};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use backsight_formats::ndjson::{AddressLine, JsonFrame};
use backsight_formats::perf_map::{JitName, LastLine, Limits, PerfMap};
use backsight_types::{AbsAddr, Lookup, VirtOffset};
use nix::unistd::geteuid;

use super::found::{is_older, opened, owned};
use super::options::MapsOf;
use super::process::LiveProcess;
use super::said::{MapRead, MapRefusal, MapUse};

/// The names of the code that a process makes.
#[derive(Debug, Default)]
pub(crate) struct LiveMap {
    of: MapsOf,
    pid: u32,
    proc_root: PathBuf,
    map: PerfMap,
    /// The file, by device and inode, and how much of it was read.
    file: Option<(u64, u64)>,
    read: u64,
    /// What came of it when it was looked at last.
    said: Option<MapUse>,
}

impl LiveMap {
    pub(crate) fn new(pid: u32, proc_root: Option<&Path>, of: MapsOf) -> Self {
        Self {
            of,
            pid,
            proc_root: proc_root.unwrap_or(Path::new("/proc")).to_owned(),
            ..Self::default()
        }
    }

    /// Reads what was written since the last time.
    pub(crate) fn refresh(&mut self) {
        if self.of == MapsOf::Nobody {
            return;
        }
        let process = LiveProcess::of(&self.proc_root, self.pid);
        let Some(process) = process else { return };
        let path = process.root.join("tmp").join(process.map_name());
        let read = self.file_of(&process).and_then(|file| self.read(file));
        // What was read is of another process.
        if LiveProcess::of(&self.proc_root, self.pid).as_ref() != Some(&process) {
            self.forget();
            return;
        }
        if read.is_err() {
            self.forget();
        }
        let is_there = read != Err(MapRefusal::Missing);
        self.said = Some(MapUse {
            pid: self.pid,
            read: read.map_err(|refusal| refusal.with_path(Some(&path))),
            path: is_there.then_some(path),
        });
    }

    /// Names an address in such code, as far as its name is known.
    pub(crate) fn name(&self, answer: &mut AddressLine<'_>) -> Option<()> {
        let back = u64::from(answer.lookup == Lookup::Return);
        let addr = AbsAddr(answer.address?.0.checked_sub(back)?);
        let code = self.map.at(addr)?;
        let name = String::from_utf8_lossy(code.name);
        let written = JitName::of(&name);
        let owned = |text: &str| Some(Cow::Owned(text.to_owned()));
        answer.reason = None;
        answer.frames = vec![JsonFrame {
            function: owned(written.function),
            linkage_name: owned(&name).filter(|_| written.function != &*name),
            file: written.file.and_then(owned),
            start_line: written.start_line,
            start: Some(VirtOffset(code.start.0)),
            ..JsonFrame::default()
        }];
        Some(())
    }

    /// Returns what came of it when it was looked at last; `None` when it never was.
    pub(crate) fn said(&self) -> Option<&MapUse> {
        self.said.as_ref()
    }

    fn forget(&mut self) {
        (self.map, self.file, self.read) = (PerfMap::default(), None, 0);
    }

    fn file_of(&self, process: &LiveProcess) -> Result<File, MapRefusal> {
        let own = geteuid().as_raw();
        if self.of == MapsOf::Own && process.user != own {
            return Err(MapRefusal::OfUser(process.user));
        }
        let folder = backsight_files::folder_inside(&process.root, Path::new("/tmp"));
        let file = opened(folder, &process.map_name());
        let file = file.unwrap_or(Err(MapRefusal::Missing))?;
        let file = owned(file, |user| user == 0 || user == process.user)?;
        let written = file.metadata().and_then(|it| it.modified());
        match written.is_ok_and(|written| is_older(written, process.began)) {
            true => Err(MapRefusal::Older),
            false => Ok(file),
        }
    }

    fn read(&mut self, mut file: File) -> Result<MapRead, MapRefusal> {
        let failed = |error| MapRefusal::of_file("read", error);
        let metadata = file.metadata().map_err(failed)?;
        let identity = (metadata.dev(), metadata.ino());
        if self.file != Some(identity) || metadata.len() < self.read {
            self.forget();
            self.file = Some(identity);
        }
        if metadata.len() > self.read {
            file.seek(SeekFrom::Start(self.read)).map_err(failed)?;
            let input = BufReader::with_capacity(1 << 17, file);
            let more = self
                .map
                .read(input, LastLine::Unfinished, &Limits::default());
            self.read = self.read.saturating_add(more.map_err(failed)?);
        }
        Ok(MapRead::of(&self.map))
    }
}
