//! GSYM files that claim much more than they have, or nothing: answered in little time and memory.
//! Alone in a process, whose memory is measured.

mod common;

use std::sync::Arc;
use std::time::{Duration, Instant};

use backsight_symbolize::{Cause, ModuleInput, Options, SymbolFile, SymbolFiles, Symbolizer, Tier};
use backsight_types::{BuildId, Reason};
use common::at;
use common::gsym_bytes::gsym;
use common::symbol_files::levels;

/// Bytes of memory that this process has.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("/proc is mounted");
    let line = status.lines().find(|line| line.starts_with("VmRSS:"));
    let number = line.and_then(|line| line.split_whitespace().nth(1));
    number
        .and_then(|kib| kib.parse::<u64>().ok())
        .expect("a number")
        * 1024
}

/// A fuzzer found a file of 444 bytes whose functions cover 1.6 GB: an index of it had 100 MB.
#[test]
fn claimed_sizes_cost_neither_time_nor_memory() {
    const COUNT: usize = 10;
    const EACH: u32 = 160_000_000;
    let functions: Vec<_> = (0..COUNT as u64)
        .map(|at| (0x1000 + at * u64::from(EACH), EACH, "f"))
        .collect();
    let bytes = gsym(&functions, None);
    assert!(bytes.len() <= 444, "{}", bytes.len());
    let before = (Instant::now(), resident());
    let mut found = 0;
    for tier in [Tier::Lazy, Tier::Flat, Tier::Auto] {
        let file = SymbolFile::of_bytes(bytes.clone().into()).expect("GSYM");
        let symbolizer = Symbolizer::new(Options::default().with_tier(tier));
        let module = symbolizer.add(ModuleInput::Symbols(Arc::new(file)), None, None);
        let places = (0..1000).map(|place| place * 1_600_000 + 0x1000);
        let requests: Vec<_> = places.map(|addr| at(module, addr)).collect();
        let answers = symbolizer.symbolize(&requests);
        found += answers.iter().filter(|answer| answer.is_ok()).count();
    }
    let (time, memory) = (before.0.elapsed(), resident().saturating_sub(before.1));
    assert_eq!(found, 3000);
    assert!(time < Duration::from_secs(10), "{time:?}");
    assert!(memory < 40 << 20, "{memory} bytes");

    // A count of functions that the file has no room for.
    for count in [u32::MAX, 400_000_000, 11] {
        let begun = Instant::now();
        let error = SymbolFile::of_bytes(gsym(&functions, Some(count)).into());
        let error = error.expect_err("its tables exceed the file");
        assert!(
            matches!(error.cause(), Cause::Damaged { .. }),
            "{count}: {error}"
        );
        assert!(begun.elapsed() < Duration::from_secs(1), "{count}");
    }

    // None at all, alone and by --symbols.
    let empty = gsym(&[], None);
    let file = SymbolFile::of_bytes(empty.clone().into()).expect("GSYM");
    assert_eq!(file.gsym_functions(), Some(0));
    let dir = tempfile::tempdir().expect("a folder");
    std::fs::write(dir.path().join("none.gsym"), empty).expect("ours");
    let files = Arc::new(SymbolFiles::new([dir.path()]));
    let options = Options::default().with_symbol_files(Arc::clone(&files));
    let symbolizer = Symbolizer::new(options);
    let id = BuildId::from_bytes(&[1, 2, 3, 4]).expect("4 bytes");
    for input in [
        ModuleInput::BuildId(id),
        ModuleInput::Symbols(Arc::new(file)),
    ] {
        let module = symbolizer.add(input, None, None);
        for requests in [1, 100] {
            let requests: Vec<_> = (0..requests).map(|addr| at(module, addr)).collect();
            for answer in symbolizer.symbolize(&requests) {
                assert_eq!(answer, Err(Reason::NoSymbols), "{:?}", levels(&answer));
            }
        }
    }
    assert_eq!(files.problems(), []);
}
