//! How each workload is obtained.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::build_id::build_id;
use crate::debian::{Release, said};
use crate::root::root;
use crate::stop::Stop;

/// A workload, and how to build it.
#[derive(Debug)]
pub(super) struct Recipe {
    pub(super) name: &'static str,
    /// The minimum size in bytes of a valid workload.
    pub(super) least: u64,
    /// Builds it. The arguments are a directory that is kept between workloads (for apt's
    /// lists), an empty one for intermediate files, and an empty one for the result.
    pub(super) make: fn(&Path, &Path, &Path) -> Result<Made, Stop>,
}

/// The built files, by paths relative to their directory.
#[derive(Debug)]
pub(super) struct Made {
    pub(super) what: String,
    pub(super) program: Program,
    /// Copies with compressed debug sections, and the compression of each.
    pub(super) compressed: Vec<(&'static str, Program)>,
}

/// An executable, and its debug file if it has one.
#[derive(Debug)]
pub(super) struct Program {
    pub(super) executable: PathBuf,
    pub(super) debug_file: Option<PathBuf>,
}

/// Fastest first.
pub(super) const RECIPES: &[Recipe] = &[
    Recipe {
        name: "libc",
        least: 5_000_000,
        make: libc,
    },
    Recipe {
        name: "go",
        least: 40_000_000,
        make: go,
    },
    Recipe {
        name: "vmlinux",
        least: 200_000_000,
        make: vmlinux,
    },
    Recipe {
        name: "rg",
        least: 45_000_000,
        make: rg,
    },
    Recipe {
        name: "cpp",
        least: 60_000_000,
        make: cpp,
    },
    Recipe {
        name: "samply",
        least: 150_000_000,
        make: samply,
    },
];

const DEBIAN: Release = Release {
    suite: "trixie",
    arch: "amd64",
};

/// Programs whose Go is that of the installed tool: an older one does not read newer tables.
const DEBIAN_OF_GO: Release = Release {
    suite: "bookworm",
    arch: "amd64",
};

/// Debian's C library: a small program with its symbols in a separate file.
fn libc(lists: &Path, parts: &Path, whole: &Path) -> Result<Made, Stop> {
    let names = ["libc6", "libc6-dbg"].map(str::to_owned).to_vec();
    let debs = DEBIAN.packages(lists, parts, |_| Ok(names))?;
    let unpacked = parts.join("unpacked");
    for deb in &debs {
        unpack(deb, &unpacked, &[])?;
    }
    let executable = PathBuf::from("libc.so.6");
    copy(
        &unpacked.join("usr/lib/x86_64-linux-gnu/libc.so.6"),
        &whole.join(&executable),
    )?;
    let none = || Stop::Failed("libc.so.6 without a build ID".to_owned());
    let id = build_id(&whole.join(&executable))?.ok_or_else(none)?;
    let (two, rest) = id.split_at_checked(2).ok_or_else(none)?;
    let debug = format!(".build-id/{two}/{rest}.debug");
    // Debian ships it compressed: that is the compressed copy, and the decompressed one is the
    // workload.
    let (plain, shipped) = (format!("debug/{debug}"), format!("debug-zlib/{debug}"));
    copy(
        &unpacked.join("usr/lib/debug").join(&debug),
        &whole.join(&shipped),
    )?;
    copy(&whole.join(&shipped), &whole.join(&plain))?;
    run(Command::new("objcopy")
        .arg("--decompress-debug-sections")
        .arg(whole.join(&plain)))?;
    let program = |debug: String| Program {
        executable: executable.clone(),
        debug_file: Some(debug.into()),
    };
    Ok(Made {
        what: format!("Debian's {}", version(&debs, "libc6_")),
        program: program(plain),
        compressed: vec![("zlib", program(shipped))],
    })
}

/// A large stripped Go program: Prometheus, with clients of several clouds.
fn go(lists: &Path, parts: &Path, whole: &Path) -> Result<Made, Stop> {
    let debs = DEBIAN_OF_GO.packages(lists, parts, |_| Ok(vec!["prometheus".to_owned()]))?;
    let unpacked = parts.join("unpacked");
    for deb in &debs {
        unpack(deb, &unpacked, &["./usr/bin/prometheus"])?;
    }
    copy(
        &unpacked.join("usr/bin/prometheus"),
        &whole.join("prometheus"),
    )?;
    Ok(Made {
        what: format!("Debian's {}, stripped", version(&debs, "prometheus_")),
        program: alone("prometheus"),
        compressed: Vec::new(),
    })
}

/// Debian's cloud kernel: C, hand-written assembly, and no inlined Rust.
fn vmlinux(lists: &Path, parts: &Path, whole: &Path) -> Result<Made, Stop> {
    let meta = "linux-image-cloud-amd64-dbg";
    let debs = DEBIAN.packages(lists, parts, |apt| Ok(vec![apt.newest(meta)?]))?;
    let unpacked = parts.join("unpacked");
    for deb in &debs {
        // The debug files of modules, a gigabyte, are left out.
        unpack(
            deb,
            &unpacked,
            &["--wildcards", "./usr/lib/debug/boot/vmlinux-*"],
        )?;
    }
    let files = fs::read_dir(unpacked.join("usr/lib/debug/boot"));
    let mut files = files.map_err(|why| why.to_string())?;
    let none = || Stop::Failed("no vmlinux in the package".to_owned());
    let file = files
        .next()
        .ok_or_else(none)?
        .map_err(|why| why.to_string())?;
    rename(&file.path(), &whole.join("vmlinux"))?;
    Ok(Made {
        what: format!("Debian's {}", version(&debs, "linux-image-")),
        program: alone("vmlinux"),
        compressed: Vec::new(),
    })
}

/// A Rust program of average size.
fn rg(_: &Path, parts: &Path, whole: &Path) -> Result<Made, Stop> {
    let what = crates(parts, "ripgrep", "15.2.0")?;
    rename(&parts.join("bin/rg"), &whole.join("rg"))?;
    compressed(whole, "rg", what)
}

/// A large Rust program.
fn samply(_: &Path, parts: &Path, whole: &Path) -> Result<Made, Stop> {
    let what = crates(parts, "samply", "0.13.1")?;
    rename(&parts.join("bin/samply"), &whole.join("samply"))?;
    Ok(Made {
        what,
        program: alone("samply"),
        compressed: Vec::new(),
    })
}

/// A C++ program that needs only a compiler: cppcheck.
fn cpp(lists: &Path, parts: &Path, whole: &Path) -> Result<Made, Stop> {
    let files = DEBIAN.source(lists, parts, "cppcheck")?;
    let is_source = |path: &&PathBuf| path.to_string_lossy().contains(".orig.tar");
    let none = || Stop::Failed("no source in the source package".to_owned());
    let archive = files.iter().find(is_source).ok_or_else(none)?;
    let tree = parts.join("tree");
    fs::create_dir_all(&tree).map_err(|why| why.to_string())?;
    let strip = "--strip-components=1";
    run(Command::new("tar")
        .arg("-xf")
        .arg(archive)
        .arg(strip)
        .arg("-C")
        .arg(&tree))?;
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    run(Command::new("nice")
        .args(["make", "cppcheck", "CXXFLAGS=-O2 -g"])
        .arg(format!("-j{threads}"))
        .current_dir(&tree))?;
    rename(&tree.join("cppcheck"), &whole.join("cppcheck"))?;
    let what = format!("{}, g++ -O2 -g", version(&files, "cppcheck_"));
    compressed(whole, "cppcheck", what)
}

/// Builds a program from the registry, with full debug information for all its crates, into
/// `bin` in the directory.
fn crates(parts: &Path, name: &str, version: &str) -> Result<String, Stop> {
    let mut cargo = Command::new("nice");
    cargo.args(["cargo", "install", name, "--version", version]);
    cargo.args(["--locked", "--no-track", "--root"]).arg(parts);
    cargo.current_dir(parts);
    cargo.env("CARGO_TARGET_DIR", parts.join("target"));
    cargo.env("CARGO_PROFILE_RELEASE_DEBUG", "2");
    cargo.env("CARGO_PROFILE_RELEASE_STRIP", "none");
    // A single codegen unit, as in its releases, would take long to build.
    cargo.env("CARGO_PROFILE_RELEASE_LTO", "off");
    cargo.env_remove("RUSTFLAGS");
    run(&mut cargo)?;
    Ok(format!("{name} {version}, release with debug=2"))
}

/// Builds the peers, which have a workspace of their own; cargo decides whether a build is
/// needed.
pub(super) fn peers(making: &Path, program: &Path) -> Result<(), Stop> {
    let target = making.join("peers");
    let mut cargo = Command::new("cargo");
    cargo.args(["build", "--release", "--locked", "--manifest-path"]);
    cargo.arg(root().join("benches/peers/Cargo.toml"));
    run(cargo.env("CARGO_TARGET_DIR", &target))?;
    copy(&target.join("release/peers"), program)
}

/// Adds copies with compressed debug sections, as far as objcopy supports it.
fn compressed(whole: &Path, name: &str, what: String) -> Result<Made, Stop> {
    let mut copies = Vec::new();
    for with in ["zlib", "zstd"] {
        let copy = format!("{name}-{with}");
        let mut objcopy = Command::new("objcopy");
        objcopy.arg(format!("--compress-debug-sections={with}"));
        match said(objcopy.arg(whole.join(name)).arg(whole.join(&copy))) {
            Ok(_) => copies.push((with, alone(&copy))),
            Err(why) => eprintln!("workloads: {name} not compressed with {with}: {why}"),
        }
    }
    Ok(Made {
        what,
        program: alone(name),
        compressed: copies,
    })
}

fn alone(name: &str) -> Program {
    Program {
        executable: name.into(),
        debug_file: None,
    }
}

/// Unpacks a package, or the part selected by arguments of tar.
fn unpack(deb: &Path, to: &Path, pick: &[&str]) -> Result<(), Stop> {
    fs::create_dir_all(to).map_err(|why| why.to_string())?;
    let script = r#"dpkg-deb --fsys-tarfile "$1" | tar -x -C "$2" "${@:3}""#;
    let mut bash = Command::new("bash");
    bash.args(["-o", "pipefail", "-c", script, "unpack"]);
    run(bash.arg(deb).arg(to).args(pick))
}

/// Returns the name and version at the start of a package's file name.
fn version(files: &[PathBuf], prefix: &str) -> String {
    let names = files.iter().filter_map(|file| file.file_name()?.to_str());
    let mut names = names.filter_map(|name| name.strip_prefix(prefix).map(|rest| (name, rest)));
    let Some((name, _)) = names.next() else {
        return prefix.to_owned();
    };
    let parts: Vec<&str> = name.split('_').take(2).collect();
    parts.join(" ")
}

fn run(command: &mut Command) -> Result<(), Stop> {
    said(command).map(drop).map_err(Stop::CannotBeHad)
}

#[expect(clippy::disallowed_methods, reason = "no other thread starts programs")]
fn copy(from: &Path, to: &Path) -> Result<(), Stop> {
    let into = to.parent().unwrap_or(to);
    let copied = fs::create_dir_all(into).and_then(|()| fs::copy(from, to));
    Ok(copied
        .map(drop)
        .map_err(|why| format!("{}: {why}", from.display()))?)
}

fn rename(from: &Path, to: &Path) -> Result<(), Stop> {
    Ok(fs::rename(from, to).map_err(|why| format!("{}: {why}", from.display()))?)
}

#[cfg(test)]
mod tests {
    use super::version;

    #[test]
    fn a_version_is_read_from_the_name_of_a_package_s_file() {
        let files = [
            "/x/libc6-dbg_2.41-12_amd64.deb",
            "/x/libc6_2.41-12_amd64.deb",
        ];
        let files = files.map(Into::into);
        assert_eq!(version(&files, "libc6_"), "libc6 2.41-12");
        assert_eq!(version(&files, "cppcheck_"), "cppcheck_");
    }
}
