//! Compares `backsight addr2line` with llvm-symbolizer and binutils on real programs: of other
//! compilers, languages and machines; stripped, large, compressed.
//!
//! ```text
//! apt ──▶ DIR/programs-… ──▶ 5,000 addresses ──▶ ours, theirs ──▶ testkit's classes
//! ```
//!
//! Prints one line for each program: the number of addresses, and for each oracle the number of
//! equal answers, of known differences by class, and of unexplained ones, which are written to
//! `DIR/unexplained.txt`. The same addresses are then looked up in batches too small for an
//! index, which must give the same answers.

mod command;
mod exports;
mod found;
mod programs;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use testkit::differential::{self, Asked, Comparison, Level, Oracle, Subject};

use crate::root::root;
use crate::stop::{CANNOT_BE_HAD, Stop};
use command::command_under_test;
use found::{Found, debug_file, fetch};
use programs::{PROGRAMS, Program};

pub(crate) use exports::run as run_exports;

/// Addresses per program.
const ADDRESSES: usize = 5_000;

/// Too few addresses to build an index.
const SMALL_BATCH: usize = 40;

/// The number of small batches.
const SMALL_BATCHES: usize = 10;

/// The time limit of a command for one program, in seconds.
const TIMEOUT_SECONDS: &str = "1200";

/// The result for a program.
#[derive(Debug, Default)]
struct Outcome {
    same: usize,
    classes: BTreeMap<&'static str, usize>,
    unexplained: usize,
}

pub(crate) fn run(args: &[&str]) -> ExitCode {
    let (dir, names) = match args {
        ["--dir", dir, names @ ..] => (PathBuf::from(dir), names),
        names => (root().join("target/differential"), names),
    };
    let known =
        |name: &&str| name.contains('/') || PROGRAMS.iter().any(|program| program.name == *name);
    if !names.iter().all(known) {
        let all: Vec<&str> = PROGRAMS.iter().map(|program| program.name).collect();
        eprintln!(
            "usage: cargo xtask differential [--dir DIR] [FILE…] [{}]",
            all.join("] [")
        );
        return ExitCode::from(2);
    }
    match ask_all(&dir, names) {
        Ok(0) => ExitCode::SUCCESS,
        Ok(count) => {
            eprintln!(
                "differential: {count} unexplained: {}",
                dir.join("unexplained.txt").display()
            );
            ExitCode::FAILURE
        }
        Err(Stop::CannotBeHad(why)) => {
            eprintln!("differential: cannot be had here: {why}");
            ExitCode::from(CANNOT_BE_HAD)
        }
        Err(Stop::Failed(why)) => {
            eprintln!("differential: {why}");
            ExitCode::FAILURE
        }
    }
}

/// Returns the number of unexplained differences.
fn ask_all(dir: &Path, names: &[&str]) -> Result<usize, Stop> {
    fs::create_dir_all(dir).map_err(|why| format!("{}: {why}", dir.display()))?;
    let backsight = command_under_test()?;
    let mut report = String::new();
    let (mut programs, mut unexplained) = (0, 0);
    let mut one = |name: &str, found: &Found| -> Result<(), Stop> {
        let count = ask_one(&backsight, name, found, &mut report)?;
        programs += 1;
        unexplained += count;
        fs::write(dir.join("unexplained.txt"), &report).map_err(|why| why.to_string())?;
        Ok(())
    };
    for name in names.iter().filter(|name| name.contains('/')) {
        let path = PathBuf::from(name);
        let debug = debug_file(&path, Path::new("/")).unwrap_or_else(|| path.clone());
        one(
            name,
            &Found {
                path,
                debug,
                arch: "amd64",
            },
        )?;
    }
    let wanted = |program: &&Program| names.is_empty() || names.contains(&program.name);
    for program in PROGRAMS.iter().filter(wanted) {
        match fetch(dir, program) {
            Ok(found) => one(program.name, &found)?,
            Err(Stop::CannotBeHad(why) | Stop::Failed(why)) => {
                println!("{}: cannot be had: {}", program.name, why.trim());
            }
        }
    }
    println!("{programs} programs, {unexplained} unexplained");
    Ok(unexplained)
}

fn ask_one(
    backsight: &Path,
    name: &str,
    found: &Found,
    report: &mut String,
) -> Result<usize, Stop> {
    let addrs = differential::sample(&found.path, ADDRESSES);
    let started = std::time::Instant::now();
    let ours = ask_us(backsight, found, &addrs)?;
    let took = started.elapsed();
    let small = ask_in_small_batches(backsight, found, &addrs)?;
    let asked = Asked {
        columns: false,
        llvm_symbolizer: "llvm-symbolizer-19",
        addr2line: addr2line_of(found.arch),
        ..Asked::new(&found.path, &found.debug)
    };
    let mut answers = Vec::new();
    for oracle in [Oracle::LlvmSymbolizer, Oracle::BinutilsAddr2line] {
        match oracle.ask(&asked, &addrs) {
            Ok(theirs) if theirs.len() == addrs.len() => answers.push((oracle, theirs)),
            Ok(theirs) => println!("{name}: {oracle:?} answers {} only", theirs.len()),
            Err(why) => println!("{name}: {oracle:?} cannot be asked: {why}"),
        }
    }
    let subject = Subject::of(&[&found.path, &found.debug]);
    let named = ours.iter().filter(|levels| !levels.is_empty()).count();
    println!(
        "{name}: {} asked, {named} answered, {:.1} s",
        addrs.len(),
        took.as_secs_f64()
    );
    let mut unexplained = 0;
    if named == 0 {
        // Two empty answers are equal, but prove nothing.
        unexplained += addrs.len();
        report.push_str(&format!("{name} {}: no answer\n", found.path.display()));
    }
    for (oracle, comparison) in differential::compare(&subject, &addrs, &ours, &answers) {
        let outcome = outcome(&comparison);
        unexplained += outcome.unexplained;
        println!("    {oracle:?}: {outcome}");
        for words in &comparison.unknown {
            report.push_str(&format!("{name} {}\n{words}\n", found.path.display()));
        }
    }
    for (at, small) in small.iter().enumerate() {
        if *small != ours[at] {
            unexplained += 1;
            let words = format!("alone {small:?}\n    among all {:?}", ours[at]);
            report.push_str(&format!(
                "{name} {:#x} by itself otherwise\n    {words}\n",
                addrs[at]
            ));
        }
    }
    Ok(unexplained)
}

fn outcome(comparison: &Comparison) -> Outcome {
    let mut outcome = Outcome::default();
    for (class, count) in &comparison.counts {
        match *class {
            "equal" => outcome.same = *count,
            "UNKNOWN" => outcome.unexplained = *count,
            known => {
                outcome.classes.insert(known, *count);
            }
        }
    }
    outcome
}

impl std::fmt::Display for Outcome {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} same", self.same)?;
        for (class, count) in &self.classes {
            write!(f, ", {count} {class}")?;
        }
        write!(f, ", {} unexplained", self.unexplained)
    }
}

fn ask_us(backsight: &Path, found: &Found, addrs: &[u64]) -> Result<Vec<Vec<Level>>, Stop> {
    let mut command = Command::new("timeout");
    command.arg(TIMEOUT_SECONDS).arg(backsight);
    command
        .args(["addr2line", "-a", "-f", "-i", "-e"])
        .arg(&found.path);
    // DIR is the directory that contains .build-id/xx/rest.debug.
    let dir = found
        .debug
        .ancestors()
        .nth(3)
        .filter(|_| found.debug != found.path);
    if let Some(dir) = dir {
        command.arg("--debug-dir").arg(dir);
    }
    let levels = differential::listing(&mut command, addrs).map_err(Stop::Failed)?;
    if levels.len() != addrs.len() {
        let (count, path) = (levels.len(), found.path.display());
        return Err(Stop::Failed(format!(
            "{path}: {count} answers for {}",
            addrs.len()
        )));
    }
    Ok(levels)
}

/// Looks up the first addresses again, in small batches.
fn ask_in_small_batches(
    backsight: &Path,
    found: &Found,
    addrs: &[u64],
) -> Result<Vec<Vec<Level>>, Stop> {
    let mut levels = Vec::new();
    for batch in addrs.chunks(SMALL_BATCH).take(SMALL_BATCHES) {
        levels.extend(ask_us(backsight, found, batch)?);
    }
    Ok(levels)
}

/// binutils for one machine do not support files of another.
fn addr2line_of(arch: &str) -> &'static str {
    match arch {
        "arm64" => "aarch64-linux-gnu-addr2line",
        "armhf" | "armel" => "arm-linux-gnueabihf-addr2line",
        "ppc64el" | "ppc64" => "powerpc64-linux-gnu-addr2line",
        "s390x" => "s390x-linux-gnu-addr2line",
        "riscv64" => "riscv64-linux-gnu-addr2line",
        _ => "addr2line",
    }
}
