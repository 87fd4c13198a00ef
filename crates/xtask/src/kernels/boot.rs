//! Runs the suites on a kernel in an emulator, or directly on this machine.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use testkit::kernel::{Ioctl, ioctl};

use super::limited::{self, End, Limits};
use super::machine::Machine;
use super::report::{MARK, Report};
use super::suites::Suite;
use crate::stop::Stop;

/// Time limit until process 1 starts: it takes seconds, or half a minute on a busy host.
const START_TIMEOUT: Duration = Duration::from_secs(120);

/// A suite without output for this long is taken to hang. The longest test takes a minute and a
/// half in an emulator, and five on a very busy host.
const SILENCE_TIMEOUT: Duration = Duration::from_secs(450);

/// Time limit for all boots of a guest: an emulator that makes progress, but is slower, is too
/// slow to give results.
const TOTAL_TIMEOUT: Duration = Duration::from_secs(900);

/// How many times the emulator may be restarted. Emulators sometimes fail when kernels patch
/// their own code at boot, or miss timers on a busy host. A result of a suite is final, the
/// first time.
const MAX_BOOTS: usize = 3;

/// The parts of a guest.
#[derive(Debug)]
pub(super) struct Guest<'a> {
    pub(super) machine: &'a Machine,
    /// The directory of an unpacked kernel package.
    pub(super) kernel: &'a Path,
    pub(super) archive: &'a Path,
    /// A file for the console output.
    pub(super) log: &'a Path,
}

/// Boots a guest and reads its console until it exits.
///
/// # Errors
/// [`Stop::CannotBeHad`] when the emulator does not carry it to its end. A suite that
/// hangs is no error but a report of it.
pub(super) fn in_guest(guest: &Guest<'_>) -> Result<Report, Stop> {
    let image = image(guest.kernel)?;
    let end = Instant::now() + TOTAL_TIMEOUT;
    let mut console = String::new();
    let mut last = String::new();
    for _ in 0..MAX_BOOTS {
        let mut report = Report::default();
        let limits = Limits {
            end,
            silence: START_TIMEOUT,
        };
        let ended = limited::run(&mut emulator(guest, &image), limits, &mut |line| {
            console.push_str(line);
            if !line.trim().is_empty() {
                line.trim().clone_into(&mut last);
            }
            report.read(line);
            match report.answers {
                Some(_) => SILENCE_TIMEOUT,
                None => START_TIMEOUT,
            }
        });
        let log = guest.log;
        fs::write(log, &console).map_err(|why| format!("{}: {why}", log.display()))?;
        match ended? {
            _ if report.is_done() => return Ok(report),
            End::Silent if report.answers.is_some() => {
                let seconds = SILENCE_TIMEOUT.as_secs();
                report.complain(format!("hangs: nothing said for {seconds} s"));
                return Ok(report);
            }
            End::Late => {
                let seconds = TOTAL_TIMEOUT.as_secs();
                let why = format!("the emulator is too slow: no end in {seconds} s: {last}");
                return Err(Stop::CannotBeHad(why));
            }
            // The kernel did not start, or the guest crashed during the suites.
            End::Silent | End::Quit(_) => {}
        }
    }
    let why = format!("the emulator failed {MAX_BOOTS} times, the last time after: {last}");
    Err(Stop::CannotBeHad(why))
}

/// Returns the command that boots a guest.
///
/// The guest has one CPU: with two, guests sometimes fail when Linux patches code.
fn emulator(guest: &Guest<'_>, image: &Path) -> Command {
    let machine = guest.machine;
    let mut command = Command::new(machine.emulator.0);
    command.args(["-nodefaults", "-no-user-config", "-display", "none"]);
    command.args(["-serial", "stdio", "-no-reboot", "-accel", "tcg"]);
    command.args(["-smp", "1", "-m", "1G"]).args(machine.model);
    command.arg("-kernel").arg(image);
    command.arg("-initrd").arg(guest.archive);
    // The emulator exits on reboot, which happens at the end and on a panic.
    let console = machine.console;
    let args = format!("console={console} loglevel=4 panic=-1 reboot=t random.trust_cpu=on");
    command.args(["-append", &args]).stdin(Stdio::null());
    command
}

/// Runs the suites on this machine's kernel.
pub(super) fn here(suites: &[Suite]) -> Result<Report, String> {
    let limits = Limits {
        end: Instant::now() + TOTAL_TIMEOUT,
        silence: SILENCE_TIMEOUT,
    };
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
        let ended = limited::run(&mut command, limits, &mut |line| {
            report.read(line);
            SILENCE_TIMEOUT
        });
        match ended? {
            End::Quit(code) => report.read(&format!("{MARK}end {name} {code}")),
            end => {
                report.complain(format!("hangs, or takes too long: {end:?}"));
                return Ok(report);
            }
        }
    }
    report.read(&format!("{MARK}done"));
    Ok(report)
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
