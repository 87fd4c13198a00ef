//! The types of records, and what follows them.
//!
//! The kernel writes types below 64, perf the others. The table says which bytes the size of a
//! record includes; for two types, data follows the record.
//!
//! | type | name | its size includes | here |
//! |---|---|---|---|
//! | 1, 10 | `MMAP`, `MMAP2` | all | read |
//! | 2, 13 | `LOST`, `LOST_SAMPLES` | all | read |
//! | 3, 4, 7 | `COMM`, `EXIT`, `FORK` | all | read |
//! | 5, 6 | `THROTTLE`, `UNTHROTTLE` | all | the first is counted |
//! | 8 | `READ` | all | skipped: counter values at the end of a task |
//! | 9 | `SAMPLE` | all | read |
//! | 11, 12, 21 | `AUX`, `ITRACE_START`, `AUX_OUTPUT_HW_ID` | all | skipped: they belong to hardware traces, which are counted |
//! | 14, 15 | `SWITCH`, `SWITCH_CPU_WIDE` | all | read |
//! | 16, 19 | `NAMESPACES`, `CGROUP` | all | skipped |
//! | 17 | `KSYMBOL` | all | read |
//! | 18, 20 | `BPF_EVENT`, `TEXT_POKE` | all | skipped |
//! | 22 | `CALLCHAIN_DEFERRED` | all | read |
//! | 64, 78, 80 | `HEADER_ATTR`, `EVENT_UPDATE`, `HEADER_FEATURE` | all | read |
//! | 65 | `HEADER_EVENT_TYPE` | all | skipped: of perf before 3.10 |
//! | 66 | `HEADER_TRACING_DATA` | 4 bytes: the size of the data that follows, which is padded to a multiple of 8 | skipped |
//! | 67 | `HEADER_BUILD_ID` | all | read |
//! | 68 | `FINISHED_ROUND` | all: it has no body | read |
//! | 69 | `ID_INDEX` | all | skipped |
//! | 70, 72 | `AUXTRACE_INFO`, `AUXTRACE_ERROR` | all | skipped |
//! | 71 | `AUXTRACE` | its fields; the first is the size of the trace that follows | counted |
//! | 73, 74 | `THREAD_MAP`, `CPU_MAP` | all | skipped |
//! | 75, 76, 77 | `STAT_CONFIG`, `STAT`, `STAT_ROUND` | all | skipped: of `perf stat` |
//! | 79 | `TIME_CONV` | all | skipped |
//! | 81 | `COMPRESSED` | all | read |
//! | 82 | `FINISHED_INIT` | all: it has no body | skipped |
//! | 83 | `COMPRESSED2` | all; its first field is the size without padding | read |
//! | 84 | `BPF_METADATA` | all | skipped |
//! | 85, 86 | `SCHEDSTAT_CPU`, `SCHEDSTAT_DOMAIN` | all | skipped: of `perf sched stats` |
//!
//! Samples are read in `fields.rs`, records about processes in `process_record.rs`, other records
//! of the kernel in `kernel_record.rs`, and records of perf in `perf_record.rs`.
//!
//! Other types are skipped by their size, and counted.
//!
//! Source: `enum perf_event_type` in `include/uapi/linux/perf_event.h` of Linux 6.19; `enum
//! perf_user_event_type` in `tools/lib/perf/include/perf/event.h`. For data that follows a record:
//! `perf_event__synthesize_tracing_data` and `perf_event__process_tracing_data` in
//! `tools/perf/util/header.c`, and `perf_session__process_auxtrace_event` in `auxtrace.c`.

use crate::bytes::Bytes;

/// `PERF_RECORD_*`: the types that are read or counted.
pub(super) mod kind {
    pub(crate) const MMAP: u32 = 1;
    pub(crate) const LOST: u32 = 2;
    pub(crate) const COMM: u32 = 3;
    pub(crate) const EXIT: u32 = 4;
    pub(crate) const THROTTLE: u32 = 5;
    pub(crate) const FORK: u32 = 7;
    pub(crate) const SAMPLE: u32 = 9;
    pub(crate) const MMAP2: u32 = 10;
    pub(crate) const LOST_SAMPLES: u32 = 13;
    pub(crate) const SWITCH: u32 = 14;
    pub(crate) const SWITCH_CPU_WIDE: u32 = 15;
    pub(crate) const KSYMBOL: u32 = 17;
    /// Since Linux 6.19.
    pub(crate) const CALLCHAIN_DEFERRED: u32 = 22;
    /// The first type that perf writes.
    pub(crate) const FIRST_OF_PERF: u32 = 64;
    pub(crate) const HEADER_ATTR: u32 = 64;
    pub(crate) const HEADER_TRACING_DATA: u32 = 66;
    pub(crate) const HEADER_BUILD_ID: u32 = 67;
    pub(crate) const FINISHED_ROUND: u32 = 68;
    pub(crate) const AUXTRACE: u32 = 71;
    pub(crate) const EVENT_UPDATE: u32 = 78;
    pub(crate) const HEADER_FEATURE: u32 = 80;
    pub(crate) const COMPRESSED: u32 = 81;
    /// Since perf 6.16: like `COMPRESSED`, with its size in the first field.
    pub(crate) const COMPRESSED2: u32 = 83;
}

/// The last types in the table.
const LAST_OF_KERNEL: u32 = 22;
const LAST_OF_PERF: u32 = 86;

/// Whether the table has this type.
pub(super) fn is_known(kind: u32) -> bool {
    matches!(kind, 1..=LAST_OF_KERNEL | kind::FIRST_OF_PERF..=LAST_OF_PERF)
}

/// Returns the number of bytes that follow a record and are not in its size; `None` if the record
/// is too short.
pub(super) fn behind(kind: u32, body: &[u8], big: bool) -> Option<u64> {
    let mut at = Bytes::new(body, big);
    match kind {
        // The size that perf writes includes the padding, but its reader does not rely on that.
        kind::HEADER_TRACING_DATA => u64::from(at.u32()?).checked_next_multiple_of(8),
        kind::AUXTRACE => at.u64(),
        _ => Some(0),
    }
}

#[cfg(test)]
mod tests {
    use super::{behind, is_known, kind};

    #[test]
    fn two_types_have_something_behind_them() {
        for number in 0..200 {
            let body = [9, 0, 0, 0, 0, 0, 0, 0];
            let want = match number {
                kind::HEADER_TRACING_DATA => 16,
                kind::AUXTRACE => 9,
                _ => 0,
            };
            assert_eq!(behind(number, &body, false), Some(want), "{number}");
            let is_short = behind(number, &[], false).is_none();
            assert_eq!(is_short, want > 0, "{number}");
        }
        assert!(
            [0, 23, 63, 87, u32::MAX]
                .iter()
                .all(|kind| !is_known(*kind))
        );
        assert!([1, 22, 64, 86].iter().all(|kind| is_known(*kind)));
    }
}
