//! A Go program that is built in several ways: with all that says where it is from, and
//! without.

use std::path::{Path, PathBuf};
use std::process::Command;

/// Generics, methods, closures, calls folded into calls, and enough of the library: the source of
/// the program, `main.go`.
pub const WALK: &str = include_str!("walk.go.txt");

/// Calls C, and is called.
const CGO: &str = include_str!("cgo.go.txt");

/// A way to build it.
#[derive(Clone, Copy, Debug)]
pub struct Build {
    /// What it is called.
    pub name: &'static str,
    /// As `GOARCH` has it.
    pub arch: &'static str,
    /// More arguments of `go build`.
    pub flags: &'static [&'static str],
    /// Whether it has C in it.
    pub cgo: bool,
}

impl Build {
    /// For this machine's architecture, as a rule.
    #[must_use]
    pub const fn new(name: &'static str, flags: &'static [&'static str]) -> Self {
        Self {
            name,
            arch: "amd64",
            flags,
            cgo: false,
        }
    }

    /// For another architecture.
    #[must_use]
    pub const fn of_arch(arch: &'static str) -> Self {
        Self {
            name: arch,
            arch,
            flags: &[],
            cgo: false,
        }
    }

    /// Whether it may be loaded anywhere.
    #[must_use]
    pub fn is_pie(&self) -> bool {
        self.flags.iter().any(|flag| flag.ends_with("=pie"))
    }

    /// With C in it.
    #[must_use]
    pub const fn with_cgo(self) -> Self {
        Self { cgo: true, ..self }
    }
}

/// A file with all that Go writes, and its twin that has nothing but what runs.
#[derive(Clone, Debug)]
pub struct Twins {
    /// With symbols and debug information.
    pub full: PathBuf,
    /// Without.
    pub stripped: PathBuf,
}

/// Builds both.
///
/// # Errors
/// The words of the tool that failed.
///
/// # Panics
/// When the directory cannot be written to.
pub fn build(dir: &Path, build: &Build) -> Result<Twins, String> {
    let source = dir.join(format!("source-{}", build.name));
    std::fs::create_dir_all(&source).expect("created");
    std::fs::write(
        source.join("go.mod"),
        "module example.org/walk\n\ngo 1.19\n",
    )
    .expect("written");
    std::fs::write(source.join("main.go"), WALK).expect("written");
    if build.cgo {
        std::fs::write(source.join("cgo.go"), CGO).expect("written");
    }
    let one = |name: &str, link: &str| {
        let output = dir.join(format!("{}-{name}", build.name));
        let mut command = Command::new("go");
        command
            .current_dir(&source)
            .args(["build", "-o"])
            .arg(&output);
        command.args(build.flags).arg(format!("-ldflags={link}"));
        let cgo = if build.cgo { "1" } else { "0" };
        command.env("GOARCH", build.arch).env("CGO_ENABLED", cgo);
        command
            .env("GOFLAGS", "-mod=mod")
            .env("GOTOOLCHAIN", "local");
        let done = command.output().map_err(|error| format!("go: {error}"))?;
        let words = String::from_utf8_lossy(&done.stderr).into_owned();
        done.status.success().then_some(output).ok_or(words)
    };
    Ok(Twins {
        full: one("full", "")?,
        stripped: one("stripped", "-s -w")?,
    })
}
