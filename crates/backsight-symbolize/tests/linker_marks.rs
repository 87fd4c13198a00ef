//! Symbols that mark the end or the beginning of a section name no code: in ELF tables, with
//! section headers and without, and in symbol files.

mod common;

use backsight_symbolize::SymbolFile;
use common::gsym_bytes::gsym;
use common::symbol_files::{both_ways, levels, opened};
use common::{Fixture, names, no_debug_dirs, symbol};

/// Marks and labels without a size, between functions; `local` begins at a mark.
const SOURCE: &str = r#"
.text
.globl first, _etext, __entry_text_end, __sched_text_start, label, last
.type first, @function
first: nop
  nop
.size first, .-first
label: nop
  nop
_etext:
  .skip 16, 0x90
__sched_text_start:
local: nop
  nop
__entry_text_end:
  .skip 16, 0x90
.type last, @function
last: ret
.size last, .-last
_start = first
.globl _start
"#;

/// Every byte of the code, and what names it: `None` behind a mark.
fn wanted() -> Vec<Option<&'static str>> {
    let parts = [
        (2, Some("first")),
        (2, Some("label")),
        (16, None),
        (2, Some("local")),
        (16, None),
        (1, Some("last")),
    ];
    let each = parts.iter().flat_map(|(size, name)| vec![*name; *size]);
    each.collect()
}

#[test]
fn nothing_is_behind_the_mark_of_an_end() {
    let fixture = Fixture::new();
    fixture.write("a.s", SOURCE);
    if let Err(words) = fixture.run("cc", &["-nostdlib", "-static", "-o", "full", "a.s"]) {
        return testkit::skip(&words);
    }
    fixture.must(
        "cc",
        &[
            "-nostdlib",
            "-shared",
            "-Wl,--export-dynamic",
            "-o",
            "lib.so",
            "a.s",
        ],
    );
    fixture.must("strip", &["-o", "stripped.so", "lib.so"]);
    let mut files = vec!["full", "lib.so", "stripped.so"];
    match fixture.run("llvm-objcopy", &["--strip-sections", "lib.so", "bare.so"]) {
        Ok(()) => files.push("bare.so"),
        Err(words) => testkit::skip(&words),
    }
    for file in files {
        let whole = if file == "full" { "full" } else { "lib.so" };
        let (start, _) = symbol(&fixture.path(whole), "first");
        let places: Vec<u64> = (start..).take(wanted().len()).collect();
        let names = names(&fixture.path(file), &no_debug_dirs(), &places);
        // A dynamic table has no local symbols, and the mark of a beginning is all there is.
        let is_dynamic = !["full", "lib.so"].contains(&file);
        for ((place, name), want) in places.iter().zip(&names).zip(wanted()) {
            let want = match want {
                Some("local") if is_dynamic => Some("__sched_text_start"),
                want => want,
            };
            assert_eq!(name.as_deref(), want, "{:#x} of {file}", place - start);
        }
    }
}

/// The names at these addresses, listed and asked one by one.
fn named(file: &SymbolFile, addresses: &[u64]) -> Vec<Option<String>> {
    let answers = both_ways(file, addresses);
    let name = |answer| levels(answer).pop().and_then(|level| level.0);
    answers.iter().map(name).collect()
}

#[test]
fn nothing_is_behind_the_mark_of_an_end_in_a_breakpad_file() {
    let text = "MODULE Linux x86_64 00112233445566778899AABBCCDDEEFF0 a\n\
        PUBLIC 10 0 label\nPUBLIC 20 0 _etext\nPUBLIC 40 0 __hot_text_end\nPUBLIC 40 0 f\n\
        PUBLIC 44 0 $x\nPUBLIC 48 0 $d.1\nPUBLIC 50 0 _etext\nFUNC 50 4 0 _etext\n\
        PUBLIC 60 0 _end\n";
    let file = opened(text);
    let cases = [
        (0x10, Some("label")),
        (0x1f, Some("label")),
        (0x20, None),
        (0x3f, None),
        (0x40, Some("f")),
        (0x4f, Some("f")),
        // With a size it is a function.
        (0x50, Some("_etext")),
        (0x54, None),
        (0x60, None),
    ];
    let found = named(&file, &cases.map(|(addr, _)| addr));
    for ((addr, want), name) in cases.iter().zip(&found) {
        assert_eq!(name.as_deref(), *want, "{addr:#x}");
    }
}

#[test]
fn nothing_is_behind_the_mark_of_an_end_in_a_gsym_file() {
    let functions = [
        (0x10, 0, "label"),
        (0x20, 0, "_etext"),
        (0x40, 8, "f"),
        (0x48, 8, "_etext"),
        (0x60, 0, "_end"),
    ];
    let file = SymbolFile::of_bytes(gsym(&functions, None).into()).expect("GSYM");
    let cases = [
        (0x1f, Some("label")),
        (0x20, None),
        (0x3f, None),
        (0x47, Some("f")),
        (0x48, Some("_etext")),
        (0x50, None),
        (0x60, None),
    ];
    let found = named(&file, &cases.map(|(addr, _)| addr));
    for ((addr, want), name) in cases.iter().zip(&found) {
        assert_eq!(name.as_deref(), *want, "{addr:#x}");
    }
}
