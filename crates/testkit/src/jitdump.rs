//! A builder of jitdump files, by the fields of `jitdump-specification.txt`.
//!
//! ```
//! let mut file = testkit::jitdump::JitdumpFile::new(false);
//! file.lines(0x1000, 1, &[(0x1000, 3, b"a.js")]).load(1, 0x1000, 0x20, "f");
//! assert!(file.bytes.bytes.starts_with(b"DTiJ"));
//! ```

use crate::perf_file::Bytes;

const MAGIC: u32 = 0x4a69_5444;
const HEADER: u32 = 40;

/// A file under construction.
#[derive(Debug)]
pub struct JitdumpFile {
    /// What was written so far.
    pub bytes: Bytes,
    big: bool,
}

impl JitdumpFile {
    /// Creates a file of process 77 without records; big-endian if `big`.
    #[must_use]
    pub fn new(big: bool) -> Self {
        let mut bytes = Bytes::new(big);
        bytes.u32(MAGIC).u32(1).u32(HEADER).u32(62).u32(0).u32(77);
        bytes.words(&[5, 0]);
        Self { bytes, big }
    }

    /// Adds a record.
    pub fn record(&mut self, kind: u32, time: u64, body: impl FnOnce(&mut Bytes)) -> &mut Self {
        let mut inside = Bytes::new(self.big);
        body(&mut inside);
        let size = u32::try_from(inside.bytes.len()).expect("a short record") + 16;
        self.bytes.u32(kind).u32(size).u64(time).raw(&inside.bytes);
        self
    }

    /// Adds code.
    pub fn load(&mut self, time: u64, start: u64, size: u64, name: &str) -> &mut Self {
        self.record(0, time, |at| {
            at.u32(77).u32(78).words(&[start, start, size, 1]);
            at.raw(name.as_bytes()).raw(&[0]);
            at.zeros(usize::try_from(size).expect("short code"));
        })
    }

    /// Adds a move of code.
    pub fn moved(&mut self, time: u64, from: u64, to: u64, size: u64) -> &mut Self {
        self.record(1, time, |at| {
            at.u32(77).u32(78).words(&[from, from, to, size, 1]);
        })
    }

    /// Adds the line table of the code that is loaded next. `told` is the number of rows that the
    /// record says it has; a row has an address, a line and the name of a file.
    pub fn lines(&mut self, start: u64, told: u64, rows: &[(u64, u32, &[u8])]) -> &mut Self {
        self.record(2, 0, |at| {
            at.words(&[start, told]);
            for (addr, line, file) in rows {
                at.u64(*addr).u32(*line).u32(0).raw(file).raw(&[0]);
            }
        })
    }
}
