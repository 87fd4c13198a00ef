//! Code that processes made at run time, in memory without a file.
//!
//! ```text
//!   //anon, executable ──▶ a module called as perf calls it: /tmp/perf-PID.map
//!   an address in it   ──▶ its name in the list of that name, if there is one
//! ```
//!
//! Who reads the recording elsewhere has no such list. So the names are looked up here, as
//! those of the kernel are.

use std::collections::VecDeque;
use std::time::{Duration, SystemTime};

use backsight_formats::perf_map::{LastLine, PerfMap, PerfMapEntry, pid_in_name};
use backsight_profile::{Location, LocationIdx, Profile};
use backsight_types::trace::{ChainEntry, Facts, Mmap};
use backsight_types::{AddrKind, FileOffset, ModuleIdx, Reason, VirtOffset};
use hashbrown::{HashMap, HashSet};

use super::dumped::Dumps;
use super::nameless_code::NamelessCodes;
use super::read_map::ReadMap;
use super::written::named;
use crate::find::ModuleFiles;
use crate::jit::dump_file::is_dump_path;
use crate::jit::found::{FoundMap, found};
use crate::jit::options::{MapOptions, MapsOf};
use crate::jit::process::Times;
use crate::jit::said::{MapRefusal, MapUse};
use crate::jit::stack_code::stack_code;

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
    pub(super) maps: HashMap<u32, Option<ReadMap>>,
    pub(super) dumps: Dumps,
    pub(super) uses: Vec<MapUse>,
    /// More of them than are kept.
    more_uses: u64,
    /// The processes that ended in this profile.
    ended: Vec<u32>,
    /// Those that ended last, and made code.
    ended_makers: VecDeque<u32>,
    nameless: NamelessCodes,
    /// Processes that tell of no code, and may not make any.
    pub(super) mute: HashSet<u32>,
    /// Whether files have grown since a place was found to have no name.
    has_more: bool,
}

/// The lists whose use is told, 200 bytes each.
const MAX_USES: usize = 1 << 12;

/// The processes that made code and have ended, whose numbers are known to have been used: what
/// their lists say is not of another program with the number.
const MAX_ENDED_MAKERS: usize = 1 << 12;

/// Code that a file tells of, and how far inside of it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Made {
    pid: u32,
    pub(super) code: u32,
    offset: u64,
}

#[derive(Clone, Copy, Debug, Default)]
struct Program {
    /// When it began, if that was while it was recorded.
    began_ns: Option<u64>,
    has_code: bool,
    /// Another program made code under its number before.
    is_second: bool,
    has_ended: bool,
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

    /// Whether names of code are wanted.
    pub(super) fn reads_lists(&self) -> bool {
        self.options.of != MapsOf::Nobody
    }

    /// A process began, or runs another program. Of what was there before, records have no
    /// time.
    pub(super) fn began(&mut self, pid: u32, time_ns: u64) {
        let program = self.programs.entry(pid).or_default();
        *program = Program {
            began_ns: Some(time_ns).filter(|time| *time > 0),
            has_code: false,
            is_second: program.has_code || program.is_second,
            has_ended: false,
        };
    }

    /// A process made room for code.
    pub(super) fn mapped(&mut self, pid: u32) {
        self.programs.entry(pid).or_default().has_code = true;
    }

    /// A process ended, and nothing more comes of it.
    pub(super) fn gone(&mut self, pid: u32) {
        self.ended.push(pid);
        let Some(program) = self.programs.get_mut(&pid) else {
            return;
        };
        if !program.has_code && !program.is_second {
            self.programs.remove(&pid);
            return;
        }
        program.has_ended = true;
        self.ended_makers.push_back(pid);
        if self.ended_makers.len() > MAX_ENDED_MAKERS
            && let Some(pid) = self.ended_makers.pop_front()
            && self.programs.get(&pid).is_some_and(|it| it.has_ended)
        {
            self.programs.remove(&pid);
        }
    }

    /// Goes on with another profile: what was read of processes that have ended is let go, since
    /// no stack of them is waiting for names. A process that was forked from one of them has its
    /// list read again.
    pub(super) fn begin_profile(&mut self) {
        self.nameless.clear();
        self.mute.clear();
        for pid in std::mem::take(&mut self.ended) {
            self.maps.remove(&pid);
            self.dumps.forget(pid);
        }
        let more = self.uses.len().saturating_sub(MAX_USES);
        self.uses.truncate(MAX_USES);
        let more = u64::try_from(more).unwrap_or(u64::MAX);
        self.more_uses = self.more_uses.saturating_add(more);
    }

    /// Returns what came of each list that was looked for.
    pub(super) fn take_uses(&mut self) -> Vec<MapUse> {
        std::mem::take(&mut self.uses)
    }

    /// Returns how many more lists were looked for than [`Self::take_uses`] tells.
    pub(super) fn more_uses(&self) -> u64 {
        self.more_uses
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

    /// Reads what processes wrote since. A recorder calls it from time to time, and so all that is
    /// known of code is of the same time.
    pub(super) fn refresh(&mut self) {
        self.has_more |= self.dumps.refresh(&mut self.uses);
        let last = self.last_line();
        self.read_maps_on(last);
    }

    fn read_maps_on(&mut self, last: LastLine) {
        let known = self.maps.iter_mut();
        for (pid, read) in known.filter_map(|(pid, map)| Some((pid, map.as_mut()?))) {
            let Some(more) = read.refresh(last) else {
                continue;
            };
            self.has_more = true;
            let is_it = |said: &&mut MapUse| {
                said.pid == *pid && said.path.as_deref().is_some_and(|path| !is_dump_path(path))
            };
            if let Some(said) = self.uses.iter_mut().rev().find(is_it) {
                let path = said.path.clone();
                said.read = more.map_err(|refusal| refusal.with_path(path.as_deref()));
            }
        }
    }

    /// A list may be written on while it is read, unless the recording is a file.
    pub(super) fn last_line(&self) -> LastLine {
        match self.options.modified {
            Some(_) => LastLine::Whole,
            None => LastLine::Unfinished,
        }
    }

    /// A place was met: one without a name may get it later.
    pub(super) fn met(
        &mut self,
        index: LocationIdx,
        entry: &ChainEntry,
        module: ModuleIdx,
        time_ns: Option<u64>,
        profile: &Profile,
    ) {
        let location = profile.location(index);
        if location.is_some_and(|it| it.reason == Some(Reason::Anonymous)) {
            self.nameless.met(index, entry, module, time_ns);
        }
    }

    /// Names the places that have no name, if files have grown since. Called when a profile is
    /// complete.
    pub(super) fn name_late(&mut self, profile: &mut Profile, files: &ModuleFiles) {
        self.refresh();
        self.read_maps_on(LastLine::Whole);
        let missing = |said: &MapUse| said.read == Err(MapRefusal::Missing);
        let late: Vec<u32> = self
            .uses
            .iter()
            .filter(|it| missing(it))
            .map(|it| it.pid)
            .collect();
        let is_live = self.options.modified.is_none();
        for pid in late.into_iter().filter(|_| is_live) {
            let (map, said) = self.read(pid, files, LastLine::Whole);
            if map.is_none() {
                continue;
            }
            self.has_more = true;
            self.maps.insert(pid, map);
            let mut uses = self.uses.iter_mut();
            if let Some(old) = uses.find(|it| it.pid == pid && missing(it)) {
                *old = said;
            }
        }
        let nameless = self.nameless.take();
        if !std::mem::take(&mut self.has_more) {
            return;
        }
        for (index, code) in nameless {
            let pid = profile
                .module(code.module)
                .and_then(|it| pid_in_name(&it.path));
            let found = pid.and_then(|pid| {
                let (number, offset) = self.dumps.at_times(pid, &code.entry, code.times)?;
                let code = number;
                Some(Made { pid, code, offset })
            });
            let place = self.location(&code.entry, found, code.module, profile, files);
            if let Some(location) = profile.locations.get_mut(index.as_usize()) {
                *location = place;
            }
        }
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
        let (code, offset) = self.dumps.at(pid, entry, time_ns)?;
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
            let map = self.map(pid, files)?;
            let begins_there = |code: &PerfMapEntry<'_>| code.start == entry.addr;
            let at = |addr| map.at(addr);
            let code = stack_code(entry.addr, entry.lookup, at, begins_there)?;
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
        if !self.reads_lists() {
            return None;
        }
        if !self.maps.contains_key(&pid) {
            let (map, said) = self.read(pid, files, self.last_line());
            self.uses.push(said);
            self.maps.insert(pid, map);
        }
        Some(&self.maps.get(&pid)?.as_ref()?.map)
    }

    pub(super) fn read(
        &self,
        pid: u32,
        files: &ModuleFiles,
        last: LastLine,
    ) -> (Option<ReadMap>, MapUse) {
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
        let (map, read) = match file.and_then(|file| ReadMap::new(file, last)) {
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
