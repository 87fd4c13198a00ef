//! DWARF in every word size and byte order, made by hand.

mod common;

use common::{brief, dwarf, find, symbolizer_of_bytes};
use testkit::elf::Shape;

#[test]
fn inlined_frames_are_found_in_every_shape() {
    for shape in Shape::ALL {
        let mut unit = dwarf::Unit::new(shape);
        let origin = unit.here();
        unit.byte(dwarf::ABSTRACT);
        unit.text("folded");
        unit.function("whole", 0x1100..0x1200);
        unit.inlined(origin, 0x1140..0x1180, 7);
        unit.end();
        unit.end();
        let info = unit.finish();
        let sections = [(".debug_info", &*info), (".debug_abbrev", dwarf::ABBREV)];
        let (symbolizer, module) = symbolizer_of_bytes(dwarf::elf(shape, &sections).build());
        let cases = [
            (0x10ff, "[no-symbols]"),
            (0x1100, "whole@?"),
            (0x1140, "~folded@? whole@7"),
            (0x117f, "~folded@? whole@7"),
            (0x1180, "whole@?"),
            (0x1200, "[no-symbols]"),
        ];
        for (addr, want) in cases {
            let found = find(&symbolizer, module, addr);
            assert_eq!(brief(&found), want, "{addr:#x} in {shape:?}");
        }
    }
}

#[test]
fn of_overlapping_functions_the_innermost_counts() {
    let shape = Shape::ELF64_LITTLE;
    let mut unit = dwarf::Unit::new(shape);
    for (name, code) in [
        ("wide", 0x1000..0x1800),
        ("tail", 0x1400..0x1900),
        ("same", 0x1400..0x1900),
    ] {
        unit.function(name, code);
        unit.end();
    }
    let info = unit.finish();
    let sections = [(".debug_info", &*info), (".debug_abbrev", dwarf::ABBREV)];
    let (symbolizer, module) = symbolizer_of_bytes(dwarf::elf(shape, &sections).build());
    for (addr, want) in [(0x13ff, "wide@?"), (0x1400, "tail@?"), (0x18ff, "tail@?")] {
        assert_eq!(brief(&find(&symbolizer, module, addr)), want, "{addr:#x}");
    }
}

#[test]
fn debug_information_of_dropped_functions_is_not_looked_at() {
    let shape = Shape::ELF64_LITTLE;
    let mut unit = dwarf::Unit::new(shape);
    // What linkers make of a function they dropped: address 0 and its old size.
    unit.function("dropped", 0..0x1800);
    unit.end();
    unit.function("kept", 0x1100..0x1200);
    unit.end();
    let info = unit.finish();
    let sections = [(".debug_info", &*info), (".debug_abbrev", dwarf::ABBREV)];
    let (symbolizer, module) = symbolizer_of_bytes(dwarf::elf(shape, &sections).build());
    assert_eq!(brief(&find(&symbolizer, module, 0x1100)), "kept@?");
    assert_eq!(brief(&find(&symbolizer, module, 0x1000)), "[no-symbols]");
}
