//! Reports debug files that are too large to read, each once.

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};

use backsight_symbolize::{ModuleId, Oversized, Symbolizer};

use crate::failure::complain;
use crate::file::Shown;

/// Several symbolizers may report the same file; each is reported once per process.
static REPORTED: Mutex<Option<HashSet<ReportedFile>>> = Mutex::new(None);

type ReportedFile = (Option<std::path::PathBuf>, u64);

/// Reports the oversized debug files of these modules, whose answers have no lines.
pub(crate) fn report(symbolizer: &Symbolizer, modules: impl Iterator<Item = ModuleId>) {
    let mut last = None;
    for module in modules.filter(|module| last.replace(*module) != Some(*module)) {
        for file in symbolizer.oversized(module) {
            report_file(&file);
        }
    }
}

/// Reports one oversized debug file.
pub(crate) fn report_file(file: &Oversized) {
    let mut reported = REPORTED.lock().unwrap_or_else(PoisonError::into_inner);
    let reported = reported.get_or_insert_default();
    if reported.insert((file.path.clone(), file.needed)) {
        let cost = "functions come from symbol tables alone, without lines and inlined functions";
        let way_out = cause(file.needed, file.allowed);
        match &file.path {
            Some(path) => complain(format_args!(
                "{}: {way_out}; until then {cost}",
                Shown(path)
            )),
            None => complain(format_args!("{way_out}; until then {cost}")),
        }
    }
}

/// Returns the cause and the way out.
pub(crate) fn cause(needed: u64, allowed: Option<u64>) -> String {
    let mib = |bytes: u64| bytes.div_ceil(1 << 20);
    let needed = mib(needed);
    match allowed {
        Some(allowed) => format!(
            "its debug information decompresses to {needed} MiB, more than the limit of {}: \
             --max-unpacked {needed}M raises it",
            match allowed >> 20 {
                0 => format!("{} KiB", allowed >> 10),
                allowed => format!("{allowed} MiB"),
            }
        ),
        None => format!(
            "not enough memory for the {needed} MiB that its debug information decompresses to: free \
             memory, or raise the memory limit of this process"
        ),
    }
}
