//! The wheel: built by maturin, installed into an empty directory and tested there; its examples
//! answer as the command does.

use std::env;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::OnceLock;

use tempfile::TempDir;
use testkit::skip;
use testkit::target::{Target, recording};

/// Modules that the tests need beside the package.
const NEEDED: &str = "import maturin, numpy, pyarrow, pytest";

/// A Python with the package in a directory of its own.
struct Installed {
    python: PathBuf,
    site: TempDir,
}

impl Installed {
    /// Builds and installs the wheel once; `None` if that was skipped, which was said.
    fn get() -> Option<&'static Self> {
        static INSTALLED: OnceLock<Option<Installed>> = OnceLock::new();
        INSTALLED.get_or_init(Self::new).as_ref()
    }

    fn new() -> Option<Self> {
        let python = env::var_os("BACKSIGHT_PYTHON").unwrap_or_else(|| "python3".into());
        let python = PathBuf::from(python);
        let has = Command::new(&python).args(["-c", NEEDED]).output();
        if !has.is_ok_and(|done| done.status.success()) {
            skip(
                "no Python with maturin, numpy, pyarrow and pytest; BACKSIGHT_PYTHON can name one",
            );
            return None;
        }
        let site = tempfile::tempdir().unwrap();
        let wheels = site.path().join("wheels");
        let mut build = Command::new(&python);
        build
            .current_dir(here(""))
            .env("CARGO_TARGET_DIR", target_dir())
            .args([
                "-m",
                "maturin",
                "build",
                "--profile",
                "dev",
                "--locked",
                "--interpreter",
            ])
            .arg(&python)
            .arg("--out")
            .arg(&wheels);
        run(&mut build);
        let [wheel] = &*list(&wheels) else {
            panic!("more than one wheel: {:?}", list(&wheels));
        };
        let mut install = Command::new(&python);
        install
            .args(["-m", "pip", "install", "--quiet", "--no-deps", "--no-index"])
            .args(["--disable-pip-version-check", "--target"])
            .arg(site.path())
            .arg(wheel);
        run(&mut install);
        Some(Self { python, site })
    }

    /// Prepares a program of Python that finds the package.
    fn program(&self) -> Command {
        let mut command = Command::new(&self.python);
        command
            .current_dir(self.site.path())
            .env("PYTHONPATH", self.site.path())
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .stdin(Stdio::null());
        command
    }

    fn example(&self, name: &str) -> Command {
        let mut command = self.program();
        command.arg(here("examples").join(name));
        command
    }
}

fn here(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// Where cargo builds. After a build of the whole workspace, whose features are more, a third of
/// what the wheel needs is built again: our crates, and those that some of them ask more of.
fn target_dir() -> PathBuf {
    let program = env::current_exe().unwrap();
    program.ancestors().nth(3).unwrap().to_owned()
}

fn list(dir: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(dir).unwrap();
    entries.map(|entry| entry.unwrap().path()).collect()
}

/// The command, if it was built with the tests.
fn command() -> Option<PathBuf> {
    let program = env::current_exe().unwrap();
    let path = program.ancestors().nth(2)?.join("backsight");
    path.is_file().then_some(path)
}

/// Runs a program that must succeed, and returns what it printed.
fn run(command: &mut Command) -> String {
    let Output {
        status,
        stdout,
        stderr,
    } = command.output().unwrap();
    let (out, error) = (
        String::from_utf8_lossy(&stdout),
        String::from_utf8_lossy(&stderr),
    );
    assert!(status.success(), "{command:?}: {status}\n{out}\n{error}");
    out.into_owned()
}

#[test]
fn the_package_passes_its_own_tests() {
    let Some(installed) = Installed::get() else {
        return;
    };
    let mut pytest = installed.program();
    pytest
        .args(["-m", "pytest", "-q", "-rs", "-p", "no:cacheprovider"])
        .args(["-o", "faulthandler_timeout=300"])
        .arg(here("tests/python"));
    let said = run(&mut pytest);
    println!("{said}");
    assert!(said.contains(" passed"), "{said}");
    if said.contains(" skipped") {
        skip(&said);
    }
}

#[test]
fn a_stack_is_named_as_by_the_command() {
    let Some(backsight) = command() else {
        return skip("the command is not built: cargo build -p backsight-cli");
    };
    let Some(installed) = Installed::get() else {
        return;
    };
    let target = match Target::start() {
        Ok(target) => target,
        Err(why) => return skip(&why),
    };
    let mut stack = target.stack.clone();
    stack.push("0x10".to_owned());
    let mut asked = Command::new(backsight);
    asked
        .args(["symbolize", "-p", &target.pid(), "--stack"])
        .args(&stack);
    let wanted = run(&mut asked);
    assert!(wanted.contains("inlined [inlined]"), "{wanted}");
    let mut example = installed.example("name_stack.py");
    let ours = run(example.arg(target.pid()).args(&stack));
    assert_eq!(ours, wanted);
    let mut example = installed.example("name_stack.py");
    let failed = example.args(["4194305", "0x10"]).output().unwrap();
    assert_eq!(failed.status.code(), Some(1));
    let said = String::from_utf8_lossy(&failed.stderr);
    assert_eq!(said, "process 4194305: no such process\n");
}

#[test]
fn a_recording_becomes_the_profile_that_the_command_writes() {
    let Some(backsight) = command() else {
        return skip("the command is not built: cargo build -p backsight-cli");
    };
    let Some(installed) = Installed::get() else {
        return;
    };
    let recording = match recording() {
        Ok(recording) => recording,
        Err(why) => return skip(&why),
    };
    let dir = tempfile::tempdir().unwrap();
    let (ours, wanted) = (
        dir.path().join("ours.pb.gz"),
        dir.path().join("wanted.pb.gz"),
    );
    run(Command::new(backsight)
        .arg("convert")
        .arg(&recording.data)
        .arg(&wanted));
    let mut example = installed.example("perf_to_pprof.py");
    run(example.arg(&recording.data).arg(&ours));
    let (ours, wanted) = (fs::read(ours).unwrap(), fs::read(wanted).unwrap());
    assert!(!wanted.is_empty());
    assert!(
        ours == wanted,
        "{} and {} bytes differ",
        ours.len(),
        wanted.len()
    );
}

/// A Python that waits in a call of C.
struct WaitingPython(Child);

impl WaitingPython {
    fn start(python: &Path) -> Self {
        let program = "import sys; print('here', flush=True); sys.stdin.read()";
        let mut child = Command::new(python)
            .args(["-c", program])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        let mut out = BufReader::new(child.stdout.take().unwrap());
        out.read_line(&mut line).unwrap();
        assert_eq!(line, "here\n");
        let stat = format!("/proc/{}/stat", child.id());
        // It sleeps when it reads, and nothing wakes it up.
        while !fs::read_to_string(&stat).unwrap().contains(") S ") {
            std::thread::yield_now();
        }
        Self(child)
    }
}

impl Drop for WaitingPython {
    fn drop(&mut self) {
        drop(self.0.stdin.take());
        let _ = self.0.wait();
    }
}

#[test]
fn native_frames_are_those_of_the_command() {
    let Some(backsight) = command() else {
        return skip("the command is not built: cargo build -p backsight-cli");
    };
    let Some(installed) = Installed::get() else {
        return;
    };
    let waiting = WaitingPython::start(&installed.python);
    let pid = waiting.0.id().to_string();
    let mut asked = Command::new(backsight);
    let told = asked.args(["stack", &pid]).output().unwrap();
    if !told.status.success() {
        return skip(&String::from_utf8_lossy(&told.stderr));
    }
    let told = String::from_utf8(told.stdout).unwrap();
    let said = run(installed.example("native_frames.py").arg(&pid));
    let mut lines = said.lines();
    let first = lines.next().unwrap();
    assert!(first.starts_with(&format!("thread {pid} ")), "{said}");
    // As the command has them, but for the interpreter's own loop.
    let mut rest = told.lines().skip_while(|line| !line.contains("0x"));
    for line in lines {
        let line = line.trim_start();
        let theirs = rest.next().expect(&told);
        match line {
            "<python>" => assert!(theirs.contains(" _PyEval_EvalFrame"), "{theirs}"),
            _ => {
                let name = line.split("  (").next().unwrap();
                assert!(theirs.contains(name), "{line}\n{theirs}");
            }
        }
    }
    assert!(said.contains("<python>") && said.contains("read"), "{said}");
    assert_eq!(
        rest.next().map(str::trim).unwrap_or(""),
        "",
        "{told}\n{said}"
    );
}

#[test]
fn examples_are_short() {
    for path in list(&here("examples")) {
        let source = fs::read_to_string(&path).unwrap();
        // Behind the description.
        let code = source.splitn(3, "\"\"\"").nth(2).unwrap();
        let lines = code.lines().filter(|line| !line.trim().is_empty()).count();
        assert!(lines < 30, "{}: {lines} lines", path.display());
    }
    assert_eq!(list(&here("examples")).len(), 3);
}
