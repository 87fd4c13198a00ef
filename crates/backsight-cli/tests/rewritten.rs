//! Files that are written to in place while a process has mapped them: device and inode stay the
//! same, and the code on the stacks is not that of the file any more.

mod common;

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use common::{Ran, backsight, run, run_with, wait_until};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use testkit::child::KillOnDrop;
use testkit::skip;
use testkit::tools::compile;

const LIBRARY: &str = "
#ifndef OUTER
#define OUTER old_outer
#endif
void spins(volatile long *count) { for (;;) ++*count; }
__attribute__((noinline)) void OUTER(int (*wait)(void), volatile long *count) {
    if (wait) wait(); else spins(count);
    *count = 1;
}
void enter(int (*wait)(void), volatile long *count) { OUTER(wait, count); *count = 2; }
";

/// Loads a library when it reads a line, and waits or spins in it.
const PROGRAM: &str = r#"
#include <dlfcn.h>
#include <stdio.h>
#include <unistd.h>
static long count;
int main(int argc, char **argv) {
    char line[9];
    puts("started");
    fflush(stdout);
    fgets(line, sizeof line, stdin);
    void *library = dlopen(argv[1], RTLD_NOW);
    if (!library) { puts(dlerror()); return 1; }
    void (*enter)(int (*)(void), volatile long *) = dlsym(library, "enter");
    puts("loaded");
    fflush(stdout);
    enter(argc > 2 ? 0 : pause, &count);
    return 0;
}
"#;

/// Two builds of a library.
struct Builds {
    old: PathBuf,
    new: PathBuf,
    program: PathBuf,
}

impl Builds {
    fn new(build_id: &str) -> Result<Self, String> {
        let id = format!("-Wl,--build-id={build_id}");
        let args = ["-O1", "-fno-omit-frame-pointer", "-fPIC", "-shared", &id];
        let build =
            |outer: &str| compile("overwritten.c", LIBRARY, &[&args[..], &[outer]].concat());
        Ok(Self {
            old: build("-DOUTER=old_outer")?,
            new: build("-DOUTER=another_one")?,
            program: compile(
                "loads.c",
                PROGRAM,
                &["-O1", "-fno-omit-frame-pointer", "-ldl"],
            )?,
        })
    }
}

/// What happens to the library.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Change {
    Overwritten,
    /// As by `rsync --inplace`.
    WithoutTruncating,
    Touched,
    Replaced,
}

impl Change {
    const ALL: [Self; 4] = [
        Self::Overwritten,
        Self::WithoutTruncating,
        Self::Touched,
        Self::Replaced,
    ];

    fn make(self, library: &Path, new: &Path) {
        // The time of the file must be later than the start of the process, by its slow clock.
        let before = fs::metadata(library).unwrap().modified().unwrap();
        wait_until("later time", || {
            let probe = library.with_extension("probe");
            fs::write(&probe, "").unwrap();
            let now = fs::metadata(&probe).unwrap().modified().unwrap();
            now.duration_since(before).unwrap_or_default().as_millis() > 100
        });
        match self {
            Self::Overwritten => drop(fs::copy(new, library).unwrap()),
            Self::WithoutTruncating => {
                let mut file = fs::File::options().write(true).open(library).unwrap();
                file.write_all(&fs::read(new).unwrap()).unwrap();
            }
            Self::Touched => {
                let file = fs::File::options().write(true).open(library).unwrap();
                file.set_modified(SystemTime::now()).unwrap();
            }
            Self::Replaced => {
                let other = library.with_extension("new");
                fs::copy(new, &other).unwrap();
                fs::rename(other, library).unwrap();
            }
        }
    }

    fn is_of_the_mapped_file(self) -> bool {
        matches!(self, Self::Touched | Self::Replaced)
    }
}

/// A process, and the library that it loads.
struct Process {
    dir: tempfile::TempDir,
    child: KillOnDrop,
    out: BufReader<std::process::ChildStdout>,
}

impl Process {
    fn start(builds: &Builds, spins: bool) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let library = dir.path().join("library.so");
        fs::copy(&builds.old, &library).unwrap();
        let mut command = Command::new(&builds.program);
        command.arg(&library).args(spins.then_some("spins"));
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let out = BufReader::new(child.stdout.take().unwrap());
        let child = KillOnDrop(child);
        let mut this = Self { dir, child, out };
        this.says("started");
        this
    }

    fn says(&mut self, word: &str) {
        let mut line = String::new();
        self.out.read_line(&mut line).unwrap();
        assert_eq!(line.trim_end(), word);
    }

    fn load(&mut self) {
        let stdin = self.child.0.stdin.as_mut().unwrap();
        stdin.write_all(b"\n").unwrap();
        self.says("loaded");
    }

    fn library(&self) -> PathBuf {
        self.dir.path().join("library.so")
    }

    /// The processor time so far outside of the kernel, in hundredths of a second.
    fn ticks(&self) -> u64 {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.child.pid())).unwrap();
        let fields = stat.rsplit_once(") ").unwrap().1.split(' ');
        fields
            .skip(11)
            .map(|field| field.parse().unwrap())
            .next()
            .unwrap()
    }

    /// Changes the library while the process is stopped: it would fault while the file is empty.
    fn change(&self, change: Change, builds: &Builds) {
        let pid = Pid::from_raw(i32::try_from(self.child.pid()).unwrap());
        kill(pid, Signal::SIGSTOP).unwrap();
        wait_until("a stopped process", || {
            let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
            stat.contains(") T ")
        });
        change.make(&self.library(), &builds.new);
        kill(pid, Signal::SIGCONT).unwrap();
    }

    fn pid(&self) -> String {
        self.child.pid().to_string()
    }

    /// The stack of the process, once it waits.
    fn stack(&self) -> String {
        let mut text = String::new();
        wait_until("a stack in the library", || {
            text = run(["stack", &self.pid()]).ok();
            text.contains("pause") && text.contains("library.so")
        });
        text
    }
}

/// Checks how the frames of the library are named.
#[track_caller]
fn check(text: &str, is_named: bool, what: &str) {
    assert!(!text.contains("another_one"), "{what}: {text}");
    assert_eq!(text.contains("old_outer"), is_named, "{what}: {text}");
    assert_eq!(text.contains("enter"), is_named, "{what}: {text}");
}

#[test]
fn a_live_process_gets_no_names_of_what_was_written_over_its_file() {
    for build_id in ["none", "sha1"] {
        let builds = match Builds::new(build_id) {
            Ok(builds) => builds,
            Err(reason) => return skip(&reason),
        };
        for change in Change::ALL {
            let what = format!("{build_id} {change:?}");
            let mut process = Process::start(&builds, false);
            process.load();
            check(&process.stack(), true, &what);
            change.make(&process.library(), &builds.new);
            let text = process.stack();
            let is_named = change.is_of_the_mapped_file();
            check(&text, is_named, &what);
            assert_eq!(
                text.contains("identity-unproven"),
                !is_named,
                "{what}: {text}"
            );
            let frames = text.lines().filter(|line| line.contains("library.so"));
            let addresses: Vec<&str> = frames.filter_map(|it| it.split(' ').next()).collect();
            assert_eq!(addresses.len(), 2, "{text}");
            let mut ways = [String::new(), String::new()];
            let pid = process.pid();
            ways[0] = run([&["symbolize", "-p", &pid], &addresses[..]].concat()).stdout;
            let ndjson = [
                &["normalize", "--format", "json", "-p", &pid],
                &addresses[..],
            ];
            let normalized = run(ndjson.concat()).stdout;
            ways[1] = run_with(["symbolize", "-i", "-"], normalized.as_bytes()).stdout;
            if change == Change::Replaced {
                // Only the process has the old file.
                assert!(!ways[1].contains("another_one"), "{}", ways[1]);
                ways[1] = ways[0].clone();
            }
            for way in ways {
                check(&way, is_named, &format!("{what}\n{normalized}"));
            }
        }
    }
}

#[test]
fn a_file_that_was_written_before_it_was_loaded_is_named() {
    for build_id in ["none", "sha1"] {
        let builds = match Builds::new(build_id) {
            Ok(builds) => builds,
            Err(reason) => return skip(&reason),
        };
        for change in Change::ALL {
            let mut process = Process::start(&builds, false);
            change.make(&process.library(), &builds.new);
            process.load();
            let text = process.stack();
            let name = match change {
                Change::Touched => "old_outer",
                _ => "another_one",
            };
            assert!(text.contains(name), "{build_id} {change:?}: {text}");
        }
    }
}

/// The kernel lets nobody write to a program that runs, so its time says nothing.
#[test]
fn a_program_that_was_touched_is_named() {
    for link in ["-static", "-static-pie", "-no-pie", "-pie"] {
        for build_id in ["none", "sha1"] {
            let id = format!("-Wl,--build-id={build_id}");
            let source = "#include <unistd.h>\nint main(void) { return pause(); }";
            let program = match compile("waits.c", source, &["-O1", link, &id]) {
                Ok(program) => program,
                Err(reason) => return skip(&reason),
            };
            let dir = tempfile::tempdir().unwrap();
            let copy = dir.path().join("waits");
            fs::copy(program, &copy).unwrap();
            let child = KillOnDrop(Command::new(&copy).spawn().unwrap());
            let pid = child.pid().to_string();
            let waits = || run(["stack", &pid]).stdout.contains("pause");
            wait_until("a process that waits", waits);
            let time = fs::metadata(&copy).unwrap().modified().unwrap();
            let later = time + Duration::from_secs(60);
            let later = later.duration_since(UNIX_EPOCH).unwrap().as_secs();
            let mut touch = Command::new("touch");
            let touched = touch.args(["-d", &format!("@{later}")]).arg(&copy).status();
            assert!(touched.is_ok_and(|status| status.success()));
            let text = run(["stack", &pid]).ok();
            assert!(text.contains("main+"), "{link} {build_id}: {text}");
        }
    }
}

/// Records a process. `during` is called when it is sampled.
fn record(process: &Process, during: impl FnOnce()) -> Result<(String, Ran), String> {
    let out = process.dir.path().join("out.folded");
    let mut command = backsight();
    command.args(["record", "-F", "499", "-p", &process.pid(), "-o"]);
    command
        .arg(&out)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command.spawn().map_err(|error| error.to_string())?;
    let files = format!("/proc/{}/fd", child.id());
    let is_open = |wanted: &str| {
        let files = fs::read_dir(&files).into_iter().flatten().flatten();
        let mut names = files.filter_map(|file| fs::read_link(file.path()).ok());
        names.any(|name| name.to_string_lossy().contains(wanted))
    };
    wait_until("events to sample", || {
        is_open("perf_event") || child.try_wait().is_ok_and(|ended| ended.is_some())
    });
    std::thread::sleep(Duration::from_millis(700));
    during();
    std::thread::sleep(Duration::from_millis(300));
    let pid = Pid::from_raw(i32::try_from(child.id()).unwrap());
    let _ = kill(pid, Signal::SIGINT);
    let ran = Ran::from(
        child
            .wait_with_output()
            .map_err(|error| error.to_string())?,
    );
    let cannot = ["permission denied to sample", "no perf events"];
    match cannot.iter().any(|why| ran.stderr.contains(why)) {
        true => Err(ran.stderr),
        false => Ok((fs::read_to_string(out).unwrap_or_default(), ran)),
    }
}

#[test]
fn a_recorded_process_gets_no_names_of_what_was_written_over_its_file() {
    for build_id in ["none", "sha1"] {
        let builds = match Builds::new(build_id) {
            Ok(builds) => builds,
            Err(reason) => return skip(&reason),
        };
        for change in Change::ALL {
            for is_before in [true, false] {
                let what = format!("{build_id} {change:?} before: {is_before}");
                let mut process = Process::start(&builds, true);
                process.load();
                // What it calls once it cannot call later: the loader's table is overwritten, too.
                wait_until("a process that spins", || process.ticks() >= 10);
                let make = || process.change(change, &builds);
                if is_before {
                    make();
                }
                let recorded = record(&process, || {
                    if !is_before {
                        make();
                    }
                });
                let (folded, ran) = match recorded {
                    Ok(both) => both,
                    Err(reason) => return skip(&reason),
                };
                assert_eq!(ran.code, Some(0), "{ran:?}");
                let has = folded.contains("enter;") && folded.contains("spins");
                let is_named = change.is_of_the_mapped_file();
                assert_eq!(has, is_named, "{what}\n{folded}{ran:?}");
                assert!(!folded.contains("another_one"), "{what}\n{folded}");
                assert_eq!(
                    ran.stderr.contains("identity-unproven"),
                    !is_named,
                    "{what}\n{ran:?}"
                );
                let says = "written to while processes had them mapped";
                assert_eq!(ran.stderr.contains(says), !is_named, "{what}\n{ran:?}");
            }
        }
    }
}
