//! DWARF in every word size and byte order, made by hand.

mod common;

use backsight_symbolize::{Answers, ModuleInput, Options, Symbolizer, Tier};
use common::{at, brief, dwarf, find, symbolizer_of_bytes};
use testkit::elf::Shape;

/// Returns a file with the function `whole` at 0x1100..0x1200, into which what `origin`
/// writes was folded at 0x1140..0x1180, called on line 7.
fn with_inlined(origin: impl FnOnce(&mut dwarf::Unit)) -> Vec<u8> {
    let shape = Shape::ELF64_LITTLE;
    let mut unit = dwarf::Unit::new(shape);
    let folded = unit.here();
    origin(&mut unit);
    unit.function("whole", 0x1100..0x1200);
    unit.inlined(folded, 0x1140..0x1180, 7);
    unit.end();
    unit.end();
    let info = unit.finish();
    let sections = [(".debug_info", &*info), (".debug_abbrev", dwarf::ABBREV)];
    dwarf::elf(shape, &sections).build()
}

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
            (0x1140, "~folded@? whole@?"),
            (0x117f, "~folded@? whole@?"),
            (0x1180, "whole@?"),
            (0x1200, "[no-symbols]"),
        ];
        for (addr, want) in cases {
            let found = find(&symbolizer, module, addr);
            assert_eq!(brief(&found), want, "{addr:#x} in {shape:?}");
        }
    }
}

/// What a frame without a name still says is the same by every way.
#[test]
fn a_nameless_frame_has_the_line_that_declares_it() {
    let bytes = with_inlined(|unit| {
        unit.byte(dwarf::NAMELESS);
        unit.byte(9);
    });
    for tier in [Tier::Lazy, Tier::Flat] {
        let symbolizer = Symbolizer::new(
            Options::default()
                .with_tier(tier)
                .with_debug_dirs(Vec::new()),
        );
        let module = symbolizer.add(ModuleInput::Bytes(bytes.clone().into()), None, None);
        let owned = find(&symbolizer, module, 0x1140);
        assert_eq!(brief(&owned), "~?@? whole@?", "{tier:?}");
        let lines = owned.expect("frames");
        let lines: Vec<_> = lines.iter().map(|frame| frame.start_line).collect();
        assert_eq!(lines, [Some(9), None], "{tier:?}");
        let mut answers = Answers::default();
        symbolizer.symbolize_into(&[at(module, 0x1140)], &mut answers);
        let stack = answers.get(0).expect("one answer").expect("frames");
        let borrowed: Vec<_> = stack.frames().map(|frame| frame.start_line()).collect();
        assert_eq!(borrowed, lines, "{tier:?}, borrowed");
    }
}

#[test]
fn a_line_says_nothing_without_its_file() {
    // The call of `folded` has a line, and no file that it would be in.
    let elf = with_inlined(|unit| {
        unit.byte(dwarf::ABSTRACT);
        unit.text("folded");
    });
    for tier in [Tier::Lazy, Tier::Flat] {
        let mut options = Options::default();
        options.debug_dirs.clear();
        options.tier = tier;
        let symbolizer = Symbolizer::new(options);
        let module = symbolizer.add(ModuleInput::Bytes(elf.clone().into()), None, None);
        let found = find(&symbolizer, module, 0x1140);
        assert_eq!(brief(&found), "~folded@? whole@?", "{tier:?}");
        let frames = found.expect("frames");
        assert!(
            frames.iter().all(|frame| frame.column.is_none()),
            "{tier:?}"
        );
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

/// One set for one unit, of these ranges.
fn aranges(unit: u32, ranges: &[(u64, u64)]) -> Vec<u8> {
    let mut bytes = vec![0; 4];
    bytes.extend(2_u16.to_le_bytes());
    bytes.extend(unit.to_le_bytes());
    bytes.extend([8, 0]);
    bytes.extend([0; 4]);
    for (begin, size) in ranges.iter().chain(&[(0, 0)]) {
        bytes.extend(begin.to_le_bytes());
        bytes.extend(size.to_le_bytes());
    }
    let length = u32::try_from(bytes.len() - 4).expect("32 bits");
    bytes[..4].copy_from_slice(&length.to_le_bytes());
    bytes
}

#[test]
fn address_ranges_that_leave_code_out_do_not_hide_it() {
    let shape = Shape::ELF64_LITTLE;
    let mut first = dwarf::Unit::new(shape);
    first.function("listed", 0x1000..0x1100);
    first.end();
    first.function("forgotten", 0x1100..0x1200);
    first.end();
    let mut second = dwarf::Unit::new(shape);
    second.function("unlisted", 0x1200..0x1300);
    second.end();
    let mut info = first.finish();
    info.extend(second.finish());
    let cases = [
        ("no list", Vec::new()),
        ("a part", aranges(0, &[(0x1000, 0x100)])),
        (
            "a zero pair in the middle",
            aranges(0, &[(0x1000, 0x80), (0, 0), (0x1080, 0x180)]),
        ),
        ("the wrong unit", aranges(3, &[(0x1000, 0x300)])),
        ("all of it to one unit", aranges(0, &[(0x1000, 0x300)])),
        ("a sum that wraps", aranges(0, &[(u64::MAX, 0x1000)])),
        ("cut off", aranges(0, &[(0x1000, 0x100)])[..20].to_vec()),
    ];
    for (name, list) in cases {
        let sections = [
            (".debug_info", &*info),
            (".debug_abbrev", dwarf::ABBREV),
            (".debug_aranges", &*list),
        ];
        let (symbolizer, module) = symbolizer_of_bytes(dwarf::elf(shape, &sections).build());
        let wants = [
            (0x1000, "listed@?"),
            (0x1100, "forgotten@?"),
            (0x1200, "unlisted@?"),
        ];
        for (addr, want) in wants {
            assert_eq!(brief(&find(&symbolizer, module, addr)), want, "{name}");
        }
    }
}
