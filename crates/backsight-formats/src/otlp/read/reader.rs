//! The state for reading a message, and what is kept from message to message.

use std::collections::HashSet;

use backsight_profile::{Label, Profile, StrIdx, ValueType};
use backsight_types::ModuleIdx;

use super::dictionary::FileDictionary;
use crate::event_values;
use crate::flaws::Flaws;
use crate::mapped_file::MappedFiles;
use crate::protobuf::{Error, MemoryBudget};
use crate::threads::NamedThreads;

/// The maximum number of sample types. A sample without a time has a value of each type.
const MOST_TYPES: usize = 1024;

/// The maximum number of attributes that a profile gets from its resource and scope.
const MOST_SHARED: usize = 256;

/// What is kept from message to message.
#[derive(Debug)]
pub(super) struct ReadState {
    pub(super) profile: Profile,
    pub(super) budget: MemoryBudget,
    pub(super) flaws: Flaws,
    pub(super) threads: NamedThreads,
    pub(super) files: MappedFiles,
    pub(super) default: Option<StrIdx>,
    pub(super) comments: HashSet<StrIdx>,
    /// The attributes of modules that were added.
    pub(super) of_modules: HashSet<(ModuleIdx, StrIdx)>,
}

impl ReadState {
    pub(super) fn finish(self) -> Result<(Profile, Flaws), Error> {
        let Self {
            mut profile,
            mut flaws,
            mut budget,
            default,
            ..
        } = self;
        let mut types = profile.sample_types.iter();
        let at = default.and_then(|name| types.position(|kind| kind.kind == name));
        if default.is_some() && at.is_none() {
            flaws.count("default sample types that are not among the sample types");
        }
        profile.default_type = at.and_then(|at| u32::try_from(at).ok());
        budget
            .take_rows::<event_values::JoinedSample<'_>>(profile.samples.len().saturating_mul(3))?;
        event_values::join(&mut profile);
        Ok((profile, flaws))
    }
}

/// Reads one message.
#[derive(Debug)]
pub(super) struct Reader<'a> {
    pub(super) dictionary: FileDictionary<'a>,
    pub(super) state: ReadState,
}

impl Reader<'_> {
    /// Adds a label that all samples of a resource or scope have.
    pub(super) fn share(&mut self, label: Label, labels: &mut Vec<Label>) {
        if labels.iter().any(|known| known.key == label.key) {
            self.state
                .flaws
                .count("attributes with the name of another one");
        } else if labels.len() >= MOST_SHARED {
            self.state
                .flaws
                .leave_out("attributes of resources and scopes after the 256th");
        } else {
            labels.push(label);
        }
    }

    /// Returns the index of a sample type, and adds it if it is new.
    pub(super) fn sample_type(&mut self, kind: ValueType) -> Option<u32> {
        let types = &mut self.state.profile.sample_types;
        let known = types.iter().position(|known| *known == kind);
        let at = known.unwrap_or_else(|| {
            types.push(kind);
            types.len().saturating_sub(1)
        });
        if at >= MOST_TYPES {
            types.truncate(MOST_TYPES);
            self.state.flaws.count("sample types after the 1024th");
            return None;
        }
        u32::try_from(at).ok()
    }
}
