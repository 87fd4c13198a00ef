//! Processes that ended, and of which a sample may still come.

use std::collections::{HashMap, VecDeque};

use backsight_normalize::ProcessRecord;

/// So many are remembered. A sample of one comes within the time slice of its end.
const MAX: usize = 1024;

/// The last that ended, each with the record that says so.
#[derive(Debug, Default)]
pub(super) struct Leaving {
    /// By process, with a number that tells two of the same ID apart.
    records: HashMap<u32, (u64, ProcessRecord)>,
    order: VecDeque<(u32, u64)>,
    number: u64,
}

impl Leaving {
    /// A process ended. Returns the record of one that is remembered no more.
    pub(super) fn ended(&mut self, record: ProcessRecord) -> Option<ProcessRecord> {
        let pid = record.pid;
        self.number = self.number.wrapping_add(1);
        self.order.push_back((pid, self.number));
        let before = self.records.insert(pid, (self.number, record));
        if let Some((_, before)) = before {
            return Some(before);
        }
        if self.order.len() <= MAX {
            return None;
        }
        let (pid, number) = self.order.pop_front()?;
        let is_it = self.records.get(&pid).is_some_and(|(of, _)| *of == number);
        let record = is_it.then(|| self.records.remove(&pid));
        record.flatten().map(|(_, record)| record)
    }

    /// A process began. Returns the record of the one that had its ID before.
    pub(super) fn began(&mut self, pid: u32) -> Option<ProcessRecord> {
        let (_, record) = self.records.remove(&pid)?;
        Some(record)
    }
}

#[cfg(test)]
mod tests {
    use backsight_normalize::{ProcessChange, ProcessRecord};

    use super::{Leaving, MAX};

    #[test]
    fn each_goes_once() {
        let of = |pid, time_ns| ProcessRecord {
            time_ns,
            pid,
            change: ProcessChange::Exit,
        };
        let mut leaving = Leaving::default();
        assert_eq!(leaving.ended(of(1, 1)), None);
        assert_eq!(leaving.began(1), Some(of(1, 1)));
        assert_eq!(leaving.began(1), None);
        assert_eq!(leaving.ended(of(1, 2)), None);
        assert_eq!(leaving.ended(of(1, 3)), Some(of(1, 2)));
        for pid in 2..=u32::try_from(MAX).unwrap() - 2 {
            assert_eq!(leaving.ended(of(pid, 4)), None, "{pid}");
        }
        // Those of the same ID that went before are none.
        assert_eq!(leaving.ended(of(90_000, 5)), None);
        assert_eq!(leaving.ended(of(90_001, 5)), None);
        assert_eq!(leaving.ended(of(90_002, 5)), Some(of(1, 3)));
        assert_eq!(leaving.ended(of(90_003, 5)), Some(of(2, 4)));
    }
}
