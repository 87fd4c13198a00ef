//! The public surface of each library, one item a line, in `docs/surface/`: a change of it
//! is seen in review.
//!
//! What rustdoc says in JSON is made a listing by the crate `public-api`. That JSON changes
//! with rustdoc's versions, and is read of one: another toolchain cannot check.

mod difference;
mod foreign;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use crate::root::root;
use crate::shipped::shipped;
use difference::difference;
use foreign::foreign;

/// The version of rustdoc's JSON that the pinned `public-api` reads.
const FORMAT: u64 = 57;

/// Nothing could be checked here.
const CANNOT: u8 = 77;

/// Where rustdoc is told that its JSON may be used, and no other tool is: dependencies are
/// not built anew for it.
const RUSTDOC: &str = "#!/bin/sh\nRUSTC_BOOTSTRAP=1 exec rustdoc \"$@\"\n";

/// Writes the listings, or compares them with what is there.
pub(crate) fn run(is_check: bool) -> ExitCode {
    match list(is_check) {
        Ok(said) => {
            println!("{said}");
            ExitCode::SUCCESS
        }
        Err(Failure::Cannot(why)) => {
            eprintln!("surface: not checked: {why}");
            ExitCode::from(CANNOT)
        }
        Err(Failure::Wrong(why)) => {
            eprintln!("{why}");
            ExitCode::FAILURE
        }
    }
}

enum Failure {
    /// This toolchain does not say what the surface is.
    Cannot(String),
    /// The surface is another one than listed, or does not build.
    Wrong(String),
}

fn list(is_check: bool) -> Result<String, Failure> {
    let dir = root().join("docs/surface");
    let libraries = shipped().map_err(Failure::Wrong)?;
    let names: Vec<String> = libraries.iter().map(|it| it.name.clone()).collect();
    let libraries = libraries.into_iter().filter(|it| it.has_library);
    let mut wrong = Vec::new();
    let mut expected = Vec::new();
    let mut items = 0;
    for library in libraries {
        let listing = listing_of(&library.name)?;
        items += listing.lines().count();
        for other in foreign(&listing, &names) {
            let name = &library.name;
            let why = "which may change with any version: show a type of our own";
            wrong.push(format!(
                "{name}: public items name the crate {other}, {why}"
            ));
        }
        let path = dir.join(format!("{}.txt", library.name));
        if is_check {
            let known = fs::read_to_string(&path).unwrap_or_default();
            if let Some(said) = difference(&known, &listing) {
                wrong.push(format!("docs/surface/{}.txt\n{said}", library.name));
            }
        } else {
            fs::create_dir_all(&dir).map_err(|why| failed_at(&dir, &why))?;
            fs::write(&path, listing).map_err(|why| failed_at(&path, &why))?;
        }
        expected.push(path);
    }
    for path in others(&dir, &expected) {
        if is_check {
            wrong.push(format!("{}: no library has this name", path.display()));
        } else {
            fs::remove_file(&path).map_err(|why| failed_at(&path, &why))?;
        }
    }
    if !wrong.is_empty() {
        let said = wrong.join("\n");
        return Err(Failure::Wrong(format!(
            "surface: not as it should be. If another one than listed is meant, \
             `cargo xtask surface` writes it.\n{said}"
        )));
    }
    let verb = if is_check { "as listed" } else { "written" };
    let libraries = expected.len();
    Ok(format!(
        "surface: {items} items of {libraries} libraries, {verb}"
    ))
}

/// Returns the files of the directory that belong to no library.
fn others(dir: &Path, expected: &[PathBuf]) -> Vec<PathBuf> {
    let entries = fs::read_dir(dir).into_iter().flatten().flatten();
    let paths = entries.map(|entry| entry.path());
    paths.filter(|path| !expected.contains(path)).collect()
}

fn failed_at(path: &Path, why: &std::io::Error) -> Failure {
    Failure::Wrong(format!("{}: {why}", path.display()))
}

/// Returns the public items of a library with all its features, in order.
fn listing_of(name: &str) -> Result<String, Failure> {
    let json = rustdoc_json(name)?;
    let text = fs::read_to_string(&json).map_err(|why| failed_at(&json, &why))?;
    let told: serde_json::Value =
        serde_json::from_str(&text).map_err(|why| Failure::Wrong(format!("{name}: {why}")))?;
    match told["format_version"].as_u64() {
        Some(FORMAT) => {}
        other => {
            return Err(Failure::Cannot(format!(
                "this rustdoc writes its JSON in version {}, and the listings are made of \
                 version {FORMAT}; see public-api in Cargo.toml",
                other.map_or("?".to_owned(), |it| it.to_string())
            )));
        }
    }
    let api = public_api::Builder::from_rustdoc_json(json)
        .omit_blanket_impls(true)
        .omit_auto_trait_impls(true)
        .build()
        .map_err(|why| Failure::Wrong(format!("{name}: {why}")))?;
    let mut lines: Vec<String> = api.items().map(|item| format!("{item}\n")).collect();
    lines.dedup();
    Ok(lines.concat())
}

/// Runs rustdoc, and returns where its JSON is.
fn rustdoc_json(name: &str) -> Result<PathBuf, Failure> {
    let target = target_dir();
    let rustdoc = target.join("rustdoc-json.sh");
    fs::create_dir_all(&target).map_err(|why| failed_at(&target, &why))?;
    fs::write(&rustdoc, RUSTDOC).map_err(|why| failed_at(&rustdoc, &why))?;
    let executable = fs::Permissions::from_mode(0o755);
    fs::set_permissions(&rustdoc, executable).map_err(|why| failed_at(&rustdoc, &why))?;
    let json = target.join(format!("doc/{}.json", name.replace('-', "_")));
    let mut cargo = Command::new(env!("CARGO"));
    let told = cargo
        .current_dir(root())
        .env("RUSTDOC", &rustdoc)
        .args(["rustdoc", "--quiet", "--locked", "--lib", "--all-features"])
        .args(["-p", name, "--target-dir"])
        .arg(&target)
        .args(["--", "-Z", "unstable-options", "--output-format", "json"])
        .args(["--cap-lints", "allow"])
        .output()
        .map_err(|why| Failure::Wrong(format!("cargo rustdoc: {why}")))?;
    if told.status.success() {
        return Ok(json);
    }
    let why = String::from_utf8_lossy(&told.stderr).into_owned();
    match why.contains("unstable-options") || why.contains("output-format") {
        true => Err(Failure::Cannot(format!(
            "this rustdoc does not write JSON: {}",
            why.trim()
        ))),
        false => Err(Failure::Wrong(format!("{name}: {}", why.trim()))),
    }
}

/// Returns where cargo builds.
fn target_dir() -> PathBuf {
    let said = std::env::var_os("CARGO_TARGET_DIR").map(PathBuf::from);
    root().join(said.unwrap_or_else(|| "target".into()))
}
