//! `record`: how a recording ends, and what is there then.

mod common;

use std::fs;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use common::{Ran, backsight, wait_until};
use nix::fcntl::{FcntlArg, fcntl};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use testkit::busy::busy;
use testkit::child::KillOnDrop;
use testkit::skip;

/// A directory for outputs, and a program that runs.
struct Place {
    dir: tempfile::TempDir,
    process: KillOnDrop,
}

impl Place {
    /// `None` where nothing can be sampled, or there is no compiler.
    fn new() -> Option<Self> {
        let dir = tempfile::tempdir().unwrap();
        let busy = busy(true).inspect_err(|reason| skip(reason)).ok()?;
        let mut command = Command::new(busy);
        let command = command.args(["spin", "600000"]).stdout(Stdio::null());
        let process = KillOnDrop(command.spawn().unwrap());
        let place = Self { dir, process };
        let tried = Ran::from(
            place
                .recorder(&["-F", "997", "-d", "300ms", "-o", "tried.folded"])
                .output()
                .unwrap(),
        );
        if tried.code == Some(1) {
            skip(&tried.stderr);
            return None;
        }
        Some(place)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Records the program. A shell's background ignores SIGINT, and what it starts then does, too.
    fn recorder(&self, args: &[&str]) -> Command {
        let pid = self.process.pid().to_string();
        let mut command = Command::new("env");
        command
            .args(["--default-signal=INT".as_ref(), backsight().get_program()])
            .args(["record", "-p", &pid])
            .args(args)
            .current_dir(self.dir.path());
        command
    }

    fn start(&self, args: &[&str]) -> KillOnDrop {
        let mut command = self.recorder(args);
        KillOnDrop(command.stderr(Stdio::piped()).spawn().unwrap())
    }

    fn files(&self, folder: &str) -> Vec<PathBuf> {
        let entries = fs::read_dir(self.path(folder)).into_iter().flatten();
        entries.map(|entry| entry.unwrap().path()).collect()
    }
}

fn send(child: &Child, signal: Signal) {
    kill(Pid::from_raw(child.id().try_into().unwrap()), signal).unwrap();
}

/// Waits for a recorder, and returns what it said.
fn ended(mut recorder: KillOnDrop) -> Ran {
    let mut stderr = String::new();
    let mut pipe = recorder.0.stderr.take().unwrap();
    std::io::Read::read_to_string(&mut pipe, &mut stderr).unwrap();
    let code = recorder.0.wait().unwrap().code();
    Ran {
        code,
        stdout: String::new(),
        stderr,
    }
}

/// Returns the paths `/proc/PID/FOLDER/*`.
fn in_proc(pid: u32, folder: &str) -> impl Iterator<Item = PathBuf> {
    let entries = fs::read_dir(format!("/proc/{pid}/{folder}"));
    let entries = entries.into_iter().flatten();
    entries.filter_map(|entry| Some(entry.ok()?.path()))
}

/// Whether a recorder has its events open.
fn has_events(pid: u32) -> bool {
    let mut links = in_proc(pid, "fd").filter_map(|fd| fs::read_link(fd).ok());
    links.any(|link| link.to_string_lossy().contains("perf_event"))
}

/// Whether a recorder waits for samples of its events. Between opening and starting them it reads
/// the kernel's symbols, which takes longer than a short test where the machine is busy.
fn is_sampling(pid: u32) -> bool {
    #[cfg(target_arch = "x86_64")]
    let poll = [nix::libc::SYS_poll, nix::libc::SYS_ppoll];
    #[cfg(not(target_arch = "x86_64"))]
    let poll = [nix::libc::SYS_ppoll];
    // proc_pid_syscall(5): the number of the call that a thread waits in.
    let waits = |thread: PathBuf| {
        let call = fs::read_to_string(thread.join("syscall")).ok()?;
        Some(poll.contains(&call.split(' ').next()?.parse().ok()?))
    };
    has_events(pid) && in_proc(pid, "task").any(|thread| waits(thread) == Some(true))
}

/// Returns the processor time of a process so far, in ticks of a hundredth of a second.
fn ticks(pid: u32) -> u64 {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let fields: Vec<&str> = stat.rsplit_once(") ").unwrap().1.split(' ').collect();
    fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap()
}

/// Checks that a file is a whole profile.
#[track_caller]
fn is_whole(path: &Path) {
    let out = path.with_extension("checked.folded");
    let mut convert = backsight();
    let ran = Ran::from(
        convert
            .args(["convert", "-q"])
            .args([path, &out])
            .output()
            .unwrap(),
    );
    assert_eq!(ran.code, Some(0), "{ran:?}");
    fs::remove_file(out).unwrap();
}

#[test]
fn control_c_says_what_is_written_and_how_to_discard_it() {
    let Some(place) = Place::new() else { return };
    let recorder = place.start(&["-F", "997", "-o", "out.pb.gz"]);
    let pid = recorder.pid();
    wait_until("sampling", || is_sampling(pid));
    let begin = ticks(place.process.pid());
    wait_until("samples", || ticks(place.process.pid()) >= begin + 20);
    send(&recorder.0, Signal::SIGINT);
    let ran = ended(recorder);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    for words in [
        "writing out.pb.gz; Ctrl-C again discards it",
        " samples, 0 lost",
        "written: out.pb.gz",
    ] {
        assert!(ran.stderr.contains(words), "{words}: {ran:?}");
    }
    is_whole(&place.path("out.pb.gz"));
}

/// More than a pipe holds is written, and its reader sleeps.
#[test]
fn a_pipe_that_nobody_reads_is_given_up_at_control_c() {
    let Some(place) = Place::new() else { return };
    let fifo = place.path("fifo");
    nix::unistd::mkfifo(&fifo, nix::sys::stat::Mode::S_IRWXU).unwrap();
    for is_fifo in [false, true] {
        // With a time, it writes before the signal; without one, the signal lets it write.
        for duration in [&["-d", "1"][..], &[]] {
            let output = if is_fifo { "fifo" } else { "-" };
            let args = [&["-F", "997", "--to", "ndjson", "-o", output], duration].concat();
            let mut command = place.recorder(&args);
            let command = command.stdout(Stdio::piped()).stderr(Stdio::piped());
            let mut recorder = KillOnDrop(command.spawn().unwrap());
            let unread = recorder.0.stdout.take();
            // As one that is read and written, it waits for nobody.
            let open = || fs::File::options().read(true).write(true).open(&fifo);
            let opened = is_fifo.then(|| open().unwrap());
            let smaller = |pipe: &dyn AsFd| fcntl(pipe.as_fd(), FcntlArg::F_SETPIPE_SZ(4096));
            smaller(&unread.as_ref().unwrap()).unwrap();
            if let Some(pipe) = &opened {
                smaller(pipe).unwrap();
            }
            let pid = recorder.pid();
            wait_until("sampling", || is_sampling(pid));
            let begin = ticks(place.process.pid());
            wait_until("samples", || ticks(place.process.pid()) >= begin + 70);
            if !duration.is_empty() {
                wait_until("the end of recording", || !has_events(pid));
            }
            send(&recorder.0, Signal::SIGINT);
            let ran = ended(recorder);
            ran.fails(
                1,
                &["the profile was not written: ", "nobody reads this pipe"],
            );
            drop((unread, opened));
        }
    }
}

/// The first samples have the kernel's symbols read, and half a second became two.
#[test]
fn a_recording_ends_when_its_time_is_over() {
    let Some(place) = Place::new() else { return };
    let args = [
        "-F",
        "997",
        "-d",
        "500ms",
        "-q",
        "--normalize-only",
        "-o",
        "out.ndjson",
    ];
    let ran = Ran::from(place.recorder(&args).output().unwrap());
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let text = fs::read_to_string(place.path("out.ndjson")).unwrap();
    let times = text.lines().filter_map(|line| {
        let line: serde_json::Value = serde_json::from_str(line).unwrap();
        let time = line.get("time_ns").filter(|_| line["type"] == "sample");
        time?.as_u64()
    });
    let times: Vec<u64> = times.collect();
    let (first, last) = (times.iter().min().unwrap(), times.iter().max().unwrap());
    let millis = (last - first) / 1_000_000;
    // A busy machine wakes the clock late.
    assert!((100..1500).contains(&millis), "{millis} ms");
}

#[test]
fn killed_while_writing_the_files_so_far_are_whole() {
    let Some(place) = Place::new() else { return };
    for round in 0..4 {
        let args = ["-F", "997", "--every", "50ms", "-q", "-o", "many"];
        let mut recorder = place.start(&args);
        let before = place.files("many").len();
        wait_until("a file", || place.files("many").len() > before + round);
        recorder.0.kill().unwrap();
        recorder.0.wait().unwrap();
    }
    let files = place.files("many");
    assert!(files.len() >= 4, "{files:?}");
    for file in files {
        is_whole(&file);
    }
}

#[test]
fn lost_records_are_counted_and_said() {
    let Some(place) = Place::new() else { return };
    // Nobody empties the buffers meanwhile: 512 KiB a processor, and 8 KiB of stack a record.
    // Kernels lower the frequency as they see fit.
    let recorder = place.start(&["-F", "4999", "--call-graph", "dwarf", "-o", "out.pb.gz"]);
    let pid = recorder.pid();
    wait_until("sampling", || is_sampling(pid));
    send(&recorder.0, Signal::SIGSTOP);
    let begin = ticks(place.process.pid());
    wait_until("processor time", || {
        ticks(place.process.pid()) >= begin + 200
    });
    send(&recorder.0, Signal::SIGCONT);
    // The loss is told with the next record that there is room for.
    let begin = ticks(place.process.pid());
    wait_until("processor time", || {
        ticks(place.process.pid()) >= begin + 50
    });
    send(&recorder.0, Signal::SIGINT);
    let ran = ended(recorder);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let lost = ran.stderr.split(" lost").next().unwrap();
    let lost: u64 = lost.rsplit(' ').next().unwrap().parse().unwrap();
    assert!(lost > 0, "{ran:?}");
    let words = format!("{lost} records that the kernel lost");
    assert!(ran.stderr.contains(&words), "{words}: {ran:?}");
    is_whole(&place.path("out.pb.gz"));
}

#[test]
fn on_a_full_disk_the_old_profile_is_kept() {
    let Some(place) = Place::new() else { return };
    fs::create_dir(place.path("full")).unwrap();
    // A file system of one page, in a mount namespace of its own.
    let record = place.recorder(&["-F", "997", "-d", "300ms", "-q", "-o", "full/out.ndjson"]);
    let script = "mount -t tmpfs -o size=8k tmpfs full && echo old > full/out.ndjson || exit 77
        \"$@\"; code=$?; cat full/out.ndjson; ls -A full; exit $code";
    let user = if nix::unistd::geteuid().is_root() {
        "-m"
    } else {
        "-rm"
    };
    let mut command = Command::new("unshare");
    command
        .current_dir(place.dir.path())
        .args([user, "sh", "-c", script, "sh"]);
    let ran = Ran::from(
        command
            .arg(record.get_program())
            .args(record.get_args())
            .output()
            .unwrap(),
    );
    if ran.code == Some(77) || ran.stderr.contains("unshare failed") {
        return skip(&format!("no file system can be mounted: {}", ran.stderr));
    }
    assert_eq!(
        (ran.code, &*ran.stdout),
        (Some(1), "old\nout.ndjson\n"),
        "{ran:?}"
    );
    for words in ["full/out.ndjson", "No space left on device"] {
        assert!(ran.stderr.contains(words), "{words}: {ran:?}");
    }
}
