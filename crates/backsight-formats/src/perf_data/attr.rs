//! The arguments of `perf_event_open` (`struct perf_event_attr`), which determine the layout of
//! samples.
//!
//! Source: `struct perf_event_attr` and `PERF_RECORD_SAMPLE` in `include/uapi/linux/perf_event.h`.

use crate::bytes::Bytes;

/// `PERF_SAMPLE_*`: the fields of a sample, in their order except for `IDENTIFIER`.
pub(super) mod sample {
    pub(crate) const IP: u64 = 1;
    pub(crate) const TID: u64 = 1 << 1;
    pub(crate) const TIME: u64 = 1 << 2;
    pub(crate) const ADDR: u64 = 1 << 3;
    pub(crate) const READ: u64 = 1 << 4;
    pub(crate) const CALLCHAIN: u64 = 1 << 5;
    pub(crate) const ID: u64 = 1 << 6;
    pub(crate) const CPU: u64 = 1 << 7;
    pub(crate) const PERIOD: u64 = 1 << 8;
    pub(crate) const STREAM_ID: u64 = 1 << 9;
    pub(crate) const RAW: u64 = 1 << 10;
    pub(crate) const BRANCH_STACK: u64 = 1 << 11;
    pub(crate) const REGS_USER: u64 = 1 << 12;
    pub(crate) const STACK_USER: u64 = 1 << 13;
    /// The first word of a sample, and the last word of other records.
    pub(crate) const IDENTIFIER: u64 = 1 << 16;
}

/// `PERF_FORMAT_*`: the fields of a counter's value.
pub(super) mod format {
    pub(crate) const TIMES: u64 = 3;
    pub(crate) const ID: u64 = 1 << 2;
    pub(crate) const GROUP: u64 = 1 << 3;
    pub(crate) const LOST: u64 = 1 << 4;
}

/// `PERF_SAMPLE_BRANCH_*`: which branches are recorded, and their fields.
pub(super) mod branch {
    pub(crate) const CALL_STACK: u64 = 1 << 11;
    pub(crate) const HW_INDEX: u64 = 1 << 17;
    pub(crate) const COUNTERS: u64 = 1 << 19;
}

const FLAG_INHERIT: u64 = 1 << 1;
const FLAG_FREQ: u64 = 1 << 10;
const FLAG_SAMPLE_ID_ALL: u64 = 1 << 18;
const FLAG_BUILD_ID: u64 = 1 << 34;

/// The fields of an attribute that are needed for reading.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Attr {
    pub(super) kind: u32,
    pub(super) config: u64,
    /// The period; the frequency if `is_freq`.
    pub(super) period: u64,
    pub(super) is_freq: bool,
    /// Whether the event is inherited by new threads.
    pub(super) is_inherited: bool,
    pub(super) sample_type: u64,
    pub(super) read_format: u64,
    pub(super) branch_type: u64,
    pub(super) user_regs: u64,
    pub(super) sample_id_all: bool,
    /// Whether records of mappings were to have build IDs.
    pub(super) has_build_ids: bool,
    pub(super) clock_id: i32,
}

impl Attr {
    /// Returns the attribute of an event without samples.
    pub(super) const fn nothing() -> Self {
        Self {
            kind: 0,
            config: 0,
            period: 0,
            is_freq: false,
            is_inherited: false,
            sample_type: 0,
            read_format: 0,
            branch_type: 0,
            user_regs: 0,
            sample_id_all: false,
            has_build_ids: false,
            clock_id: 0,
        }
    }

    /// Parses an attribute, and returns it with its size in bytes. Older attributes are shorter; as
    /// in the kernel, missing fields are 0.
    pub(super) fn parse(bytes: &[u8], big: bool) -> Option<(Self, usize)> {
        let mut at = Bytes::new(bytes, big);
        let kind = at.u32()?;
        // Files without a size have `PERF_ATTR_SIZE_VER0`.
        let size = match at.u32()? {
            0 => 64,
            size => usize::try_from(size).ok()?,
        };
        let mut at = Bytes::new(bytes.get(8..size)?, big);
        let config = at.u64()?;
        let period = at.u64()?;
        let sample_type = at.u64()?;
        let read_format = at.u64()?;
        let flags = at.u64()?;
        // Big-endian compilers allocate bit fields from the highest bit.
        let flags = if big { flags.reverse_bits() } else { flags };
        // wakeup_events, bp_type and config1. The first version of the struct ends here.
        at.take(16)?;
        let _config2 = at.u64();
        let branch_type = at.u64().unwrap_or_default();
        let user_regs = at.u64().unwrap_or_default();
        let _stack_size = at.u32();
        let clock_id = at.u32().unwrap_or_default().cast_signed();
        let attr = Self {
            kind,
            config,
            period,
            is_freq: flags & FLAG_FREQ != 0,
            is_inherited: flags & FLAG_INHERIT != 0,
            sample_type,
            read_format,
            branch_type,
            user_regs,
            sample_id_all: flags & FLAG_SAMPLE_ID_ALL != 0,
            has_build_ids: flags & FLAG_BUILD_ID != 0,
            clock_id,
        };
        Some((attr, size))
    }

    /// Whether records have any of these fields.
    pub(super) fn has(&self, what: u64) -> bool {
        self.sample_type & what != 0
    }

    /// Returns the offset of the time in a sample, in bytes.
    pub(super) fn time_in_sample(&self) -> Option<usize> {
        let before = sample::IDENTIFIER | sample::IP | sample::TID;
        self.has(sample::TIME).then(|| self.words(before))
    }

    /// Returns the distance of the time from the end of other records, in bytes.
    pub(super) fn time_before_end(&self) -> Option<usize> {
        use sample::{CPU, ID, IDENTIFIER, STREAM_ID, TIME};
        let from = TIME | ID | STREAM_ID | CPU | IDENTIFIER;
        (self.sample_id_all && self.has(TIME)).then(|| self.words(from))
    }

    /// Returns the distance of the thread from the end of other records, in bytes.
    pub(super) fn thread_before_end(&self) -> Option<usize> {
        Some(self.trailer()).filter(|_| self.has(sample::TID) && self.sample_id_all)
    }

    /// Returns the size of the trailer (`sample_id`) of other records, in bytes.
    pub(super) fn trailer(&self) -> usize {
        use sample::{CPU, ID, IDENTIFIER, STREAM_ID, TID, TIME};
        match self.sample_id_all {
            true => self.words(TID | TIME | ID | STREAM_ID | CPU | IDENTIFIER),
            false => 0,
        }
    }

    /// Returns the offset of the event ID in a sample, in bytes.
    pub(super) fn id_in_sample(&self) -> Option<usize> {
        use sample::{ADDR, ID, IDENTIFIER, IP, TID, TIME};
        if self.has(IDENTIFIER) {
            return Some(0);
        }
        self.has(ID).then(|| self.words(IP | TID | TIME | ADDR))
    }

    /// Returns the distance of the event ID from the end of other records, in bytes.
    pub(super) fn id_before_end(&self) -> Option<usize> {
        use sample::{CPU, ID, IDENTIFIER, STREAM_ID};
        match self.sample_id_all {
            true if self.has(IDENTIFIER) => Some(8),
            true if self.has(ID) => Some(self.words(ID | STREAM_ID | CPU)),
            _ => None,
        }
    }

    /// Returns the size of those fields of `these` that are recorded, in bytes. Each has eight
    /// bytes.
    fn words(&self, these: u64) -> usize {
        let count = (self.sample_type & these).count_ones();
        usize::try_from(count).unwrap_or_default().saturating_mul(8)
    }

    /// Returns perf's name of the event, for a file without names.
    pub(super) fn fallback_name(&self) -> String {
        const HARDWARE: [&str; 10] = [
            "cycles",
            "instructions",
            "cache-references",
            "cache-misses",
            "branches",
            "branch-misses",
            "bus-cycles",
            "stalled-cycles-frontend",
            "stalled-cycles-backend",
            "ref-cycles",
        ];
        const SOFTWARE: [&str; 12] = [
            "cpu-clock",
            "task-clock",
            "page-faults",
            "context-switches",
            "cpu-migrations",
            "minor-faults",
            "major-faults",
            "alignment-faults",
            "emulation-faults",
            "dummy",
            "bpf-output",
            "cgroup-switches",
        ];
        let names: &[&str] = match self.kind {
            0 => &HARDWARE,
            1 => &SOFTWARE,
            _ => &[],
        };
        let config = usize::try_from(self.config).unwrap_or(usize::MAX);
        match names.get(config) {
            Some(name) => (*name).to_owned(),
            None => format!("event {}:{:#x}", self.kind, self.config),
        }
    }

    /// Whether there is a sample for each context switch: `PERF_COUNT_SW_CONTEXT_SWITCHES` or the
    /// tracepoint `sched:sched_switch`, with a period of 1.
    pub(super) fn counts_switches(&self, name: Option<&str>) -> bool {
        const TRACEPOINT: &str = "sched:sched_switch";
        let is_each = !self.is_freq && self.period == 1;
        let is_counter = (self.kind, self.config) == (1, 3);
        is_each && (is_counter || name.is_some_and(|name| name.starts_with(TRACEPOINT)))
    }

    /// Whether the period is in nanoseconds: `PERF_COUNT_SW_CPU_CLOCK` and
    /// `PERF_COUNT_SW_TASK_CLOCK`.
    pub(super) fn counts_time(&self) -> bool {
        self.kind == 1 && self.config <= 1
    }
}

#[cfg(test)]
mod tests {
    use super::{Attr, sample};

    #[test]
    fn missing_fields_of_an_attribute_are_zero() {
        let mut raw = [0_u8; 64];
        raw[0] = 1;
        raw[4] = 64;
        raw[8] = 1;
        raw[24] = 7;
        raw[42] = 4; // sample_id_all, bit 18 of the flags
        let (attr, size) = Attr::parse(&raw, false).unwrap();
        assert_eq!(size, 64);
        assert!(attr.sample_id_all && attr.counts_time() && !attr.is_freq);
        assert_eq!(attr.fallback_name(), "task-clock");
        assert_eq!((attr.branch_type, attr.user_regs), (0, 0));
        assert_eq!(Attr::parse(&raw[..63], false), None);
        raw[4] = 4;
        assert_eq!(Attr::parse(&raw, false), None);
    }

    #[test]
    fn places_follow_from_what_is_sampled() {
        let attr = |sample_type| Attr {
            sample_type,
            sample_id_all: true,
            ..Attr::default()
        };
        let plain = attr(sample::IP | sample::TID | sample::TIME | sample::ID | sample::PERIOD);
        assert_eq!(plain.time_in_sample(), Some(16));
        assert_eq!(plain.id_in_sample(), Some(24));
        assert_eq!(plain.time_before_end(), Some(16));
        assert_eq!(plain.id_before_end(), Some(8));
        let by_identifier = attr(sample::IDENTIFIER | sample::IP | sample::CPU);
        assert_eq!(by_identifier.time_in_sample(), None);
        assert_eq!(by_identifier.id_in_sample(), Some(0));
        assert_eq!(by_identifier.id_before_end(), Some(8));
    }
}
