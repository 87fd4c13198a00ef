//! The processes that ended last.
//!
//! A trace of a machine has millions of them. What is asked of one that ended long ago is answered
//! as if it had never been there.

use std::collections::{HashMap, VecDeque};

/// The ended processes that are known, at about 40 bytes each.
const MAX_GONE: usize = 1 << 13;

/// The processes that ended, by ID.
#[derive(Debug, Default)]
pub(super) struct GoneProcesses {
    /// The number distinguishes processes that had the same ID.
    numbers: HashMap<u32, u64>,
    order: VecDeque<(u32, u64)>,
    number: u64,
}

impl GoneProcesses {
    pub(super) fn insert(&mut self, pid: u32) {
        self.number = self.number.wrapping_add(1);
        self.numbers.insert(pid, self.number);
        self.order.push_back((pid, self.number));
        if self.order.len() <= MAX_GONE {
            return;
        }
        if let Some((pid, number)) = self.order.pop_front()
            && self.numbers.get(&pid) == Some(&number)
        {
            self.numbers.remove(&pid);
        }
    }

    /// Another process got the ID. Returns whether one had ended with it.
    pub(super) fn remove(&mut self, pid: u32) -> bool {
        self.numbers.remove(&pid).is_some()
    }

    pub(super) fn contains(&self, pid: u32) -> bool {
        self.numbers.contains_key(&pid)
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.numbers.len()
    }
}

#[cfg(test)]
mod tests {
    use super::{GoneProcesses, MAX_GONE};

    #[test]
    fn the_last_are_known() {
        let most = u32::try_from(MAX_GONE).unwrap();
        let mut gone = GoneProcesses::default();
        for round in 0..3 {
            for pid in 0..2 * most {
                gone.insert(pid);
                assert!(gone.contains(pid) && gone.len() <= MAX_GONE);
            }
            assert!(gone.contains(most) && !gone.contains(most - 1), "{round}");
        }
        // One that ended twice is known by its last end.
        gone.insert(7);
        assert!(gone.remove(7) && !gone.remove(7));
        gone.insert(7);
        for pid in 0..most - 1 {
            gone.insert(1_000_000 + pid);
        }
        assert!(gone.contains(7));
        gone.insert(9_999_999);
        assert!(!gone.contains(7));
        assert!(gone.order.len() <= MAX_GONE);
    }
}
