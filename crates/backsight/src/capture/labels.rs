//! Labels of processes, which their samples get.

use std::sync::Arc;

use backsight_profile::{Label, LabelValue, Profile, Strings, ThreadIdx};
use hashbrown::HashMap;

/// A label of a process: its container, for example.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ProcessLabel {
    /// Its name.
    pub key: Arc<str>,
    /// Its value.
    pub value: ProcessLabelValue,
}

/// The value of a label of a process.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ProcessLabelValue {
    /// A text.
    Text(Arc<str>),
    /// A number.
    Number(i64),
}

/// The labels of all processes that have some.
#[derive(Debug, Default)]
pub(super) struct ProcessLabels {
    of: HashMap<u32, Arc<[ProcessLabel]>>,
    /// The same, with the texts of the current profile.
    interned: HashMap<u32, Vec<Label>>,
}

impl ProcessLabels {
    /// Sets the labels of a process, in place of those that it had.
    pub(super) fn set(&mut self, pid: u32, labels: Arc<[ProcessLabel]>) {
        self.interned.remove(&pid);
        match labels.is_empty() {
            true => drop(self.of.remove(&pid)),
            false => drop(self.of.insert(pid, labels)),
        }
    }

    /// A process has ended.
    pub(super) fn gone(&mut self, pid: u32) {
        self.of.remove(&pid);
        self.interned.remove(&pid);
    }

    /// Goes on with a profile that has other texts.
    pub(super) fn begin_profile(&mut self) {
        self.interned = HashMap::new();
    }

    /// Returns the labels of a thread's process.
    pub(super) fn of_thread(
        &mut self,
        thread: Option<ThreadIdx>,
        profile: &mut Profile,
    ) -> &[Label] {
        if self.of.is_empty() {
            return &[];
        }
        let thread = thread.and_then(|thread| profile.thread(thread));
        let process = thread.and_then(|thread| profile.process(thread.process));
        let Some((pid, labels)) = process.and_then(|it| Some((it.pid, self.of.get(&it.pid)?)))
        else {
            return &[];
        };
        let strings = &mut profile.strings;
        let interned = self.interned.entry(pid);
        interned.or_insert_with(|| labels.iter().map(|label| label.interned(strings)).collect())
    }
}

impl ProcessLabel {
    fn interned(&self, strings: &mut Strings) -> Label {
        Label {
            key: strings.intern(&self.key),
            value: match &self.value {
                ProcessLabelValue::Text(text) => LabelValue::Text(strings.intern(text)),
                ProcessLabelValue::Number(number) => LabelValue::Number(*number, None),
            },
        }
    }
}
