//! Debug files that were too large are named, each once.

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};

use backsight_symbolize::{ModuleId, Oversized, Symbolizer};

use crate::failure::complain;
use crate::file::Shown;

/// Standard error is one for the whole process, so what was said is, too.
static SAID: Mutex<Option<HashSet<Said>>> = Mutex::new(None);

type Said = (Option<std::path::PathBuf>, u64);

/// Says of which debug files these modules have answers without lines.
pub(crate) fn say(symbolizer: &Symbolizer, modules: impl Iterator<Item = ModuleId>) {
    let mut last = None;
    for module in modules.filter(|module| last.replace(*module) != Some(*module)) {
        for file in symbolizer.oversized(module) {
            say_file(&file);
        }
    }
}

/// Says it of one file.
pub(crate) fn say_file(file: &Oversized) {
    let mut said = SAID.lock().unwrap_or_else(PoisonError::into_inner);
    let said = said.get_or_insert_default();
    if said.insert((file.path.clone(), file.needed)) {
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

/// Says why, and the way out.
pub(crate) fn cause(needed: u64, allowed: Option<u64>) -> String {
    let mib = |bytes: u64| bytes.div_ceil(1 << 20);
    let needed = mib(needed);
    match allowed {
        Some(allowed) => format!(
            "its debug information unpacks to {needed} MiB, and {} are allowed: --max-unpacked \
             {needed}M reads it",
            match allowed >> 20 {
                0 => format!("{} KiB", allowed >> 10),
                allowed => format!("{allowed} MiB"),
            }
        ),
        None => format!(
            "no memory for the {needed} MiB that its debug information unpacks to: free some, or \
             raise the limit that this process runs under"
        ),
    }
}
