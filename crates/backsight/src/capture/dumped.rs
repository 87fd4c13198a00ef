//! Code that processes told of as they made it: `jit-PID.dump`, which they map as a mark.

use std::fs::File;
use std::io::BufReader;

use backsight_formats::jitdump::{Error, Jitdump, Limits, Timeline};
use backsight_profile::{ProfileFrame, Strings};
use backsight_types::trace::Mmap;
use backsight_types::{AbsAddr, VirtOffset};
use hashbrown::HashMap;

use super::written::named;
use crate::find::ModuleFiles;
use crate::jit::dump_file::found_dump;
use crate::jit::found::FoundMap;
use crate::jit::options::{MapOptions, MapsOf};
use crate::jit::said::{MapRead, MapRefusal, MapUse};

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
        let read = file.and_then(|file| read(&file)).map(|dump| {
            let is_timed = self.is_timed && !dump.has_own_clock();
            let read = MapRead {
                lacks_times: !is_timed,
                ..MapRead::of_dump(&dump)
            };
            let mut now = Timeline::default();
            if !is_timed {
                now.advance(&dump, u64::MAX);
            }
            self.by_pid.insert(
                pid,
                Dumped {
                    dump,
                    now,
                    is_timed,
                },
            );
            read
        });
        let read = read.map_err(|refusal| refusal.with_path(path.as_deref()));
        Some(MapUse { pid, path, read })
    }

    /// Returns how often the code of a process changed up to a time.
    pub(super) fn changes(&self, pid: u32, time_ns: Option<u64>) -> usize {
        let timed = self.by_pid.get(&pid).filter(|dumped| dumped.is_timed);
        timed.map_or(0, |dumped| {
            dumped.dump.changes_until(time_ns.unwrap_or(u64::MAX))
        })
    }

    /// Returns the number of the code that is at an address then, and how far inside of it
    /// that is. Time goes forward.
    pub(super) fn at(
        &mut self,
        pid: u32,
        addr: AbsAddr,
        time_ns: Option<u64>,
    ) -> Option<(u32, u64)> {
        let dumped = self.by_pid.get_mut(&pid)?;
        if dumped.is_timed {
            let time = time_ns.unwrap_or(u64::MAX);
            dumped.now.advance(&dumped.dump, time);
        }
        dumped.now.at(addr)
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

fn read(file: &File) -> Result<Jitdump, MapRefusal> {
    let input = BufReader::with_capacity(1 << 18, file);
    let dump = Jitdump::read(input, &Limits::default());
    dump.map_err(|error| match error {
        Error::Io(error) => MapRefusal::of_file("read", error),
        other => MapRefusal::Malformed(other.to_string()),
    })
}
