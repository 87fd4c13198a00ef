//! Lists to choose from: values, and threads.

use backsight_profile::Profile;
use backsight_report::{Inlines, ReportTable, RowKind, SampleFilter};

use super::cursor::RowCursor;
use crate::report::percent;

pub(super) struct Menu {
    pub(super) title: &'static str,
    pub(super) choices: Vec<(String, Choice)>,
    pub(super) cursor: RowCursor,
}

#[derive(Clone)]
pub(super) enum Choice {
    /// The index of a value of the samples.
    Value(u32),
    /// The samples of some threads, and their name; all, without one.
    Tasks(Box<SampleFilter>, Option<String>),
}

impl Menu {
    pub(super) fn new(title: &'static str, choices: Vec<(String, Choice)>) -> Self {
        Self {
            title,
            choices,
            cursor: RowCursor::default(),
        }
    }

    pub(super) fn chosen(&self) -> Option<&Choice> {
        let (_, choice) = self.choices.get(self.cursor.selected)?;
        Some(choice)
    }
}

/// Returns the processes and threads with their shares: all, the processes, the threads.
pub(super) fn tasks(profile: &Profile, value: u32) -> Vec<(String, Choice)> {
    let all = Choice::Tasks(Box::default(), None);
    let mut choices = vec![("100.00%  all".to_owned(), all)];
    for by in [RowKind::Process, RowKind::Thread] {
        let table = ReportTable::of(profile, value, by, Inlines::Apart);
        for row in &table.rows {
            let thread = row.entry.thread.and_then(|at| profile.thread(at));
            let Some(thread) = thread else { continue };
            let process = profile.process(thread.process).map(|it| it.pid);
            let mut filter = SampleFilter::default();
            match by {
                RowKind::Process => filter.pids.extend(process),
                _ => {
                    filter.pids.extend(process);
                    filter.tids.extend(thread.tid);
                }
            }
            let name = format!("{} {}", by.as_str(), row.entry.name(profile, by));
            let text = format!("{:>6.2}%  {name}", percent(row.own, table.whole));
            choices.push((text, Choice::Tasks(Box::new(filter), Some(name))));
        }
    }
    choices
}
