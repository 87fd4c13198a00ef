//! Each shipped crate can be packaged, and has in it what it should.

use std::process::Command;

use crate::root::root;
use crate::shipped::shipped;

/// What each package has; those that end in `/` are folders.
const WANTED: [&str; 5] = [
    "Cargo.toml",
    "LICENSE-APACHE",
    "LICENSE-MIT",
    "README.md",
    "src/",
];

/// What none has: it is large, or of no use without the repository.
const UNWANTED: [&str; 3] = ["tests/", "fixtures/", "benches/"];

/// Packages all of them, as they would be published together, without building them again.
pub(crate) fn run() -> Result<String, String> {
    let all = shipped()?;
    let names = all.iter().flat_map(|it| ["-p", it.name.as_str()]);
    let packed = cargo(&["--no-verify", "--quiet"], names)?;
    let mut wrong = Vec::new();
    for package in &all {
        let listed = cargo(&["--list"], ["-p", package.name.as_str()])?;
        wrong.extend(complaints(&package.name, &listed));
    }
    match wrong.as_slice() {
        [] => Ok(format!("package: {} crates{packed}", all.len())),
        _ => Err(format!("package:\n{}", wrong.join("\n"))),
    }
}

fn cargo<'a>(args: &[&str], packages: impl IntoIterator<Item = &'a str>) -> Result<String, String> {
    let mut cargo = Command::new(env!("CARGO"));
    let told = cargo
        .current_dir(root())
        .args(["package", "--locked", "--allow-dirty"])
        .args(args)
        .args(packages)
        .output()
        .map_err(|why| format!("cargo package: {why}"))?;
    match told.status.success() {
        true => Ok(String::from_utf8_lossy(&told.stdout).into_owned()),
        false => Err(format!(
            "package: {}",
            String::from_utf8_lossy(&told.stderr).trim()
        )),
    }
}

/// Returns what is wrong with the list of a package's files.
fn complaints(name: &str, listed: &str) -> Vec<String> {
    let is_in = |wanted: &&&str| match wanted.ends_with('/') {
        true => listed.lines().any(|file| file.starts_with(**wanted)),
        false => listed.lines().any(|file| file == **wanted),
    };
    let missing = WANTED.iter().filter(|it| !is_in(it));
    let missing = missing.map(|it| format!("  {name}: without {it}"));
    let more = UNWANTED.iter().filter(is_in);
    let more = more.map(|it| format!("  {name}: with {it}"));
    missing.chain(more).collect()
}

#[cfg(test)]
mod tests {
    use super::complaints;

    #[test]
    fn missing_and_superfluous_files_are_said() {
        let whole = "Cargo.toml\nLICENSE-APACHE\nLICENSE-MIT\nREADME.md\nsrc/lib.rs\n";
        assert_eq!(complaints("a", whole), [""; 0]);
        let other = "Cargo.toml\nLICENSE-MIT\nREADME.md\nsrc/lib.rs\ntests/a.rs\n";
        let want = ["  a: without LICENSE-APACHE", "  a: with tests/"];
        assert_eq!(complaints("a", other), want);
    }
}
