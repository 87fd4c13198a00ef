//! The recorded events, and which of them a record belongs to.

use std::collections::HashMap;

use backsight_types::trace::{EventType, EventUnit};

use super::attr::Attr;
use super::error::Error;
use super::kinds::kind;
use super::raw::RawRecord;
use crate::bytes::Bytes;

/// The attribute of an event that does not exist.
const NONE: Attr = Attr::nothing();

/// The description of an event in the file.
#[derive(Clone, Debug, Default)]
pub(super) struct EventDescription {
    pub(super) attr: Attr,
    pub(super) name: Option<String>,
    pub(super) ids: Vec<u64>,
}

/// The name of the event for [`Events::is_off_cpu`].
const OFF_CPU: &str = "offcpu-time";

/// All events of a recording.
#[derive(Debug, Default)]
pub(super) struct Events {
    events: Vec<EventDescription>,
    by_id: HashMap<u64, usize>,
    /// The last ID that was looked up, because successive records often belong to the same event.
    last: Option<(u64, usize)>,
}

/// Maximum number of events. Recordings have fewer, but a forged header can announce up to 2^32.
const MAX_EVENTS: usize = 1 << 16;

/// Maximum number of IDs, which is the number of events times processors.
const MAX_IDS: usize = 1 << 24;

impl Events {
    pub(super) fn add(&mut self, described: EventDescription) {
        let index = self.events.len();
        if index >= MAX_EVENTS {
            return;
        }
        let room = MAX_IDS.saturating_sub(self.by_id.len());
        let ids = described.ids.iter().take(room);
        self.by_id.extend(ids.map(|id| (*id, index)));
        self.events.push(described);
    }

    /// Checks that the event of each record can be determined.
    pub(super) fn check(&self) -> Result<(), Error> {
        let Some(first) = self.events.first() else {
            return Err(Error::Malformed("it describes no event"));
        };
        let place =
            |event: &EventDescription| (event.attr.id_in_sample(), event.attr.id_before_end());
        let is_told = self.events.iter().all(|event| place(event) == place(first));
        let is_alike = |event: &EventDescription| event.attr.sample_type == first.attr.sample_type;
        if is_told || self.events.iter().all(is_alike) {
            return Ok(());
        }
        let reason =
            "its events have different layouts, and records do not say which event they are of";
        Err(Error::Unsupported(reason))
    }

    pub(super) fn types(&self) -> Vec<EventType> {
        let of = |event: &EventDescription| {
            let attr = &event.attr;
            let named = event.name.clone().filter(|name| !name.is_empty());
            let is_of_switches = attr.counts_switches(named.as_deref());
            let counts_time = attr.counts_time() || named.as_deref() == Some(OFF_CPU);
            let mut described = EventType::new(named.unwrap_or_else(|| attr.fallback_name()));
            described.is_of_switches = is_of_switches;
            if counts_time {
                described.unit = EventUnit::Nanoseconds;
            }
            described.period = (!attr.is_freq && attr.period > 0).then_some(attr.period);
            described.frequency = attr.is_freq.then_some(attr.period);
            described
        };
        self.events.iter().map(of).collect()
    }

    /// Whether records of mappings were to have build IDs.
    pub(super) fn have_build_ids(&self) -> bool {
        self.events.iter().any(|event| event.attr.has_build_ids)
    }

    pub(super) fn attr(&self, event: usize) -> &Attr {
        self.events.get(event).map_or(&NONE, |event| &event.attr)
    }

    /// Returns the event of a record of the kernel; `None` for a sample of an event that is not
    /// described.
    pub(super) fn of(&mut self, record: &RawRecord<'_>) -> Option<usize> {
        if self.events.len() < 2 {
            return Some(0);
        }
        let attr = self.attr(0);
        let at = match record.kind {
            kind::SAMPLE => attr.id_in_sample(),
            _ => (attr.id_before_end()).and_then(|back| record.body.len().checked_sub(back)),
        };
        let id = at.and_then(|at| word(record, at));
        let Some(id) = id else { return Some(0) };
        if let Some((last, event)) = self.last
            && last == id
        {
            return Some(event);
        }
        let Some(event) = self.by_id.get(&id).copied() else {
            // Records that perf synthesizes have the ID 0.
            let is_told = record.kind == kind::SAMPLE && id != 0 && !self.by_id.is_empty();
            return (!is_told).then_some(0);
        };
        self.last = Some((id, event));
        Some(event)
    }

    /// Returns the time of a record of the kernel, in nanoseconds.
    pub(super) fn time_of(&self, event: usize, record: &RawRecord<'_>) -> Option<u64> {
        let attr = &self.events.get(event)?.attr;
        let at = match record.kind {
            kind::SAMPLE => attr.time_in_sample()?,
            _ => record.body.len().checked_sub(attr.time_before_end()?)?,
        };
        word(record, at)
    }

    /// Returns the event of a counter ID.
    pub(super) fn with_id(&self, id: u64) -> Option<usize> {
        self.by_id.get(&id).copied()
    }

    /// Whether a sample of this event has another sample in its raw data, written by perf's BPF
    /// program: the time during which a thread did not run.
    pub(super) fn is_off_cpu(&self, event: usize) -> bool {
        let name = self
            .events
            .get(event)
            .and_then(|event| event.name.as_deref());
        name.is_some_and(|name| name == OFF_CPU)
    }

    /// Returns the thread of a record of the kernel that is not a sample.
    pub(super) fn thread_of(&self, event: usize, record: &RawRecord<'_>) -> Option<(u32, u32)> {
        let back = self.attr(event).thread_before_end()?;
        let at = record.body.len().checked_sub(back)?;
        let mut at = Bytes::new(record.body.get(at..)?, record.big);
        Some((at.u32()?, at.u32()?))
    }

    /// Sets the name of the event with this ID.
    pub(super) fn name(&mut self, id: u64, name: String) {
        let event = self.by_id.get(&id).copied();
        if let Some(event) = event.and_then(|at| self.events.get_mut(at)) {
            event.name.get_or_insert(name);
        }
    }

    /// Replaces the events of the header by those of the feature section `EVENT_DESC`, which also
    /// has names and IDs. If the section is damaged, the events are kept.
    pub(super) fn take_descriptions(&mut self, section: &[u8], big: bool) {
        let mut at = Bytes::new(section, big);
        let (Some(count), Some(size)) = (at.u32(), at.u32()) else {
            return;
        };
        let mut described = Vec::new();
        for _ in 0..count {
            let one = |at: &mut Bytes<'_>| {
                let (attr, _) = Attr::parse(at.take_u64(u64::from(size))?, big)?;
                let ids = u64::from(at.u32()?);
                let name = String::from_utf8_lossy(at.string()?).into_owned();
                let ids = numbers(at.take_u64(ids.checked_mul(8)?)?, big);
                let name = Some(name);
                Some(EventDescription { attr, name, ids })
            };
            match one(&mut at) {
                Some(one) => described.push(one),
                None => return,
            }
        }
        if !described.is_empty() {
            *self = Self::default();
            described.into_iter().for_each(|one| self.add(one));
        }
    }

    /// Sets only the names from such a section. In a pipe, the attributes precede it.
    pub(super) fn take_names(&mut self, section: &[u8], big: bool) {
        let mut named = Self::default();
        named.take_descriptions(section, big);
        for event in named.events {
            let (Some(id), Some(name)) = (event.ids.first(), event.name) else {
                continue;
            };
            self.name(*id, name);
        }
    }
}

/// Parses 64-bit numbers; bytes left over are ignored.
pub(super) fn numbers(bytes: &[u8], big: bool) -> Vec<u64> {
    let mut at = Bytes::new(bytes, big);
    std::iter::from_fn(|| at.u64()).collect()
}

fn word(record: &RawRecord<'_>, at: usize) -> Option<u64> {
    Bytes::new(record.body.get(at..)?, record.big).u64()
}
