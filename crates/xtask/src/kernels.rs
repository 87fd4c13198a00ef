//! The suites of the crates that ask the kernel, on real kernels of several ages and
//! machines: Debian's, in an emulator.
//!
//! ```text
//! Release   a kernel, a C library and some programs, by apt       ─┐
//! suites    the test executables, by cargo                        ─┼─▶ guest ─▶ boot ─▶ report
//! init.c    process 1: runs each suite, says how it ended         ─┘
//! ```
//!
//! An old kernel by a filter (`old-kernel`) refuses one system call; here all of it
//! is old. What apt gave stays under `kernels/` in the target folder; remove that
//! folder for newer ones.

mod boot;
mod cpio;
mod guest;
mod machine;
mod report;
mod suites;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use boot::Guest;
use machine::{AARCH64, Machine, X86_64};
use report::Report;
use suites::Suite;

use crate::debian::Release;
use crate::stop::{CANNOT_BE_HAD, Stop};

/// A kernel to run the suites on.
#[derive(Debug)]
struct Kernel {
    version: &'static str,
    suite: &'static str,
    machine: &'static Machine,
    /// Whether it knows `PROCMAP_QUERY`: Linux 6.11 and later do.
    answers: bool,
}

const KERNELS: [Kernel; 3] = [
    Kernel {
        version: "6.1",
        suite: "bookworm",
        machine: &X86_64,
        answers: false,
    },
    Kernel {
        version: "6.12",
        suite: "trixie",
        machine: &X86_64,
        answers: true,
    },
    Kernel {
        version: "6.12",
        suite: "trixie",
        machine: &AARCH64,
        answers: true,
    },
];

/// Has the C library and the programs of every guest: a new C library runs what an
/// older one was linked for, and old kernels run it.
const PROGRAMS: &str = "trixie";

/// Runs the suites on this machine's kernel and on all others, or on those that
/// `--only` names by version or machine.
pub(crate) fn run(args: &[&str]) -> ExitCode {
    let only = match args {
        [] => None,
        ["--only", word] => Some(*word),
        _ => return usage(),
    };
    let wanted = |kernel: &&Kernel| {
        let names = [kernel.version, kernel.machine.arch, kernel.machine.debian];
        only.is_none_or(|word| names.contains(&word))
    };
    let kernels: Vec<&Kernel> = KERNELS.iter().filter(wanted).collect();
    if kernels.is_empty() {
        return usage();
    }
    match run_on(&kernels) {
        Ok(reports) => {
            println!();
            reports.iter().for_each(|report| println!("{report}"));
            match reports.iter().all(Report::succeeded) {
                true => ExitCode::SUCCESS,
                false => ExitCode::FAILURE,
            }
        }
        Err(Stop::CannotBeHad(what)) => {
            eprintln!("kernels: cannot be had here: {what}");
            ExitCode::from(CANNOT_BE_HAD)
        }
        Err(Stop::Failed(why)) => {
            eprintln!("kernels: {why}");
            ExitCode::FAILURE
        }
    }
}

fn usage() -> ExitCode {
    eprintln!("usage: cargo xtask kernels [--only 6.1 | 6.12 | amd64 | arm64]");
    ExitCode::from(2)
}

fn run_on(kernels: &[&Kernel]) -> Result<Vec<Report>, Stop> {
    let machines = [&X86_64, &AARCH64].into_iter();
    let machines = machines.filter(|machine| kernels.iter().any(|it| it.machine == *machine));
    let machines: Vec<&Machine> = machines.collect();
    let mut missing: Vec<String> = machines.iter().flat_map(|it| it.missing()).collect();
    missing.sort();
    missing.dedup();
    if !missing.is_empty() {
        return Err(Stop::CannotBeHad(missing.join("; ")));
    }
    let cache = cache()?;
    let mut reports = Vec::new();
    let mut guests = Vec::new();
    for machine in machines {
        println!("kernels: builds the suites for {}", machine.arch);
        let suites = suites::build(machine)?;
        if machine.is_this_one() {
            let mut report = boot::here(&suites)?;
            report.expect(suites.len(), None);
            reports.push(report);
        }
        let archive = packed(machine, &suites, &cache)?;
        for kernel in kernels.iter().filter(|it| it.machine == machine) {
            let release = kernel.release();
            let log = format!("{}-{}.log", release.suite, release.arch);
            let (folder, log) = (release.kernel(&cache)?, cache.join(log));
            guests.push((*kernel, folder, archive.clone(), log, suites.len()));
        }
    }
    println!("kernels: boots {}", guests.len());
    // Each has one processor, so that all of ours are busy.
    let all: Result<Vec<Report>, String> = std::thread::scope(|scope| {
        let guests = guests.iter().map(|(kernel, folder, archive, log, suites)| {
            scope.spawn(move || kernel.boot(folder, archive, log, *suites))
        });
        let started: Vec<_> = guests.collect();
        let ended = started.into_iter().map(|guest| guest.join());
        ended
            .map(|report| report.map_err(|_| "a guest's thread failed")?)
            .collect()
    });
    reports.extend(all?);
    Ok(reports)
}

impl Kernel {
    fn release(&self) -> Release {
        Release {
            suite: self.suite,
            arch: self.machine.debian,
        }
    }

    /// Boots it and holds what came of it against what it should be.
    fn boot(
        &self,
        folder: &Path,
        archive: &Path,
        log: &Path,
        suites: usize,
    ) -> Result<Report, String> {
        let mut report = boot::in_guest(&Guest {
            machine: self.machine,
            kernel: folder,
            archive,
            log,
        })?;
        report.expect(suites, Some(self.answers));
        if !report.succeeded() {
            report.complain(format!("its console is in {}", log.display()));
        }
        Ok(report)
    }
}

/// Writes the archive that every guest of this machine boots with.
fn packed(machine: &Machine, suites: &[Suite], cache: &Path) -> Result<PathBuf, Stop> {
    let release = Release {
        suite: PROGRAMS,
        arch: machine.debian,
    };
    let packages = guest::packages(machine);
    let names: Vec<&str> = packages.iter().map(String::as_str).collect();
    let debian = release.programs(cache, &names)?;
    let work = cache.join(format!("made-{}", machine.arch));
    fs::create_dir_all(&work).map_err(|why| format!("{}: {why}", work.display()))?;
    let bytes = guest::archive(machine, suites, &debian, &work)?;
    let file = work.join("initramfs.cpio");
    fs::write(&file, bytes).map_err(|why| format!("{}: {why}", file.display()))?;
    Ok(file)
}

/// Returns where what was fetched and made is kept: `kernels` in the target folder
/// that this program was built in.
fn cache() -> Result<PathBuf, String> {
    let own = std::env::current_exe().map_err(|why| format!("xtask: {why}"))?;
    let target = own
        .ancestors()
        .nth(2)
        .ok_or("xtask: not in a target folder")?;
    let cache = target.join("kernels");
    fs::create_dir_all(&cache).map_err(|why| format!("{}: {why}", cache.display()))?;
    Ok(cache)
}
