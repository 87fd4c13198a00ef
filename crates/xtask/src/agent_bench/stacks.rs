//! Stacks of both recorders, by function.

use std::fs;
use std::path::Path;
use std::process::Stdio;

use super::bench::{Bench, printed};

/// A stack: the process, its functions from the innermost one on, and how many samples it has.
pub(super) struct NamedStack {
    pub(super) process: String,
    pub(super) functions: Vec<String>,
    pub(super) count: u64,
}

/// Returns the stacks of a folded file.
pub(super) fn folded(path: &Path) -> Result<Vec<NamedStack>, String> {
    let text = fs::read_to_string(path).map_err(|why| format!("{}: {why}", path.display()))?;
    let stack = |line: &str| {
        let (stack, count) = line.rsplit_once(' ')?;
        let mut frames = stack.split(';').map(str::to_owned);
        let process = frames.next()?;
        let mut functions: Vec<String> = frames.collect();
        functions.reverse();
        Some(NamedStack {
            process,
            functions,
            count: count.parse().ok()?,
        })
    };
    Ok(text.lines().filter_map(stack).collect())
}

/// Returns the stacks of a recording, as perf names them.
pub(super) fn of_perf(bench: &Bench, recording: &str) -> Result<Vec<NamedStack>, String> {
    let fields = ["-F", "comm,ip,sym"];
    let words = [
        &["perf", "script", "--no-inline", "-i", recording],
        &fields[..],
    ]
    .concat();
    let mut command = bench.command(&words);
    let text = printed(command.stderr(Stdio::null()))?;
    let stack = |sample: &str| {
        let mut lines = sample.lines().filter(|line| !line.trim().is_empty());
        let process = lines.next()?.trim().to_owned();
        let function = |line: &str| {
            let name = line.trim().split_once(' ').map_or("", |(_, name)| name);
            name.to_owned()
        };
        Some(NamedStack {
            process,
            functions: lines.map(function).collect(),
            count: 1,
        })
    };
    Ok(text.split("\n\n").filter_map(stack).collect())
}
