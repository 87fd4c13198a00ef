//! A process whose library is written to in place.

#![allow(dead_code, reason = "each test file uses its part")]

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::SystemTime;

use crate::common::{run, wait_until};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use testkit::child::KillOnDrop;
use testkit::tools::compile;

pub(crate) const LIBRARY: &str = "
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

/// Loads a library when it reads a line, and waits or spins in it, or forks when it reads another line.
const PROGRAM: &str = r#"
#include <dlfcn.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <unistd.h>
static long count;
static int forks(void) {
    char line[9];
    fgets(line, sizeof line, stdin);
    int child = fork();
    if (!child) { prctl(PR_SET_PDEATHSIG, SIGKILL); return pause(); }
    printf("%d\n", child);
    fflush(stdout);
    return pause();
}
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
    int (*wait)(void) = argc > 2 ? 0 : pause;
    enter(argc > 2 && argv[2][0] == 'f' ? forks : wait, &count);
    return 0;
}
"#;

/// Two builds of a library.
pub(crate) struct Builds {
    pub(crate) old: PathBuf,
    pub(crate) new: PathBuf,
    pub(crate) program: PathBuf,
}

impl Builds {
    pub(crate) fn new(build_id: &str) -> Result<Self, String> {
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

impl Builds {
    /// Puts the new build into a debug directory, if it has a build ID.
    pub(crate) fn keep_new_one(&self, debug_dir: &Path) {
        let notes = Command::new("readelf").arg("-n").arg(&self.new).output();
        let text = String::from_utf8(notes.unwrap().stdout).unwrap();
        let Some((_, behind)) = text.split_once("Build ID: ") else {
            return;
        };
        let id = behind.split_whitespace().next().unwrap();
        let (first, rest) = id.split_at(2);
        let folder = debug_dir.join(".build-id").join(first);
        fs::create_dir_all(&folder).unwrap();
        testkit::copy(&self.new, folder.join(format!("{rest}.debug"))).unwrap();
    }
}

/// What happens to the library.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Change {
    Overwritten,
    /// As by `cp -p`.
    WithOldTime,
    /// As by `rsync --inplace`.
    WithoutTruncating,
    Touched,
    Replaced,
}

impl Change {
    pub(crate) const ALL: [Self; 5] = [
        Self::Overwritten,
        Self::WithOldTime,
        Self::WithoutTruncating,
        Self::Touched,
        Self::Replaced,
    ];

    pub(crate) fn make(self, library: &Path, new: &Path) {
        // The time of the file must be later than the start of the process, by its slow clock.
        let before = fs::metadata(library).unwrap().modified().unwrap();
        wait_until("later time", || {
            let probe = library.with_extension("probe");
            fs::write(&probe, "").unwrap();
            let now = fs::metadata(&probe).unwrap().modified().unwrap();
            now.duration_since(before).unwrap_or_default().as_millis() > 100
        });
        match self {
            Self::Overwritten => testkit::copy(new, library).unwrap(),
            Self::WithOldTime => {
                testkit::copy(new, library).unwrap();
                let file = fs::File::options().write(true).open(library).unwrap();
                file.set_modified(before).unwrap();
            }
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
                testkit::copy(new, &other).unwrap();
                fs::rename(other, library).unwrap();
            }
        }
    }

    pub(crate) fn is_of_the_mapped_file(self) -> bool {
        matches!(self, Self::Touched | Self::Replaced)
    }
}

/// A process, and the library that it loads.
pub(crate) struct Process {
    pub(crate) dir: tempfile::TempDir,
    pub(crate) child: KillOnDrop,
    pub(crate) out: BufReader<std::process::ChildStdout>,
}

impl Process {
    pub(crate) fn start(builds: &Builds, spins: bool) -> Self {
        Self::that(builds, spins.then_some("spins"))
    }

    pub(crate) fn that(builds: &Builds, does: Option<&str>) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let library = dir.path().join("library.so");
        testkit::copy(&builds.old, &library).unwrap();
        let mut command = Command::new(&builds.program);
        command.arg(&library).args(does);
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let out = BufReader::new(child.stdout.take().unwrap());
        let child = KillOnDrop(child);
        let mut this = Self { dir, child, out };
        this.says("started");
        this
    }

    pub(crate) fn says(&mut self, word: &str) {
        let mut line = String::new();
        self.out.read_line(&mut line).unwrap();
        assert_eq!(line.trim_end(), word);
    }

    pub(crate) fn load(&mut self) {
        let stdin = self.child.0.stdin.as_mut().unwrap();
        stdin.write_all(b"\n").unwrap();
        self.says("loaded");
    }

    pub(crate) fn library(&self) -> PathBuf {
        self.dir.path().join("library.so")
    }

    /// The processor time so far outside of the kernel, in hundredths of a second.
    pub(crate) fn ticks(&self) -> u64 {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.child.pid())).unwrap();
        let fields = stat.rsplit_once(") ").unwrap().1.split(' ');
        fields
            .skip(11)
            .map(|field| field.parse().unwrap())
            .next()
            .unwrap()
    }

    /// Changes the library while the process is stopped: it would fault while the file is empty.
    pub(crate) fn change(&self, change: Change, builds: &Builds) {
        let pid = Pid::from_raw(i32::try_from(self.child.pid()).unwrap());
        kill(pid, Signal::SIGSTOP).unwrap();
        wait_until("a stopped process", || {
            let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
            stat.contains(") T ")
        });
        change.make(&self.library(), &builds.new);
        kill(pid, Signal::SIGCONT).unwrap();
    }

    pub(crate) fn pid(&self) -> String {
        self.child.pid().to_string()
    }

    /// The stack of the process, once it waits.
    pub(crate) fn stack(&self) -> String {
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
pub(crate) fn check(text: &str, is_named: bool, what: &str) {
    assert!(!text.contains("another_one"), "{what}: {text}");
    assert_eq!(text.contains("old_outer"), is_named, "{what}: {text}");
    assert_eq!(text.contains("enter"), is_named, "{what}: {text}");
}
