//! The names of our profiles, which have the process and thread.

use backsight_profile::{Profile, StrIdx, ThreadIdx};

/// The name of the samples without a thread.
pub(super) const NO_THREAD: &str = "(no thread)";

/// Returns `PROCESS-PID/TID`, and the name of the thread if it is another one:
/// `PROCESS-PID/TID: THREAD`.
pub(super) fn of_thread(profile: &Profile, index: Option<ThreadIdx>) -> String {
    let Some(thread) = index.and_then(|index| profile.thread(index)) else {
        return NO_THREAD.to_owned();
    };
    let process = profile.process(thread.process);
    let text = |at: Option<StrIdx>| profile.strings.get(at?).filter(|text| !text.is_empty());
    let pid = process.map(|process| process.pid).unwrap_or_default();
    let thread_name = text(thread.name);
    let name = process.and_then(|process| text(process.name));
    let tid = thread
        .tid
        .map_or_else(|| "?".to_owned(), |tid| tid.to_string());
    let own = thread_name.filter(|own| name != Some(*own));
    let name = name.unwrap_or_default();
    match own {
        Some(own) => format!("{name}-{pid}/{tid}: {own}"),
        None => format!("{name}-{pid}/{tid}"),
    }
}

/// Returns the name that the file of another tool gave to a profile; `None` if the profile is not
/// of such a file: then its threads have numbers.
pub(super) fn foreign(profile: &Profile, index: Option<ThreadIdx>) -> Option<&str> {
    let Some(index) = index else { return Some("") };
    let thread = profile.thread(index)?;
    let has_numbers = thread.tid.is_some() || profile.process(thread.process)?.pid != 0;
    let name = thread.name.and_then(|name| profile.strings.get(name));
    name.filter(|_| !has_numbers)
}

/// Returns the name of such a file, if it has one: that of the process of all profiles.
pub(super) fn foreign_file(profile: &Profile) -> Option<&str> {
    let mut names = profile.processes.iter().map(|process| process.name);
    let first = names.next()??;
    let is_group = profile.threads.len() > 1 || profile.threads.first()?.name != Some(first);
    let is_one = is_group && names.all(|name| name == Some(first));
    profile.strings.get(first).filter(|_| is_one)
}

/// Returns the name of a profile of one of several values of a thread's samples.
pub(super) fn with_value(name: &str, value: &str) -> String {
    format!("{name} [{value}]")
}

/// Takes such a name apart: the name of the thread, and that of the value.
pub(super) fn without_value(name: &str) -> (&str, Option<&str>) {
    let split = name
        .strip_suffix(']')
        .and_then(|name| name.rsplit_once(" ["));
    match split {
        Some((name, value)) if !value.is_empty() => (name, Some(value)),
        _ => (name, None),
    }
}

/// The parts of a name that [`of_thread`] made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ThreadName<'n> {
    pub(super) process: &'n str,
    pub(super) pid: u32,
    pub(super) tid: Option<u32>,
    pub(super) thread: &'n str,
}

/// Takes such a name apart.
pub(super) fn parsed(name: &str) -> Option<ThreadName<'_>> {
    let mut dashes = name.match_indices('-');
    dashes.find_map(|(at, _)| {
        let (process, rest) = name.split_at(at);
        let (ids, thread) = match rest.get(1..)?.split_once(": ") {
            Some((ids, thread)) => (ids, thread),
            None => (rest.get(1..)?, process),
        };
        let (pid, tid) = ids.split_once('/')?;
        let tid = match tid {
            "?" => None,
            tid => Some(tid.parse().ok()?),
        };
        Some(ThreadName {
            process,
            pid: pid.parse().ok()?,
            tid,
            thread,
        })
    })
}

#[cfg(test)]
mod tests {
    use super::{ThreadName, parsed};

    #[test]
    fn names_are_taken_apart() {
        let cases = [
            ("a-7/8", Some(("a", 7, Some(8), "a"))),
            ("a-7/?: b c", Some(("a", 7, None, "b c"))),
            ("x-y-7/8: -1/2x", Some(("x-y", 7, Some(8), "-1/2x"))),
            ("-7/7", Some(("", 7, Some(7), ""))),
            ("main", None),
            ("a-7", None),
            ("a-b/c", None),
        ];
        for (name, want) in cases {
            let want = want.map(|(process, pid, tid, thread)| ThreadName {
                process,
                pid,
                tid,
                thread,
            });
            assert_eq!(parsed(name), want, "{name}");
        }
    }
}
