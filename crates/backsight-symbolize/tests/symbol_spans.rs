//! How far symbols reach, over all tables of a file together.

mod common;

use backsight_symbolize::{ModuleInput, Options, Request, Symbolizer, Tier};
use common::symbols::{FUNCTION, GLOBAL, LOCAL, OBJECT, UNTYPED, symbol};
use common::{at, brief, dwarf, find, symbolizer_of_bytes};
use testkit::elf::{Shape, Symbol};

#[test]
fn all_tables_are_one() {
    let full = [
        symbol("hidden", 0x1000, 0x10, LOCAL | FUNCTION),
        symbol("sized", 0x1110, 0x20, LOCAL | FUNCTION),
        symbol("inner", 0x1208, 0x08, LOCAL | FUNCTION),
        symbol("table", 0x1340, 0x10, LOCAL | OBJECT),
    ];
    let dynamic = [
        // The debug file's name for it, when there is one, is this too.
        symbol("exported", 0x1000, 0x10, GLOBAL | FUNCTION),
        symbol("only_exported", 0x1010, 0x10, GLOBAL | FUNCTION),
        symbol("label", 0x1100, 0, GLOBAL | UNTYPED),
        symbol("outer", 0x1200, 0x20, GLOBAL | FUNCTION),
        symbol("in_outer", 0x1204, 0, GLOBAL | UNTYPED),
        symbol("before_table", 0x1330, 0, GLOBAL | FUNCTION),
    ];
    let cases = [
        (0x1000, "exported@?"),
        (0x1010, "only_exported@?"),
        (0x1100, "label@?"),
        (0x110f, "label@?"),
        (0x1110, "sized@?"),
        (0x112f, "sized@?"),
        // A label ends with what is next, of whatever table, and does not go on
        // behind it.
        (0x1130, "[no-symbols]"),
        (0x1207, "outer@?"),
        (0x1208, "inner@?"),
        (0x1210, "outer@?"),
        // One inside a function ends with it.
        (0x1220, "[no-symbols]"),
        (0x133f, "before_table@?"),
        // An object in code names what nothing else does.
        (0x1340, "table@?"),
        (0x1350, "[no-symbols]"),
    ];
    for shape in Shape::ALL {
        let tables = [(&full[..], &dynamic[..]), (&dynamic[..], &full[..])];
        for (full, dynamic) in tables {
            let elf = dwarf::elf(shape, &[])
                .symbols(full)
                .dynamic_symbols(dynamic)
                .build();
            // One by one, each by a symbolizer of its own, as by the first that looks.
            for (addr, want) in cases {
                let (symbolizer, module) = symbolizer_of_bytes(elf.clone());
                assert_eq!(brief(&find(&symbolizer, module, addr)), want, "{addr:#x}");
            }
            for tier in [Tier::Lazy, Tier::Flat, Tier::Auto] {
                let options = Options::default()
                    .with_tier(tier)
                    .with_debug_dirs(Vec::new());
                let symbolizer = Symbolizer::new(options);
                let module = symbolizer.add(ModuleInput::Bytes(elf.clone().into()), None, None);
                // Enough for any tier to change its mind.
                let requests = cases.iter().cycle().take(20 * cases.len());
                let requests: Vec<Request> = requests.map(|case| at(module, case.0)).collect();
                let answers = symbolizer.symbolize(&requests);
                for ((addr, want), found) in cases.iter().cycle().zip(&answers) {
                    assert_eq!(&brief(found), want, "{addr:#x} {tier:?} {shape:?}");
                }
            }
        }
    }
}

#[test]
fn a_label_outside_of_its_section_covers_nothing() {
    // Linker scripts end a section of data and begin the next, of code, so:
    // `_edata = .; . = ALIGN(4096);`
    let shape = Shape::ELF64_LITTLE;
    let mut elf = dwarf::elf(shape, &[]);
    elf = elf.section(testkit::elf::Section {
        name: ".init.text".into(),
        kind: testkit::elf::SHT_PROGBITS,
        flags: 6,
        virt: 0x2800,
        bytes: vec![0x90; 0x800],
        ..Default::default()
    });
    let labels = [
        Symbol {
            section: 2,
            ..symbol("_edata", 0x1f00, 0, GLOBAL | UNTYPED)
        },
        Symbol {
            section: 1,
            ..symbol("_etext", 0x2000, 0, GLOBAL | UNTYPED)
        },
        Symbol {
            section: 1,
            ..symbol("__end", 0x2800, 0, GLOBAL | UNTYPED)
        },
    ];
    let bytes = elf.symbols(&labels).build();
    for tier in [Tier::Lazy, Tier::Flat] {
        let options = Options::default()
            .with_tier(tier)
            .with_debug_dirs(Vec::new());
        let symbolizer = Symbolizer::new(options);
        let module = symbolizer.add(ModuleInput::Bytes(bytes.clone().into()), None, None);
        for addr in [0x1f00, 0x1fff, 0x2000, 0x27ff, 0x2800, 0x2fff] {
            let found = brief(&find(&symbolizer, module, addr));
            assert_eq!(found, "[no-symbols]", "{addr:#x}");
        }
    }
}
