//! The names of code that a process made at run time go with its normalized addresses, since no
//! other host has the lists: a live process and a capture of it give the same answers, by each
//! backend, in any order and number.

mod common;

use std::fs;
use std::ops::Range;
use std::os::unix::fs::chown;
use std::path::{Path, PathBuf};

use common::{backends, json, of_type, run, run_with};
use serde_json::Value;
use tempfile::TempDir;
use testkit::child::Child;
use testkit::jitdump::JitdumpFile;
use testkit::skip;
use testkit::user::is_root;

/// No user of this machine.
const OTHER_USER: u32 = 54_321;

/// Which lists a process has.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Lists {
    Map,
    Dump,
    Both,
    Neither,
}

/// A process with code that it made, and its lists, which are removed with it.
struct Maker {
    child: Child,
    code: Range<u64>,
    map: PathBuf,
    dump: PathBuf,
    _dir: TempDir,
}

impl Drop for Maker {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.map);
    }
}

impl Maker {
    fn new(lists: Lists) -> Self {
        Self::of(Child::spawn(), lists)
    }

    fn of(mut child: Child, lists: Lists) -> Self {
        let code = child.anon("rwxp", 0x3000);
        let start = code.start;
        let map = PathBuf::from(format!("/tmp/perf-{}.map", child.pid()));
        let dir = tempfile::tempdir().expect("a directory");
        let dump = dir.path().join(format!("jit-{}.dump", child.pid()));
        if matches!(lists, Lists::Map | Lists::Both) {
            let text = format!(
                "{start:x} 40 JS:*fib /srv/fib.js:12:13\n{:x} 40 py::area:/srv/a.py\n{:x} 40 \
                 void Fib.run(int, int)\n",
                start + 0x40,
                start + 0x100
            );
            fs::write(&map, text).expect("ours");
        }
        if matches!(lists, Lists::Dump | Lists::Both) {
            let mut file = JitdumpFile::new(false);
            let rows = [
                (start + 0x1000, 3, &b"/srv/a.js"[..]),
                (start + 0x1010, 4, b"\xff"),
            ];
            file.lines(start + 0x1000, 2, &rows)
                .load(1, start + 0x1000, 0x80, "JS:*made /srv/a.js:2:1")
                .load(2, start + 0x40, 0x20, "newer");
            fs::write(&dump, &file.bytes.bytes).expect("ours");
            child.map(&dump, "r-xp");
        }
        Self {
            child,
            code,
            map,
            dump,
            _dir: dir,
        }
    }

    fn pid(&self) -> String {
        self.child.pid().to_string()
    }

    /// Starts and ends of code, code without a name, and addresses that are none of this.
    fn addresses(&self) -> Vec<u64> {
        let maps = fs::read_to_string(format!("/proc/{}/maps", self.pid())).expect("ours");
        let file = maps
            .lines()
            .find(|line| line.contains("r-xp") && line.contains("libc"));
        let file = file.and_then(|line| u64::from_str_radix(line.split('-').next()?, 16).ok());
        let inside = [
            0, 1, 0x3f, 0x40, 0x41, 0x60, 0x7f, 0x80, 0xff, 0x100, 0x13f, 0x140, 0x1000, 0x1001,
            0x100f, 0x1010, 0x107f, 0x1080, 0x2fff,
        ];
        let mut all: Vec<u64> = inside.iter().map(|at| self.code.start + at).collect();
        all.extend([0x10, self.code.end]);
        all.extend(file.map(|start| start + 0x40));
        all
    }

    /// Moves the lists away: what another host has.
    fn forget(&self) {
        for list in [&self.map, &self.dump] {
            let _ = fs::rename(list, list.with_extension("away"));
        }
    }

    fn recall(&self) {
        for list in [&self.map, &self.dump] {
            let _ = fs::rename(list.with_extension("away"), list);
        }
    }
}

fn texts(addrs: &[u64]) -> Vec<String> {
    addrs.iter().map(|addr| format!("{addr:#x}")).collect()
}

fn asked(command: &[&str], addrs: &[u64]) -> String {
    let addrs = texts(addrs);
    let args = command
        .iter()
        .copied()
        .chain(addrs.iter().map(|addr| &**addr));
    let ran = run(args);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    ran.stdout
}

/// The answers without what is of the capture: which line has which module.
fn answers(lines: &str) -> Vec<Value> {
    let lines = json(lines);
    let modules = of_type(&lines, "module");
    let answer = |mut answer: Value| {
        let module = answer["module"].as_u64();
        answer["module"] = module.map_or(Value::Null, |at| {
            modules
                .iter()
                .find(|it| it["index"] == at)
                .expect("its line")["path"]
                .clone()
        });
        answer
    };
    of_type(&lines, "address").into_iter().map(answer).collect()
}

/// Orders and numbers of the same addresses.
fn selections(addrs: &[u64]) -> Vec<Vec<u64>> {
    let reversed: Vec<u64> = addrs.iter().rev().copied().collect();
    let many: Vec<u64> = (0..8).flat_map(|_| addrs.iter().copied()).collect();
    vec![reversed, many, vec![addrs[1]], vec![addrs[14]]]
}

#[test]
fn a_capture_has_the_names_of_the_live_process() {
    for lists in [Lists::Map, Lists::Dump, Lists::Both, Lists::Neither] {
        let maker = Maker::new(lists);
        let pid = maker.pid();
        let addrs = maker.addresses();
        // Which lists there are and how mappings are read do not concern each other.
        let backends = match lists {
            Lists::Both => backends(),
            _ => vec!["auto"],
        };
        for backend in backends {
            for stack in [&[][..], &["--stack"]] {
                let normalize = [&["normalize", "-p", &pid, "--backend", backend], stack].concat();
                let as_json = [&normalize[..], &["--format", "json"]].concat();
                let symbolize = [&["symbolize", "-p", &pid, "--format", "json"], stack].concat();
                for addrs in selections(&addrs) {
                    let case = format!("{lists:?} {backend} {stack:?} {} addresses", addrs.len());
                    let live = asked(&symbolize, &addrs);
                    let captured = asked(&as_json, &addrs);
                    maker.forget();
                    let elsewhere = ["symbolize", "-i", "-", "--format", "json"];
                    let elsewhere = run_with(elsewhere, captured.as_bytes()).ok();
                    let as_text = run_with(["symbolize", "-i", "-"], captured.as_bytes()).ok();
                    maker.recall();
                    assert_eq!(answers(&elsewhere), answers(&live), "{case}");
                    let live_text = [&["symbolize", "-p", &pid], stack].concat();
                    assert_eq!(as_text, asked(&live_text, &addrs), "{case}");
                }
            }
        }
    }
}

#[test]
fn a_return_address_at_the_start_of_code_is_of_that_code() {
    // Erlang's machine puts the start of a function on each stack, which nothing called.
    for (lists, at_0x40) in [(Lists::Map, "py::area"), (Lists::Both, "newer")] {
        let maker = Maker::new(lists);
        let start = maker.code.start;
        let addrs = [0x8, 0x0, 0x40, 0x41, 0x80, 0x100].map(|at| start + at);
        let want = [
            "JS:*fib",
            "JS:*fib",
            at_0x40,
            at_0x40,
            "py::area",
            "void Fib.run",
        ];
        for command in ["normalize", "symbolize"] {
            let text = asked(&[command, "-p", &maker.pid(), "--stack"], &addrs);
            let lines: Vec<&str> = text.lines().map(|line| line[18..].trim_start()).collect();
            assert_eq!(lines.len(), want.len());
            for (line, want) in lines.iter().zip(want) {
                assert!(line.starts_with(want), "{lists:?} {command}: {text}");
            }
        }
    }
}

#[test]
fn a_name_has_what_its_list_says() {
    let maker = Maker::new(Lists::Both);
    let start = maker.code.start;
    let addrs = [0x8, 0x48, 0x68, 0x108, 0x1018, 0x200].map(|at| start + at);
    let want = "JS:*fib+0x8  /srv/fib.js
newer+0x8
py::area+0x28  /srv/a.py
void Fib.run(int, int)+0x8
JS:*made+0x18  /srv/a.js:4
[anonymous]
";
    let shown = |text: &str| -> String {
        let lines = text
            .lines()
            .map(|line| format!("{}\n", line[18..].trim_start()));
        lines.collect()
    };
    for command in ["normalize", "symbolize"] {
        let text = asked(&[command, "-p", &maker.pid()], &addrs);
        assert_eq!(shown(&text), want, "{command}");
    }
    let captured = asked(
        &["normalize", "-p", &maker.pid(), "--format", "json"],
        &addrs,
    );
    let lines = of_type(&json(&captured), "address");
    assert_eq!(lines[0]["frames"][0]["start"], format!("{start:#x}"));
    assert_eq!(lines[0]["frames"][0]["start_line"], 12);
    assert_eq!(lines[0]["kind"], "anonymous");
    // Through a profile, too.
    let args = [
        "convert", "--quiet", "-", "-", "--from", "ndjson", "--to", "ndjson",
    ];
    let again = run_with(args, captured.as_bytes()).stdout;
    let frames = |lines: &[Value]| -> Vec<Value> {
        lines.iter().map(|line| line["frames"].clone()).collect()
    };
    assert_eq!(frames(&of_type(&json(&again), "address")), frames(&lines));
    // An address with a name is no gap, and one without is.
    let strict = |addr: u64| {
        let addr = format!("{addr:#x}");
        run(["normalize", "-p", &maker.pid(), "--strict", &addr]).code
    };
    assert_eq!([strict(addrs[0]), strict(addrs[5])], [Some(0), Some(3)]);
}

#[test]
fn whose_lists_are_read_is_the_same_in_a_capture() {
    let maker = Maker::new(Lists::Both);
    let addrs = [maker.code.start + 8, maker.code.start + 0x1000];
    for (whose, is_named) in [("own", true), ("all", true), ("none", false)] {
        for command in ["normalize", "symbolize"] {
            let args = [command, "-p", &maker.pid(), "--jit-maps", whose];
            let ran = run(args.into_iter().chain(texts(&addrs).iter().map(|it| &**it)));
            assert_eq!((ran.code, &*ran.stderr), (Some(0), ""), "{ran:?}");
            assert_eq!(ran.stdout.contains("[anonymous]"), !is_named, "{ran:?}");
        }
    }
}

/// What `normalize` and `symbolize` say of a process and `--jit-maps`: whether the names are
/// there, and the message, which is the same.
fn said_of(maker: &Maker, addr: u64, whose: &str) -> (bool, String) {
    let addr = format!("{addr:#x}");
    let ask = |command: &str| {
        let ran = run([command, "-p", &maker.pid(), "--jit-maps", whose, &addr]);
        assert_eq!(ran.code, Some(0), "{ran:?}");
        (!ran.stdout.contains("[anonymous]"), ran.stderr)
    };
    let said = ask("symbolize");
    assert_eq!(ask("normalize"), said);
    said
}

#[test]
fn lists_of_the_processs_user_are_taken_on_request_and_those_of_others_never() {
    if !is_root() {
        return skip("a process of another user can be started by root alone");
    }
    let maker = Maker::of(Child::spawn_as(65_534), Lists::Map);
    let addr = maker.code.start + 8;
    let give = |path: &Path, user: u32| chown(path, Some(user), None).expect("root");
    // Root's own list is of somebody who may say what it runs, but the process is another's.
    let (named, said) = said_of(&maker, addr, "own");
    assert!(!named);
    let asks = "the process is of user 65534 (--jit-maps all takes it)";
    assert!(said.contains(asks), "{said}");
    assert_eq!(said_of(&maker, addr, "all"), (true, String::new()));
    give(&maker.map, 65_534);
    assert_eq!(said_of(&maker, addr, "own"), (false, said));
    assert_eq!(said_of(&maker, addr, "all"), (true, String::new()));
    // What helps nobody is not advised.
    give(&maker.map, OTHER_USER);
    let (named, said) = said_of(&maker, addr, "all");
    let refused = "it is of user 54321, and the process of user 65534";
    assert!(!named && said.contains(refused), "{said}");
    assert!(!said.contains("--jit-maps"), "{said}");
    // So it is with one's own process.
    let maker = Maker::new(Lists::Map);
    let addr = maker.code.start + 8;
    give(&maker.map, OTHER_USER);
    for whose in ["own", "all"] {
        let (named, said) = said_of(&maker, addr, whose);
        let refused = "it is of user 54321, and the process of user 0";
        assert!(!named && said.contains(refused), "{whose}: {said}");
        assert!(!said.contains("--jit-maps"), "{said}");
    }
}

/// A file that its program still writes: what is missing is said when a name is.
#[test]
fn a_list_that_ends_amid_a_record_is_said_to_where_a_name_is_missing() {
    let mut child = Child::spawn();
    let code = child.anon("rwxp", 0x3000);
    let dir = tempfile::tempdir().expect("a directory");
    let dump = dir.path().join(format!("jit-{}.dump", child.pid()));
    let mut file = JitdumpFile::new(false);
    file.load(1, code.start, 0x40, "first")
        .load(2, code.start + 0x40, 0x40, "second");
    let bytes = &file.bytes.bytes;
    fs::write(&dump, &bytes[..bytes.len() - 1]).expect("ours");
    child.map(&dump, "r-xp");
    let pid = child.pid().to_string();
    for command in ["normalize", "symbolize"] {
        let ask = |at: u64| run([command, "-p", &pid, &format!("{:#x}", code.start + at)]);
        assert!(ask(0x3f).ok().contains("first+0x3f"));
        let ran = ask(0x40);
        assert!(ran.stdout.contains("[anonymous]"), "{ran:?}");
        let said = "1 names, and then the file ends within a record";
        assert!(ran.stderr.contains(said), "{ran:?}");
        assert!(!ran.stderr.contains("limit"), "{ran:?}");
    }
    fs::write(&dump, bytes).expect("ours");
    let addr = format!("{:#x}", code.start + 0x40);
    assert!(
        run(["normalize", "-p", &pid, &addr])
            .ok()
            .contains("second+0x0")
    );
}
