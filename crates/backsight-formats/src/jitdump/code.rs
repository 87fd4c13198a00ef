//! Pieces of code, and their changes over time.

use std::ops::Range;

use backsight_types::AbsAddr;

/// No function is larger.
pub(super) const MAX_SIZE: u64 = 1 << 32;

/// A piece of code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct JitCode<'d> {
    /// The address at which it was loaded.
    pub start: AbsAddr,
    /// Its size in bytes.
    pub size: u64,
    /// Its name, as written in the file.
    pub name: &'d [u8],
}

/// All pieces of code.
#[derive(Debug, Default)]
pub(super) struct Codes {
    names: Vec<u8>,
    all: Vec<Loaded>,
    pub(super) steps: Vec<TimedChange>,
    /// How many of the steps are sorted.
    sorted: usize,
    /// How often a step was added before those that were sorted.
    pub(super) reorders: u32,
}

#[derive(Clone, Debug)]
struct Loaded {
    start: u64,
    size: u64,
    /// Offset and length in `names`.
    name: (u32, u32),
    lines: Range<u32>,
}

/// A change of code, and its time.
#[derive(Clone, Copy, Debug)]
pub(super) struct TimedChange {
    pub(super) time_ns: u64,
    pub(super) what: CodeChange,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum CodeChange {
    Loaded(u32),
    Moved { from: u64, to: u64, size: u64 },
}

impl TimedChange {
    pub(super) fn moved(time_ns: u64, from: u64, to: u64, size: u64) -> Self {
        let what = CodeChange::Moved { from, to, size };
        Self { time_ns, what }
    }
}

impl Codes {
    pub(super) fn len(&self) -> usize {
        self.all.len()
    }

    /// Adds loaded code, and returns whether it is valid.
    pub(super) fn load(
        &mut self,
        time_ns: u64,
        start: u64,
        size: u64,
        name: &[u8],
        lines: Range<u32>,
    ) -> bool {
        let number = u32::try_from(self.all.len()).ok();
        let at = u32::try_from(self.names.len()).ok();
        let len = u32::try_from(name.len()).ok();
        let is_one = (1..=MAX_SIZE).contains(&size) && start.checked_add(size).is_some();
        let (Some(number), Some(at), Some(len), true) = (number, at, len, is_one) else {
            return false;
        };
        self.names.extend_from_slice(name);
        self.all.push(Loaded {
            start,
            size,
            name: (at, len),
            lines,
        });
        let what = CodeChange::Loaded(number);
        self.steps.push(TimedChange { time_ns, what });
        true
    }

    /// Sorts changes by time: threads write to the file concurrently, so that it is not in order.
    pub(super) fn sort_changes(&mut self) {
        let (old, new) = self.steps.split_at(self.sorted.min(self.steps.len()));
        let earliest = new.iter().map(|step| step.time_ns).min();
        let last = old.last().map(|step| step.time_ns);
        if earliest < last && earliest.is_some() {
            self.reorders = self.reorders.wrapping_add(1);
        }
        self.steps.sort_by_key(|step| step.time_ns);
        self.sorted = self.steps.len();
    }

    pub(super) fn get(&self, number: u32) -> Option<JitCode<'_>> {
        let loaded = self.loaded(number)?;
        let at = usize::try_from(loaded.name.0).ok()?;
        let len = usize::try_from(loaded.name.1).ok()?;
        Some(JitCode {
            start: AbsAddr(loaded.start),
            size: loaded.size,
            name: self.names.get(at..)?.get(..len)?,
        })
    }

    pub(super) fn lines_of(&self, number: u32) -> Option<Range<u32>> {
        Some(self.loaded(number)?.lines.clone())
    }

    fn loaded(&self, number: u32) -> Option<&Loaded> {
        self.all.get(usize::try_from(number).ok()?)
    }
}
