//! Code that processes made at run time, in memory without a file.
//!
//! ```text
//!   //anon, executable ──▶ a module called as perf calls it: /tmp/perf-PID.map
//!   an address in it   ──▶ its name in the list of that name, if there is one
//! ```
//!
//! Who reads the recording elsewhere has no such list. So the names are looked up here, as
//! those of the kernel are.

use std::fs::File;
use std::io::BufReader;
use std::time::{Duration, SystemTime};

use backsight_formats::perf_map::{LastLine, Limits, PerfMap, pid_in_name};
use backsight_profile::{Location, Profile};
use backsight_types::trace::{ChainEntry, Facts, KERNEL_PID, Mmap};
use backsight_types::{
    AbsAddr, AddrKind, FileOffset, Lookup, Module, ModuleIdx, ModuleKind, Reason, VirtOffset,
};
use hashbrown::HashMap;

use super::dumped::Dumps;
use super::written::named;
use crate::find::ModuleFiles;
use crate::jit::found::{FoundMap, found};
use crate::jit::options::{MapOptions, MapsOf};
use crate::jit::process::Times;
use crate::jit::said::{MapRead, MapRefusal, MapUse};

/// The clock that jitdump files have their times from: `CLOCK_MONOTONIC`.
const MONOTONIC: u32 = 1;

/// The names of the code that processes made.
#[derive(Debug, Default)]
pub(super) struct MadeCode {
    options: MapOptions,
    /// One instant since 1970, and on the clock of the records.
    clock: Option<(u64, u64)>,
    is_of_host: bool,
    programs: HashMap<u32, Program>,
    maps: HashMap<u32, Option<PerfMap>>,
    dumps: Dumps,
    uses: Vec<MapUse>,
}

/// Code that a file tells of, and how far inside of it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Made {
    pid: u32,
    pub(super) code: u32,
    offset: u64,
}

/// What is known of a process.
#[derive(Clone, Copy, Debug, Default)]
struct Program {
    /// When it began, if that was while it was recorded.
    began_ns: Option<u64>,
    has_code: bool,
    /// Another program made code under its number before.
    is_second: bool,
}

impl MadeCode {
    pub(super) fn new(options: MapOptions, facts: &Facts, is_of_host: bool) -> Self {
        let dumps = Dumps::new(facts.clock_id == Some(MONOTONIC));
        Self {
            options,
            clock: facts.clock,
            is_of_host,
            dumps,
            ..Self::default()
        }
    }

    /// A process began, or runs another program. Of what was there before, records have no
    /// time.
    pub(super) fn began(&mut self, pid: u32, time_ns: u64) {
        let program = self.programs.entry(pid).or_default();
        *program = Program {
            began_ns: Some(time_ns).filter(|time| *time > 0),
            has_code: false,
            is_second: program.has_code || program.is_second,
        };
    }

    /// A process made room for code.
    pub(super) fn mapped(&mut self, pid: u32) {
        self.programs.entry(pid).or_default().has_code = true;
    }

    /// A process ended, and nothing more comes of it.
    pub(super) fn gone(&mut self, pid: u32) {
        let program = self.programs.get(&pid);
        if program.is_some_and(|program| !program.has_code && !program.is_second) {
            self.programs.remove(&pid);
        }
    }

    /// Returns what came of each list that was looked for.
    pub(super) fn take_uses(&mut self) -> Vec<MapUse> {
        std::mem::take(&mut self.uses)
    }

    /// A process mapped something: the file that tells of its code, perhaps.
    pub(super) fn dump_mapped(&mut self, pid: u32, mapping: &Mmap, files: &ModuleFiles) {
        let Self {
            options,
            is_of_host,
            dumps,
            uses,
            ..
        } = self;
        uses.extend(dumps.mapped(pid, mapping, options, files, *is_of_host));
    }

    /// Returns how often the code of a process changed up to a time, as far as its file
    /// tells: a number that stays the same as long as the code does.
    pub(super) fn changes(&self, pid: u32, time_ns: Option<u64>) -> u32 {
        let changes = self.dumps.changes(pid, time_ns);
        u32::try_from(changes).unwrap_or(u32::MAX)
    }

    /// Returns which code an entry of a chain is in, as far as a file tells when code was
    /// where.
    pub(super) fn code(
        &mut self,
        entry: &ChainEntry,
        module: ModuleIdx,
        profile: &Profile,
        time_ns: Option<u64>,
    ) -> Option<Made> {
        let pid = pid_in_name(&profile.module(module)?.path)?;
        let (code, offset) = self.dumps.at(pid, looked_up(entry), time_ns)?;
        Some(Made { pid, code, offset })
    }

    /// Returns the place of an entry of a chain in code that was made.
    pub(super) fn location(
        &mut self,
        entry: &ChainEntry,
        made: Option<Made>,
        module: ModuleIdx,
        profile: &mut Profile,
        files: &ModuleFiles,
    ) -> Location {
        let nameless = Location {
            address: Some(entry.addr),
            lookup: entry.lookup,
            kind: Some(AddrKind::Anonymous),
            module: Some(module),
            reason: Some(Reason::Anonymous),
            ..Location::default()
        };
        let dumped = made.and_then(|Made { pid, code, offset }| {
            let strings = &mut profile.strings;
            self.dumps.frame(pid, (code, offset), strings)
        });
        let frame = dumped.or_else(|| {
            // A fork has the code of its parent.
            let pid = pid_in_name(&profile.module(module)?.path)?;
            let code = self.map(pid, files)?.at(looked_up(entry))?;
            let start = VirtOffset(code.start.0);
            Some(named(code.name, start, &mut profile.strings))
        });
        let Some(frame) = frame else {
            return nameless;
        };
        let Some(frames) = profile.add_frames([frame]) else {
            return nameless;
        };
        Location {
            file_offset: Some(FileOffset(entry.addr.0)),
            virt_offset: Some(VirtOffset(entry.addr.0)),
            reason: None,
            frames,
            ..nameless
        }
    }

    fn map(&mut self, pid: u32, files: &ModuleFiles) -> Option<&PerfMap> {
        if self.options.of == MapsOf::Nobody {
            return None;
        }
        if !self.maps.contains_key(&pid) {
            let (map, said) = self.read(pid, files);
            self.uses.push(said);
            self.maps.insert(pid, map);
        }
        self.maps.get(&pid)?.as_ref()
    }

    fn read(&self, pid: u32, files: &ModuleFiles) -> (Option<PerfMap>, MapUse) {
        let program = self.programs.get(&pid).copied().unwrap_or_default();
        let times = Times {
            began: program.began_ns.and_then(|time| self.began_at(time)),
            recorded: self.options.modified,
        };
        let FoundMap { path, file } = found(pid, times, &self.options, files, self.is_of_host);
        let file = file.and_then(|file| match program.is_second {
            true => Err(MapRefusal::TwoPrograms),
            false => Ok(file),
        });
        let (map, read) = match file.and_then(|file| read(&file)) {
            Ok((map, read)) => (Some(map), Ok(read)),
            Err(refusal) => (None, Err(refusal.with_path(path.as_deref()))),
        };
        (map, MapUse { pid, path, read })
    }

    /// Returns when a process began that did so while it was recorded; no later at least.
    fn began_at(&self, time_ns: u64) -> Option<SystemTime> {
        let Some((wall, clock)) = self.clock else {
            return self.options.created.min(self.options.modified);
        };
        let since_1970 = wall.checked_sub(clock)?.checked_add(time_ns)?;
        SystemTime::UNIX_EPOCH.checked_add(Duration::from_nanos(since_1970))
    }
}

fn read(file: &File) -> Result<(PerfMap, MapRead), MapRefusal> {
    let mut map = PerfMap::default();
    let input = BufReader::with_capacity(1 << 17, file);
    let done = map.read(input, LastLine::Whole, &Limits::default());
    done.map_err(|error| MapRefusal::of_file("read", error))?;
    let read = MapRead::of(&map);
    Ok((map, read))
}

/// Returns the instruction that an entry means: a return address stands behind its call.
fn looked_up(entry: &ChainEntry) -> AbsAddr {
    let back = u64::from(entry.lookup == Lookup::Return);
    AbsAddr(entry.addr.0.saturating_sub(back))
}

/// Whether a process makes code there: what `perf` takes for memory without a file.
pub(super) fn is_made(pid: u32, mapping: &Mmap) -> bool {
    let names: [&[u8]; 3] = [b"//anon", b"/anon_hugepage", b"/dev/zero"];
    let is_anonymous = names.iter().any(|name| mapping.name.starts_with(name));
    pid != KERNEL_PID && mapping.perms.is_executable() && is_anonymous
}

/// Calls memory as `perf` does, with addresses for offsets.
pub(super) fn called_as_perf_does(pid: u32, mapping: &mut Mmap) {
    *mapping = Mmap {
        range: mapping.range,
        perms: mapping.perms,
        offset: FileOffset(mapping.range.start.0),
        name: format!("/tmp/perf-{pid}.map").into_bytes(),
        ..Mmap::default()
    };
}

/// Tells memory that was called so from a file.
pub(super) fn told_from_file(module: &mut Module) {
    let is_file = module.inode != 0 || module.build_id.is_some();
    if !is_file && pid_in_name(&module.path).is_some() {
        module.kind = ModuleKind::Anonymous;
    }
}
