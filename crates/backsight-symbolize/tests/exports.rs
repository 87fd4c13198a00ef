//! The exported functions of this machine's stripped libraries, each by the name that
//! `nm -D` has for it: asked alone, in small batches and all at once.

mod common;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use backsight_symbolize::Options;
use common::{at, symbolizer_with};

/// Batches of each size. The last are for an index, and for all.
const SIZES: [usize; 4] = [1, 63, 64, usize::MAX];

/// Functions of a library that are asked one by one.
const ALONE: usize = 200;

#[test]
fn exported_functions_of_stripped_libraries_are_named_as_nm_has_them() {
    let mut libraries = 0;
    for path in libraries_here() {
        let Some(exports) = exports(&path) else {
            return testkit::skip("no nm");
        };
        if exports.len() < 100 {
            continue;
        }
        libraries += 1;
        for size in SIZES {
            check(&path, &exports, size);
        }
    }
    if libraries == 0 {
        testkit::skip("no stripped library where they usually are");
    }
}

/// Asks for each function in batches of this size.
fn check(path: &Path, exports: &BTreeMap<u64, Vec<String>>, size: usize) {
    let options = Options::default()
        .with_demangle(false)
        // What the library says of itself: this machine may have its debug symbols.
        .with_debug_dirs(Vec::new());
    let (symbolizer, module) = symbolizer_with(options, path);
    // Alone, every so many.
    let step = if size == 1 {
        exports.len().div_ceil(ALONE)
    } else {
        1
    };
    let asked: Vec<(&u64, &Vec<String>)> = exports.iter().step_by(step).collect();
    let mut wrong = Vec::new();
    for batch in asked.chunks(size.min(asked.len())) {
        let requests: Vec<_> = batch.iter().map(|(start, _)| at(module, **start)).collect();
        for ((start, names), answer) in batch.iter().zip(symbolizer.symbolize(&requests)) {
            let frames = answer.ok();
            let name = frames
                .as_ref()
                .and_then(|frames| frames.physical()?.function.clone());
            if !name
                .as_ref()
                .is_some_and(|name| names.iter().any(|it| **it == **name))
            {
                wrong.push(format!("{start:#x}: {name:?}, not {names:?}"));
            }
        }
    }
    let (count, of) = (wrong.len(), asked.len());
    wrong.truncate(10);
    let path = path.display();
    assert_eq!(
        count,
        0,
        "{path}, by {size}: {count} of {of}:\n{}",
        wrong.join("\n")
    );
}

/// Returns libraries without `.symtab`, at most a dozen.
fn libraries_here() -> Vec<PathBuf> {
    let words = [
        "libc.so.6",
        "libm.so.6",
        "libstdc++.so.6",
        "libcrypto.so.3",
        "libssl.so.3",
        "libglib-2.0.so.0",
        "libz.so.1",
        "libzstd.so.1",
        "liblzma.so.5",
        "libcurl.so.4",
        "libgnutls.so.30",
        "libxml2.so.2",
        "libsqlite3.so.0",
        "libicuuc.so.72",
    ];
    let dirs = [
        "/usr/lib/x86_64-linux-gnu",
        "/usr/lib/aarch64-linux-gnu",
        "/lib/x86_64-linux-gnu",
        "/lib64",
        "/usr/lib64",
    ];
    let files = words.iter().filter_map(|word| {
        let mut paths = dirs.iter().map(|dir| Path::new(dir).join(word));
        paths.find(|path| path.exists())
    });
    files.collect()
}

/// Returns where functions start, and the names they have there without their versions.
fn exports(path: &Path) -> Option<BTreeMap<u64, Vec<String>>> {
    let output = Command::new(testkit::tools::tool("nm")?)
        .args(["-D", "--defined-only", "--without-symbol-versions"])
        .arg(path)
        .output()
        .expect("a tool");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let mut exports: BTreeMap<u64, Vec<String>> = BTreeMap::new();
    for line in text.lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        // Text, weak text, and what a resolver chooses; the others hold data.
        let [start, "T" | "W" | "i", name] = words[..] else {
            continue;
        };
        let start = u64::from_str_radix(start, 16).expect("hexadecimal");
        exports.entry(start).or_default().push(name.to_owned());
    }
    Some(exports)
}
