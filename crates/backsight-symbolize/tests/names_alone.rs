//! Without debug information: the answers are those of the same file without any, by every way and
//! in every number, and no debug information is read.

mod common;

use std::path::Path;

use backsight_symbolize::{Frames, Options, Tier};
use backsight_types::Reason;
use common::{Fixture, at, no_debug_dirs, section_of, symbolizer_with};
use object::{Object as _, ObjectSymbol as _};

/// Addresses in all functions of a file, and between them.
fn addresses(path: &Path) -> Vec<u64> {
    let bytes = std::fs::read(path).expect("readable");
    let file = object::File::parse(&*bytes).expect("an object file");
    let functions = file.symbols().chain(file.dynamic_symbols());
    let functions = functions.filter(|symbol| symbol.kind() == object::SymbolKind::Text);
    let places = functions.flat_map(|symbol| {
        let (start, size) = (symbol.address(), symbol.size());
        [start, start + size / 2, start + size]
    });
    let mut all: Vec<u64> = places.collect();
    all.sort_unstable();
    all.dedup();
    all
}

fn answers(options: &Options, path: &Path, addresses: &[u64]) -> Vec<Result<Frames, Reason>> {
    let (symbolizer, module) = symbolizer_with(options.clone(), path);
    let requests: Vec<_> = addresses.iter().map(|addr| at(module, *addr)).collect();
    symbolizer.symbolize(&requests)
}

/// Compares a file with itself without debug information.
fn compare(fixture: &Fixture, name: &str) -> usize {
    let (whole, bare) = (fixture.path(name), fixture.path("bare"));
    fixture.must("objcopy", &["--strip-debug", name, "bare"]);
    let all = addresses(&whole);
    let options = no_debug_dirs();
    let want = answers(&options, &bare, &all);
    let names = options.with_debug_info(false);
    for tier in [Tier::Auto, Tier::Lazy, Tier::Flat] {
        let names = names.clone().with_tier(tier);
        let got = answers(&names, &whole, &all);
        for ((addr, got), want) in all.iter().zip(&got).zip(&want) {
            assert_eq!(got, want, "{name} {addr:#x} {tier:?}");
        }
        // One at a time, backwards.
        let (symbolizer, module) = symbolizer_with(names, &whole);
        for (addr, want) in all.iter().zip(&want).rev().step_by(31) {
            let got = symbolizer.symbolize(&[at(module, *addr)]);
            assert_eq!(&got[0], want, "{name} {addr:#x} {tier:?} alone");
        }
    }
    want.iter().filter(|answer| answer.is_ok()).count()
}

#[test]
fn the_answers_are_those_of_the_symbol_tables() {
    let fixture = Fixture::new();
    fixture.write("a.cpp", include_str!("differential/words.cpp"));
    for (name, args) in [
        ("program", &["-O2", "-g"][..]),
        ("library", &["-O2", "-g", "-shared", "-fPIC"]),
        ("packed", &["-O2", "-g", "-gz"]),
        ("split", &["-O2", "-g", "-gsplit-dwarf"]),
    ] {
        let args = [args, &["-o", name, "a.cpp"]].concat();
        if let Err(words) = fixture.run("g++", &args) {
            return testkit::skip(&words);
        }
        assert!(compare(&fixture, name) > 100, "{name}");
    }
}

#[test]
fn a_name_has_neither_line_nor_inlined_calls() {
    let path = std::env::current_exe().expect("this executable");
    let all: Vec<u64> = addresses(&path).into_iter().step_by(9).collect();
    let got = answers(&Options::default().with_debug_info(false), &path, &all);
    let frames = got.iter().flatten();
    let mut count = 0;
    for frame in frames.flat_map(|frames| frames.iter().cloned()) {
        assert!(frame.function.is_some() && !frame.inlined, "{frame:?}");
        assert_eq!((&frame.file, frame.line), (&None, None), "{frame:?}");
        count += 1;
    }
    assert!(count > 500);
}

#[test]
fn damaged_debug_information_is_not_seen() {
    let fixture = Fixture::new();
    fixture.write(
        "a.c",
        "int work(int x) { return x * 3; }\nint main(void) { return work(2); }\n",
    );
    if let Err(words) = fixture.run("gcc", &["-O0", "-g", "-o", "a", "a.c"]) {
        return testkit::skip(&words);
    }
    let path = fixture.path("a");
    let (work, _) = common::symbol(&path, "work");
    for name in [".debug_info", ".debug_abbrev", ".debug_line"] {
        let bytes = common::bytes_of(&path, name);
        let mut damaged = std::fs::read(&path).expect("readable");
        damaged[bytes].fill(0xff);
        std::fs::write(&path, damaged).expect("ours");
    }
    assert!(!section_of(&path, ".debug_info").contains(&work));
    let options = no_debug_dirs().with_debug_info(false);
    let (symbolizer, module) = symbolizer_with(options, &path);
    let found = symbolizer.symbolize(&[at(module, work + 1)]);
    let frames = found[0].as_ref().expect("a name");
    assert!(!frames.limit_reached());
    assert_eq!(
        frames.iter().next().unwrap().function.as_deref(),
        Some("work")
    );
    assert!(symbolizer.shortfalls(module).is_empty());
}
