//! The whole file system of a guest, in one archive: Debian's C library and the
//! programs that tests use, the suites, what they compile, and the fixtures.

use std::fs;
use std::path::{Path, PathBuf};

use testkit::child::{CHILD, CHILD_32_BIT};
use testkit::tools::Program;

use super::cpio::Archive;
use super::machine::Machine;
use super::suites::Suite;

/// Process 1 of every guest.
const INIT: Program<'static> = Program {
    name: "init",
    source: include_str!("init.c"),
    args: &["-Wall"],
};

/// What tests run, beside `readelf`.
const PROGRAMS: [&str; 9] = [
    "cat", "ls", "mount", "sh", "sleep", "true", "truncate", "umount", "unshare",
];

/// Where they and their libraries come from.
const PACKAGES: [&str; 14] = [
    "coreutils",
    "dash",
    "libblkid1",
    "libc6",
    "libctf-nobfd0",
    "libgcc-s1",
    "libmount1",
    "libpcre2-8-0",
    "libselinux1",
    "libsframe1",
    "libzstd1",
    "mount",
    "util-linux",
    "zlib1g",
];

/// Returns the packages that a guest has files of.
pub(super) fn packages(machine: &Machine) -> Vec<String> {
    let binutils = format!("binutils-{}", machine.triple().replace('_', "-"));
    let others = PACKAGES.iter().map(|name| (*name).to_owned());
    others.chain([binutils]).collect()
}

/// Returns the archive of a guest. `debian` has the [`packages`]; what is compiled
/// goes into `work`.
pub(super) fn archive(
    machine: &Machine,
    suites: &[Suite],
    debian: &Path,
    work: &Path,
) -> Result<Vec<u8>, String> {
    let mut archive = Archive::default();
    for folder in ["dev", "proc", "sys", "tmp"] {
        archive.folder(folder);
    }
    for folder in ["bin", "lib", "lib64"] {
        archive.link(folder, &format!("usr/{folder}"));
    }
    let of_debian = |path: &str| read(&debian.join("usr").join(path));
    for program in PROGRAMS {
        let path = format!("bin/{program}");
        archive.file(&format!("usr/{path}"), &of_debian(&path)?);
    }
    let readelf = format!("bin/{}-readelf", machine.triple());
    archive.file("usr/bin/readelf", &of_debian(&readelf)?);
    archive.file(
        &format!("usr/{}", machine.linker),
        &of_debian(machine.linker)?,
    );
    let libraries = format!("usr/lib/{}", machine.triple());
    for library in files_in(&debian.join(&libraries))? {
        archive.file(
            &format!("{libraries}/{}", name_of(&library)),
            &read(&library)?,
        );
    }

    // The names of the suites and of what they run stay: tests look beside
    // themselves for what they would compile.
    let of_x86 = (machine.arch == "x86_64").then_some(&CHILD_32_BIT);
    for program in [Some(&CHILD), of_x86].into_iter().flatten() {
        let name = program.file_name();
        archive.file(
            &format!("suites/{name}"),
            &compiled(program, machine, work)?,
        );
    }
    archive.file("init", &compiled(&INIT, machine, work)?);
    let mut list = String::new();
    for suite in suites {
        let (name, folder) = (suite.name(), suite.folder.display().to_string());
        archive.file(&format!("suites/{name}"), &read(&suite.program)?);
        archive.folder(&folder);
        list.push_str(&format!("{name} {folder}\n"));
    }
    archive.file("suites/list", list.as_bytes());

    // Tests know the fixtures by the path that they were built with.
    let fixtures = crate::root().join("fixtures");
    let folders = [fixtures.join("maps"), fixtures.join("elf"), fixtures];
    for folder in folders {
        for file in files_in(&folder)? {
            archive.file(&file.display().to_string(), &read(&file)?);
        }
    }
    Ok(archive.finish())
}

fn compiled(program: &Program<'_>, machine: &Machine, work: &Path) -> Result<Vec<u8>, String> {
    let file = work.join(program.file_name());
    if !file.exists() {
        program.compile(&machine.cc(), &file)?;
    }
    read(&file)
}

fn read(path: &Path) -> Result<Vec<u8>, String> {
    fs::read(path).map_err(|why| format!("{}: {why}", path.display()))
}

/// Returns the files in a folder, those that links lead to among them, sorted.
fn files_in(folder: &Path) -> Result<Vec<PathBuf>, String> {
    let entries = fs::read_dir(folder).map_err(|why| format!("{}: {why}", folder.display()))?;
    let mut files: Vec<PathBuf> = entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .collect();
    files.retain(|path| path.is_file());
    files.sort();
    Ok(files)
}

fn name_of(path: &Path) -> String {
    let name = path.file_name().unwrap_or_default();
    name.to_string_lossy().into_owned()
}
