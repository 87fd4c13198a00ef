//! Constructors of records and samples of captured traces.

use backsight_normalize::{AbsAddr, AbsRange, CapturedAddrs, ProcessChange, ProcessRecord};

pub(crate) const PAGE: u64 = 0x1000;

/// The range from one page up to another, which is excluded.
pub(crate) fn pages(from: u64, to: u64) -> AbsRange {
    AbsRange {
        start: AbsAddr(from * PAGE),
        end: AbsAddr(to * PAGE),
    }
}

pub(crate) fn at(time_ns: u64, pid: u32, change: ProcessChange) -> ProcessRecord {
    ProcessRecord {
        time_ns,
        pid,
        change,
    }
}

pub(crate) fn sample(time_ns: u64, pid: u32, addrs: &[u64]) -> CapturedAddrs {
    CapturedAddrs {
        time_ns,
        pid,
        addrs: addrs.iter().copied().map(AbsAddr).collect(),
    }
}
