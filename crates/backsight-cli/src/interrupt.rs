//! What is removed when a signal ends the command.
//!
//! Needed only where a file cannot be without a name until it is whole.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, Once, PoisonError};
use std::thread;

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use signal_hook::low_level::emulate_default_handler;

static UNFINISHED: Mutex<Vec<PathBuf>> = Mutex::new(Vec::new());

/// A file that a signal removes, until this is dropped.
#[derive(Debug)]
pub(crate) struct Removing(PathBuf);

/// Makes something, and has a signal that ends the command remove its file first, if
/// `file_of` names one. A signal that comes meanwhile waits until it is made.
pub(crate) fn removing<T, E>(
    make: impl FnOnce() -> Result<T, E>,
    file_of: impl FnOnce(&T) -> Option<&Path>,
) -> Result<(T, Option<Removing>), E> {
    static WATCH: Once = Once::new();
    WATCH.call_once(watch);
    with_list(|list| {
        let made = make()?;
        let file = file_of(&made).map(Path::to_owned);
        list.extend(file.clone());
        Ok((made, file.map(Removing)))
    })
}

impl Drop for Removing {
    fn drop(&mut self) {
        with_list(|list| list.retain(|path| *path != self.0));
    }
}

fn with_list<T>(change: impl FnOnce(&mut Vec<PathBuf>) -> T) -> T {
    change(&mut UNFINISHED.lock().unwrap_or_else(PoisonError::into_inner))
}

fn watch() {
    let ignored = ignored_signals();
    let is_heard = |signal: &i32| ignored & (1 << (signal - 1)) == 0;
    let all = [SIGINT, SIGTERM, SIGHUP].into_iter().filter(is_heard);
    // Without it the signals do what they did before.
    let Ok(mut signals) = Signals::new(all) else {
        return;
    };
    thread::spawn(move || {
        for signal in signals.forever() {
            with_list(|list| {
                for path in list.drain(..) {
                    let _ = fs::remove_file(path);
                }
            });
            // Ends the process as the signal would have.
            let _ = emulate_default_handler(signal);
        }
    });
}

/// Returns the signals that whoever started us wants ignored, as nohup(1) does, a bit
/// each: `SigIgn` of proc_pid_status(5). Where that cannot be read, all are.
fn ignored_signals() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mut lines = status.lines();
    let mask = lines.find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    mask.unwrap_or(u64::MAX)
}
