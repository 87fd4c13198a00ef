//! Code that live processes made at run time, by the lists that they write, in whatever
//! namespace they live.

mod common;

use std::fs;
use std::io::Read;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use common::{json, of_type, run};
use serde_json::Value;
use testkit::child::KillOnDrop;
use testkit::perf_python::perf_python_or_skip;
use testkit::skip;
use testkit::tools::tool;
use testkit::user::is_root;

const LOOP: &str = "function fib(n) { return n < 2 ? n : fib(n - 1) + fib(n - 2); }
for (;;) fib(20);";

/// Returns the last entry for optimized code of `fib`, once it is in a list.
fn fib_in(map: &str) -> u64 {
    let end = Instant::now() + Duration::from_secs(60);
    loop {
        let text = fs::read_to_string(map).unwrap_or_default();
        let line = text.lines().rfind(|line| line.contains(":*fib"));
        if let Some(line) = line.filter(|_| text.ends_with('\n')) {
            return u64::from_str_radix(line.split(' ').next().unwrap(), 16).unwrap();
        }
        assert!(Instant::now() < end, "no fib in {map}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

fn answer(pid: u32, addr: u64, args: &[&str]) -> (Value, String) {
    let pid = pid.to_string();
    let ran = run([
        &["symbolize", "-p", &pid, "--format", "json"],
        args,
        &[&format!("{addr:#x}")],
    ]
    .concat());
    assert_eq!(ran.code, Some(0), "{ran:?}");
    (
        of_type(&json(&ran.stdout), "address")[0].clone(),
        ran.stderr,
    )
}

fn node(command: &mut Command) -> KillOnDrop {
    let command = command.stdin(Stdio::null()).stdout(Stdio::null());
    KillOnDrop(command.spawn().expect("it runs"))
}

/// Takes the list away, whatever became of the test.
struct Removed(String);

impl Drop for Removed {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

#[test]
fn a_live_node_has_the_names_of_its_list() {
    if tool("node").is_none() {
        return skip("there is no node");
    }
    let child = node(
        Command::new("node")
            .args(["--perf-basic-prof", "-e", LOOP])
            // It leaves a log where it runs.
            .current_dir(env!("CARGO_TARGET_TMPDIR")),
    );
    let pid = child.0.id();
    let map = Removed(format!("/tmp/perf-{pid}.map"));
    let addr = fib_in(&map.0);
    let (answer_now, said) = answer(pid, addr + 8, &[]);
    assert_eq!(said, "");
    assert_eq!(answer_now["kind"], "anonymous");
    let frame = &answer_now["frames"][0];
    assert_eq!((is_fib(frame), &frame["file"]), (true, &"[eval]".into()));
    assert_eq!(frame["start"], format!("{addr:#x}"));
    let (answer_now, said) = answer(pid, addr + 8, &["--jit-maps", "none"]);
    assert_eq!((&answer_now["reason"], &*said), (&"anonymous".into(), ""));
    // Without the list, what would help is said.
    fs::remove_file(&map.0).unwrap();
    let (answer_now, said) = answer(pid, addr + 8, &[]);
    assert_eq!(answer_now["reason"], "anonymous");
    assert!(said.contains("node --perf-basic-prof"), "{said}");
}

#[test]
fn a_live_node_in_namespaces_of_its_own_has_its_own_list() {
    if tool("node").is_none() || tool("unshare").is_none() || !is_root() {
        return skip("there is no node or no unshare, or this is not root");
    }
    let script =
        format!("mount -t tmpfs none /tmp && cd /tmp && exec node --perf-basic-prof -e '{LOOP}'");
    let args = [
        "--pid",
        "--fork",
        "--kill-child",
        "--mount",
        "--",
        "sh",
        "-c",
        &script,
    ];
    let outer = node(Command::new("unshare").args(args));
    let outer_pid = outer.0.id();
    let end = Instant::now() + Duration::from_secs(60);
    let children = format!("/proc/{outer_pid}/task/{outer_pid}/children");
    let pid: u32 = loop {
        let text = fs::read_to_string(&children).unwrap_or_default();
        if let Some(pid) = text.split_whitespace().next() {
            break pid.parse().unwrap();
        }
        if Instant::now() > end || !fs::exists(&children).unwrap() {
            return skip("no namespaces can be made here");
        }
        std::thread::sleep(Duration::from_millis(20));
    };
    // It is the first of its namespace.
    let addr = fib_in(&format!("/proc/{pid}/root/tmp/perf-1.map"));
    let (answer, said) = answer(pid, addr + 8, &[]);
    assert_eq!((is_fib(&answer["frames"][0]), &*said), (true, ""));
}

const SHAPES: &str = "
import time
class Shape:
    def area(self):
        return (lambda: 3)()
    @property
    def k(self):
        return self.area()
def größe():
    return Shape().k
größe()
print(flush=True)
time.sleep(100)
";

#[test]
fn a_live_python_has_the_names_of_its_list() {
    let Some(python) = perf_python_or_skip() else {
        return;
    };
    let dir = tempfile::tempdir().unwrap();
    let script = dir.path().join("shapes.py");
    fs::write(&script, SHAPES).unwrap();
    let mut command = Command::new(python);
    command
        .args(["-X", "perf"])
        .arg(&script)
        .stdout(Stdio::piped());
    let mut child = KillOnDrop(command.spawn().expect("it runs"));
    // When it says something, all of them have run.
    let mut said = [0];
    let output = child.0.stdout.as_mut().expect("piped");
    output.read_exact(&mut said).expect("it says something");
    let pid = child.0.id();
    let map = Removed(format!("/tmp/perf-{pid}.map"));
    let list = fs::read_to_string(&map.0).unwrap();
    let script = script.to_str().unwrap();
    let functions = [
        "<module>",
        "Shape",
        "Shape.area",
        "Shape.area.<locals>.<lambda>",
        "Shape.k",
        "größe",
    ];
    for function in functions {
        let name = format!("py::{function}:{script}");
        let line = list
            .lines()
            .find(|line| line.ends_with(&format!(" {name}")));
        let line = line.unwrap_or_else(|| panic!("no {name} in {list}"));
        let start = line.split(' ').next().expect("an address");
        let start = u64::from_str_radix(start, 16).expect("an address");
        for into in [0, 3] {
            let (now, said) = answer(pid, start + into, &[]);
            assert_eq!(said, "", "{name}");
            let frame = &now["frames"][0];
            assert_eq!(frame["function"], format!("py::{function}"), "{now}");
            assert_eq!(frame["file"], script, "{now}");
            assert_eq!(frame["start"], format!("{start:#x}"), "{now}");
        }
    }
}

/// Returns the address of code of `fib` in a jitdump, once it is there: of the last load of such
/// code, by the fields of the format. It may be optimized (`:*fib`) or not (`:^fib`).
fn fib_in_dump(dump: &str) -> u64 {
    let end = Instant::now() + Duration::from_secs(60);
    loop {
        let bytes = fs::read(dump).unwrap_or_default();
        let word = |at: usize| {
            let bytes = bytes.get(at..at + 4)?;
            Some(u32::from_le_bytes(bytes.try_into().unwrap()))
        };
        let long = |at: usize| {
            let bytes = bytes.get(at..at + 8)?;
            Some(u64::from_le_bytes(bytes.try_into().unwrap()))
        };
        let (mut at, mut found) = (40, None);
        while let (Some(kind), Some(size)) = (word(at), word(at + 4)) {
            let record = bytes.get(at..at + size as usize).unwrap_or_default();
            // The name is after the fields of a load.
            let name = record.get(56..).unwrap_or_default();
            let name = name.split(|byte| *byte == 0).next().unwrap_or_default();
            if kind == 0 && String::from_utf8_lossy(name).contains("fib ") {
                found = long(at + 32);
            }
            at += size.max(16) as usize;
        }
        if let Some(addr) = found {
            return addr;
        }
        assert!(Instant::now() < end, "no fib in {dump}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn a_live_node_has_the_names_and_lines_of_its_jitdump() {
    if tool("node").is_none() {
        return skip("there is no node");
    }
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("loop.js"), LOOP.replace("; }", ";\n}")).unwrap();
    let args = ["--perf-prof", "--perf-prof-unwinding-info", "loop.js"];
    let child = node(Command::new("node").args(args).current_dir(dir.path()));
    let pid = child.0.id();
    let dump = dir.path().join(format!("jit-{pid}.dump"));
    let addr = fib_in_dump(&dump.display().to_string());
    let (now, said) = answer(pid, addr + 8, &[]);
    // Node 18 to 24 write freed memory in place of names of files, which is said once.
    let is_all_said = |said: &str| {
        let mut lines = said.lines();
        lines.all(|line| line.contains("lines whose file has no readable name"))
    };
    assert!(is_all_said(&said), "{said}");
    assert_eq!(now["kind"], "anonymous");
    let frame = &now["frames"][0];
    let is_fib = |frame: &Value| {
        frame["function"]
            .as_str()
            .is_some_and(|it| it.ends_with("fib"))
    };
    assert!(is_fib(frame), "{now}");
    assert_eq!(frame["line"], 1, "{now}");
    // Each byte of its code has a line and the file of the script, whatever is written there.
    let addrs: Vec<String> = (0..64).map(|at| format!("{:#x}", addr + at)).collect();
    let pid_text = pid.to_string();
    let args = ["symbolize", "-p", &pid_text, "--format", "json"];
    let ran = run(args.into_iter().chain(addrs.iter().map(|addr| &**addr)));
    for answer in of_type(&json(&ran.stdout), "address") {
        let Some(frame) = answer["frames"].get(0).filter(|frame| is_fib(frame)) else {
            continue;
        };
        let file = frame["file"].as_str().unwrap();
        assert!(file.ends_with("/loop.js"), "{answer}");
        assert!(
            (1..=2).contains(&frame["line"].as_u64().unwrap()),
            "{answer}"
        );
    }
    let (now, said) = answer(pid, addr + 8, &["--jit-maps", "none"]);
    assert_eq!((&now["reason"], &*said), (&"anonymous".into(), ""));
    // Another file under its path is not the one that is mapped: that still is read, by root.
    fs::remove_file(&dump).unwrap();
    fs::write(&dump, "JiTD").unwrap();
    let (now, said) = answer(pid, addr + 8, &[]);
    match is_root() {
        true => assert!(
            is_fib(&now["frames"][0]) && is_all_said(&said),
            "{now} {said}"
        ),
        false => assert!(said.contains("is not read"), "{said}"),
    }
}

/// `JS:` since node 20, `LazyCompile:` before.
fn is_fib(frame: &Value) -> bool {
    let function = frame["function"].as_str();
    function.is_some_and(|function| function.ends_with(":*fib"))
}
