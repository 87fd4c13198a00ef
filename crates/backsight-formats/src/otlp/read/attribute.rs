//! An attribute as a label, and its meaning for process and thread.

use backsight_profile::{Label, LabelValue, StrIdx};

/// An attribute as a label.
#[derive(Clone, Copy, Debug)]
pub(super) struct ReadAttribute {
    pub(super) label: Label,
    pub(super) role: Option<Role>,
}

/// The meaning of an attribute for process and thread.
#[derive(Clone, Copy, Debug)]
pub(super) enum Role {
    Pid(u32),
    ProcessName(StrIdx),
    Tid(u32),
    ThreadName(StrIdx),
}

/// The process and thread, as far as known.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct ThreadIdentity {
    pub(super) pid: Option<u32>,
    pub(super) process_name: Option<StrIdx>,
    pub(super) tid: Option<u32>,
    pub(super) thread_name: Option<StrIdx>,
}

impl ThreadIdentity {
    /// Sets what an attribute gives. Returns whether it has a meaning for process or thread.
    pub(super) fn take(&mut self, role: Option<Role>) -> bool {
        match role {
            Some(Role::Pid(pid)) => self.pid = Some(pid),
            Some(Role::ProcessName(name)) => self.process_name = Some(name),
            Some(Role::Tid(tid)) => self.tid = Some(tid),
            Some(Role::ThreadName(name)) => self.thread_name = Some(name),
            None => return false,
        }
        true
    }
}

impl ReadAttribute {
    /// Returns its value if that is a text.
    pub(super) fn text(&self) -> Option<StrIdx> {
        match self.label.value {
            LabelValue::Text(text) => Some(text),
            LabelValue::Number(..) => None,
        }
    }
}
