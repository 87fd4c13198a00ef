//! A perf map that is read, and read on as it grows.

use std::fs::File;
use std::io::{BufReader, Seek, SeekFrom};

use backsight_formats::perf_map::{LastLine, Limits, PerfMap};

use crate::jit::said::{MapRead, MapRefusal};

/// A perf map, and how much of its file was read.
#[derive(Debug)]
pub(super) struct ReadMap {
    pub(super) map: PerfMap,
    file: File,
    read: u64,
}

impl ReadMap {
    /// Reads a file from its start.
    pub(super) fn new(file: File, last: LastLine) -> Result<(Self, MapRead), MapRefusal> {
        let mut new = Self {
            map: PerfMap::default(),
            file,
            read: 0,
        };
        new.read_on(last)?;
        let read = MapRead::of(&new.map);
        Ok((new, read))
    }

    /// Reads what was written since, and returns what was read in all; `None` if nothing was.
    pub(super) fn refresh(&mut self, last: LastLine) -> Option<Result<MapRead, MapRefusal>> {
        let metadata = self.file.metadata();
        if metadata.is_ok_and(|metadata| metadata.len() <= self.read) {
            return None;
        }
        let read = self.read_on(last);
        Some(read.map(|()| MapRead::of(&self.map)))
    }

    fn read_on(&mut self, last: LastLine) -> Result<(), MapRefusal> {
        let failed = |error| MapRefusal::of_file("read", error);
        let at = self.file.seek(SeekFrom::Start(self.read));
        at.map_err(failed)?;
        let input = BufReader::with_capacity(1 << 17, &self.file);
        let more = self.map.read(input, last, &Limits::default());
        self.read = self.read.saturating_add(more.map_err(failed)?);
        Ok(())
    }
}
