//! Names out of ELF symbol tables alone, in every word size and byte order.

mod common;

use common::symbols::{FUNCTION, GLOBAL, INDIRECT, LOCAL, OBJECT, UNTYPED, WEAK, symbol};
use common::{brief, dwarf, find, symbolizer_of_bytes};
use testkit::elf::{Shape, Symbol};

#[test]
fn a_symbol_covers_what_its_size_says() {
    let symbols = [
        symbol("sized", 0x1000, 0x10, GLOBAL | FUNCTION),
        symbol("outer", 0x1100, 0x100, GLOBAL | FUNCTION),
        symbol("inner", 0x1140, 0x10, GLOBAL | FUNCTION),
        symbol("label", 0x1180, 0, LOCAL | UNTYPED),
        symbol("unsized", 0x1300, 0, GLOBAL | FUNCTION),
        symbol("next", 0x1320, 0x10, GLOBAL | FUNCTION),
        symbol("resolver", 0x1400, 0x10, GLOBAL | INDIRECT),
        symbol("table", 0x1500, 0x10, GLOBAL | OBJECT),
        symbol(".L5", 0x1600, 0, LOCAL | UNTYPED),
        symbol("..@7.loop", 0x1310, 0, LOCAL | UNTYPED),
        symbol("", 0x1700, 0x10, GLOBAL | FUNCTION),
        Symbol {
            section: 0,
            ..symbol("elsewhere", 0x1800, 0x10, GLOBAL | FUNCTION)
        },
        symbol("last", 0x1f00, 0, GLOBAL | FUNCTION),
    ];
    let cases = [
        ("first byte", 0x1000, "sized@?"),
        ("last byte", 0x100f, "sized@?"),
        ("the end is exclusive", 0x1010, "[no-symbols]"),
        ("around the inner", 0x113f, "outer@?"),
        ("inner", 0x1140, "inner@?"),
        ("behind the inner", 0x1150, "outer@?"),
        ("a label inside a function is none", 0x1180, "outer@?"),
        ("unsized", 0x1300, "unsized@?"),
        ("up to the next", 0x131f, "unsized@?"),
        ("next", 0x1320, "next@?"),
        ("IFUNC", 0x1408, "resolver@?"),
        (
            "an object in code, where nothing else is",
            0x1508,
            "table@?",
        ),
        (
            "what the assembler made names nothing",
            0x1600,
            "[no-symbols]",
        ),
        ("nor do empty names", 0x1708, "[no-symbols]"),
        ("nor undefined symbols", 0x1808, "[no-symbols]"),
        ("up to the section's end", 0x1fff, "last@?"),
        ("not behind it", 0x2000, "[no-symbols]"),
        ("before all", 0xfff, "[no-symbols]"),
        ("the top", u64::MAX, "[no-symbols]"),
    ];
    for shape in Shape::ALL {
        for kind in [".symtab", ".dynsym"] {
            let elf = dwarf::elf(shape, &[]);
            let elf = match kind {
                ".symtab" => elf.symbols(&symbols),
                _ => elf.dynamic_symbols(&symbols),
            };
            let (symbolizer, module) = symbolizer_of_bytes(elf.build());
            for (name, addr, want) in cases {
                let found = find(&symbolizer, module, addr);
                assert_eq!(brief(&found), want, "{name} in {kind} of {shape:?}");
            }
        }
    }
}

#[test]
fn of_aliases_always_the_same_is_chosen() {
    let cases = [
        (
            "fewer underscores",
            vec![("__libc_malloc", GLOBAL), ("malloc", GLOBAL)],
            "malloc",
        ),
        (
            "weak as good as global",
            vec![("__kill", GLOBAL), ("kill", WEAK)],
            "kill",
        ),
        (
            "global before weak",
            vec![("aaaa", WEAK), ("bbbb", GLOBAL)],
            "bbbb",
        ),
        ("local last", vec![("a", LOCAL), ("__a", WEAK)], "__a"),
        (
            "the shorter",
            vec![("memcpy", GLOBAL), ("bcopy", GLOBAL)],
            "bcopy",
        ),
        (
            "the alphabet",
            vec![("stat64", GLOBAL), ("fstat6", GLOBAL)],
            "fstat6",
        ),
    ];
    for (name, aliases, want) in cases {
        for reversed in [false, true] {
            let mut symbols: Vec<Symbol> = aliases
                .iter()
                .map(|(name, binding)| symbol(name, 0x1000, 0x10, binding | FUNCTION))
                .collect();
            if reversed {
                symbols.reverse();
            }
            let elf = dwarf::elf(Shape::ELF64_LITTLE, &[]).symbols(&symbols);
            let (symbolizer, module) = symbolizer_of_bytes(elf.build());
            let found = find(&symbolizer, module, 0x1000).expect("a symbol");
            assert_eq!(found[0].function.as_deref(), Some(want), "{name}");
        }
    }
}

#[test]
fn a_file_without_section_headers_has_no_symbols() {
    let elf = dwarf::elf(Shape::ELF64_LITTLE, &[]).symbols(&[Symbol::function("f", 0x1000, 1)]);
    let (symbolizer, module) = symbolizer_of_bytes(elf.without_sections().build());
    assert_eq!(brief(&find(&symbolizer, module, 0x1000)), "[no-symbols]");
}

#[test]
fn a_frame_of_a_symbol_has_its_names_and_its_start() {
    let symbols = [symbol("_ZN3foo3barEv", 0x1000, 0x10, GLOBAL | FUNCTION)];
    let elf = dwarf::elf(Shape::ELF64_LITTLE, &[]).symbols(&symbols);
    let (symbolizer, module) = symbolizer_of_bytes(elf.build());
    let found = find(&symbolizer, module, 0x1008).expect("a symbol");
    let frame = found.physical().expect("a frame");
    assert_eq!(frame.function.as_deref(), Some("foo::bar()"));
    assert_eq!(frame.linkage_name.as_deref(), Some("_ZN3foo3barEv"));
    assert_eq!(frame.start, Some(backsight_types::VirtOffset(0x1000)));
    assert_eq!(
        (frame.file.as_ref(), frame.line, frame.inlined),
        (None, None, false)
    );
}

#[test]
fn a_symbol_at_the_top_of_the_address_space_does_not_wrap() {
    let top = u64::MAX;
    let symbols = [
        symbol("top", top, 0x10, GLOBAL | FUNCTION),
        symbol("huge", 0x1000, top, GLOBAL | FUNCTION),
        symbol("below", top - 1, 0, GLOBAL | FUNCTION),
    ];
    let elf = dwarf::elf(Shape::ELF64_LITTLE, &[]).symbols(&symbols);
    let (symbolizer, module) = symbolizer_of_bytes(elf.build());
    for addr in [top, top - 1, top - 2, 0x1000, 0xfff, 0] {
        let found = brief(&find(&symbolizer, module, addr));
        assert!(!found.contains("limit"), "{addr:#x}: {found}");
    }
    assert_eq!(brief(&find(&symbolizer, module, 0x1000)), "huge@?");
}

const ARM: u16 = 40;
const AARCH64: u16 = 183;
const RISCV: u16 = 243;
const X86: u16 = 62;

#[test]
fn names_may_begin_with_a_dollar() {
    let plain = LOCAL | UNTYPED;
    let symbols = [
        symbol("before", 0x1000, 0, GLOBAL | UNTYPED),
        symbol("$d", 0x1010, 0, plain),
        symbol("$x.2", 0x1020, 0, plain),
        symbol("$xrv64gc", 0x1030, 0, plain),
        symbol("$a", 0x1040, 0, plain),
        symbol("$t", 0x1050, 0, plain),
        symbol("$s4main3fooyyF", 0x1100, 0x10, GLOBAL | FUNCTION),
        symbol("$s4main3baryyF", 0x1110, 0, plain),
        symbol("$x", 0x1200, 0x10, LOCAL | FUNCTION),
        symbol("$d", 0x1300, 0, GLOBAL | UNTYPED),
    ];
    let all = [0x1010, 0x1020, 0x1030, 0x1040, 0x1050];
    let cases = [
        (ARM, vec![0x1010, 0x1040, 0x1050]),
        (AARCH64, vec![0x1010, 0x1020]),
        (RISCV, vec![0x1010, 0x1020, 0x1030]),
        (X86, vec![]),
    ];
    for (machine, marks) in cases {
        let elf = dwarf::elf(Shape::ELF64_LITTLE, &[]).machine(machine);
        let (symbolizer, module) = symbolizer_of_bytes(elf.symbols(&symbols).build());
        let mut want = "before@?".to_owned();
        for addr in all {
            if !marks.contains(&addr) {
                let named = symbols.iter().find(|symbol| symbol.value == addr);
                want = format!("{}@?", String::from_utf8_lossy(&named.unwrap().name));
            }
            let found = brief(&find(&symbolizer, module, addr));
            assert_eq!(found, want, "{addr:#x} on {machine}");
        }
        let kept = [
            (0x1100, "$s4main3fooyyF@?"),
            (0x1118, "$s4main3baryyF@?"),
            (0x1208, "$x@?"),
            (0x1308, "$d@?"),
        ];
        for (addr, want) in kept {
            let found = brief(&find(&symbolizer, module, addr));
            assert_eq!(found, want, "{addr:#x} on {machine}");
        }
        let defined = symbolizer.definitions(module).expect("a symbol table");
        let mut listed: Vec<u64> = defined.iter().map(|found| found.start.0).collect();
        listed.sort_unstable();
        let mut want: Vec<u64> = symbols.iter().map(|symbol| symbol.value).collect();
        want.retain(|addr| !marks.contains(addr));
        assert_eq!(listed, want, "listed on {machine}");
    }
}

#[test]
fn absolute_symbols_are_numbers() {
    const ABSOLUTE: u16 = 0xfff1;
    const COMMON: u16 = 0xfff2;
    const TLS: u8 = 6;
    let nowhere = |name, value, size, info, section| Symbol {
        section,
        ..symbol(name, value, size, info)
    };
    let symbols = [
        symbol("f", 0x1000, 0x20, GLOBAL | FUNCTION),
        nowhere("marker", 0x1010, 0, GLOBAL | UNTYPED, ABSOLUTE),
        nowhere("blob_size", 0x1100, 0, GLOBAL | UNTYPED, ABSOLUTE),
        nowhere("at_rom", 0x1200, 0x10, GLOBAL | FUNCTION, ABSOLUTE),
        nowhere("VERSION_1", 0x1300, 0, GLOBAL | OBJECT, ABSOLUTE),
        nowhere("common", 0x1400, 0x10, GLOBAL | FUNCTION, COMMON),
        nowhere("reserved", 0x1500, 0x10, GLOBAL | FUNCTION, 0xff05),
        symbol("thread_local", 0x1600, 0x10, GLOBAL | TLS),
        symbol("", 0x1700, 0, LOCAL | 3),
        symbol("file.c", 0x1800, 0, LOCAL | 4),
    ];
    for shape in Shape::ALL {
        for dynamic in [false, true] {
            let elf = dwarf::elf(shape, &[]);
            let elf = match dynamic {
                false => elf.symbols(&symbols),
                true => elf.dynamic_symbols(&symbols),
            };
            let (symbolizer, module) = symbolizer_of_bytes(elf.build());
            let inside = brief(&find(&symbolizer, module, 0x1018));
            assert_eq!(inside, "f@?", "{shape:?}");
            for addr in (0x1100..0x1900).step_by(0x100) {
                let found = brief(&find(&symbolizer, module, addr));
                assert_eq!(found, "[no-symbols]", "{addr:#x} of {shape:?}");
            }
            let defined = symbolizer.definitions(module).expect("a symbol table");
            let names: Vec<&str> = defined.iter().map(|found| &*found.name).collect();
            assert_eq!(names, ["f"], "{shape:?}");
        }
    }
}

#[test]
fn a_symbol_reaches_no_further_than_its_section() {
    use testkit::elf::{SHT_PROGBITS, Section};
    let more = Section {
        name: ".text.more".into(),
        kind: SHT_PROGBITS,
        flags: 6,
        virt: 0x2000,
        bytes: vec![0x90; 0x1000],
        ..Section::default()
    };
    let in_section = |section, symbol| Symbol { section, ..symbol };
    let symbols = [
        // A linker script's mark behind a section, which counts to it.
        symbol("etext", 0x2000, 0, GLOBAL | UNTYPED),
        symbol("far_too_long", 0x1f00, 0x1000, GLOBAL | FUNCTION),
        in_section(2, symbol("before_its_section", 0x1000, 0, GLOBAL | UNTYPED)),
        // It has a size: its address says where it is.
        symbol("elsewhere", 0x2800, 0x10, GLOBAL | FUNCTION),
    ];
    let cases = [
        (0x1000, "[no-symbols]"),
        (0x1fff, "far_too_long@?"),
        (0x2000, "[no-symbols]"),
        (0x2100, "[no-symbols]"),
        (0x2808, "elsewhere@?"),
        (0x2810, "[no-symbols]"),
    ];
    for shape in Shape::ALL {
        let elf = dwarf::elf(shape, &[]).section(more.clone());
        let (symbolizer, module) = symbolizer_of_bytes(elf.symbols(&symbols).build());
        for (addr, want) in cases {
            let found = brief(&find(&symbolizer, module, addr));
            assert_eq!(found, want, "{addr:#x} of {shape:?}");
        }
    }
}

#[test]
fn the_lowest_bit_of_a_function_may_say_which_instructions() {
    const MIPS: u16 = 8;
    const OLD_THUMB: u8 = 13;
    let cases = [
        (ARM, FUNCTION, true),
        (ARM, OLD_THUMB, true),
        (MIPS, FUNCTION, true),
        (X86, FUNCTION, false),
    ];
    for (machine, kind, is_mode) in cases {
        let symbols = [symbol("f", 0x1001, 0x10, GLOBAL | kind)];
        let elf = dwarf::elf(Shape::ELF64_LITTLE, &[]).machine(machine);
        let (symbolizer, module) = symbolizer_of_bytes(elf.symbols(&symbols).build());
        let first = brief(&find(&symbolizer, module, 0x1000));
        let want = if is_mode { "f@?" } else { "[no-symbols]" };
        assert_eq!(first, want, "{machine}");
        assert_eq!(brief(&find(&symbolizer, module, 0x100f)), "f@?");
    }
}
