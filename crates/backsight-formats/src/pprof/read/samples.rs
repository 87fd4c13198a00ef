//! Reads samples, and the labels for process, thread and time.

use backsight_profile::{Label, LabelValue, LocationIdx, Profile, Sample, StrIdx};
use hashbrown::HashMap;
use prost::Message as _;

use super::super::{labels, proto};
use super::tables::FileTables;
use crate::event_values;
use crate::flaws::Flaws;
use crate::protobuf::{Error, MemoryBudget, MessageFields, Value};
use crate::threads::NamedThreads;

/// The memory of a node in the tree of stacks, including its entry in the hash table.
const NODE: usize = 24;

/// The memory of a sample without its values and labels.
const SAMPLE: usize = 64;

impl FileTables<'_> {
    /// Reads the samples of the message, in a second pass.
    pub(super) fn samples(
        &mut self,
        message: &[u8],
        ids: &HashMap<u64, LocationIdx>,
        profile: &mut Profile,
        budget: &mut MemoryBudget,
        flaws: &mut Flaws,
    ) -> Result<(), Error> {
        let mut threads = NamedThreads::default();
        let mut row = proto::Sample::default();
        let mut labels = Vec::new();
        let are_events = event_values::are_events(profile);
        let mut fields = MessageFields::new(message);
        while let Some(field) = fields.next()? {
            let (2, Value::Bytes(bytes)) = field else {
                continue;
            };
            // A label of two bytes takes as much memory as a longer one.
            let most = size_of::<proto::Label>().max(size_of::<[u64; 2]>());
            budget.check(bytes.len().saturating_mul(most))?;
            row.clear();
            if row.merge(bytes).is_err() {
                flaws.count("samples that cannot be decoded");
                continue;
            }
            let nodes = profile.stacks.len();
            let found = row.location_id.iter().rev().filter_map(|id| {
                let found = ids.get(id).copied();
                if found.is_none() {
                    flaws.count("stacks that refer to a missing location");
                }
                found
            });
            let stack = profile.stacks.intern(found);
            labels.clear();
            let mut known = ThreadLabels::default();
            for label in &row.label {
                match self.label(label, profile, flaws) {
                    Some(label) if known.take(&label, profile) => {}
                    label => labels.extend(label),
                }
            }
            let types = profile.sample_types.len();
            if row.value.len() != types {
                flaws.count("samples that do not have one value for each sample type");
                row.value.truncate(types);
            }
            let nodes = profile.stacks.len().saturating_sub(nodes);
            budget.take(nodes.saturating_mul(NODE).saturating_add(SAMPLE))?;
            budget.take_rows::<i64>(row.value.len())?;
            budget.take_rows::<Label>(row.label.len())?;
            let thread = match known.pid {
                Some((pid, _)) => {
                    let process = (pid, known.process_name.map(|(name, _)| name));
                    let thread = known.tid.map(|(tid, _)| tid);
                    let thread = (thread, known.thread_name.map(|(name, _)| name));
                    threads.thread(process, thread, profile)
                }
                None => {
                    known.give_back(&mut labels);
                    None
                }
            };
            let sample = Sample {
                thread,
                time_ns: known.time_ns,
                stack,
                first_type: 0,
            };
            if are_events && row.value.len() == types {
                for (nth, (first_type, values)) in event_values::of_events(&row.value).enumerate() {
                    if nth > 0 {
                        budget.take(SAMPLE)?;
                        budget.take_rows::<Label>(labels.len())?;
                    }
                    let sample = Sample {
                        first_type,
                        ..sample
                    };
                    profile.samples.push(sample, values, &labels);
                }
                continue;
            }
            profile.samples.push(sample, &row.value, &labels);
        }
        Ok(())
    }

    fn label(
        &mut self,
        row: &proto::Label,
        profile: &mut Profile,
        flaws: &mut Flaws,
    ) -> Option<Label> {
        let strings = &mut profile.strings;
        let Some(key) = self.texts.text(row.key, strings, flaws) else {
            flaws.count("labels without a name");
            return None;
        };
        let value = match self.texts.text(row.str, strings, flaws) {
            Some(text) => LabelValue::Text(text),
            None => LabelValue::Number(row.num, self.texts.text(row.num_unit, strings, flaws)),
        };
        Some(Label { key, value })
    }
}

/// The process, thread and time in the labels of a sample.
#[derive(Clone, Copy, Debug, Default)]
struct ThreadLabels {
    pid: Option<(u32, Label)>,
    process_name: Option<(StrIdx, Label)>,
    tid: Option<(u32, Label)>,
    thread_name: Option<(StrIdx, Label)>,
    time_ns: Option<u64>,
}

impl ThreadLabels {
    /// Takes a label if it is the first one of its kind.
    fn take(&mut self, label: &Label, profile: &Profile) -> bool {
        let key = profile.strings.get(label.key).unwrap_or_default();
        match (key, label.value) {
            (labels::PID, LabelValue::Number(pid, None)) => set(&mut self.pid, pid, label),
            (labels::TID, LabelValue::Number(tid, None)) => set(&mut self.tid, tid, label),
            (labels::PROCESS_NAME, LabelValue::Text(name)) => {
                set(&mut self.process_name, name, label)
            }
            (labels::THREAD_NAME, LabelValue::Text(name)) => {
                set(&mut self.thread_name, name, label)
            }
            (labels::TIME, LabelValue::Number(time, None)) if self.time_ns.is_none() => {
                self.time_ns = u64::try_from(time).ok();
                self.time_ns.is_some()
            }
            _ => false,
        }
    }

    /// Returns the labels that have no meaning without a process ID.
    fn give_back(&mut self, labels: &mut Vec<Label>) {
        labels.extend(self.process_name.take().map(|(_, label)| label));
        labels.extend(self.tid.take().map(|(_, label)| label));
        labels.extend(self.thread_name.take().map(|(_, label)| label));
    }
}

fn set<T, V>(place: &mut Option<(T, Label)>, value: V, label: &Label) -> bool
where
    T: TryFrom<V>,
{
    match T::try_from(value) {
        Ok(value) if place.is_none() => {
            *place = Some((value, *label));
            true
        }
        _ => false,
    }
}
