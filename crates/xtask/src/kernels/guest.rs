//! Builds the initramfs of a guest: Debian's C library and the programs that tests use, the
//! suites, the programs they compile, and the fixtures.

use std::fs;
use std::path::{Path, PathBuf};

use testkit::child::{CHILD, CHILD_32_BIT};
use testkit::tools::Program;

use super::cpio::Archive;
use super::machine::Machine;
use super::suites::{ON_DEVICE, Suite};
use crate::root::root;

/// Process 1 of every guest.
const INIT: Program<'static> = Program {
    name: "init",
    source: include_str!("init.c"),
    args: &["-Wall"],
};

/// Programs that tests run, besides `readelf`.
const PROGRAMS: [&str; 9] = [
    "cat", "ls", "mount", "sh", "sleep", "true", "truncate", "umount", "unshare",
];

/// The packages of these programs and their libraries.
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

/// The directory of the repository's files in a guest.
const REPOSITORY: &str = "/repository";

/// Returns the packages from which a guest has files.
pub(super) fn packages(machine: &Machine) -> Vec<String> {
    let binutils = format!("binutils-{}", machine.triple().replace('_', "-"));
    let others = PACKAGES.iter().map(|name| (*name).to_owned());
    others.chain([binutils]).collect()
}

/// Returns the archive of a guest. `debian` contains the [`packages`]; compiled programs are put
/// into `work`.
pub(super) fn archive(
    machine: &Machine,
    suites: &[Suite],
    on_device: &Path,
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

    // The names of the suites and of their programs are kept, because tests look for precompiled
    // programs beside themselves.
    let child = compiled(&CHILD, machine, work)?;
    archive.file(&format!("suites/{}", CHILD.file_name()), &child);
    if machine.arch == "x86_64" {
        // Not every compiler can build it. The tests that need it then report that it is
        // missing.
        if let Ok(child) = compiled(&CHILD_32_BIT, machine, work) {
            archive.file(&format!("suites/{}", CHILD_32_BIT.file_name()), &child);
        }
    }
    archive.file(&format!("suites/{ON_DEVICE}"), &read(on_device)?);
    archive.file("init", &compiled(&INIT, machine, work)?);
    add_repository(&mut archive, suites, &root())?;
    Ok(archive.finish())
}

/// Adds files of the repository: the suites with their working directories, and the fixtures. In
/// a guest they are in [`REPOSITORY`] wherever `root` is here, because a guest mounts
/// filesystems over some directories such as `/tmp`, which would hide them.
fn add_repository(archive: &mut Archive, suites: &[Suite], root: &Path) -> Result<(), String> {
    let mut list = String::new();
    for suite in suites {
        let folder = format!("{REPOSITORY}/crates/{}", name_of(&suite.folder));
        archive.file(&format!("suites/{}", suite.name()), &read(&suite.program)?);
        archive.folder(&folder);
        list.push_str(&format!("{} {folder}\n", suite.name()));
    }
    archive.file("suites/list", list.as_bytes());
    for folder in ["fixtures", "fixtures/maps", "fixtures/elf"] {
        for file in files_in(&root.join(folder))? {
            let path = format!("{REPOSITORY}/{folder}/{}", name_of(&file));
            archive.file(&path, &read(&file)?);
        }
    }
    Ok(())
}

/// Compiles the programs of every guest first, so that a missing compiler is noticed early.
pub(super) fn compile(machine: &Machine, work: &Path) -> Result<(), String> {
    compiled(&INIT, machine, work)?;
    compiled(&CHILD, machine, work).map(drop)
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

/// Returns the files in a directory, including targets of links, sorted.
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

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use super::{Archive, INIT, Suite, add_repository};

    /// Returns the directories over which process 1 mounts a filesystem.
    fn mounted() -> Vec<&'static str> {
        let calls = INIT.source.lines().map(str::trim);
        let calls = calls.filter_map(|line| line.strip_prefix("mounted(\""));
        calls.filter_map(|call| call.split('"').nth(2)).collect()
    }

    fn made_of(root: &Path) -> Archive {
        let folder = root.join("crates/some");
        let program = folder.join("open-01");
        fs::create_dir_all(&folder).unwrap();
        fs::write(&program, "a suite").unwrap();
        for folder in ["fixtures/maps", "fixtures/elf"] {
            fs::create_dir_all(root.join(folder)).unwrap();
            fs::write(root.join(folder).join("one"), folder).unwrap();
        }
        let mut archive = Archive::default();
        add_repository(&mut archive, &[Suite { program, folder }], root).unwrap();
        archive
    }

    #[test]
    fn a_guest_does_not_depend_on_where_the_repository_lies() {
        let [one, other] = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
        let archive = made_of(one.path());
        assert!(mounted().contains(&"/tmp"), "{:?}", mounted());
        for member in archive.members() {
            let hidden = mounted().into_iter().find(|folder| {
                let below = Path::new("/").join(member);
                below.starts_with(folder)
            });
            assert_eq!(hidden, None, "{member} lies below a mount");
        }
        let suite = "open-01 /repository/crates/some\n";
        let bytes = archive.finish();
        assert!(String::from_utf8_lossy(&bytes).contains(suite));
        assert_eq!(bytes, made_of(other.path()).finish());
    }
}
