//! Removes unfinished files when a signal ends the command, and tells commands that end by
//! themselves.
//!
//! Unfinished files are there only where the file system has no unnamed temporary files
//! (`O_TMPFILE`).

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, Once, PoisonError};
use std::thread;

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use signal_hook::low_level::emulate_default_handler;

/// Whether the command ends by itself when a first signal comes, and whether one came.
static ENDS_ITSELF: AtomicBool = AtomicBool::new(false);
static CALLED_OFF: AtomicBool = AtomicBool::new(false);

/// Whether the command ends at once when its terminal is gone.
static ENDS_AT_HANGUP: AtomicBool = AtomicBool::new(false);

static WATCH: Once = Once::new();

/// What is called before a signal ends the command.
static BEFORE_END: Mutex<Option<fn()>> = Mutex::new(None);

static UNFINISHED: Mutex<Vec<PathBuf>> = Mutex::new(Vec::new());

/// A file that is removed if a signal ends the command, until this guard is dropped.
#[derive(Debug)]
pub(crate) struct RemoveOnSignal(PathBuf);

/// Calls `make`, and registers its file, if `file_of` returns one, for removal on a signal. A
/// signal that arrives in between waits until the file is registered.
pub(crate) fn removing<T, E>(
    make: impl FnOnce() -> Result<T, E>,
    file_of: impl FnOnce(&T) -> Option<&Path>,
) -> Result<(T, Option<RemoveOnSignal>), E> {
    WATCH.call_once(watch);
    with_list(|list| {
        let made = make()?;
        let file = file_of(&made).map(Path::to_owned);
        list.extend(file.clone());
        Ok((made, file.map(RemoveOnSignal)))
    })
}

/// From now on, the first signal that asks the command to end only sets what
/// [`is_called_off`] returns. A second one ends it at once.
pub(crate) fn end_by_itself() {
    ENDS_ITSELF.store(true, Ordering::Relaxed);
    WATCH.call_once(watch);
}

/// Whether a first signal only sets what [`is_called_off`] returns.
pub(crate) fn ends_by_itself() -> bool {
    ENDS_ITSELF.load(Ordering::Relaxed)
}

/// From now on, the loss of the terminal ends the command at once, also after
/// [`end_by_itself`]: without it a view has nothing to end.
pub(crate) fn end_at_hangup() {
    ENDS_AT_HANGUP.store(true, Ordering::Relaxed);
}

/// From now on, a signal that ends the command calls this first.
pub(crate) fn call_before_end(undo: fn()) {
    *BEFORE_END.lock().unwrap_or_else(PoisonError::into_inner) = Some(undo);
    WATCH.call_once(watch);
}

/// Whether a signal has asked the command to end.
pub(crate) fn is_called_off() -> bool {
    CALLED_OFF.load(Ordering::Relaxed)
}

impl Drop for RemoveOnSignal {
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
    // If this fails, the signals keep their default action.
    let Ok(mut signals) = Signals::new(all) else {
        return;
    };
    thread::spawn(move || {
        for signal in signals.forever() {
            let is_at_once = signal == SIGHUP && ENDS_AT_HANGUP.load(Ordering::Relaxed);
            let ends_itself = ENDS_ITSELF.load(Ordering::Relaxed) && !is_at_once;
            if ends_itself && !CALLED_OFF.swap(true, Ordering::Relaxed) {
                continue;
            }
            with_list(|list| {
                for path in list.drain(..) {
                    let _ = fs::remove_file(path);
                }
            });
            if let Some(undo) = *BEFORE_END.lock().unwrap_or_else(PoisonError::into_inner) {
                undo();
            }
            // Ends the process with the signal's default action.
            let _ = emulate_default_handler(signal);
        }
    });
}

/// Returns the ignored signals as a bit mask: `SigIgn` of proc_pid_status(5). The parent may
/// have set them, as nohup(1) does. If that cannot be read, all signals count as ignored.
fn ignored_signals() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mut lines = status.lines();
    let mask = lines.find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    mask.unwrap_or(u64::MAX)
}
