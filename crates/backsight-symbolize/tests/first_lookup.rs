//! The first lookups in a file build no tables. They answer as later ones do.

mod common;

use common::{Fixture, at, brief, dwarf, find, symbol, symbolizer_of, symbolizer_of_bytes};
use proptest::prelude::*;
use testkit::elf::{Shape, Symbol};

/// More lookups than go without tables.
const MANY: usize = 40;

#[test]
fn compiled_programs_answer_the_same_first_and_later() {
    let fixture = Fixture::new();
    fixture.write("a.cpp", include_str!("differential/words.cpp"));
    fixture.write("b.rs", include_str!("differential/words.rs"));
    let tools = [
        ("g++", vec!["-O2", "-g", "-o", "a", "a.cpp"], "a"),
        (
            "rustc",
            vec!["-O", "-g", "--edition=2021", "-o", "b", "b.rs"],
            "b",
        ),
    ];
    for (tool, args, name) in tools {
        if let Err(words) = fixture.run(tool, &args) {
            testkit::skip(&words);
            continue;
        }
        let path = fixture.path(name);
        let (start, size) = symbol(&path, "main");
        let (later, module) = symbolizer_of(&path);
        let step = usize::try_from(size / 16).expect("small").max(1);
        let addrs: Vec<u64> = (start..start + size).step_by(step).collect();
        let requests: Vec<_> = addrs.iter().map(|addr| at(module, *addr)).collect();
        let _tables = later.symbolize(&requests);
        for addr in addrs.into_iter().step_by(4) {
            let (first, module) = symbolizer_of(&path);
            let answer = find(&first, module, addr);
            assert_eq!(answer, find(&later, module, addr), "{addr:#x} in {name}");
        }
    }
}

#[test]
fn of_overlapping_code_the_same_is_chosen_first_and_later() {
    let shape = Shape::ELF64_LITTLE;
    let mut unit = dwarf::Unit::new(shape);
    let origin = unit.here();
    unit.byte(dwarf::ABSTRACT);
    unit.text("folded");
    for (name, code) in [
        ("wide", 0x1000..0x1800),
        ("tail", 0x1400..0x1900),
        ("same", 0x1400..0x1900),
        ("inner", 0x1500..0x1600),
    ] {
        unit.function(name, code.clone());
        unit.inlined(origin, code.start + 0x10..code.end - 0x10, 3);
        unit.end();
        unit.end();
    }
    let info = unit.finish();
    let sections = [(".debug_info", &*info), (".debug_abbrev", dwarf::ABBREV)];
    let bytes = dwarf::elf(shape, &sections).build();
    let (later, module) = symbolizer_of_bytes(bytes.clone());
    let addrs = [
        0x1000, 0x1020, 0x1400, 0x1420, 0x1510, 0x15f8, 0x1700, 0x1880, 0x1900,
    ];
    let requests: Vec<_> = addrs.iter().cycle().take(MANY).collect();
    let requests: Vec<_> = requests.into_iter().map(|addr| at(module, *addr)).collect();
    let _tables = later.symbolize(&requests);
    let wants = [
        "wide@?",
        "~folded@? wide@?",
        "tail@?",
        "~folded@? tail@?",
        "~folded@? inner@?",
        "inner@?",
        "~folded@? tail@?",
        "~folded@? tail@?",
        "[no-symbols]",
    ];
    for (addr, want) in addrs.into_iter().zip(wants) {
        let (first, module) = symbolizer_of_bytes(bytes.clone());
        assert_eq!(brief(&find(&first, module, addr)), want, "first, {addr:#x}");
        assert_eq!(brief(&find(&later, module, addr)), want, "later, {addr:#x}");
    }
}

/// Symbols near each other, sized and not, of every kind.
fn symbols() -> impl Strategy<Value = Vec<Symbol>> {
    let size = prop_oneof![2 => Just(0), 3 => 0..40_u64, 1 => Just(u64::MAX)];
    let info = (0..3_u8, 0..3_u8).prop_map(|(binding, kind)| binding << 4 | kind);
    let symbol = (0..6_usize, 0x1000..0x1060_u64, size, info);
    let named = symbol.prop_map(|(name, start, size, info)| Symbol {
        info,
        ..Symbol::function(["", "$x", "a", "_b", "__b", "longer"][name], start, size)
    });
    proptest::collection::vec(named, 0..12)
}

proptest! {
    #[test]
    fn symbols_answer_the_same_first_and_later(symbols in symbols()) {
        let bytes = dwarf::elf(Shape::ELF64_LITTLE, &[]).symbols(&symbols).build();
        let (later, module) = symbolizer_of_bytes(bytes.clone());
        for addr in 0x1000..0x1000 + MANY as u64 {
            let _table = find(&later, module, addr);
        }
        for addr in (0x1000..0x1070).step_by(3) {
            let (first, module) = symbolizer_of_bytes(bytes.clone());
            prop_assert_eq!(
                find(&first, module, addr),
                find(&later, module, addr),
                "{:#x}", addr
            );
        }
    }
}
