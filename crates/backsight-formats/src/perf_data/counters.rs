//! Splits a sample of an event group into one sample for each event.
//!
//! With `perf record -e '{a,b}:S'`, only the first event of the group is sampled. Each sample has
//! the total counts of all events of the group. The period of an event is the difference from the
//! previous sample; an event whose count has not changed has no sample.
//!
//! Source: `struct read_format` in `include/uapi/linux/perf_event.h`; `deliver_sample_value` in
//! `tools/perf/util/session.c`.

use std::collections::HashMap;

use super::attr::{Attr, format};
use super::event_attrs::Events;
use crate::bytes::Bytes;
use crate::flaws::Flaws;

/// The maximum number of stored values, which is the number of counters times threads.
const MAX_VALUES: usize = 1 << 22;

/// The last value of each counter.
#[derive(Debug, Default)]
pub(super) struct Counters {
    /// By thread and counter ID. Counters that are not inherited are stored under thread 0.
    last: HashMap<u32, HashMap<u64, u64>>,
    count: usize,
}

impl Counters {
    /// Adds the events of a sample with their periods to `parts`. Returns whether the sample has
    /// counter values with event IDs.
    pub(super) fn split(
        &mut self,
        (read, big): (&[u8], bool),
        attr: &Attr,
        tid: u32,
        events: &Events,
        flaws: &mut Flaws,
        parts: &mut Vec<(usize, u64)>,
    ) -> bool {
        let has = |what: u64| attr.read_format & what != 0;
        if read.is_empty() || !has(format::ID) {
            return false;
        }
        let mut at = Bytes::new(read, big);
        let times = (attr.read_format & format::TIMES).count_ones();
        let thread = if attr.is_inherited { tid } else { 0 };
        let mut one = |value: Option<u64>, id: Option<u64>| {
            let (Some(value), Some(id)) = (value, id) else {
                return;
            };
            let Some(event) = events.with_id(id) else {
                return flaws.count("values of counters that belong to no event");
            };
            match self.period(thread, id, value) {
                Some(0) => {}
                Some(period) => parts.push((event, period)),
                None => flaws.count("values of counters that decreased"),
            }
        };
        if has(format::GROUP) {
            let count = at.u64().unwrap_or_default();
            for _ in 0..times {
                at.u64();
            }
            for _ in 0..count {
                one(at.u64(), at.u64());
                if has(format::LOST) {
                    at.u64();
                }
            }
        } else {
            let value = at.u64();
            for _ in 0..times {
                at.u64();
            }
            one(value, at.u64());
        }
        true
    }

    /// Returns the difference from the last value; `None` if the value is smaller.
    fn period(&mut self, thread: u32, id: u64, value: u64) -> Option<u64> {
        let of_thread = self.last.entry(thread).or_default();
        if let Some(last) = of_thread.get_mut(&id) {
            let last = std::mem::replace(last, value);
            return value.checked_sub(last);
        }
        if self.count < MAX_VALUES {
            self.count = self.count.saturating_add(1);
            of_thread.insert(id, value);
        }
        Some(value)
    }

    /// Forgets a thread that ended, because its ID can be reused.
    pub(super) fn thread_ended(&mut self, tid: u32) {
        if tid != 0
            && let Some(gone) = self.last.remove(&tid)
        {
            self.count = self.count.saturating_sub(gone.len());
        }
    }
}
