//! Runs the kernel-dependent test suites on Debian kernels of several versions and architectures
//! in an emulator.
//!
//! ```text
//! Release   a kernel, a C library and some programs, by apt       ─┐
//! suites    the test executables, by cargo                        ─┼─▶ guest ─▶ boot ─▶ report
//! init.c    process 1: runs each suite, says how it ended         ─┘
//! ```
//!
//! `old-kernel` only makes one system call fail; here the whole kernel is another one. Downloads
//! are kept in `kernels/` in the target directory; remove it to get newer ones.

mod boot;
mod cpio;
mod guest;
mod limited;
mod machine;
mod modules;
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
    /// Whether it supports `PROCMAP_QUERY`: Linux 6.11 and later.
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

/// The release of the C library and programs of all guests: a newer C library runs programs
/// linked for an older one, and runs on old kernels.
const PROGRAMS_SUITE: &str = "trixie";

/// The results of all kernels.
#[derive(Debug, Default)]
struct Results {
    reports: Vec<Report>,
    /// The kernels that did not run, with the cause.
    lacking: Vec<(&'static Kernel, String)>,
}

/// Runs the suites on this machine's kernel and on all others, or on those selected with
/// `--only` by version or architecture.
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
    // A guest has one CPU, so run several at once to use all of ours.
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

/// Downloads and builds everything that these kernels of one architecture need, and runs the
/// suites on this machine if it has that architecture. Everything that may be unavailable is
/// obtained first, before the long work; a missing kernel does not prevent the others. Any
/// failure before a suite runs counts as unavailable, unless the suites do not build.
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
    let on_device = suites::build_on_device(machine)?;
    let packed = programs.packed(machine, &suites, &on_device);
    let archive = packed.map_err(Stop::into_lack)?;
    if machine.is_this_one() {
        let mut report = boot::here(&suites).map_err(Stop::CannotBeHad)?;
        report.expect(suites.len(), None);
        results.reports.push(report);
    }
    let mut ready = Vec::new();
    for (kernel, folder) in folders {
        match programs.with_modules(kernel, &folder, &archive) {
            Ok(archive) => ready.push(Ready {
                kernel,
                folder,
                archive,
                log: cache.join(format!("{}-{}.log", kernel.suite, machine.debian)),
                suites: suites.len(),
            }),
            Err(why) => results.lacking.push((kernel, why)),
        }
    }
    Ok(ready)
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

/// Returns a shortened one-line form of a tool's output.
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

/// A kernel with everything needed to boot it.
#[derive(Debug)]
struct Ready {
    kernel: &'static Kernel,
    /// The directory of the unpacked package.
    folder: PathBuf,
    archive: PathBuf,
    /// A file for the console output.
    log: PathBuf,
    /// The number of suites in the archive.
    suites: usize,
}

impl Ready {
    /// Boots it, and checks the report against what is expected.
    fn boot(&self) -> Result<Report, Stop> {
        let mut report = boot::in_guest(&Guest {
            machine: self.kernel.machine,
            kernel: &self.folder,
            archive: &self.archive,
            log: &self.log,
        })?;
        report.expect(self.suites, Some(self.kernel.answers));
        if report.is_done() && report.modules == 0 {
            report.complain("no kernel module was loaded".to_owned());
        }
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

/// The programs in every guest of an architecture, besides the suites.
#[derive(Debug)]
struct Programs {
    debian: PathBuf,
    /// The directory for built files.
    work: PathBuf,
}

impl Programs {
    fn of(machine: &Machine, cache: &Path) -> Result<Self, Stop> {
        let release = Release {
            suite: PROGRAMS_SUITE,
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

    /// Returns the archive that every guest of this architecture boots with.
    fn packed(
        &self,
        machine: &Machine,
        suites: &[Suite],
        on_device: &Path,
    ) -> Result<Vec<u8>, Stop> {
        let Self { debian, work } = self;
        Ok(guest::archive(machine, suites, on_device, debian, work)?)
    }

    /// Writes the archive of one guest: that of all, and behind it the modules of its kernel. The
    /// kernel unpacks one after the other.
    fn with_modules(
        &self,
        kernel: &Kernel,
        folder: &Path,
        archive: &[u8],
    ) -> Result<PathBuf, String> {
        let bytes = [archive, &modules::archive(folder)?].concat();
        let file = self.work.join(format!("initramfs-{}.cpio", kernel.suite));
        fs::write(&file, bytes).map_err(|why| format!("{}: {why}", file.display()))?;
        Ok(file)
    }
}

/// Returns the directory for downloads and built files: `kernels` in the target directory that
/// contains this program.
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
