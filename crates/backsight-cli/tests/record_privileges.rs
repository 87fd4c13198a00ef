//! `record` with some capabilities of root: what works with which, as the table of
//! `docs/EMBEDDING.md` says, and that all others are dropped.

mod common;

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use common::{Ran, backsight, public_copy};
use testkit::busy::busy;
use testkit::child::KillOnDrop;
use testkit::tools::tool;
use testkit::user::is_root;
use testkit::{naive, skip};

/// The user `nobody`.
const NOBODY: u32 = 65_534;

/// Our command, and a directory, of a user who is not root.
struct Place {
    _command: tempfile::TempDir,
    command: PathBuf,
    dir: tempfile::TempDir,
    /// A program that every user may read, and one that only root may.
    busy: PathBuf,
    private: PathBuf,
}

impl Place {
    /// `None` without the rights to give others some of them.
    fn new() -> Option<Self> {
        let lacking = match () {
            () if !is_root() => "only root can give capabilities",
            () if tool("setpriv").is_none() => "no setpriv",
            () => "",
        };
        if !lacking.is_empty() {
            skip(lacking);
            return None;
        }
        let busy = match busy(true) {
            Ok(busy) => busy,
            Err(reason) => {
                skip(&reason);
                return None;
            }
        };
        let (folder, command) = public_copy();
        let dir = tempfile::tempdir().unwrap();
        fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).unwrap();
        chown(dir.path(), Some(NOBODY), Some(NOBODY)).unwrap();
        let copied = |name: &str, mode| {
            let path = folder.path().join(name);
            testkit::copy(&busy, &path).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            path
        };
        let place = Self {
            command,
            dir,
            busy: copied("busy", 0o755),
            private: copied("private", 0o700),
            _command: folder,
        };
        let tried = Ran::from(place.with(&["perfmon"], "true").output().unwrap());
        if tried.code != Some(0) {
            skip(&format!("capabilities cannot be given: {}", tried.stderr));
            return None;
        }
        Some(place)
    }

    /// A command of the other user, with these capabilities and no others.
    fn with(&self, capabilities: &[&str], program: impl AsRef<std::ffi::OsStr>) -> Command {
        let all = capabilities.iter().map(|name| format!(",+{name}"));
        let caps = format!("-all{}", all.collect::<String>());
        let mut command = Command::new("setpriv");
        command
            .args(["--reuid", "65534", "--regid", "65534", "--clear-groups"])
            .args(["--inh-caps", &caps, "--ambient-caps", &caps, "--"])
            .arg(program)
            .current_dir(self.dir.path())
            .stdin(Stdio::null());
        command
    }

    fn record(&self, capabilities: &[&str], args: &[&str]) -> Ran {
        let mut command = self.with(capabilities, &self.command);
        let command = command.args(["record", "-F", "997"]).args(args);
        Ran::from(command.output().unwrap())
    }

    /// Starts a program of root.
    fn start(&self, program: &Path, args: &[&str]) -> KillOnDrop {
        let mut command = Command::new(program);
        KillOnDrop(command.args(args).stdout(Stdio::null()).spawn().unwrap())
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.dir.path().join(name)).unwrap()
    }
}

fn number(path: &str) -> Option<i64> {
    fs::read_to_string(path).ok()?.trim().parse().ok()
}

fn paranoid() -> i64 {
    number("/proc/sys/kernel/perf_event_paranoid").unwrap_or(i64::MAX)
}

#[test]
fn each_feature_needs_what_the_table_says() {
    let Some(place) = Place::new() else { return };
    if paranoid() < 2 {
        return skip("kernel.perf_event_paranoid is below 2: more is allowed");
    }
    let root = place.start(&place.busy, &["spin", "600000"]);
    let pid = root.pid().to_string();
    let busy = place.busy.to_str().unwrap();
    let of_others = ["-p", &pid, "-d", "500ms", "-o", "a.folded"];
    let own = ["-o", "a.folded", "--", busy, "spin", "300"];
    // Names of the whole machine would take long.
    let all = ["-a", "-d", "300ms", "--normalize-only", "-o", "a.pb.gz"];
    let off_cpu = ["--off-cpu", "-o", "a.folded", "--", busy, "nap", "1", "100"];
    let (no_kernel, no_waits) = (
        "the kernel is left out",
        "waits are shown at the last stack",
    );

    // Own processes, user code.
    if paranoid() == 2 {
        let ran = place.record(&[], &own);
        assert_eq!(ran.code, Some(0), "{ran:?}");
        assert!(ran.stderr.contains(no_kernel), "{ran:?}");
        assert!(place.read("a.folded").contains(";hot "), "{ran:?}");
        let ran = place.record(&[], &off_cpu);
        assert!(ran.stderr.contains(no_waits), "{ran:?}");
    }
    // The machine, and processes of others.
    for args in [&all[..], &of_others] {
        place
            .record(&[], args)
            .fails(1, &["permission denied", "CAP_PERFMON"]);
    }
    place
        .record(&["sys_ptrace"], &all)
        .fails(1, &["permission denied"]);
    if paranoid() == 2 {
        let ran = place.record(&["sys_ptrace"], &of_others);
        assert_eq!(ran.code, Some(0), "{ran:?}");
        assert!(place.read("a.folded").contains(";hot "), "{ran:?}");
    }
    // The kernel, waits, the machine and others, by CAP_PERFMON alone.
    for args in [&own[..], &all, &off_cpu, &of_others] {
        let ran = place.record(&["perfmon"], args);
        assert_eq!(ran.code, Some(0), "{args:?}: {ran:?}");
        for words in [no_kernel, no_waits] {
            assert!(!ran.stderr.contains(words), "{args:?}: {ran:?}");
        }
    }
    // Mappings of others' processes: CAP_PERFMON is enough since Linux 6.15.
    let mut cat = place.with(&["perfmon"], "cat");
    let read = cat.arg(format!("/proc/{pid}/maps")).output().unwrap();
    let ran = place.record(&["perfmon"], &of_others);
    let is_said = ran.stderr.contains("had mapped before may not be read");
    assert_eq!(is_said, !read.status.success(), "{ran:?}");
    assert_eq!(
        place.read("a.folded").contains(";hot "),
        !is_said,
        "{ran:?}"
    );
    let ran = place.record(&["perfmon", "sys_ptrace"], &of_others);
    assert!(!ran.stderr.contains("had mapped before"), "{ran:?}");
    assert!(place.read("a.folded").contains(";hot "), "{ran:?}");
}

#[test]
fn kernel_names_need_cap_syslog() {
    let Some(place) = Place::new() else { return };
    match number("/proc/sys/kernel/kptr_restrict") {
        Some(0 | 1) if paranoid() > 1 => {}
        _ => return skip("kernel.kptr_restrict or perf_event_paranoid decides here"),
    }
    let calls = ["dd", "if=/dev/zero", "of=/dev/null", "bs=1", "count=300000"];
    let args = [&["-o", "a.folded", "--"], &calls[..]].concat();
    let is_named = |capabilities: &[&str]| {
        let ran = place.record(capabilities, &args);
        assert_eq!(ran.code, Some(0), "{ran:?}");
        let is_said = ran.stderr.contains("functions of the kernel get no names");
        let stacks = place.read("a.folded");
        let is_named = stacks.contains("ksys_read") || stacks.contains("vfs_read");
        assert_eq!(is_said, !is_named, "{ran:?}: {stacks}");
        is_named
    };
    assert!(!is_named(&["perfmon"]));
    assert!(is_named(&["perfmon", "syslog"]));
}

#[test]
fn files_of_others_need_cap_dac_read_search() {
    let Some(place) = Place::new() else { return };
    let root = place.start(&place.private, &["spin", "600000"]);
    let pid = root.pid().to_string();
    let args = ["-p", &pid, "-d", "500ms", "-o", "a.folded"];
    for (capabilities, is_named) in [
        (&["perfmon", "sys_ptrace"][..], false),
        (&["perfmon", "sys_ptrace", "dac_read_search"][..], true),
    ] {
        let ran = place.record(capabilities, &args);
        assert_eq!(ran.code, Some(0), "{ran:?}");
        let stacks = place.read("a.folded");
        assert_eq!(
            stacks.contains(";hot "),
            is_named,
            "{capabilities:?}: {ran:?}"
        );
        if !is_named {
            assert!(stacks.contains("private+0x"), "{stacks}");
            assert!(ran.stderr.contains("private"), "{ran:?}");
        }
    }
}

/// Returns the bytes of the buffers that a process has mapped.
fn buffers(pid: u32) -> u64 {
    let text = naive::text_of(pid).unwrap_or_default();
    let lines = naive::lines(&text);
    let buffers = lines.filter(|line| line.name.ends_with(b"[perf_event]"));
    buffers.map(|line| line.end - line.start).sum()
}

#[test]
fn large_buffers_need_cap_ipc_lock() {
    let Some(place) = Place::new() else { return };
    let limit = number("/proc/sys/kernel/perf_event_mlock_kb").unwrap_or_default();
    let sizes = [&["perfmon"][..], &["perfmon", "ipc_lock"]].map(|capabilities| {
        let mut command = place.with(capabilities, "sh");
        command
            .args(["-c", r#"ulimit -l 64; exec "$0" "$@""#])
            .arg(&place.command)
            .args([
                "record",
                "-a",
                "--call-graph",
                "dwarf",
                "-d",
                "60",
                "-q",
                "-o",
                "a.pb.gz",
            ]);
        let recorder = KillOnDrop(command.spawn().unwrap());
        let until = Instant::now() + Duration::from_secs(50);
        loop {
            let size = buffers(recorder.pid());
            std::thread::sleep(Duration::from_millis(300));
            // All are there.
            if size > 0 && size == buffers(recorder.pid()) {
                return size;
            }
            assert!(Instant::now() < until, "{capabilities:?}");
        }
    });
    let [small, large] = sizes;
    let cpus = large >> 22;
    assert!(cpus > 0 && large >= cpus * (4 << 20), "{sizes:?}");
    assert!(small <= large, "{sizes:?}");
    if limit < 4096 {
        assert!(
            small < large,
            "{sizes:?}, kernel.perf_event_mlock_kb is {limit}"
        );
    }
}

/// Returns the capabilities of each thread.
fn of_threads(pid: u32) -> Vec<u64> {
    let threads = fs::read_dir(format!("/proc/{pid}/task")).into_iter();
    let status = threads.flatten().flatten().filter_map(|thread| {
        let status = fs::read(thread.path().join("status")).ok()?;
        let status = String::from_utf8_lossy(&status).into_owned();
        let lines = status.lines().filter_map(|line| line.split_once(":\t"));
        let sets =
            lines.filter(|(name, _)| ["CapPrm", "CapEff", "CapInh", "CapAmb"].contains(name));
        let sets = sets.filter_map(|(_, set)| u64::from_str_radix(set, 16).ok());
        Some(sets.fold(0, |all, set| all | set))
    });
    status.collect()
}

#[test]
fn what_recording_does_not_need_is_dropped_in_each_thread() {
    let Some(place) = Place::new() else { return };
    let own = of_threads(std::process::id());
    let is_whole = own.iter().all(|set| set & 1 << 16 != 0);
    if !is_whole {
        return skip("this root has not even CAP_SYS_MODULE");
    }
    // FOWNER, DAC_OVERRIDE, DAC_READ_SEARCH, IPC_LOCK, SYS_PTRACE, SYS_ADMIN, SYSLOG, PERFMON,
    // CHECKPOINT_RESTORE.
    let numbers = [3, 1, 2, 14, 19, 21, 34, 38, 40];
    let may_have = numbers.iter().fold(0_u64, |all, number| all | 1 << number);
    let spin = ["--", place.busy.to_str().unwrap(), "spin", "600000"];
    for (flags, without) in [
        (&[][..], 0),
        (&["--normalize-only"][..], 1 << 2 | 1 << 21 | 1 << 40),
    ] {
        let mut command = backsight();
        command
            .current_dir(place.dir.path())
            .args([
                "record", "-F", "997", "--every", "100ms", "-o", "many", "-q",
            ])
            .args(flags)
            .args(spin)
            .stdout(Stdio::null());
        let recorder = KillOnDrop(command.spawn().unwrap());
        let until = Instant::now() + Duration::from_secs(60);
        let many = place.dir.path().join("many");
        // Files are written by other threads.
        while fs::read_dir(&many).map_or(0, Iterator::count) < 2 {
            assert!(Instant::now() < until, "{flags:?}: nothing is recorded");
            for set in of_threads(recorder.pid()) {
                // Until it has begun, it has all.
                assert!(
                    set & !may_have == 0 || set & 1 << 16 != 0,
                    "{flags:?}: {set:x}"
                );
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        let sets = of_threads(recorder.pid());
        assert!(sets.len() > 1, "more than one thread");
        for set in sets {
            assert_eq!(set & !may_have, 0, "{flags:?}: {set:x}");
            assert_eq!(set & without, 0, "{flags:?}: {set:x}");
        }
        // The command has what it would have without us.
        let children = format!("/proc/{0}/task/{0}/children", recorder.pid());
        let child = fs::read_to_string(children).unwrap();
        let child: u32 = child.split_whitespace().next().unwrap().parse().unwrap();
        let is_whole = of_threads(child)[0] == own[0];
        // It would run on without its recorder, with our standard error open.
        let pid = nix::unistd::Pid::from_raw(child.try_into().unwrap());
        nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGKILL).unwrap();
        drop(recorder);
        assert!(is_whole, "{flags:?}");
        fs::remove_dir_all(many).unwrap();
    }
}

#[test]
fn what_was_dropped_is_said_on_request() {
    let Some(place) = Place::new() else { return };
    let busy = place.busy.to_str().unwrap();
    let args = ["-v", "-o", "a.folded", "--", busy, "spin", "50"];
    let ran = place.record(&["perfmon", "net_admin", "kill"], &args);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let words = "2 capabilities that recording does not need were dropped; kept: CAP_PERFMON";
    assert!(ran.stderr.contains(words), "{ran:?}");
}
