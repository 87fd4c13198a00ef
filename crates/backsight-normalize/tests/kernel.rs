//! Compares addresses of the running kernel with its own list of symbols.

use std::collections::BTreeMap;
use std::io::BufReader;

use backsight_sources::kallsyms::{Kallsyms, KallsymsError};
use backsight_types::AbsAddr;

/// The number of addresses that are looked up.
const ADDRESSES: u64 = 10_000;

/// The names of code symbols by address, read without the crates' code. An address with
/// only data symbols has an empty list.
fn by_hand(text: &str) -> BTreeMap<u64, Vec<(&str, Option<&str>)>> {
    let mut all = BTreeMap::<u64, Vec<_>>::new();
    for line in text.lines() {
        let words: Vec<&str> = line.split_ascii_whitespace().collect();
        // Marks for disassemblers, which modules of AArch64 have within functions.
        if words[2].starts_with(".L") || words[2].starts_with("$x") || words[2].starts_with("$d") {
            continue;
        }
        let addr = u64::from_str_radix(words[0], 16).expect("an address");
        let names = all.entry(addr).or_default();
        if matches!(words[1], "t" | "T" | "w" | "W") && !marks_an_end(words[2]) {
            let module = words.get(3).map(|name| &name[1..name.len() - 1]);
            names.push((words[2], module));
        }
    }
    all.remove(&0);
    all
}

/// What is behind the end of a section has no name, as data has none.
fn marks_an_end(name: &str) -> bool {
    matches!(
        name,
        "_etext" | "_einittext" | "_end" | "__init_end" | "__indirect_thunk_end"
    ) || (name.starts_with("__") && name.ends_with("text_end"))
}

/// Pseudorandom numbers, the same in each run.
fn scattered(count: u64) -> impl Iterator<Item = u64> {
    (0..count).scan(0x9e37_79b9_7f4a_7c15_u64, |state, _| {
        *state ^= *state << 13;
        *state ^= *state >> 7;
        *state ^= *state << 17;
        Some(*state)
    })
}

#[test]
fn names_are_those_of_an_independent_search() {
    let text = match std::fs::read_to_string("/proc/kallsyms") {
        Ok(text) => text,
        Err(error) => return testkit::skip(&format!("/proc/kallsyms: {error}")),
    };
    let want = by_hand(&text);
    let kernel = match Kallsyms::read(BufReader::new(text.as_bytes())) {
        Ok(kernel) => kernel,
        Err(error) => {
            assert!(matches!(error, KallsymsError::Hidden), "{error}");
            assert!(want.is_empty());
            return testkit::skip(&error.to_string());
        }
    };
    let code = kernel.code().expect("a kernel has _stext and _etext");
    let spans: Vec<_> = want.keys().zip(want.keys().skip(1)).collect();
    let mut addrs = Vec::new();
    // Half of them anywhere in the code of the image, half in any function.
    for (at, number) in scattered(ADDRESSES).enumerate() {
        addrs.push(match at % 2 {
            0 => code.start.0 + number % (code.end.0 - code.start.0),
            _ => {
                let (start, next) =
                    spans[usize::try_from(number >> 32).expect("fits") % spans.len()];
                start + number % (next - start)
            }
        });
    }
    // Also each function of a module or a BPF program, and each trampoline.
    let outside = want
        .iter()
        .filter(|(_, names)| names.iter().any(|(_, module)| module.is_some()));
    addrs.extend(outside.map(|(addr, _)| addr + 1));
    let mut named = 0_usize;
    for addr in addrs {
        let (start, names) = want
            .range(..=addr)
            .next_back()
            .expect("an address above the first symbol");
        match kernel.at(AbsAddr(addr)) {
            Some(found) => {
                assert_eq!(found.start.0, *start, "{addr:x}");
                let is_one = names.contains(&(found.name, found.module));
                assert!(is_one, "{addr:x} is {}, of {names:?}", found.name);
                named += 1;
            }
            None => assert_eq!(names, &[], "{addr:x}"),
        }
    }
    assert!(named > 9 * 10_000 / 20, "{named} have names");
    assert_eq!(kernel.skipped_lines(), 0, "{:?}", skipped(&text));
}

/// The lines that are not read.
fn skipped(text: &str) -> Vec<&str> {
    let is_skipped = |line: &&str| {
        let with_symbol = format!("1 T _text\n{line}\n");
        let read = Kallsyms::read(BufReader::new(with_symbol.as_bytes()));
        read.is_ok_and(|kernel| kernel.skipped_lines() > 0)
    };
    text.lines().filter(is_skipped).collect()
}
