//! Builds the test executables of the kernel-dependent crates, for any architecture.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::machine::Machine;
use crate::root::root;
use crate::stop::Stop;

/// The kernel-dependent crates, with the test files of each; all if none is named. Those with files
/// of their own are built for this machine's architecture alone: they bring in most of the
/// workspace, and what they ask of a kernel is the same on each.
const CRATES: [(&[&str], &[&str]); 2] = [
    (&["vma-query", "backsight-normalize"], &[]),
    (&["backsight"], &["kernel_live", "kernel_bpf"]),
];

/// A test executable, and the directory in which cargo would run it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Suite {
    pub(super) program: PathBuf,
    pub(super) folder: PathBuf,
}

impl Suite {
    /// Returns the name of the file, which is unique because cargo adds a hash.
    pub(super) fn name(&self) -> &str {
        let name = self.program.file_name().and_then(|name| name.to_str());
        name.expect("cargo gives plain names")
    }
}

/// Downloads the sources of the dependencies, which only this machine may be able to access.
pub(super) fn fetch(machine: &Machine) -> Result<(), Stop> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command.current_dir(root());
    command.args([
        "fetch",
        "--quiet",
        "--locked",
        "--target",
        &machine.target(),
    ]);
    match command.output() {
        Ok(done) if done.status.success() => Ok(()),
        Ok(done) => Err(String::from_utf8_lossy(&done.stderr).into_owned().into()),
        Err(why) => Err(format!("cargo: {why}").into()),
    }
}

/// Builds the suites for an architecture, small and fast enough for an emulator.
pub(super) fn build(machine: &Machine) -> Result<Vec<Suite>, Stop> {
    let mut suites = Vec::new();
    let is_built = |(_, tests): &(&[&str], &[&str])| tests.is_empty() || machine.is_this_one();
    for (crates, tests) in CRATES.into_iter().filter(is_built) {
        suites.extend(build_some(machine, crates, tests)?);
    }
    suites.sort_by(|one, other| one.program.cmp(&other.program));
    Ok(suites)
}

fn build_some(machine: &Machine, crates: &[&str], tests: &[&str]) -> Result<Vec<Suite>, Stop> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command.current_dir(root()).stderr(Stdio::inherit());
    command.args(["test", "--no-run", "--quiet", "--locked"]);
    command.arg("--message-format=json");
    command.args(["--profile", "guest"]);
    command.args(crates.iter().flat_map(|name| ["--package", name]));
    command.args(tests.iter().flat_map(|name| ["--test", name]));
    if !machine.is_this_one() {
        let target = machine.target();
        let linker = target.to_uppercase().replace('-', "_");
        command.env(format!("CARGO_TARGET_{linker}_LINKER"), machine.cc());
        command.args(["--target", &target]);
    }
    let done = command.output().map_err(|why| format!("cargo: {why}"))?;
    let messages = String::from_utf8_lossy(&done.stdout);
    if !done.status.success() {
        let what = format!("the suites do not build for {}", machine.arch);
        let errors: Vec<String> = messages.lines().filter_map(error).collect();
        errors.iter().for_each(|error| eprintln!("{error}"));
        // A cross linker that fails counts as unavailable.
        let links = |error: &String| error.contains("linking with `");
        return Err(match !machine.is_this_one() && errors.iter().any(links) {
            true => Stop::CannotBeHad(what),
            false => Stop::Failed(what),
        });
    }
    Ok(messages.lines().filter_map(suite).collect())
}

/// The program that normalizes on a device, and its name beside the suites, where a test of
/// `backsight-normalize` looks for it.
pub(super) const ON_DEVICE: &str = "on_device";

/// Builds it as `docs/EMBEDDING.md` says: static and small.
pub(super) fn build_on_device(machine: &Machine) -> Result<PathBuf, Stop> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let target = machine.static_target();
    let linker = target.to_uppercase().replace('-', "_");
    let mut command = Command::new(cargo);
    command.current_dir(root()).stderr(Stdio::inherit());
    command.env(format!("CARGO_TARGET_{linker}_LINKER"), "rust-lld");
    command.args(["rustc", "--quiet", "--locked", "--message-format=json"]);
    command.args(["--profile", "small", "--target", &target]);
    command.args(["--package", "backsight-normalize", "--example", ON_DEVICE]);
    let smaller = ["--icf=all", "--pack-dyn-relocs=relr"];
    let smaller = smaller.map(|flag| format!("-Clink-arg={flag}"));
    command.arg("--").args(smaller);
    let done = command.output().map_err(|why| format!("cargo: {why}"))?;
    let messages = String::from_utf8_lossy(&done.stdout);
    if !done.status.success() {
        let errors = messages.lines().filter_map(error);
        errors.for_each(|error| eprintln!("{error}"));
        return Err(Stop::Failed(format!(
            "{ON_DEVICE} does not build for {target}"
        )));
    }
    let built = messages.lines().find_map(executable);
    built.ok_or_else(|| Stop::Failed(format!("cargo names no {ON_DEVICE}")))
}

/// Parses a message of cargo; returns the program if it is about one.
fn executable(message: &str) -> Option<PathBuf> {
    let message: serde_json::Value = serde_json::from_str(message).ok()?;
    Some(message["executable"].as_str()?.into())
}

/// Parses a message of cargo; returns the suite if it is about a test executable.
fn suite(message: &str) -> Option<Suite> {
    let message: serde_json::Value = serde_json::from_str(message).ok()?;
    message["profile"]["test"].as_bool().filter(|test| *test)?;
    let folder = Path::new(message["manifest_path"].as_str()?).parent()?;
    Some(Suite {
        program: message["executable"].as_str()?.into(),
        folder: folder.to_owned(),
    })
}

/// Parses a message of cargo; returns the rendered text if it is an error.
fn error(message: &str) -> Option<String> {
    let message: serde_json::Value = serde_json::from_str(message).ok()?;
    let said = message.get("message")?;
    (said["level"] == "error").then_some(())?;
    Some(said["rendered"].as_str()?.to_owned())
}

#[cfg(test)]
mod tests {
    use super::{Suite, error, suite};

    #[test]
    fn errors_are_distinguished_from_other_messages() {
        let message = |level: &str| {
            format!(
                r#"{{"reason":"compiler-message","message":{{"level":"{level}",
                "rendered":"error: linking with `cc` failed"}}}}"#
            )
        };
        let rendered = error(&message("error")).unwrap();
        assert_eq!(rendered, "error: linking with `cc` failed");
        assert_eq!(error(&message("warning")), None);
        assert_eq!(error(r#"{"reason":"build-finished"}"#), None);
    }

    #[test]
    fn test_executables_are_distinguished_from_other_artifacts() {
        let message = |test: &str, executable: &str| {
            format!(
                r#"{{"reason":"compiler-artifact","manifest_path":"/a/Cargo.toml",
                "profile":{{"test":{test}}},"executable":{executable}}}"#
            )
        };
        let want = Suite {
            program: "/t/open-01".into(),
            folder: "/a".into(),
        };
        assert_eq!(want.name(), "open-01");
        assert_eq!(suite(&message("true", "\"/t/open-01\"")), Some(want));
        assert_eq!(suite(&message("false", "\"/t/example\"")), None);
        assert_eq!(suite(&message("true", "null")), None);
        assert_eq!(suite(r#"{"reason":"build-finished","success":true}"#), None);
    }
}
