//! Why there are no samples.

use std::fs;

use backsight_agent::Agent;

use super::flags::Record;
use super::not_running::{not_running, parent_of};
use super::target_flags::Whom;

/// Returns why there are no samples: what is known of the target first, then the sampling period.
pub(super) fn no_samples(flags: &Record, whom: &Whom<'_>, agent: &Agent) -> String {
    let mut reasons = Vec::new();
    let vanished = agent.sampler().vanished();
    if vanished > 0 {
        reasons.push(vanished_words(vanished));
    }
    if let Whom::Processes(pids) = whom {
        for pid in pids {
            reasons.extend(not_running(*pid).map(|why| format!("process {pid} {why}")));
            reasons.extend(children_of(*pid, pids));
        }
    }
    if reasons.is_empty() {
        reasons.push(too_short(flags, whom, agent.status().started));
    }
    reasons.join("; ")
}

/// Returns what is said of processes that have vanished from the recording.
pub(super) fn vanished_words(count: u64) -> String {
    let who = match count {
        1 => "1 process became a program".to_owned(),
        count => format!("{count} processes became programs"),
    };
    format!(
        "{who} that this user may not observe (set-user-ID, or not readable), and the kernel \
         stopped recording there: record as root, with -a if it changes its user"
    )
}

/// Nothing is known to keep the target from running.
fn too_short(flags: &Record, whom: &Whom<'_>, started: u64) -> String {
    let none_ran = match started {
        0 => "nothing of the target ran for as long as one sampling period".to_owned(),
        1 => "1 process was started, and none ran for one sampling period".to_owned(),
        count => format!("{count} processes were started, and none ran for one sampling period"),
    };
    let hertz = flags.target.frequency;
    let or_all = match whom {
        Whom::Everyone => "",
        _ => ", or use -a",
    };
    format!(
        "{none_ran} ({:.1} ms): raise -F {hertz}{or_all}",
        period_ms(hertz)
    )
}

/// Returns that processes which a process had started before are not recorded, if there are any
/// that were not asked for, too.
fn children_of(pid: u32, asked: &[u32]) -> Option<String> {
    let mut all: Vec<u32> = fs::read_dir("/proc")
        .into_iter()
        .flatten()
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        // A shell is the parent of this process, too.
        .filter(|child| *child != std::process::id() && !asked.contains(child))
        .filter(|child| parent_of(*child) == Some(pid))
        .collect();
    all.sort_unstable();
    let count = all.len();
    let first = all.first()?;
    let (what, are, them) = match count {
        1 => ("child".to_owned(), "is", "it"),
        count => (format!("{count} children"), "are", "them"),
    };
    Some(format!(
        "its {what} that it had started before {are} not recorded: name {them}, too, as in \
         -p {pid},{first}"
    ))
}

/// Returns the time between two samples of a processor.
#[expect(clippy::cast_precision_loss, reason = "a time is shown with one digit")]
fn period_ms(hertz: u64) -> f64 {
    1000.0 / hertz.max(1) as f64
}
