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
mod limited;
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

/// What came of all kernels.
#[derive(Debug, Default)]
struct Results {
    reports: Vec<Report>,
    /// The kernels that did not run, and why.
    lacking: Vec<(&'static Kernel, String)>,
}

/// Runs the suites on this machine's kernel and on all others, or on those that
/// `--only` names by version or machine.
pub(crate) fn run(args: &[&str]) -> ExitCode {
    let only = match args {
        [] => None,
        ["--only", word] => Some(*word),
        _ => return usage(),
    };
    let wanted = |kernel: &&'static Kernel| {
        let names = [kernel.version, kernel.machine.arch, kernel.machine.debian];
        only.is_none_or(|word| names.contains(&word))
    };
    let kernels: Vec<&'static Kernel> = KERNELS.iter().filter(wanted).collect();
    if kernels.is_empty() {
        return usage();
    }
    match run_on(&kernels) {
        Ok(results) => {
            results.print();
            ExitCode::from(results.status())
        }
        Err(Stop::CannotBeHad(why)) => {
            eprintln!("kernels: cannot be had here: {}", one_line(&why));
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

fn run_on(kernels: &[&'static Kernel]) -> Result<Results, Stop> {
    let cache = cache().map_err(Stop::CannotBeHad)?;
    let mut results = Results::default();
    let mut guests = Vec::new();
    for machine in [&X86_64, &AARCH64] {
        let kernels = kernels.iter().filter(|it| it.machine == machine);
        let kernels: Vec<&'static Kernel> = kernels.copied().collect();
        match prepared(machine, &kernels, &cache, &mut results) {
            Ok(ready) => guests.extend(ready),
            Err(Stop::CannotBeHad(why)) => {
                let lacking = kernels.into_iter().map(|kernel| (kernel, why.clone()));
                results.lacking.extend(lacking);
            }
            Err(failed) => return Err(failed),
        }
    }
    if guests.is_empty() {
        return Ok(results);
    }
    println!("kernels: boots {}", guests.len());
    // Each has one processor, so that all of ours are busy.
    let ended = std::thread::scope(|scope| {
        let started = guests
            .iter()
            .map(|guest| scope.spawn(|| guest.boot().map_err(Stop::into_lack)));
        let started: Vec<_> = started.collect();
        let ended = started.into_iter().map(|guest| guest.join());
        ended.collect::<Vec<_>>()
    });
    for (guest, ended) in guests.iter().zip(ended) {
        match ended.map_err(|_| Stop::Failed("a guest's thread failed".to_owned()))? {
            Ok(report) => results.reports.push(report),
            Err(Stop::CannotBeHad(why)) => results.lacking.push((guest.kernel, why)),
            Err(failed) => return Err(failed),
        }
    }
    Ok(results)
}

/// Gets and builds all that these kernels of one machine need, and runs the suites
/// here if the machine is this one. What can be lacking is asked for first, before
/// the long work; a kernel that lacks alone does not keep the others. What goes wrong
/// before a suite runs is a lack of this machine's, unless the suites do not build.
fn prepared(
    machine: &'static Machine,
    kernels: &[&'static Kernel],
    cache: &Path,
    results: &mut Results,
) -> Result<Vec<Ready>, Stop> {
    let missing = machine.missing();
    if !missing.is_empty() {
        return Err(Stop::CannotBeHad(missing.join("; ")));
    }
    let mut folders = Vec::new();
    for kernel in kernels {
        match kernel.release().kernel(cache).map_err(Stop::into_lack) {
            Ok(folder) => folders.push((*kernel, folder)),
            Err(Stop::CannotBeHad(why)) => results.lacking.push((kernel, why)),
            Err(failed) => return Err(failed),
        }
    }
    if folders.is_empty() {
        return Ok(Vec::new());
    }
    let programs = Programs::of(machine, cache).map_err(Stop::into_lack)?;
    suites::fetch(machine).map_err(Stop::into_lack)?;
    println!("kernels: builds the suites for {}", machine.arch);
    let suites = suites::build(machine)?;
    let packed = programs.packed(machine, &suites);
    let archive = packed.map_err(Stop::into_lack)?;
    if machine.is_this_one() {
        let mut report = boot::here(&suites).map_err(Stop::CannotBeHad)?;
        report.expect(suites.len(), None);
        results.reports.push(report);
    }
    let ready = folders.into_iter().map(|(kernel, folder)| Ready {
        kernel,
        folder,
        archive: archive.clone(),
        log: cache.join(format!("{}-{}.log", kernel.suite, machine.debian)),
        suites: suites.len(),
    });
    Ok(ready.collect())
}

impl Results {
    fn print(&self) {
        for report in self.reports.iter().filter(|report| !report.succeeded()) {
            println!("\nkernels: the end of what failed on {}", report.kernel());
            report.said().for_each(|line| println!("| {line}"));
        }
        println!();
        self.reports.iter().for_each(|report| println!("{report}"));
        for (kernel, why) in &self.lacking {
            let name = format!("Linux {}", kernel.version);
            let (arch, why) = (kernel.machine.arch, one_line(why));
            println!("{name:<38} {arch:<8} cannot be had here: {why}");
        }
    }

    fn status(&self) -> u8 {
        match () {
            () if !self.reports.iter().all(Report::succeeded) => 1,
            () if !self.lacking.is_empty() => CANNOT_BE_HAD,
            () => 0,
        }
    }
}

/// Returns what tools said over many lines as one, without the most of it.
fn one_line(said: &str) -> String {
    let words: Vec<&str> = said.split_whitespace().collect();
    words.join(" ").chars().take(400).collect()
}

impl Kernel {
    fn release(&self) -> Release {
        Release {
            suite: self.suite,
            arch: self.machine.debian,
        }
    }
}

/// A kernel with all that it needs.
#[derive(Debug)]
struct Ready {
    kernel: &'static Kernel,
    /// The unpacked package.
    folder: PathBuf,
    archive: PathBuf,
    /// Where the console goes besides.
    log: PathBuf,
    /// How many suites are in the archive.
    suites: usize,
}

impl Ready {
    /// Boots it and holds what came of it against what it should be.
    fn boot(&self) -> Result<Report, Stop> {
        let mut report = boot::in_guest(&Guest {
            machine: self.kernel.machine,
            kernel: &self.folder,
            archive: &self.archive,
            log: &self.log,
        })?;
        report.expect(self.suites, Some(self.kernel.answers));
        if report.ran_nothing() {
            let why = "what is built here does not run there: ".to_owned();
            let said: Vec<&str> = report.said().take(3).collect();
            return Err(Stop::CannotBeHad(why + &said.join(" ")));
        }
        if !report.succeeded() {
            report.complain(format!("its console is in {}", self.log.display()));
        }
        Ok(report)
    }
}

/// What every guest of a machine has beside the suites.
#[derive(Debug)]
struct Programs {
    debian: PathBuf,
    /// Where things are made.
    work: PathBuf,
}

impl Programs {
    fn of(machine: &Machine, cache: &Path) -> Result<Self, Stop> {
        let release = Release {
            suite: PROGRAMS,
            arch: machine.debian,
        };
        let packages = guest::packages(machine);
        let names: Vec<&str> = packages.iter().map(String::as_str).collect();
        let debian = release.programs(cache, &names)?;
        let work = cache.join(format!("made-{}", machine.arch));
        fs::create_dir_all(&work).map_err(|why| format!("{}: {why}", work.display()))?;
        guest::compile(machine, &work)?;
        Ok(Self { debian, work })
    }

    /// Writes the archive that every guest of this machine boots with.
    fn packed(&self, machine: &Machine, suites: &[Suite]) -> Result<PathBuf, Stop> {
        let bytes = guest::archive(machine, suites, &self.debian, &self.work)?;
        let file = self.work.join("initramfs.cpio");
        fs::write(&file, bytes).map_err(|why| format!("{}: {why}", file.display()))?;
        Ok(file)
    }
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
