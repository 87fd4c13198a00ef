//! Writes `perf` recordings by hand, with features that no machine at hand can record, in either
//! byte order, as a file and as a pipe.
//!
//! Source: `include/uapi/linux/perf_event.h`, and
//! `tools/perf/Documentation/perf.data-file-format.txt` of the kernel.

/// The contents of samples, as in `PERF_SAMPLE_*`.
#[allow(missing_docs, reason = "the names are the kernel's")]
pub mod sample {
    pub const IP: u64 = 1;
    pub const TID: u64 = 1 << 1;
    pub const TIME: u64 = 1 << 2;
    pub const READ: u64 = 1 << 4;
    pub const CALLCHAIN: u64 = 1 << 5;
    pub const CPU: u64 = 1 << 7;
    pub const PERIOD: u64 = 1 << 8;
    pub const RAW: u64 = 1 << 10;
    pub const BRANCH_STACK: u64 = 1 << 11;
    pub const IDENTIFIER: u64 = 1 << 16;
}

/// `PERF_RECORD_MISC_KERNEL` and `_USER`: the mode of most records.
pub const KERNEL: u16 = 1;
/// See [`KERNEL`].
pub const USER: u16 = 2;

/// `sample_id_all` of `struct perf_event_attr`.
const SAMPLE_ID_ALL: u64 = 1 << 18;

/// An event, as in `struct perf_event_attr`.
#[derive(Clone, Debug, Default)]
pub struct Event {
    /// Its name.
    pub name: &'static str,
    /// `PERF_TYPE_*`.
    pub kind: u32,
    /// The event within that type.
    pub config: u64,
    /// The sampling period.
    pub period: u64,
    /// `PERF_SAMPLE_*`.
    pub sample_type: u64,
    /// `PERF_FORMAT_*`.
    pub read_format: u64,
    /// Flags in addition to `sample_id_all`, which is always set.
    pub flags: u64,
    /// `PERF_SAMPLE_BRANCH_*`.
    pub branch_type: u64,
    /// The IDs of its counters.
    pub ids: Vec<u64>,
}

/// Bytes in one byte order.
#[derive(Clone, Debug, Default)]
pub struct Bytes {
    big: bool,
    /// The bytes written so far.
    pub bytes: Vec<u8>,
}

impl Bytes {
    /// Creates an empty buffer; big-endian if `big`.
    #[must_use]
    pub fn new(big: bool) -> Self {
        let bytes = Vec::new();
        Self { big, bytes }
    }

    fn number<const SIZE: usize>(&mut self, little: [u8; SIZE]) -> &mut Self {
        if self.big {
            self.bytes.extend(little.iter().rev());
        } else {
            self.bytes.extend(little);
        }
        self
    }

    /// Writes 16 bits.
    pub fn u16(&mut self, value: u16) -> &mut Self {
        self.number(value.to_le_bytes())
    }

    /// Writes 32 bits.
    pub fn u32(&mut self, value: u32) -> &mut Self {
        self.number(value.to_le_bytes())
    }

    /// Writes 64 bits.
    pub fn u64(&mut self, value: u64) -> &mut Self {
        self.number(value.to_le_bytes())
    }

    /// Writes several 64-bit numbers.
    pub fn words(&mut self, values: &[u64]) -> &mut Self {
        for value in values {
            self.u64(*value);
        }
        self
    }

    /// Writes bytes unchanged.
    pub fn raw(&mut self, bytes: &[u8]) -> &mut Self {
        self.bytes.extend(bytes);
        self
    }

    /// Writes a zero-terminated text, padded to a multiple of eight bytes.
    pub fn text(&mut self, text: &str) -> &mut Self {
        self.bytes.extend(text.as_bytes());
        self.zeros(8 - text.len() % 8)
    }

    /// Writes `count` zeros.
    pub fn zeros(&mut self, count: usize) -> &mut Self {
        self.bytes.extend(vec![0; count]);
        self
    }

    /// Writes the trailer (`sample_id`) of records other than samples, for events with
    /// `IDENTIFIER`, `TID` and `TIME`.
    pub fn trailer(&mut self, pid: u32, tid: u32, time: u64, id: u64) -> &mut Self {
        self.u32(pid).u32(tid).u64(time).u64(id)
    }
}

/// A recording under construction.
#[derive(Clone, Debug, Default)]
pub struct PerfFile {
    events: Vec<Event>,
    records: Bytes,
}

impl PerfFile {
    /// Creates a recording of these events.
    #[must_use]
    pub fn new(big: bool, events: &[Event]) -> Self {
        Self {
            events: events.to_vec(),
            records: Bytes::new(big),
        }
    }

    /// Writes a record; `body` writes its contents.
    ///
    /// # Panics
    /// When it is larger than records are.
    pub fn record(&mut self, kind: u32, misc: u16, body: impl FnOnce(&mut Bytes)) -> &mut Self {
        write_record(&mut self.records, kind, misc, body);
        self
    }

    /// Writes data after a record that its size does not include.
    pub fn behind(&mut self, payload: &[u8]) -> &mut Self {
        self.records.raw(payload);
        self
    }

    /// Writes a comm record with a time of 0.
    pub fn comm(&mut self, pid: u32, tid: u32, name: &str, id: u64) -> &mut Self {
        self.record(3, 0, |at| {
            at.u32(pid).u32(tid).text(name).trailer(pid, tid, 0, id);
        })
    }

    /// Writes an mmap record of code, from the first byte of a file.
    pub fn map(&mut self, pid: u32, start: u64, size: u64, path: &str, id: u64) -> &mut Self {
        self.record(1, USER, |at| {
            at.u32(pid).u32(pid).words(&[start, size, 0]).text(path);
            at.trailer(pid, pid, 0, id);
        })
    }

    /// Returns only the records.
    #[must_use]
    pub fn records(&self) -> &[u8] {
        &self.records.bytes
    }

    /// Returns the recording as a file, with a feature section for event names.
    #[must_use]
    pub fn file(&self) -> Vec<u8> {
        const HEADER: u64 = 104;
        const EVENT_DESC: u64 = 12;
        let big = self.records.big;
        let attr_size = ATTR + 16;
        let ids_at = HEADER + attr_size * self.events.len() as u64;
        let (mut attrs, mut ids) = (Bytes::new(big), Bytes::new(big));
        for event in &self.events {
            write_attr(&mut attrs, event);
            attrs.u64(ids_at + ids.bytes.len() as u64);
            attrs.u64(event.ids.len() as u64 * 8);
            ids.words(&event.ids);
        }
        let data_at = ids_at + ids.bytes.len() as u64;
        let data_size = self.records.bytes.len() as u64;
        let mut names = Bytes::new(big);
        names.u32(self.events.len() as u32).u32(ATTR as u32);
        for event in &self.events {
            write_attr(&mut names, event);
            names
                .u32(event.ids.len() as u32)
                .u32(64)
                .raw(event.name.as_bytes());
            names.zeros(64 - event.name.len()).words(&event.ids);
        }
        let mut file = Bytes::new(big);
        file.number(*b"PERFILE2").u64(HEADER).u64(attr_size);
        file.u64(HEADER).u64(attrs.bytes.len() as u64);
        file.u64(data_at).u64(data_size).u64(0).u64(0);
        file.words(&[1 << EVENT_DESC, 0, 0, 0]);
        file.raw(&attrs.bytes).raw(&ids.bytes).raw(self.records());
        file.u64(data_at + data_size + 16)
            .u64(names.bytes.len() as u64);
        file.raw(&names.bytes);
        file.bytes
    }

    /// Returns the recording in pipe format.
    #[must_use]
    pub fn pipe(&self) -> Vec<u8> {
        let mut pipe = Bytes::new(self.records.big);
        pipe.number(*b"PERFILE2").u64(16);
        for event in &self.events {
            write_record(&mut pipe, 64, 0, |at| {
                write_attr(at, event);
                at.words(&event.ids);
            });
        }
        for event in &self.events {
            write_record(&mut pipe, 78, 0, |at| {
                at.u64(2)
                    .u64(event.ids.first().copied().unwrap_or_default());
                at.text(event.name);
            });
        }
        pipe.raw(self.records());
        pipe.bytes
    }
}

/// The size of an attribute: `PERF_ATTR_SIZE_VER7`.
const ATTR: u64 = 128;

fn write_attr(out: &mut Bytes, event: &Event) {
    // Bit fields start at byte boundaries here.
    let flags = SAMPLE_ID_ALL | event.flags;
    let flags = if out.big { flags.reverse_bits() } else { flags };
    out.u32(event.kind).u32(ATTR as u32).u64(event.config);
    out.words(&[event.period, event.sample_type, event.read_format, flags]);
    out.words(&[0, 0, 0, event.branch_type])
        .zeros(ATTR as usize - 80);
}

fn write_record(out: &mut Bytes, kind: u32, misc: u16, body: impl FnOnce(&mut Bytes)) {
    let begin = out.bytes.len();
    out.u32(kind).u16(misc).u16(0);
    body(out);
    let size = u16::try_from(out.bytes.len() - begin).expect("a record has less than 64 KiB");
    let size = if out.big {
        size.to_be_bytes()
    } else {
        size.to_le_bytes()
    };
    out.bytes[begin + 6..begin + 8].copy_from_slice(&size);
}
