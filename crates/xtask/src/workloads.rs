//! Builds the workloads of the symbolization benchmarks: large real programs with debug
//! information, downloaded and built outside the repository with the usual clients.
//!
//! ```text
//! apt-get, cargo ──▶ DIR/.making/NAME ──▶ DIR/NAME ──▶ DIR/manifest.json
//!                    fetched, built       whole        for the benches to find
//! ```
//!
//! It also builds the peers that the workspace cannot depend on (`benches/peers`).
//!
//! Existing workloads are kept; remove the directory of one to rebuild it. Workloads that are
//! unavailable are reported here and in the manifest, and the others are still built.

mod build_id;
mod recipes;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use testkit::workload::{self, Compressed, Manifest, Missing, PEERS, Workload};

use crate::debian::empty;
use crate::stop::{CANNOT_BE_HAD, Stop};
use build_id::build_id;
use recipes::{Made, RECIPES, Recipe};

/// Builds the missing workloads, or those named.
pub(crate) fn run(args: &[&str]) -> ExitCode {
    let (dir, names) = match args {
        ["--dir", dir, names @ ..] => (std::path::absolute(dir).ok(), names),
        names => (workload::dir(), names),
    };
    let known = |name: &&str| RECIPES.iter().any(|recipe| recipe.name == *name);
    if !names.iter().all(known) {
        let all: Vec<&str> = RECIPES.iter().map(|recipe| recipe.name).collect();
        eprintln!(
            "usage: cargo xtask workloads [--dir DIR] [{}]",
            all.join("] [")
        );
        return ExitCode::from(2);
    }
    let Some(dir) = dir else {
        eprintln!("workloads: nowhere to put them: no HOME, and no --dir");
        return ExitCode::from(2);
    };
    match make(&dir, names) {
        Ok(code) => code,
        Err(why) => {
            eprintln!("workloads: {why}");
            ExitCode::FAILURE
        }
    }
}

fn make(dir: &Path, names: &[&str]) -> Result<ExitCode, String> {
    fs::create_dir_all(dir).map_err(|why| format!("{}: {why}", dir.display()))?;
    let before = Manifest::read(dir).unwrap_or_default();
    let mut code = ExitCode::SUCCESS;
    let mut failed = false;
    // Write the manifest after each workload, so that finished ones can be used while others are
    // built.
    let mut manifest = before.clone();
    for recipe in RECIPES {
        let whole = |it: &&Workload| it.name == recipe.name && is_whole(it);
        if before.workloads.iter().any(|it| whole(&it)) {
            println!("workloads: {} is there", recipe.name);
            continue;
        }
        if !names.is_empty() && !names.contains(&recipe.name) {
            continue;
        }
        manifest.workloads.retain(|it| it.name != recipe.name);
        manifest.missing.retain(|it| it.name != recipe.name);
        match make_one(dir, recipe) {
            Ok(workload) => {
                let megabytes = workload.bytes as f64 / 1e6;
                println!(
                    "workloads: {}: {}, {megabytes:.0} MB",
                    recipe.name, workload.what
                );
                manifest.workloads.push(workload);
            }
            Err(stop) => {
                let why = match stop {
                    Stop::CannotBeHad(what) => format!("cannot be had here: {what}"),
                    Stop::Failed(why) => {
                        failed = true;
                        why
                    }
                };
                let why = why.trim().to_owned();
                eprintln!("workloads: {}: {why}", recipe.name);
                let name = recipe.name.to_owned();
                manifest.missing.push(Missing { name, why });
                code = ExitCode::from(if failed { 1 } else { CANNOT_BE_HAD });
            }
        }
        let say = |why| format!("{}: {why}", dir.display());
        relative(&manifest, dir).write(dir).map_err(say)?;
    }
    if names.is_empty() {
        match recipes::peers(&dir.join(".making"), &dir.join(PEERS)) {
            Ok(()) => println!("workloads: {PEERS} is built"),
            Err(Stop::CannotBeHad(why) | Stop::Failed(why)) => {
                eprintln!("workloads: {PEERS}: {why}");
                code = ExitCode::from(if failed { 1 } else { CANNOT_BE_HAD });
            }
        }
    }
    println!(
        "workloads: {} in {}",
        manifest.workloads.len(),
        dir.display()
    );
    Ok(code)
}

fn is_whole(workload: &Workload) -> bool {
    let copies = workload.compressed.iter();
    let copies = copies.flat_map(|it| [Some(&it.executable), it.debug_file.as_ref()]);
    let own = [Some(&workload.executable), workload.debug_file.as_ref()];
    copies.chain(own).flatten().all(|path| path.exists())
}

/// Builds a workload in a temporary directory, which is renamed when it is complete.
fn make_one(dir: &Path, recipe: &Recipe) -> Result<Workload, Stop> {
    println!("workloads: makes {}", recipe.name);
    let making = dir.join(".making");
    let (parts, whole) = (
        empty(&making.join("parts"))?,
        empty(&making.join(recipe.name))?,
    );
    let made = (recipe.make)(&making, &parts, &whole)?;
    let there = dir.join(recipe.name);
    if there.exists() {
        fs::remove_dir_all(&there).map_err(|why| why.to_string())?;
    }
    fs::rename(&whole, &there).map_err(|why| why.to_string())?;
    fs::remove_dir_all(&parts).map_err(|why| why.to_string())?;
    let workload = describe(&there, recipe, made)?;
    match workload.bytes < recipe.least {
        true => Err(Stop::Failed(format!(
            "{} bytes, where {} are wanted at least",
            workload.bytes, recipe.least
        ))),
        false => Ok(workload),
    }
}

/// Returns the manifest's entry for the files in `dir`.
fn describe(dir: &Path, recipe: &Recipe, made: Made) -> Result<Workload, Stop> {
    let Made {
        what,
        program,
        compressed,
    } = made;
    let executable = dir.join(program.executable);
    let debug_file = program.debug_file.map(|file| dir.join(file));
    let size = |executable: &Path, debug_file: Option<&PathBuf>| -> Result<u64, String> {
        let size = |path: &Path| fs::metadata(path).map(|file| file.len());
        let sizes =
            size(executable).and_then(|own| Ok(own + debug_file.map_or(Ok(0), |it| size(it))?));
        sizes.map_err(|why| format!("{}: {why}", executable.display()))
    };
    let copies = compressed.into_iter().map(|(with, copy)| {
        let executable = dir.join(copy.executable);
        let debug_file = copy.debug_file.map(|file| dir.join(file));
        Ok(Compressed {
            with: with.to_owned(),
            bytes: size(&executable, debug_file.as_ref())?,
            executable,
            debug_file,
        })
    });
    Ok(Workload {
        name: recipe.name.to_owned(),
        what,
        bytes: size(&executable, debug_file.as_ref())?,
        build_id: build_id(&executable)?,
        compressed: copies.collect::<Result<_, String>>()?,
        executable,
        debug_file,
    })
}

/// Returns the manifest with paths relative to its directory.
fn relative(manifest: &Manifest, dir: &Path) -> Manifest {
    let mut manifest = manifest.clone();
    let strip = |path: &mut PathBuf| {
        if let Ok(rest) = path.strip_prefix(dir) {
            *path = rest.to_owned();
        }
    };
    for workload in &mut manifest.workloads {
        strip(&mut workload.executable);
        workload.debug_file.iter_mut().for_each(strip);
        for copy in &mut workload.compressed {
            strip(&mut copy.executable);
            copy.debug_file.iter_mut().for_each(strip);
        }
    }
    manifest
}
