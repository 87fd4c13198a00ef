//! An attribute as the model has it, and what it says of process and thread.

use backsight_profile::{Label, LabelValue, StrIdx};

/// An attribute as the model has it.
#[derive(Clone, Copy, Debug)]
pub(super) struct ReadAttribute {
    pub(super) label: Label,
    pub(super) role: Option<Role>,
}

/// What it says of process and thread.
#[derive(Clone, Copy, Debug)]
pub(super) enum Role {
    Pid(u32),
    ProcessName(StrIdx),
    Tid(u32),
    ThreadName(StrIdx),
}

/// What is known of process and thread.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct ThreadIdentity {
    pub(super) pid: Option<u32>,
    pub(super) process_name: Option<StrIdx>,
    pub(super) tid: Option<u32>,
    pub(super) thread_name: Option<StrIdx>,
}

impl ThreadIdentity {
    /// Takes what an attribute says, in place of what was known.
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
    /// Returns its value, when that is a text.
    pub(super) fn text(&self) -> Option<StrIdx> {
        match self.label.value {
            LabelValue::Text(text) => Some(text),
            LabelValue::Number(..) => None,
        }
    }
}
