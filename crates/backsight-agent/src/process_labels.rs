//! Labels of processes: the container, and what the process publishes of itself.
//!
//! A process is looked at when it was first sampled, while it lives, and again after 2, 8, 32, …
//! seconds: a library may publish late. A child has the cgroup of its parent.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use backsight::{ProcessLabel, ProcessLabelValue, ProfileBuilder};
use backsight_formats::process_context::ContextValue;
use backsight_types::trace::{Event, ProcessChange, ProcessRecord};

use crate::cgroup::Cgroup;
use crate::context;

/// When a process is looked at for the second time, and how much longer it takes each time.
const FIRST_WAIT: Duration = Duration::from_secs(2);
const LONGER: u32 = 4;

/// Processes that are known at once. Their ends are reported; where reports were lost, all are
/// forgotten.
const MAX_PROCESSES: usize = 1 << 16;

/// The labels of processes.
#[derive(Debug, Default)]
pub(crate) struct ProcessLabels {
    known: HashMap<u32, KnownProcess>,
    /// The processes with samples since they were last looked at.
    sampled: HashSet<u32>,
    /// Why contexts were not used, each with the number of processes.
    pub(crate) problems: BTreeMap<&'static str, u64>,
}

/// What is known of a process.
#[derive(Clone, Debug, Default)]
struct KnownProcess {
    cgroup: Option<Cgroup>,
    context: Arc<[ProcessLabel]>,
    /// When it is looked at again, and the time after that.
    next: Option<(Instant, Duration)>,
    /// The reason that was counted for it.
    problem: Option<&'static str>,
}

impl ProcessLabels {
    /// Takes note of an event. Returns a process that the profile has labels of from here on.
    pub(crate) fn take(&mut self, event: &Event<'_>) -> Option<(u32, Arc<[ProcessLabel]>)> {
        let record = match event {
            Event::Sample(sample) => {
                self.sampled.insert(sample.pid);
                return None;
            }
            Event::Process(record) => record,
            _ => return None,
        };
        let ProcessRecord { pid, change, .. } = record;
        match change {
            ProcessChange::Fork { parent } => {
                let cgroup = self.known.get(parent).and_then(|it| it.cgroup.clone());
                if self.known.len() >= MAX_PROCESSES {
                    self.known.clear();
                }
                let child = KnownProcess {
                    cgroup,
                    ..KnownProcess::default()
                };
                let labels = child.labels();
                self.known.insert(*pid, child);
                Some((*pid, labels))
            }
            ProcessChange::Exec => {
                let known = self.known.get_mut(pid)?;
                // It is not published in the new program yet.
                (known.context, known.next) = (Arc::default(), None);
                Some((*pid, known.labels()))
            }
            ProcessChange::Exit => {
                self.known.remove(pid);
                None
            }
            _ => None,
        }
    }

    /// Looks at the processes that were sampled, while they live.
    pub(crate) fn look(&mut self, builder: &mut ProfileBuilder) {
        let now = Instant::now();
        for pid in std::mem::take(&mut self.sampled) {
            // The idle tasks, and threads that had given up their ID.
            if pid == 0 || pid == u32::MAX {
                continue;
            }
            let known = self.known.get(&pid);
            let next = known.and_then(|known| known.next);
            if next.is_some_and(|(next, _)| now < next) {
                continue;
            }
            // One that has ended keeps the labels that it had.
            if !Path::new(&format!("/proc/{pid}")).exists() {
                continue;
            }
            let known = self.known.entry(pid).or_default();
            let wait = known.next.map_or(FIRST_WAIT, |(_, wait)| wait);
            known.next = now
                .checked_add(wait)
                .map(|next| (next, wait.saturating_mul(LONGER)));
            if let Some(problem) = known.look(pid) {
                let count = self.problems.entry(problem).or_default();
                *count = count.saturating_add(1);
            }
            builder.set_labels(pid, known.labels());
        }
    }
}

impl KnownProcess {
    /// Looks at a process. Returns a reason that was not counted for it yet.
    fn look(&mut self, pid: u32) -> Option<&'static str> {
        self.cgroup = cgroup_of(pid).or_else(|| self.cgroup.take());
        let problem = match context::read(pid)? {
            Ok(found) => {
                let labels = found
                    .attributes
                    .into_iter()
                    .map(|(name, value)| ProcessLabel {
                        key: name.into(),
                        value: match value {
                            ContextValue::Number(number) => ProcessLabelValue::Number(number),
                            ContextValue::Text(text) => ProcessLabelValue::Text(text.into()),
                            other => ProcessLabelValue::Text(format!("{other:?}").into()),
                        },
                    });
                self.context = labels.collect();
                (found.left_out > 0)
                    .then_some("attributes that no label has room for, or that are malformed")
            }
            Err(reason) => Some(reason),
        };
        let is_new = problem != self.problem;
        self.problem = problem.or(self.problem);
        problem.filter(|_| is_new)
    }

    fn labels(&self) -> Arc<[ProcessLabel]> {
        let cgroup = self.cgroup.iter().flat_map(Cgroup::labels);
        cgroup.chain(self.context.iter().cloned()).collect()
    }
}

fn cgroup_of(pid: u32) -> Option<Cgroup> {
    /// A path has 4,095 bytes at most, and version 1 has a line for each controller.
    const MOST: u64 = 64 << 10;
    let mut text = String::new();
    let file = File::open(format!("/proc/{pid}/cgroup")).ok()?;
    file.take(MOST).read_to_string(&mut text).ok()?;
    Some(Cgroup::parse(&text))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use backsight::{ModuleFiles, ProcessLabelValue, ProfileBuilder, RecordingOptions};
    use backsight_types::trace::{
        Event, EventType, Facts, ProcessChange, ProcessRecord, SampleRecord,
    };

    use super::{KnownProcess, ProcessLabel, ProcessLabels};
    use crate::cgroup::Cgroup;

    fn change(pid: u32, change: ProcessChange) -> Event<'static> {
        Event::Process(ProcessRecord {
            time_ns: 1,
            pid,
            change,
        })
    }

    fn label(key: &str, value: &str) -> ProcessLabel {
        ProcessLabel {
            key: key.into(),
            value: ProcessLabelValue::Text(value.into()),
        }
    }

    #[test]
    fn a_child_has_the_cgroup_and_a_new_program_no_context() {
        let mut labels = ProcessLabels::default();
        let parent = KnownProcess {
            cgroup: Some(Cgroup::parse("0::/a\n")),
            context: Arc::from([label("service.name", "shop")]),
            ..KnownProcess::default()
        };
        labels.known.insert(7, parent);
        let cgroup = label("cgroup", "/a");
        let forked = labels.take(&change(8, ProcessChange::Fork { parent: 7 }));
        assert_eq!(forked, Some((8, Arc::from([cgroup.clone()]))));
        let replaced = labels.take(&change(7, ProcessChange::Exec));
        assert_eq!(replaced, Some((7, Arc::from([cgroup]))));
        // Nothing is kept of those that have ended, also if they are sampled once more.
        for pid in [7, 8] {
            assert_eq!(labels.take(&change(pid, ProcessChange::Exit)), None);
        }
        let mut facts = Facts::default();
        facts.events.push(EventType::new("cpu-clock"));
        let (options, files) = (RecordingOptions::default(), ModuleFiles::default());
        let mut builder = ProfileBuilder::new(&facts, options, files).unwrap();
        let gone = u32::try_from(i32::MAX).unwrap();
        labels.take(&Event::Sample(SampleRecord::new(gone, gone)));
        labels.take(&Event::Sample(SampleRecord::new(0, 0)));
        labels.look(&mut builder);
        assert!(labels.known.is_empty() && labels.sampled.is_empty());
        // A process that is there is looked at once, and not again at once.
        let own = std::process::id();
        for _ in 0..2 {
            labels.take(&Event::Sample(SampleRecord::new(own, own)));
            labels.look(&mut builder);
        }
        assert_eq!(labels.known.len(), 1);
        assert_eq!(labels.known[&own].next.unwrap().1, 4 * super::FIRST_WAIT);
        assert!(labels.problems.is_empty());
    }
}
