//! Processes that exited but may still be sampled.

use std::collections::{HashMap, VecDeque};

use backsight_normalize::ProcessRecord;

/// A sample can arrive within the time slice in which the process exited, so the last few exited
/// processes are remembered.
const MAX_EXITED: usize = 1024;

/// The processes that exited last, each with its exit record.
#[derive(Debug, Default)]
pub(super) struct ExitedProcesses {
    /// By PID. The number distinguishes processes that had the same PID.
    records: HashMap<u32, (u64, ProcessRecord)>,
    order: VecDeque<(u32, u64)>,
    number: u64,
}

impl ExitedProcesses {
    /// Adds an exit record. Returns the record of a process that is forgotten for it.
    pub(super) fn ended(&mut self, record: ProcessRecord) -> Option<ProcessRecord> {
        let pid = record.pid;
        self.number = self.number.wrapping_add(1);
        self.order.push_back((pid, self.number));
        let before = self.records.insert(pid, (self.number, record));
        if let Some((_, before)) = before {
            return Some(before);
        }
        if self.order.len() <= MAX_EXITED {
            return None;
        }
        let (pid, number) = self.order.pop_front()?;
        let is_it = self.records.get(&pid).is_some_and(|(of, _)| *of == number);
        let record = is_it.then(|| self.records.remove(&pid));
        record.flatten().map(|(_, record)| record)
    }

    /// A process was created. Returns the record of the exited process whose PID it reuses.
    pub(super) fn began(&mut self, pid: u32) -> Option<ProcessRecord> {
        let (_, record) = self.records.remove(&pid)?;
        Some(record)
    }
}

#[cfg(test)]
mod tests {
    use backsight_normalize::{ProcessChange, ProcessRecord};

    use super::{ExitedProcesses, MAX_EXITED};

    #[test]
    fn each_goes_once() {
        let of = |pid, time_ns| ProcessRecord {
            time_ns,
            pid,
            change: ProcessChange::Exit,
        };
        let mut exited = ExitedProcesses::default();
        assert_eq!(exited.ended(of(1, 1)), None);
        assert_eq!(exited.began(1), Some(of(1, 1)));
        assert_eq!(exited.began(1), None);
        assert_eq!(exited.ended(of(1, 2)), None);
        assert_eq!(exited.ended(of(1, 3)), Some(of(1, 2)));
        for pid in 2..=u32::try_from(MAX_EXITED).unwrap() - 2 {
            assert_eq!(exited.ended(of(pid, 4)), None, "{pid}");
        }
        // Entries of a PID whose process was replaced do not count.
        assert_eq!(exited.ended(of(90_000, 5)), None);
        assert_eq!(exited.ended(of(90_001, 5)), None);
        assert_eq!(exited.ended(of(90_002, 5)), Some(of(1, 3)));
        assert_eq!(exited.ended(of(90_003, 5)), Some(of(2, 4)));
    }
}
