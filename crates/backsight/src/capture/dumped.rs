//! Code that processes told of as they made it: `jit-PID.dump`, which they map as a mark.

use std::fs::File;
use std::io::{BufReader, Seek, SeekFrom};
use std::path::PathBuf;

use backsight_formats::jitdump::{Error, Jitdump, Limits, Timeline};
use backsight_profile::{ProfileFrame, Strings};
use backsight_types::VirtOffset;
use backsight_types::trace::{ChainEntry, Mmap};
use hashbrown::HashMap;

use super::written::named;
use crate::find::ModuleFiles;
use crate::jit::dump_file::found_dump;
use crate::jit::found::FoundMap;
use crate::jit::options::{MapOptions, MapsOf};
use crate::jit::said::{MapRead, MapRefusal, MapUse};
use crate::jit::stack_code::stack_code;

/// The files of all processes.
#[derive(Debug, Default)]
pub(super) struct Dumps {
    /// Whether times of records and of the files are of one clock.
    is_timed: bool,
    by_pid: HashMap<u32, Dumped>,
}

#[derive(Debug)]
struct Dumped {
    dump: Jitdump,
    now: Timeline,
    is_timed: bool,
    path: Option<PathBuf>,
    file: File,
    /// Its size when it was read last.
    size: u64,
}

impl Dumps {
    /// Of a recording that has the clock of the files, or another one.
    pub(super) fn new(is_timed: bool) -> Self {
        Self {
            is_timed,
            ..Self::default()
        }
    }

    /// Reads the file that a process mapped; `None` when it is none, or none is wanted.
    pub(super) fn mapped(
        &mut self,
        pid: u32,
        mapping: &Mmap,
        options: &MapOptions,
        files: &ModuleFiles,
        is_of_host: bool,
    ) -> Option<MapUse> {
        if options.of == MapsOf::Nobody || !mapping.perms.is_executable() {
            return None;
        }
        let FoundMap { path, file } = found_dump(mapping, options, files, is_of_host)?;
        let read = file.and_then(|file| {
            let (dump, size) = read(&file)?;
            let mut dumped = Dumped {
                now: Timeline::default(),
                is_timed: self.is_timed && !dump.has_own_clock(),
                path: path.clone(),
                dump,
                file,
                size,
            };
            let read = dumped.was_read();
            self.by_pid.insert(pid, dumped);
            Ok(read)
        });
        let read = read.map_err(|refusal| refusal.with_path(path.as_deref()));
        Some(MapUse { pid, path, read })
    }

    /// Whether a process tells of its code.
    pub(super) fn has(&self, pid: u32) -> bool {
        self.by_pid.contains_key(&pid)
    }

    /// A process has ended, and nothing more comes of it.
    pub(super) fn forget(&mut self, pid: u32) {
        self.by_pid.remove(&pid);
    }

    /// Reads what was written to the files since, and puts what came of it in place of what was
    /// said. Returns whether there was something.
    pub(super) fn refresh(&mut self, uses: &mut [MapUse]) -> bool {
        let mut is_new = false;
        for (pid, dumped) in &mut self.by_pid {
            let Some(read) = dumped.read_more() else {
                continue;
            };
            is_new = true;
            let mut uses = uses.iter_mut().rev();
            let said = uses.find(|said| said.pid == *pid && said.path == dumped.path);
            if let Some(said) = said {
                said.read = read.map_err(|refusal| refusal.with_path(dumped.path.as_deref()));
            }
        }
        is_new
    }

    /// Returns the code that an address of a stack was in at both times, and how far inside of it
    /// that is.
    pub(super) fn at_times(
        &self,
        pid: u32,
        entry: &ChainEntry,
        times: [Option<u64>; 2],
    ) -> Option<(u32, u64)> {
        let dumped = self.by_pid.get(&pid)?;
        let [first, last] = times.map(|time| {
            let mut then = Timeline::default();
            let time = time.filter(|_| dumped.is_timed).unwrap_or(u64::MAX);
            then.advance(&dumped.dump, time);
            let at = |addr| then.at(addr);
            stack_code(entry.addr, entry.lookup, at, |(_, offset)| *offset == 0)
        });
        first.filter(|_| first == last)
    }

    /// Returns how often the code of a process changed up to a time.
    pub(super) fn changes(&self, pid: u32, time_ns: Option<u64>) -> usize {
        let timed = self.by_pid.get(&pid).filter(|dumped| dumped.is_timed);
        timed.map_or(0, |dumped| {
            dumped.dump.changes_until(time_ns.unwrap_or(u64::MAX))
        })
    }

    /// Returns the number of the code that an address of a stack is in then, and how far inside
    /// of it that is. Time goes forward.
    pub(super) fn at(
        &mut self,
        pid: u32,
        entry: &ChainEntry,
        time_ns: Option<u64>,
    ) -> Option<(u32, u64)> {
        let dumped = self.by_pid.get_mut(&pid)?;
        if dumped.is_timed {
            let time = time_ns.unwrap_or(u64::MAX);
            dumped.now.advance(&dumped.dump, time);
        }
        let at = |addr| dumped.now.at(addr);
        stack_code(entry.addr, entry.lookup, at, |(_, offset)| *offset == 0)
    }

    /// Returns the frame of a byte of that code.
    pub(super) fn frame(
        &self,
        pid: u32,
        code: (u32, u64),
        strings: &mut Strings,
    ) -> Option<ProfileFrame> {
        let (number, offset) = code;
        let dump = &self.by_pid.get(&pid)?.dump;
        let known = dump.code(number)?;
        let mut frame = named(known.name, VirtOffset(known.start.0), strings);
        if let Some((file, line)) = dump.line(number, offset) {
            if !file.is_empty() {
                let file = strings.intern(&String::from_utf8_lossy(file));
                // The line where the function begins is one of its own file.
                frame.start_line = frame.start_line.filter(|_| frame.file == Some(file));
                frame.file = Some(file);
            }
            frame.line = Some(line).filter(|line| *line > 0);
        }
        Some(frame)
    }
}

impl Dumped {
    /// Reads what was written since; `None` if nothing was.
    fn read_more(&mut self) -> Option<Result<MapRead, MapRefusal>> {
        let size = self.file.metadata().map_or(self.size, |it| it.len());
        if size <= self.size {
            return None;
        }
        self.size = size;
        let at = self.file.seek(SeekFrom::Start(self.dump.bytes_read()));
        let more = at.and_then(|_| {
            let input = BufReader::with_capacity(1 << 18, &self.file);
            self.dump.read_more(input, &Limits::default())
        });
        let read = self.was_read();
        Some(match more {
            Ok(()) => Ok(read),
            Err(error) => Err(MapRefusal::of_file("read", error)),
        })
    }

    /// The file was read, up to its end as it is now.
    fn was_read(&mut self) -> MapRead {
        if !self.is_timed {
            self.now.advance(&self.dump, u64::MAX);
        }
        MapRead {
            lacks_times: !self.is_timed,
            ..MapRead::of_dump(&self.dump)
        }
    }
}

/// Reads a file from its start. Returns it with the size that it had before.
fn read(file: &File) -> Result<(Jitdump, u64), MapRefusal> {
    let failed = |error| MapRefusal::of_file("read", error);
    let size = file.metadata().map_err(failed)?.len();
    let input = BufReader::with_capacity(1 << 18, file);
    let dump = Jitdump::read(input, &Limits::default()).map_err(|error| match error {
        Error::Io(error) => failed(error),
        other => MapRefusal::Malformed(other.to_string()),
    })?;
    Ok((dump, size))
}
