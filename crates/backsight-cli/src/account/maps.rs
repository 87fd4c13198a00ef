//! How it is said what came of lists of names of code that was made at run time.

use backsight::{MapRead, MapRefusal, MapUse};
use serde_json::{Value, json};

use super::help::RUNTIMES;

/// No more are named.
const NAMED: usize = 4;

/// Whether a list is there and says less than it could.
pub(super) fn lacks_something(used: &MapUse) -> bool {
    match &used.read {
        Ok(read) => read.malformed > 0 || read.is_cut || read.lacks_times,
        Err(refusal) => *refusal != MapRefusal::Missing,
    }
}

/// Returns what is amiss with a list, in one line.
pub(crate) fn amiss(used: &MapUse) -> Option<String> {
    match &used.read {
        Err(MapRefusal::Missing) => Some(format!(
            "code that was made at run time has no names: there is no perf-PID.map ({RUNTIMES})"
        )),
        _ => lacks_something(used).then(|| line(used)),
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
        Ok(MapRead {
            entries,
            malformed,
            is_cut,
            lacks_times,
            ..
        }) => {
            let skipped = match malformed {
                0 => String::new(),
                1 => ", 1 line that is no entry".to_owned(),
                _ => format!(", {malformed} lines that are no entries"),
            };
            let cut = match is_cut {
                true => ", and no more were read: a limit",
                false => "",
            };
            let times = match lacks_times {
                true => {
                    "; its times are of another clock (perf record -k mono), so that the last \
                         code at each address counts"
                }
                false => "",
            };
            format!("{name}: {entries} names{skipped}{cut}{times}")
        }
        Err(refusal) => {
            let way_out = match refusal {
                MapRefusal::OfUser(_) => " (--jit-maps all takes it)",
                MapRefusal::Older | MapRefusal::Later => {
                    " (beside the recording it would be taken)"
                }
                _ => "",
            };
            format!("{name} is not read: {refusal}{way_out}")
        }
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
                "limit_reached": read.is_cut,
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
