//! Checks that exported functions of stripped libraries get the name of `nm -D`, both looked up
//! one by one and in one batch.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use testkit::differential;

use super::command::command_under_test;
use super::found::{Found, fetch};
use super::programs::{AMD64, Program, bookworm, of};
use crate::debian::said;
use crate::root::root;
use crate::stop::{CANNOT_BE_HAD, Stop};

/// Functions of each library that are also looked up one by one, with a command each.
const SINGLE_LOOKUPS: usize = 100;

/// Stripped libraries whose exported functions are looked up.
const LIBRARIES: &[Program] = &[
    of("libc", AMD64, &["libc6"], "lib/*/libc.so.6"),
    of("libm", AMD64, &["libc6"], "lib/*/libm.so.6"),
    of(
        "libstdc++",
        AMD64,
        &["libstdc++6"],
        "usr/lib/*/libstdc++.so.6.*",
    ),
    of("libcrypto", AMD64, &["libssl3"], "usr/lib/*/libcrypto.so.3"),
    of("libssl", AMD64, &["libssl3"], "usr/lib/*/libssl.so.3"),
    of(
        "libpython",
        AMD64,
        &["libpython3.11"],
        "usr/lib/*/libpython3.11.so.1.0",
    ),
    of(
        "libLLVM",
        AMD64,
        &["libllvm19"],
        "usr/lib/*/libLLVM.so.19.1",
    ),
    of(
        "libglib",
        AMD64,
        &["libglib2.0-0"],
        "usr/lib/*/libglib-2.0.so.0.*",
    ),
    of(
        "libgio",
        AMD64,
        &["libglib2.0-0"],
        "usr/lib/*/libgio-2.0.so.0.*",
    ),
    of(
        "libQt5Core",
        AMD64,
        &["libqt5core5a"],
        "usr/lib/*/libQt5Core.so.5.*",
    ),
    of(
        "libQt5Gui",
        AMD64,
        &["libqt5gui5"],
        "usr/lib/*/libQt5Gui.so.5.*",
    ),
    of(
        "libicuuc",
        AMD64,
        &["libicu72"],
        "usr/lib/*/libicuuc.so.72.*",
    ),
    of(
        "libsqlite3",
        AMD64,
        &["libsqlite3-0"],
        "usr/lib/*/libsqlite3.so.0.*",
    ),
    of("libcurl", AMD64, &["libcurl4"], "usr/lib/*/libcurl.so.4.*"),
    of("libxml2", AMD64, &["libxml2"], "usr/lib/*/libxml2.so.2.*"),
    of(
        "libgnutls",
        AMD64,
        &["libgnutls30"],
        "usr/lib/*/libgnutls.so.30.*",
    ),
    of(
        "libprotobuf",
        AMD64,
        &["libprotobuf32"],
        "usr/lib/*/libprotobuf.so.32.*",
    ),
    of(
        "libgtk-3",
        AMD64,
        &["libgtk-3-0"],
        "usr/lib/*/libgtk-3.so.0.*",
    ),
    of(
        "libstdc++ arm64",
        bookworm("arm64"),
        &["libstdc++6"],
        "usr/lib/*/libstdc++.so.6.*",
    ),
    of(
        "libcrypto armhf",
        bookworm("armhf"),
        &["libssl3"],
        "usr/lib/*/libcrypto.so.3",
    ),
    of(
        "libcrypto ppc64el",
        bookworm("ppc64el"),
        &["libssl3"],
        "usr/lib/*/libcrypto.so.3",
    ),
    of(
        "libcrypto s390x",
        bookworm("s390x"),
        &["libssl3"],
        "usr/lib/*/libcrypto.so.3",
    ),
];

pub(crate) fn run(args: &[&str]) -> ExitCode {
    let dir = match args {
        [] => root().join("target/differential"),
        ["--dir", dir] => PathBuf::from(dir),
        _ => {
            eprintln!("usage: cargo xtask exports [--dir DIR]");
            return ExitCode::from(2);
        }
    };
    match ask_all(&dir) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(Stop::CannotBeHad(why)) => {
            eprintln!("exports: cannot be had here: {why}");
            ExitCode::from(CANNOT_BE_HAD)
        }
        Err(Stop::Failed(why)) => {
            eprintln!("exports: {why}");
            ExitCode::FAILURE
        }
    }
}

fn ask_all(dir: &Path) -> Result<bool, Stop> {
    let backsight = command_under_test()?;
    std::fs::create_dir_all(dir).map_err(|why| why.to_string())?;
    let (mut asked, mut named, mut libraries) = (0, 0, 0);
    for library in LIBRARIES {
        let found = match fetch(dir, library) {
            Ok(found) => found,
            Err(Stop::CannotBeHad(why) | Stop::Failed(why)) => {
                println!("{}: cannot be had: {}", library.name, why.trim());
                continue;
            }
        };
        let exports = exports(&found.path)?;
        let right = ask_one(&backsight, &found, &exports)?;
        println!(
            "{}: {right} of {} named as nm -D has them",
            library.name,
            exports.len()
        );
        asked += exports.len();
        named += right;
        libraries += 1;
    }
    println!("{libraries} libraries: {named} of {asked} functions");
    Ok(asked == named && libraries > 0)
}

/// Returns the addresses of functions, with their names.
fn exports(path: &Path) -> Result<BTreeMap<u64, Vec<String>>, Stop> {
    let mut nm = Command::new("nm");
    nm.args(["-D", "--defined-only", "--without-symbol-versions"]);
    let text = said(nm.arg(path))?;
    let mut exports: BTreeMap<u64, Vec<String>> = BTreeMap::new();
    for line in text.lines() {
        let mut words = line.split_whitespace();
        let (Some(start), Some(kind), Some(name)) = (words.next(), words.next(), words.next())
        else {
            continue;
        };
        let start = u64::from_str_radix(start, 16).map_err(|why| why.to_string())?;
        // Text, weak text and indirect functions; the other types are data.
        if matches!(kind, "T" | "W" | "i") {
            exports.entry(start).or_default().push(name.to_owned());
        }
    }
    Ok(exports)
}

fn ask_one(
    backsight: &Path,
    found: &Found,
    exports: &BTreeMap<u64, Vec<String>>,
) -> Result<usize, Stop> {
    let ask = |addrs: &[u64]| {
        let mut command = Command::new(backsight);
        command
            .args(["addr2line", "-a", "-f", "-i", "-e"])
            .arg(&found.path)
            // This machine may have debug files, which have more names.
            .arg("--no-default-debug-dir");
        differential::listing(&mut command, addrs).map_err(Stop::Failed)
    };
    let starts: Vec<u64> = exports.keys().copied().collect();
    let is_right = |start: &u64, levels: Option<&Vec<differential::Level>>| {
        let name = levels.and_then(|levels| levels.last()?.name.clone());
        let is_one = name
            .as_ref()
            .is_some_and(|name| exports[start].contains(name));
        if !is_one {
            println!("    {start:#x}: {name:?}, not {:?}", exports[start]);
        }
        is_one
    };
    let all = ask(&starts)?;
    let right = starts
        .iter()
        .zip(&all)
        .filter(|(start, levels)| is_right(start, Some(levels)));
    let mut count = right.count();
    let step = starts.len().div_ceil(SINGLE_LOOKUPS).max(1);
    for start in starts.iter().step_by(step) {
        if !is_right(start, ask(&[*start])?.first()) {
            count = count.saturating_sub(1);
        }
    }
    Ok(count)
}
