//! The names of the code that a live process makes: its perf map, which grows as it makes code,
//! and its jitdump if it writes one.

use std::fs::File;
use std::io::{BufReader, Seek, SeekFrom};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use backsight_formats::ndjson::{AddressLine, JsonFrame};
use backsight_formats::perf_map::{LastLine, Limits, PerfMap, PerfMapEntry};
use backsight_normalize::NormalizedModule;
use backsight_types::{AbsAddr, Lookup, Module, Outcome, Reason};
use nix::unistd::geteuid;
use vma_query::ProcMaps;

use super::anonymous_name::{MEMFD, is_anonymous_name, is_unlinked_memory};
use super::found::{is_older, opened, owned};
use super::jit_frame::frame_of;
use super::live_dump::LiveDump;
use super::options::MapsOf;
use super::process::LiveProcess;
use super::said::{MapRead, MapRefusal, MapUse};
use super::stack_code::stack_code;

/// The names of the code that a live process made at run time, as its perf map and its jitdump
/// have them. No other host can look them up: they belong to the normalized addresses.
///
/// ```no_run
/// use backsight::{LiveJit, MapsOf};
/// use backsight::formats::ndjson::AddressLine;
/// use backsight::types::{AbsAddr, Lookup};
/// use backsight_normalize::{Options, Session};
///
/// let (pid, addr) = (1234, AbsAddr(0x7f00_0000_1040));
/// let mut session = Session::open(pid, Options::default())?;
/// let mut jit = LiveJit::new(pid, None, MapsOf::Own);
/// let mut outcomes = Vec::new();
/// session.normalize(&[addr], &mut outcomes)?;
/// let mut answer = AddressLine::normalized(addr, Lookup::Exact, outcomes[0], None);
/// if let Some(maps) = session.maps().filter(|_| LiveJit::may_name(&answer)) {
///     jit.refresh(maps);
///     jit.name(&mut answer);
/// }
/// # Ok::<(), vma_query::Error>(())
/// ```
#[derive(Debug, Default)]
pub struct LiveJit {
    of: MapsOf,
    pid: u32,
    proc_root: PathBuf,
    map: PerfMap,
    dump: LiveDump,
    /// The file of the map, by device and inode, and how much of it was read.
    file: Option<(u64, u64)>,
    read: u64,
    nameless: u64,
    /// What came of it when it was looked at last.
    said: Option<MapUse>,
}

impl LiveJit {
    /// Creates the names of a process, which are read by [`refresh`](Self::refresh). The process
    /// is looked for in `proc_root` instead of `/proc`, if that is given.
    #[must_use]
    pub fn new(pid: u32, proc_root: Option<&Path>, of: MapsOf) -> Self {
        Self {
            of,
            pid,
            dump: LiveDump::new(pid),
            proc_root: proc_root.unwrap_or(Path::new("/proc")).to_owned(),
            ..Self::default()
        }
    }

    /// Takes addresses in shared memory without a file for what they are: in
    /// [anonymous](Reason::Anonymous) memory. To the kernel, this is a file that nobody can open:
    /// `/dev/zero`, `/SYSV00000000`, or `/memfd:name` if it has no ELF file in it; or a file that has
    /// no name any more, and was none of a program. `modules` are those of the session that the
    /// outcomes are of.
    pub fn without_file(outcomes: &mut [Outcome], modules: &[NormalizedModule]) {
        let is_memory = |known: &NormalizedModule| is_shared_memory(&known.module);
        if !modules.iter().any(is_memory) {
            return;
        }
        for outcome in outcomes {
            let Outcome::Located { module, .. } = *outcome else {
                continue;
            };
            if modules.get(module.as_usize()).is_some_and(is_memory) {
                *outcome = Outcome::Unresolved(Reason::Anonymous);
            }
        }
    }

    /// Whether an address is in code that was made at run time, and has no name yet.
    #[must_use]
    pub fn may_name(answer: &AddressLine<'_>) -> bool {
        answer.reason == Some(Reason::Anonymous) && answer.frames.is_empty()
    }

    /// Reads what was written since the last time. `maps` are those of the process: a jitdump is
    /// mapped.
    pub fn refresh(&mut self, maps: &ProcMaps) {
        if self.of == MapsOf::Nobody {
            return;
        }
        let process = LiveProcess::of(&self.proc_root, self.pid);
        let Some(process) = process else { return };
        let path = process.root.join("tmp").join(process.map_name());
        let read = self.file_of(&process).and_then(|file| self.read(file));
        let of = self.of;
        let check_owner = |user| check_owner(of, &process, user);
        let folder = self.proc_root.join(self.pid.to_string());
        self.dump.refresh(maps, &folder, &process.root, check_owner);
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

    /// Adds the name to an address in such code, and file and line if a jitdump has them. Returns
    /// whether it is known.
    pub fn name(&mut self, answer: &mut AddressLine<'_>) -> bool {
        let Some(addr) = answer.address.filter(|_| Self::may_name(answer)) else {
            return false;
        };
        let Some(frame) = self.frame(addr, answer.lookup) else {
            self.nameless = self.nameless.saturating_add(1);
            return false;
        };
        answer.reason = None;
        answer.frames = vec![frame];
        true
    }

    /// Returns the number of addresses in such code that got no name.
    #[must_use]
    pub fn nameless(&self) -> u64 {
        self.nameless
    }

    fn frame(&self, addr: AbsAddr, lookup: Lookup) -> Option<JsonFrame<'static>> {
        self.dump.frame(addr, lookup).or_else(|| {
            let begins_there = |code: &PerfMapEntry<'_>| code.start == addr;
            let code = stack_code(addr, lookup, |addr| self.map.at(addr), begins_there)?;
            Some(frame_of(code.name, code.start))
        })
    }

    /// Returns what came of the map when it was looked at last; `None` when it never was. A
    /// process that writes a jitdump needs no map.
    #[must_use]
    pub fn map(&self) -> Option<&MapUse> {
        let said = self.said.as_ref();
        let has_dump = self.dump.said().is_some_and(|used| used.read.is_ok());
        said.filter(|used| !has_dump || used.read != Err(MapRefusal::Missing))
    }

    /// Returns what came of the jitdump; `None` if the process has mapped none.
    #[must_use]
    pub fn jitdump(&self) -> Option<&MapUse> {
        self.dump.said()
    }

    fn forget(&mut self) {
        (self.map, self.file, self.read) = (PerfMap::default(), None, 0);
    }

    fn file_of(&self, process: &LiveProcess) -> Result<File, MapRefusal> {
        let folder = backsight_files::folder_inside(&process.root, Path::new("/tmp"));
        let file = opened(folder, &process.map_name());
        let file = file.unwrap_or(Err(MapRefusal::Missing))?;
        let file = owned(file, |user| check_owner(self.of, process, user))?;
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

/// Whether a module that was read is memory with code that is of no file.
fn is_shared_memory(module: &Module) -> bool {
    let is_unread = module.segments.is_none() && module.build_id.is_none();
    let is_memory = is_anonymous_name(&module.path) || module.path.starts_with(MEMFD);
    is_unread && is_memory || is_unlinked_memory(module)
}

/// Checks that a file of this user is read: of one who may say what the process runs, or of the
/// user who asks.
fn check_owner(of: MapsOf, process: &LiveProcess, user: u32) -> Result<(), MapRefusal> {
    let own = geteuid().as_raw();
    if of == MapsOf::Own && process.user != own {
        return Err(MapRefusal::ProcessOfUser(process.user));
    }
    match user == 0 || user == process.user || user == own {
        true => Ok(()),
        false => Err(MapRefusal::OfOtherUser {
            owner: user,
            process: process.user,
        }),
    }
}
