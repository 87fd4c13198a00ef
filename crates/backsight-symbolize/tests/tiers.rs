//! A module looked up unit by unit and the same module indexed as a whole give
//! the same answers, whoever asks and in whatever number.

mod common;

use std::path::{Path, PathBuf};

use backsight_symbolize::{
    Answers, FrameRef, Frames, ModuleId, Options, Request, Symbolizer, Tier,
};
use backsight_types::Reason;
use common::{Fixture, at, symbolizer_with};
use object::{Object as _, ObjectSection as _, ObjectSymbol as _};

/// Addresses of each file, spread over all of its code and a little beyond.
const ADDRESSES: u64 = 4_000;

fn symbolizer(path: &Path, tier: Tier) -> (Symbolizer, ModuleId) {
    let options = Options::default().with_tier(tier);
    symbolizer_with(options, path)
}

/// Returns addresses spread over the code sections and the bytes around them.
fn addresses(path: &Path) -> Vec<u64> {
    let bytes = std::fs::read(path).expect("readable");
    let file = object::File::parse(&*bytes).expect("an object file");
    let code = file
        .sections()
        .filter(|section| section.kind() == object::SectionKind::Text);
    let ranges: Vec<(u64, u64)> = code
        .map(|section| (section.address(), section.size()))
        .collect();
    let total: u64 = ranges.iter().map(|(_, size)| size + 32).sum();
    let step = (total / ADDRESSES).max(1);
    let mut addresses = vec![0, u64::MAX];
    for (start, size) in ranges {
        let mut addr = start.saturating_sub(16);
        while addr < start + size + 16 {
            addresses.push(addr);
            addr += step;
        }
    }
    addresses
}

fn requests(module: ModuleId, addresses: &[u64]) -> Vec<Request> {
    addresses.iter().map(|addr| at(module, *addr)).collect()
}

fn answers_of(path: &Path, tier: Tier, addresses: &[u64]) -> Vec<Result<Frames, Reason>> {
    let (symbolizer, module) = symbolizer(path, tier);
    symbolizer.symbolize(&requests(module, addresses))
}

/// Compares the tiers at all addresses; returns how many had an answer.
fn compare(path: &Path) -> usize {
    let addresses = addresses(path);
    let lazy = answers_of(path, Tier::Lazy, &addresses);
    let flat = answers_of(path, Tier::Flat, &addresses);
    for ((addr, lazy), flat) in addresses.iter().zip(&lazy).zip(&flat) {
        assert_eq!(flat, lazy, "{addr:#x} of {}", path.display());
    }
    lazy.iter().filter(|answer| answer.is_ok()).count()
}

#[test]
fn this_test_itself() {
    let path = std::env::current_exe().expect("this executable");
    assert!(compare(&path) > 2_000);
}

#[test]
fn libc_with_its_debug_file() {
    let path = PathBuf::from("/lib/x86_64-linux-gnu/libc.so.6");
    if !path.exists() {
        return testkit::skip("no libc.so.6 where it usually is");
    }
    assert!(compare(&path) > 2_000);
}

#[test]
fn programs_of_each_dwarf_version() {
    let fixture = Fixture::new();
    fixture.write("a.cpp", include_str!("differential/words.cpp"));
    for version in ["-gdwarf-2", "-gdwarf-3", "-gdwarf-4", "-gdwarf-5"] {
        let args = ["-O2", "-g", version, "-gstrict-dwarf", "-o", "a", "a.cpp"];
        if let Err(words) = fixture.run("g++", &args) {
            return testkit::skip(&words);
        }
        assert!(compare(&fixture.path("a")) > 1_000, "{version}");
    }
}

#[test]
fn a_program_that_has_symbols_alone() {
    let fixture = Fixture::new();
    fixture.write("a.cpp", include_str!("differential/words.cpp"));
    if let Err(words) = fixture.run("g++", &["-O2", "-o", "a", "a.cpp"]) {
        return testkit::skip(&words);
    }
    assert!(compare(&fixture.path("a")) > 1_000);
}

#[test]
fn a_stripped_library_has_its_names_in_batches_of_any_size() {
    let fixture = Fixture::new();
    fixture.write("a.cpp", include_str!("differential/words.cpp"));
    let args = ["-O2", "-shared", "-fPIC", "-s", "-o", "a", "a.cpp"];
    if let Err(words) = fixture.run("g++", &args) {
        return testkit::skip(&words);
    }
    let path = fixture.path("a");
    let bytes = std::fs::read(&path).expect("readable");
    let file = object::File::parse(&*bytes).expect("an object file");
    let functions = file.dynamic_symbols().filter(|symbol| symbol.size() > 0);
    let functions = functions.filter(|symbol| symbol.kind() == object::SymbolKind::Text);
    let starts: Vec<u64> = functions.map(|symbol| symbol.address()).collect();
    assert!(starts.len() > 20);
    for size in [1, 63, 64, 65, 1_000] {
        let addresses: Vec<u64> = starts.iter().copied().cycle().take(size).collect();
        let named = answers_of(&path, Tier::Auto, &addresses)
            .iter()
            .filter(|answer| answer.is_ok())
            .count();
        assert_eq!(named, size);
    }
}

#[test]
fn columns_beyond_16_bits_are_unknown_to_both() {
    let fixture = Fixture::new();
    fixture.write(
        "a.s",
        ".text\n.globl _start\n.type _start, @function\n_start:\n\
         .file 1 \"a.c\"\n.loc 1 2 65535\nnop\n.loc 1 3 65536\nnop\n.loc 1 4 7\nret\n\
         .size _start, . - _start\n",
    );
    let args = ["-g", "-nostdlib", "-static", "-o", "a", "a.s"];
    if let Err(words) = fixture.run("gcc", &args) {
        return testkit::skip(&words);
    }
    let path = fixture.path("a");
    assert!(compare(&path) > 0);
    let bytes = std::fs::read(&path).expect("readable");
    let start = object::File::parse(&*bytes)
        .expect("an object file")
        .entry();
    let answers = answers_of(&path, Tier::Lazy, &[start, start + 1, start + 2]);
    let places: Vec<_> = answers
        .iter()
        .flatten()
        .map(|frames| (frames[0].line, frames[0].column))
        .collect();
    let want = [(Some(2), Some(65535)), (Some(3), None), (Some(4), Some(7))];
    assert_eq!(places, want);
}

#[test]
fn a_relocatable_object() {
    let fixture = Fixture::new();
    fixture.write("a.cpp", include_str!("differential/words.cpp"));
    let args = [
        "-O2",
        "-g",
        "-c",
        "-ffunction-sections",
        "-o",
        "a.o",
        "a.cpp",
    ];
    if let Err(words) = fixture.run("g++", &args) {
        return testkit::skip(&words);
    }
    let path = fixture.path("a.o");
    // Sections of an object have no addresses; we lay them out end to end.
    let addresses: Vec<u64> = (0..0x4000).collect();
    let lazy = answers_of(&path, Tier::Lazy, &addresses);
    assert_eq!(answers_of(&path, Tier::Flat, &addresses), lazy);
    assert!(lazy.iter().filter(|answer| answer.is_ok()).count() > 1_000);
}

#[test]
fn borrowed_answers_equal_owned_ones() {
    let path = std::env::current_exe().expect("this executable");
    let addresses = addresses(&path);
    for tier in [Tier::Lazy, Tier::Flat, Tier::Auto] {
        for inlines in [true, false] {
            let options = Options::default().with_tier(tier).with_inlines(inlines);
            let (symbolizer, module) = symbolizer_with(options, &path);
            let requests = requests(module, &addresses);
            let owned = symbolizer.symbolize(&requests);
            let mut answers = Answers::default();
            symbolizer.symbolize_into(&requests, &mut answers);
            assert_eq!(answers.len(), owned.len());
            for (borrowed, owned) in answers.iter().zip(&owned) {
                let (borrowed, owned) = match (borrowed, owned) {
                    (Ok(borrowed), Ok(owned)) => (borrowed, owned),
                    (borrowed, owned) => {
                        assert_eq!(borrowed.err(), owned.as_ref().err().copied());
                        continue;
                    }
                };
                assert!(borrowed.frames().eq(owned.iter().map(FrameRef::from)));
                assert_eq!(&borrowed.to_frames(), owned);
                assert!(inlines || owned.len() == 1);
            }
        }
    }
}

#[test]
fn answers_outlive_the_symbolizer_and_are_used_again() {
    let path = std::env::current_exe().expect("this executable");
    let addresses = addresses(&path);
    let want = answers_of(&path, Tier::Lazy, &addresses);
    let mut answers = Answers::default();
    for count in [addresses.len(), 3, 0] {
        let (symbolizer, module) = symbolizer(&path, Tier::Flat);
        symbolizer.symbolize_into(&requests(module, &addresses[..count]), &mut answers);
        drop(symbolizer);
        let found: Vec<Result<Frames, Reason>> = answers
            .iter()
            .map(|stack| stack.map(|stack| stack.to_frames()))
            .collect();
        assert_eq!(found, want[..count]);
    }
    assert!(answers.is_empty() && answers.get(0).is_none());
}

#[test]
fn eight_threads_on_one_symbolizer_get_what_one_gets() {
    let path = std::env::current_exe().expect("this executable");
    let addresses = addresses(&path);
    let want = answers_of(&path, Tier::Lazy, &addresses);
    for tier in [Tier::Lazy, Tier::Flat, Tier::Auto] {
        let (symbolizer, module) = symbolizer(&path, tier);
        std::thread::scope(|scope| {
            for thread in 0..8 {
                let (symbolizer, addresses, want) = (&symbolizer, &addresses, &want);
                scope.spawn(move || {
                    // Each at a place of its own, some with small batches.
                    let from = thread * addresses.len() / 8;
                    let batch = [7, 100, 3_000][thread % 3];
                    for start in (from..addresses.len()).step_by(batch) {
                        let end = addresses.len().min(start + batch);
                        let requests = requests(module, &addresses[start..end]);
                        assert_eq!(symbolizer.symbolize(&requests), want[start..end]);
                    }
                });
            }
        });
    }
}
