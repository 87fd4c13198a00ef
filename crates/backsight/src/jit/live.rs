//! The names of the code that a live process makes: its perf map, which grows as it makes code,
//! and its jitdump if it writes one.

use std::fs::File;
use std::io::{BufReader, Seek, SeekFrom};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use backsight_formats::ndjson::AddressLine;
use backsight_formats::perf_map::{LastLine, Limits, PerfMap};
use backsight_types::{AbsAddr, Lookup};
use nix::unistd::geteuid;
use vma_query::ProcMaps;

use super::found::{is_older, opened, owned};
use super::jit_frame::frame_of;
use super::live_dump::LiveDump;
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
    dump: LiveDump,
    /// The file of the map, by device and inode, and how much of it was read.
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
            dump: LiveDump::new(pid),
            proc_root: proc_root.unwrap_or(Path::new("/proc")).to_owned(),
            ..Self::default()
        }
    }

    /// Reads what was written since the last time.
    pub(crate) fn refresh(&mut self, maps: &ProcMaps) {
        if self.of == MapsOf::Nobody {
            return;
        }
        let process = LiveProcess::of(&self.proc_root, self.pid);
        let Some(process) = process else { return };
        let path = process.root.join("tmp").join(process.map_name());
        let read = self.file_of(&process).and_then(|file| self.read(file));
        let of = self.of;
        let may_own = |user| may_own(of, &process, user);
        let folder = self.proc_root.join(self.pid.to_string());
        self.dump.refresh(maps, &folder, &process.root, may_own);
        // What was read is of another process.
        if LiveProcess::of(&self.proc_root, self.pid).as_ref() != Some(&process) {
            self.forget();
            self.dump = LiveDump::new(self.pid);
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
        if let Some(frame) = self.dump.frame(addr) {
            answer.reason = None;
            answer.frames = vec![frame];
            return Some(());
        }
        let code = self.map.at(addr)?;
        answer.reason = None;
        answer.frames = vec![frame_of(code.name, code.start)];
        Some(())
    }

    /// Returns what came of the map when it was looked at last; `None` when it never was. A
    /// process that writes a jitdump needs no map.
    pub(crate) fn said(&self) -> Option<&MapUse> {
        let said = self.said.as_ref();
        let has_dump = self.dump.said().is_some_and(|used| used.read.is_ok());
        said.filter(|used| !has_dump || used.read != Err(MapRefusal::Missing))
    }

    /// Returns what came of the jitdump; `None` if the process has mapped none.
    pub(crate) fn dump_said(&self) -> Option<&MapUse> {
        self.dump.said()
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

/// Whether a file of this user is read: one that may say what the process runs.
fn may_own(of: MapsOf, process: &LiveProcess, user: u32) -> bool {
    let is_wanted = of != MapsOf::Own || process.user == geteuid().as_raw();
    is_wanted && (user == 0 || user == process.user)
}
