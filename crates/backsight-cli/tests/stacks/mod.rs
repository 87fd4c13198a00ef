//! Programs whose threads have known stacks, and what gdb says of them.

#![allow(dead_code, reason = "each test file uses its part")]

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;
use testkit::child::KillOnDrop;
use testkit::tools::tool;

use crate::common::{Ran, json, of_type, run};

/// A frame of a stack.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Frame {
    pub(crate) addr: u64,
    /// Without arguments; empty if it has none.
    pub(crate) name: String,
}

/// Stacks by thread ID, innermost frame first.
pub(crate) type Stacks = BTreeMap<u64, Vec<Frame>>;

/// Compiles a program; an error if there is no such compiler.
pub(crate) fn built(dir: &Path, source: &str, command: &[&str]) -> Result<PathBuf, String> {
    let [compiler, args @ ..] = command else {
        return Err("no compiler".to_owned());
    };
    tool(compiler).ok_or_else(|| format!("there is no {compiler}"))?;
    let name = args.last().expect("the name of the source");
    let input = dir.join(name);
    fs::write(&input, source).expect("ours");
    let output = dir.join(name.split('.').next().expect("a name"));
    let mut built = Command::new(compiler);
    let (before, after) = match *compiler {
        "go" => (vec!["build", "-o"], vec![]),
        _ => (vec!["-o"], vec!["-g"]),
    };
    built.current_dir(dir).args(before).arg(&output).args(after);
    let flags = args.iter().take(args.len() - 1);
    let done = built.args(flags).arg(&input).output();
    let done = done.map_err(|why| why.to_string())?;
    match done.status.success() {
        true => Ok(output),
        false => Err(String::from_utf8_lossy(&done.stderr).into_owned()),
    }
}

/// Starts a program, and waits until it says that it is ready.
pub(crate) fn started(command: &mut Command) -> KillOnDrop {
    let child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn();
    let mut child = KillOnDrop(child.expect("it runs"));
    let out = child.0.stdout.take().expect("a pipe");
    let mut line = String::new();
    BufReader::new(out).read_line(&mut line).expect("a line");
    assert_eq!(line, "ready\n");
    child
}

/// Returns a function's name without its arguments.
fn plain(name: &str) -> String {
    // As in "down(int)", and of Rust in "down::h0123456789abcdef".
    let end = match name.strip_suffix(')') {
        None => name.len(),
        Some(_) => {
            let mut depth = 0_i32;
            let open = name.char_indices().rev().find(|(_, c)| {
                depth += match c {
                    ')' => 1,
                    '(' => -1,
                    _ => 0,
                };
                depth == 0
            });
            open.map_or(name.len(), |(at, _)| at)
        }
    };
    name.get(..end).unwrap_or(name).trim().to_owned()
}

/// Returns the stacks of NDJSON, one frame for each address: the outermost function there.
pub(crate) fn of_json(text: &str) -> Stacks {
    let lines = json(text);
    let frames: Vec<Frame> = of_type(&lines, "address")
        .iter()
        .map(|line| {
            let addr = line["address"].as_str().expect("text");
            let frames = line["frames"].as_array();
            let last = frames.and_then(|frames| frames.last());
            let name = last.and_then(|frame| frame["function"].as_str());
            Frame {
                addr: u64::from_str_radix(addr.trim_start_matches("0x"), 16).expect("hexadecimal"),
                name: plain(name.unwrap_or_default()),
            }
        })
        .collect();
    let stack = |sample: &Value| {
        let places = sample["stack"].as_array().expect("an array");
        let frame = |place: &Value| frames[place.as_u64().expect("a number") as usize].clone();
        let tid = sample["tid"].as_u64().expect("a number");
        (tid, places.iter().map(frame).collect())
    };
    of_type(&lines, "sample").iter().map(stack).collect()
}

/// Returns the stacks according to gdb; an error if it may not attach, or has no Python.
pub(crate) fn of_gdb(pid: u32) -> Result<Stacks, String> {
    tool("gdb").ok_or("there is no gdb")?;
    let dir = tempfile::tempdir().expect("a directory");
    let script = dir.path().join("stacks.py");
    fs::write(&script, include_str!("gdb_stacks.py")).expect("ours");
    let out = dir.path().join("stacks");
    let mut gdb = Command::new("gdb");
    gdb.args(["-batch", "-nx", "-q"]);
    for command in [
        "set debuginfod enabled off",
        "set auto-load off",
        "set backtrace past-main on",
        "set backtrace past-entry on",
        &format!("attach {pid}"),
        &format!("set $out = \"{}\"", out.display()),
        &format!("source {}", script.display()),
        "detach",
    ] {
        gdb.args(["-ex", command]);
    }
    let done = gdb.output().map_err(|why| why.to_string())?;
    let text = fs::read_to_string(&out)
        .map_err(|_| format!("gdb: {}", String::from_utf8_lossy(&done.stderr)))?;
    let mut stacks = Stacks::new();
    let mut tid = 0;
    for line in text.lines() {
        let words: Vec<&str> = line.splitn(4, ' ').collect();
        match *words.as_slice() {
            ["T", thread] => {
                tid = thread.parse().expect("a number");
                stacks.insert(tid, Vec::new());
            }
            // The caller of the outermost function, where no code is.
            ["F", "0", ..] => {}
            // The function that it was inlined into follows, at the same address. A tail call has
            // left nothing on the stack: gdb concludes it from debug information.
            ["F", _, "inline" | "tail", _] => {}
            ["F", addr, kind, name] => {
                let name = match (kind, name) {
                    (_, "??") => String::new(),
                    _ => plain(name),
                };
                let addr = u64::from_str_radix(addr, 16).expect("hexadecimal");
                let frames = stacks.get_mut(&tid).expect("its thread");
                frames.push(Frame { addr, name });
            }
            _ => return Err(format!("gdb's line {line:?}")),
        }
    }
    Ok(stacks)
}

/// A program, which is removed with this.
pub(crate) struct Built {
    _dir: tempfile::TempDir,
    pub(crate) path: PathBuf,
}

/// Compiles a program as [`built`] does, in a directory of its own.
pub(crate) fn program(source: &str, command: &[&str]) -> Result<Built, String> {
    let dir = tempfile::tempdir().expect("a directory");
    let path = built(dir.path(), source, command)?;
    Ok(Built { _dir: dir, path })
}

/// Runs the command for a process.
pub(crate) fn of_process(child: &KillOnDrop, more: &[&str]) -> Ran {
    let pid = child.pid().to_string();
    run([&["stack", "-p", &pid], more].concat())
}

/// Checks that no thread of a process is stopped or traced.
pub(crate) fn runs_freely(pid: u32) -> bool {
    let tasks = fs::read_dir(format!("/proc/{pid}/task")).expect("it lives");
    tasks.flatten().all(|task| {
        let status = fs::read_to_string(task.path().join("status")).unwrap_or_default();
        let is_traced = !status.contains("TracerPid:\t0\n");
        let is_stopped = status.contains("State:\tt") || status.contains("State:\tT");
        status.is_empty() || !is_traced && !is_stopped
    })
}
