//! Runs the suites: in an emulator on a kernel, or right here.

use std::fs;
use std::io::{BufRead, BufReader};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use testkit::child::KillOnDrop;
use testkit::kernel::{Ioctl, ioctl};

use super::machine::Machine;
use super::report::{MARK, Report};
use super::suites::Suite;

/// Above this, a kernel or a test hangs.
const TIMEOUT: Duration = Duration::from_secs(600);

/// How often a kernel may fail before process 1: emulators do not patch running code
/// as kernels do when they start, and a busy host makes them miss their clocks. What
/// fails later is a result.
const BOOTS: usize = 3;

/// What a guest is made of.
#[derive(Debug)]
pub(super) struct Guest<'a> {
    pub(super) machine: &'a Machine,
    /// The folder of an unpacked kernel package.
    pub(super) kernel: &'a Path,
    pub(super) archive: &'a Path,
    /// Where the console goes besides.
    pub(super) log: &'a Path,
}

/// Boots a guest and reads its console until it quits.
pub(super) fn in_guest(guest: &Guest<'_>) -> Result<Report, String> {
    let image = image(guest.kernel)?;
    let mut text = String::new();
    let mut report = Report::default();
    for _ in 0..BOOTS {
        report = Report::default();
        let mut command = emulator(guest, &image);
        let ran = read(&mut command, &mut |line| {
            text.push_str(line);
            report.read(line);
        });
        if let Err(why) = ran {
            report.complain(why);
        }
        if report.answers.is_some() {
            break;
        }
    }
    let log = guest.log;
    fs::write(log, text).map_err(|why| format!("{}: {why}", log.display()))?;
    Ok(report)
}

/// Returns the command that boots a guest.
///
/// It has one processor: two at once that patch code, as Linux does, make a guest
/// fail now and then.
fn emulator(guest: &Guest<'_>, image: &Path) -> Command {
    let machine = guest.machine;
    let mut command = Command::new(machine.emulator.0);
    command.args(["-nodefaults", "-no-user-config", "-display", "none"]);
    command.args(["-serial", "stdio", "-no-reboot", "-accel", "tcg"]);
    command.args(["-smp", "1", "-m", "1G"]).args(machine.model);
    command.arg("-kernel").arg(image);
    command.arg("-initrd").arg(guest.archive);
    // Reboots when all is done and when it panics: that ends the emulator.
    let console = machine.console;
    let args = format!("console={console} loglevel=4 panic=-1 reboot=t random.trust_cpu=on");
    command.args(["-append", &args]).stdin(Stdio::null());
    command
}

/// Runs the suites on this machine's own kernel.
pub(super) fn here(suites: &[Suite]) -> Result<Report, String> {
    let mut report = Report::default();
    let release = fs::read_to_string("/proc/sys/kernel/osrelease");
    let release = release.map_err(|why| format!("osrelease: {why}"))?;
    let arch = std::env::consts::ARCH;
    report.read(&format!("{MARK}kernel {} {arch}", release.trim()));
    report.answers = Some(ioctl() == Ioctl::Answers);
    for suite in suites {
        let name = suite.name();
        report.read(&format!("{MARK}begin {name}"));
        let mut command = Command::new(&suite.program);
        command
            .current_dir(&suite.folder)
            .env("CARGO_MANIFEST_DIR", &suite.folder)
            .args(["--color", "never"]);
        let code = read(&mut command, &mut |line| report.read(line))?;
        report.read(&format!("{MARK}end {name} {code}"));
    }
    report.read(&format!("{MARK}done"));
    Ok(report)
}

/// Runs a command and hands on each line it prints, to either stream. Returns how it
/// ended; one that takes too long is ended and is an error.
fn read(command: &mut Command, take: &mut dyn FnMut(&str)) -> Result<i32, String> {
    let name = command.get_program().to_string_lossy().into_owned();
    let say = |why: std::io::Error| format!("{name}: {why}");
    let (from, to) = std::io::pipe().map_err(say)?;
    let both = OwnedFd::from(to);
    command.stdout(both.try_clone().map_err(say)?).stderr(both);
    let mut child = KillOnDrop(command.spawn().map_err(say)?);
    // The command keeps the pipe's other end open: with it, reading would not end.
    command.stdout(Stdio::null()).stderr(Stdio::null());
    let (send, lines) = channel();
    let reader = move || {
        let mut from = BufReader::new(from);
        let mut line = Vec::new();
        while matches!(from.read_until(b'\n', &mut line), Ok(1..)) {
            if send
                .send(String::from_utf8_lossy(&line).into_owned())
                .is_err()
            {
                break;
            }
            line.clear();
        }
    };
    std::thread::spawn(reader);
    let deadline = Instant::now() + TIMEOUT;
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        match lines.recv_timeout(left) {
            Ok(line) => take(&line),
            Err(RecvTimeoutError::Disconnected) => break,
            Err(RecvTimeoutError::Timeout) => {
                return Err(format!("{name}: no end after {} s", TIMEOUT.as_secs()));
            }
        }
    }
    let status = child.0.wait().map_err(say)?;
    Ok(status.code().unwrap_or(-1))
}

/// Returns the bootable file of a kernel package.
fn image(kernel: &Path) -> Result<PathBuf, String> {
    let boot = kernel.join("boot");
    let files = fs::read_dir(&boot).map_err(|why| format!("{}: {why}", boot.display()))?;
    let is_image = |path: &PathBuf| {
        let name = path.file_name().unwrap_or_default();
        name.to_string_lossy().starts_with("vmlinuz-")
    };
    let mut paths = files.filter_map(|file| Some(file.ok()?.path()));
    let none = || format!("no kernel in {}", boot.display());
    paths.find(is_image).ok_or_else(none)
}
