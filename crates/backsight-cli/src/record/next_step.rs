//! What to do with a profile that was written.

use crate::convert::Output;

/// Returns what to do with a file of this format.
pub(super) fn next_step(format: Output, path: &str) -> String {
    match format {
        Output::Pprof | Output::Pb => {
            format!("written: {path}; backsight view {path}, or go tool pprof -http=: {path}")
        }
        Output::Svg | Output::Html => format!("written: {path}; open it in a browser"),
        Output::Firefox => format!("written: {path}; load it at https://profiler.firefox.com"),
        Output::Speedscope => format!("written: {path}; load it at https://www.speedscope.app"),
        Output::Folded => {
            format!("written: {path}; flamegraph.pl or https://speedscope.app read it")
        }
        _ => format!("written: {path}; backsight view {path} shows it"),
    }
}
