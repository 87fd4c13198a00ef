//! How it is said what came of lists of names of code that was made at run time.

use backsight::{LiveJit, MapEnd, MapRead, MapRefusal, MapUse};
use backsight_formats::perf_map::pid_in_name;
use serde_json::{Value, json};

use super::help::{NAMES, RUNTIMES};
use crate::failure::complain;

/// No more are named.
const NAMED: usize = 4;

/// Whether a list is there and says less than it could.
pub(super) fn lacks_something(used: &MapUse) -> bool {
    match &used.read {
        Ok(read) => {
            read.malformed > 0
                || read.unreadable_file_names > 0
                || read.end != MapEnd::Whole
                || read.lacks_times
        }
        Err(refusal) => *refusal != MapRefusal::Missing,
    }
}

/// Returns a line for each of the first that are there: those with something amiss first.
/// The others are counted. Where there is none, that is said of the frames without a name.
pub(super) fn lines(all: &[MapUse]) -> Vec<String> {
    let there = |used: &&MapUse| used.read != Err(MapRefusal::Missing);
    let mut there: Vec<&MapUse> = all.iter().filter(there).collect();
    there.sort_by_key(|used| (!lacks_something(used), used.pid));
    let mut lines: Vec<String> = there.iter().take(NAMED).map(|used| line(used)).collect();
    let more = there.len().saturating_sub(NAMED);
    if more > 0 {
        lines.push(format!("{more} more lists of names were looked at"));
    }
    lines
}

fn line(used: &MapUse) -> String {
    let name = match &used.path {
        Some(path) => path.to_string_lossy().into_owned(),
        None => format!("perf-{}.map", used.pid),
    };
    match &used.read {
        Ok(read) => format!("{name}: {}", contents(&name, read)),
        Err(refusal) => {
            let way_out = match refusal {
                MapRefusal::OfUser(_) | MapRefusal::ProcessOfUser(_) => {
                    " (--jit-maps all takes it)"
                }
                MapRefusal::Older | MapRefusal::Later => {
                    " (beside the recording it would be taken)"
                }
                _ => "",
            };
            format!("{name} is not read: {refusal}{way_out}")
        }
    }
}

/// Returns what was read, and what is amiss with it.
fn contents(name: &str, read: &MapRead) -> String {
    let mut text = format!("{} names", read.entries);
    let part = match is_dump(name) {
        true => ("malformed record", "malformed records"),
        false => ("line that is no entry", "lines that are no entries"),
    };
    match read.malformed {
        0 => {}
        1 => text.push_str(&format!(", 1 {}", part.0)),
        count => text.push_str(&format!(", {count} {}", part.1)),
    }
    if read.unreadable_file_names > 0 {
        text.push_str(&format!(
            ", {} lines whose file has no readable name (node 18 to 24 write freed memory there): \
             the file of the function's own name is shown",
            read.unreadable_file_names
        ));
    }
    text.push_str(match read.end {
        MapEnd::Whole => "",
        MapEnd::InLine => ", of which the last may be incomplete: the file ends within a line",
        MapEnd::InRecord => {
            ", and then the file ends within a record: it was cut, or its program had not written \
             the rest yet"
        }
        MapEnd::Damaged => ", and then a record without a valid size: what follows is not read",
        _ => ", and no more were read: a limit",
    });
    if read.lacks_times {
        text.push_str(
            "; its times are of another clock (perf record -k mono), so that the last code at each \
             address counts",
        );
    }
    text
}

fn is_dump(name: &str) -> bool {
    name.ends_with(".dump")
}

/// Returns what would give names to code of a process that has none: its lists may have been read
/// already.
pub(super) fn advice(all: &[MapUse], path: &[u8]) -> String {
    let pid = pid_in_name(path);
    let own = || all.iter().filter(|used| Some(used.pid) == pid);
    let read = own().find_map(|used| Some((used.path.as_ref()?, used.read.as_ref().ok()?)));
    let Some((path, read)) = read else {
        return match own().any(|used| used.read != Err(MapRefusal::Missing)) {
            true => "its list of names, which is not read,".to_owned(),
            false => match pid {
                Some(pid) => format!(
                    "{NAMES}, as /tmp/perf-{pid}.map or beside the recording (a program in a \
                     container writes it to its own /tmp, with its number there: copy it beside \
                     the recording as perf-{pid}.map)"
                ),
                None => NAMES.to_owned(),
            },
        };
    };
    let path = path.display();
    match read.end {
        MapEnd::InRecord | MapEnd::InLine => format!(
            "the rest of {path}, as the program writes it when it ends or has written more,"
        ),
        MapEnd::Damaged => format!("a sound {path}"),
        MapEnd::Limit => format!("a shorter {path}"),
        _ => format!(
            "a name in {path}, which has none for this code (node names interpreted functions with \
             --interpreted-frames-native-stack),"
        ),
    }
}

/// Reports once what is amiss with the lists of a live process.
#[derive(Debug, Default)]
pub(crate) struct LiveListReport {
    was_said: bool,
}

impl LiveListReport {
    /// Reports it, if anything is amiss and that was not reported yet.
    pub(crate) fn say(&mut self, pid: u32, lists: &LiveJit) {
        let looked_at = [lists.jitdump(), lists.map()];
        let mut looked_at = looked_at.into_iter().flatten();
        if let Some(amiss) = looked_at.find_map(|used| amiss(used, lists.nameless()))
            && !std::mem::replace(&mut self.was_said, true)
        {
            complain(format_args!("process {pid}: {amiss}"));
        }
    }
}

/// Returns what is amiss with a list of a live process, in one line. `nameless` is the number of
/// addresses that none of its lists names.
fn amiss(used: &MapUse, nameless: u64) -> Option<String> {
    match &used.read {
        Err(MapRefusal::Missing) => Some(format!(
            "code that was made at run time has no names: there is no perf-PID.map ({RUNTIMES})"
        )),
        // The program goes on writing.
        Ok(read) if nameless == 0 && matches!(read.end, MapEnd::InRecord | MapEnd::InLine) => {
            let mut so_far = used.clone();
            if let Ok(read) = &mut so_far.read {
                read.end = MapEnd::Whole;
            }
            lacks_something(&so_far).then(|| line(&so_far))
        }
        _ => lacks_something(used).then(|| line(used)),
    }
}

/// Returns all as JSON.
pub(super) fn json(all: &[MapUse]) -> Value {
    let each = all.iter().map(|used| {
        let path = used.path.as_ref().map(|path| path.to_string_lossy());
        match &used.read {
            Ok(read) => json!({
                "pid": used.pid,
                "path": path,
                "names": read.entries,
                "malformed": read.malformed,
                "limit_reached": read.end == MapEnd::Limit,
                "end": end_name(read.end),
                "unreadable_file_names": read.unreadable_file_names,
                "lacks_times": read.lacks_times,
            }),
            Err(refusal) => json!({
                "pid": used.pid,
                "path": path,
                "refused": refusal.to_string(),
            }),
        }
    });
    each.collect()
}

/// The names of ends in JSON, which never change.
fn end_name(end: MapEnd) -> &'static str {
    match end {
        MapEnd::Whole => "whole",
        MapEnd::InLine => "in-line",
        MapEnd::InRecord => "in-record",
        MapEnd::Damaged => "damaged",
        _ => "limit",
    }
}
