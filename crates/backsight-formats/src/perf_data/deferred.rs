//! User stacks that are recorded after their samples (deferred call chains).
//!
//! Since Linux 6.19, a sample taken in the kernel can have a number, the *cookie*, instead of the
//! user part of its call chain. When the thread returns to user code, one record with the cookie
//! has the user part for all samples since the thread entered the kernel:
//!
//! ```text
//!   sample of 7    kernel …, PERF_CONTEXT_USER_DEFERRED, cookie 1   waits
//!   sample of 7    kernel …, PERF_CONTEXT_USER_DEFERRED, cookie 1   waits
//!   CALLCHAIN_DEFERRED of 7    cookie 1: user …                     completes both samples
//! ```
//!
//! A sample that follows its record is completed too, if that is the last such record of its
//! thread. Waiting samples are emitted without a user part, and counted, when a record with another
//! cookie arrives, when their thread ends, at the end of the recording, or when more than
//! [`MAX_WAITING`] bytes wait.
//!
//! Source: `PERF_RECORD_CALLCHAIN_DEFERRED` in `include/uapi/linux/perf_event.h`;
//! `evlist__deliver_deferred_callchain` in `tools/perf/util/session.c`.

use std::collections::{HashMap, VecDeque};

use backsight_types::trace::marker;

use super::cookie::cookie_at;
use super::fields::{ByteSpan, SampleFields};
use super::kinds::kind;
use super::raw::RawRecord;
use crate::bytes::Bytes;

/// The maximum number of bytes of waiting samples, and also of stored user stacks.
const MAX_WAITING: usize = 16 << 20;

/// A sample that waits for the user part of its call chain, or that is complete.
#[derive(Debug, Default)]
pub(super) struct Waiting {
    body: Vec<u8>,
    misc: u16,
    pub(super) event: usize,
    pub(super) time: Option<u64>,
    cookie: u64,
    chain: ByteSpan,
    /// The position in the order of arrival.
    number: u64,
}

/// A user stack.
#[derive(Debug)]
struct Came {
    cookie: u64,
    chain: Vec<u8>,
    is_used: bool,
}

/// Waiting samples, and the last user stack of each thread.
#[derive(Debug, Default)]
pub(super) struct Deferred {
    /// By thread.
    waiting: HashMap<u32, Vec<Waiting>>,
    ready: VecDeque<Waiting>,
    /// The last sample that was emitted.
    current: Waiting,
    /// The last user stack of each thread.
    came: HashMap<u32, Came>,
    waiting_bytes: usize,
    came_bytes: usize,
    numbers: u64,
    /// The number of samples whose user stack is missing.
    pub(super) alone: u64,
    /// The number of user stacks without samples.
    pub(super) unused: u64,
}

impl Deferred {
    /// Adds a sample with a cookie.
    pub(super) fn wait(
        &mut self,
        record: &RawRecord<'_>,
        event: usize,
        fields: &SampleFields,
        cookie: u64,
    ) {
        let waiting = Waiting {
            body: record.body.to_vec(),
            misc: record.misc,
            event,
            time: fields.time_ns,
            cookie,
            chain: fields.chain,
            number: self.numbers,
        };
        self.numbers = self.numbers.saturating_add(1);
        if let Some(came) = self.came.get_mut(&fields.tid)
            && came.cookie == cookie
        {
            came.is_used = true;
            let whole = waiting.with(&came.chain, record.big);
            return self.ready.push_back(whole);
        }
        self.waiting_bytes = self.waiting_bytes.saturating_add(waiting.body.len());
        let of_thread = self.waiting.entry(fields.tid).or_default();
        of_thread.push(waiting);
        if self.waiting_bytes > MAX_WAITING {
            self.give_up(record.big);
        }
    }

    /// Adds a record with a user stack. `tid` is its thread, if recorded. Returns `None` if it is
    /// damaged.
    pub(super) fn take(
        &mut self,
        record: &RawRecord<'_>,
        tid: Option<u32>,
        trailer: usize,
    ) -> Option<()> {
        let body_len = record.body.len().checked_sub(trailer)?;
        let mut at = Bytes::new(record.body.get(..body_len)?, record.big);
        let (cookie, count) = (at.u64()?, at.u64()?);
        let chain = at.take_u64(count.checked_mul(8)?)?;
        // Cookies are unique, so that the thread can be found by the cookie.
        let tid = tid.or_else(|| {
            let has_it = |of: &&Waiting| of.cookie == cookie;
            let mut threads = self.waiting.iter();
            threads.find_map(|(tid, all)| all.iter().find(has_it).map(|_| *tid))
        });
        let Some(tid) = tid else {
            self.unused = self.unused.saturating_add(1);
            return Some(());
        };
        let mut is_used = false;
        for waiting in self.waiting.remove(&tid).unwrap_or_default() {
            self.waiting_bytes = self.waiting_bytes.saturating_sub(waiting.body.len());
            if waiting.cookie == cookie {
                is_used = true;
                self.ready.push_back(waiting.with(chain, record.big));
            } else {
                self.alone(waiting, record.big);
            }
        }
        self.forget(tid);
        self.came_bytes = self.came_bytes.saturating_add(chain.len());
        if self.came_bytes > MAX_WAITING {
            let unused = self.came.values().filter(|came| !came.is_used).count();
            let unused = u64::try_from(unused).unwrap_or(u64::MAX);
            self.unused = self.unused.saturating_add(unused);
            self.came.clear();
            self.came_bytes = chain.len();
        }
        let came = Came {
            cookie,
            chain: chain.to_vec(),
            is_used,
        };
        self.came.insert(tid, came);
        Some(())
    }

    /// Emits the waiting samples of a thread that ended.
    pub(super) fn thread_ended(&mut self, tid: u32, big: bool) {
        for waiting in self.waiting.remove(&tid).unwrap_or_default() {
            self.waiting_bytes = self.waiting_bytes.saturating_sub(waiting.body.len());
            self.alone(waiting, big);
        }
        self.forget(tid);
    }

    /// Emits all waiting samples at the end. Returns whether there were any.
    pub(super) fn finish(&mut self, big: bool) -> bool {
        self.give_up(big);
        let threads: Vec<u32> = self.came.keys().copied().collect();
        for tid in threads {
            self.forget(tid);
        }
        !self.ready.is_empty()
    }

    fn forget(&mut self, tid: u32) {
        if let Some(came) = self.came.remove(&tid) {
            self.came_bytes = self.came_bytes.saturating_sub(came.chain.len());
            self.unused = self.unused.saturating_add(u64::from(!came.is_used));
        }
    }

    /// Emits all waiting samples without user stacks, in the order of arrival.
    fn give_up(&mut self, big: bool) {
        let all = std::mem::take(&mut self.waiting);
        let mut all: Vec<Waiting> = all.into_values().flatten().collect();
        all.sort_by_key(|waiting| waiting.number);
        self.waiting_bytes = 0;
        for waiting in all {
            self.alone(waiting, big);
        }
    }

    fn alone(&mut self, waiting: Waiting, big: bool) {
        self.alone = self.alone.saturating_add(1);
        self.ready.push_back(waiting.with(&[], big));
    }

    /// Makes the next complete sample the current one.
    pub(super) fn advance(&mut self) -> Option<&Waiting> {
        self.current = self.ready.pop_front()?;
        Some(&self.current)
    }

    /// Returns the record of the current sample.
    pub(super) fn record(&self, big: bool) -> RawRecord<'_> {
        RawRecord {
            kind: kind::SAMPLE,
            misc: self.current.misc,
            body: &self.current.body,
            big,
        }
    }
}

impl Waiting {
    /// Replaces the marker and the cookie by a user stack.
    fn with(mut self, user: &[u8], big: bool) -> Self {
        let number = |value: u64| match big {
            true => value.to_be_bytes(),
            false => value.to_le_bytes(),
        };
        let ByteSpan { start, len } = self.chain;
        let body = &self.body;
        let chain = body.get(start..).and_then(|rest| rest.get(..len));
        let chain = chain.unwrap_or_default();
        let Some(marker) = cookie_at(chain, big) else {
            return self;
        };
        // The user stack may start with its own marker.
        let first = Bytes::new(user, big).u64();
        let is_marked = first.is_none_or(|first| first >= marker::LOWEST);
        let mut whole = chain.get(..marker).unwrap_or_default().to_vec();
        if !is_marked {
            whole.extend(number(marker::USER));
        }
        whole.extend(user);
        let behind = marker.saturating_add(16);
        whole.extend(chain.get(behind..).unwrap_or_default());
        let count = u64::try_from(whole.len() / 8).unwrap_or(u64::MAX);
        let before = start.saturating_sub(8);
        let mut new = body.get(..before).unwrap_or_default().to_vec();
        new.extend(number(count));
        new.extend(whole);
        let end = start.saturating_add(len);
        new.extend(body.get(end..).unwrap_or_default());
        self.body = new;
        self
    }
}
