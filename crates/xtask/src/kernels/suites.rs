//! The test executables of the crates that ask the kernel, for any machine.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::Stop;
use super::machine::Machine;

/// The crates whose answers come from the kernel.
const CRATES: [&str; 2] = ["vma-query", "backsight-normalize"];

/// A test executable, and where cargo would run it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Suite {
    pub(super) program: PathBuf,
    pub(super) folder: PathBuf,
}

impl Suite {
    /// Returns the file's name, which no other suite has: cargo puts a hash there.
    pub(super) fn name(&self) -> &str {
        let name = self.program.file_name().and_then(|name| name.to_str());
        name.expect("cargo gives plain names")
    }
}

/// Builds the suites for a machine, small and fast enough for an emulator.
pub(super) fn build(machine: &Machine) -> Result<Vec<Suite>, Stop> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command.current_dir(crate::root()).stderr(Stdio::inherit());
    command.args(["test", "--no-run", "--quiet", "--message-format=json"]);
    command.args(["--profile", "guest"]);
    command.args(CRATES.iter().flat_map(|name| ["--package", name]));
    if !machine.is_this_one() {
        let target = machine.target();
        let linker = target.to_uppercase().replace('-', "_");
        command.env(format!("CARGO_TARGET_{linker}_LINKER"), machine.cc());
        command.args(["--target", &target]);
    }
    let done = command.output().map_err(|why| format!("cargo: {why}"))?;
    if !done.status.success() {
        let of = machine.arch;
        return Err(Stop::Failed(format!("the suites do not build for {of}")));
    }
    let mut suites: Vec<Suite> = String::from_utf8_lossy(&done.stdout)
        .lines()
        .filter_map(suite)
        .collect();
    suites.sort_by(|one, other| one.program.cmp(&other.program));
    Ok(suites)
}

/// Reads a message of cargo, if it is about a test executable.
fn suite(message: &str) -> Option<Suite> {
    let message: serde_json::Value = serde_json::from_str(message).ok()?;
    message["profile"]["test"].as_bool().filter(|test| *test)?;
    let folder = Path::new(message["manifest_path"].as_str()?).parent()?;
    Some(Suite {
        program: message["executable"].as_str()?.into(),
        folder: folder.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::{Suite, suite};

    #[test]
    fn test_executables_are_told_from_what_else_cargo_built() {
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
