//! Files made to hurt: each gets an answer or a reason, soon, in little memory.
//!
//! How soon is counted in steps, not in seconds: a walk has [`Limits::steps_per_byte`]
//! for its input, and its answer says when they did not suffice. No test looks at a
//! clock: what never ends is seen by the test that does not.

mod common;

use std::io::Write as _;

use backsight_symbolize::{Limits, ModuleInput, Options, Symbolizer};
use backsight_types::Reason;
use common::{Fixture, at, brief, dwarf, find, symbolizer_of_bytes};
use testkit::elf::{Elf, Field, Shape, Symbol};

const SHAPE: Shape = Shape::ELF64_LITTLE;

fn file(info: &[u8], abbrev: &[u8]) -> Elf {
    dwarf::elf(SHAPE, &[(".debug_info", info), (".debug_abbrev", abbrev)])
}

#[test]
fn deeply_nested_inlines_stop_at_the_depth_limit() {
    for depth in [100, 20_000, 200_000] {
        let mut unit = dwarf::Unit::new(SHAPE);
        let origin = unit.here();
        unit.byte(dwarf::ABSTRACT);
        unit.text("folded");
        unit.function("whole", dwarf::CODE);
        for _ in 0..depth {
            unit.inlined(origin, dwarf::CODE, 3);
        }
        for _ in 0..=depth {
            unit.end();
        }
        let elf = file(&unit.finish(), dwarf::ABBREV);
        let (symbolizer, module) = symbolizer_of_bytes(elf.build());
        let found = find(&symbolizer, module, 0x1800).expect("an answer");
        assert_eq!(found.len(), depth.min(128) + 1, "of {depth}");
        assert_eq!(found.limit_reached(), depth > 128, "of {depth}");
        let whole = found.physical().expect("the function");
        assert_eq!(whole.function.as_deref(), Some("whole"), "of {depth}");
    }
}

#[test]
fn a_circle_of_origins_ends() {
    let mut unit = dwarf::Unit::new(SHAPE);
    let first = unit.here();
    unit.byte(dwarf::LINK);
    unit.word(first + 5);
    unit.byte(dwarf::LINK);
    unit.word(first);
    let own = unit.here();
    unit.byte(dwarf::COPY);
    unit.word(first);
    unit.code(0x1000..0x1100);
    unit.byte(dwarf::COPY);
    unit.word(own + 17);
    unit.code(0x1100..0x1200);
    unit.byte(dwarf::COPY);
    unit.word(0xffff_ffff);
    unit.code(0x1200..0x1300);
    let elf = file(&unit.finish(), dwarf::ABBREV);
    let (symbolizer, module) = symbolizer_of_bytes(elf.build());
    for addr in [0x1000, 0x1100, 0x1200] {
        let found = find(&symbolizer, module, addr);
        assert_eq!(brief(&found), "?@?", "{addr:#x}: there, without a name");
    }
}

#[test]
fn functions_nested_in_functions_are_not_walked_again_and_again() {
    let mut unit = dwarf::Unit::new(SHAPE);
    let count = 4096;
    for at in 0..count {
        unit.function("f", 0x1000 + at..0x1001 + at);
    }
    for _ in 0..count {
        unit.end();
    }
    let elf = file(&unit.finish(), dwarf::ABBREV);
    let (symbolizer, module) = symbolizer_of_bytes(elf.build());
    let requests: Vec<_> = (0..count).map(|into| at(module, 0x1000 + into)).collect();
    let answers = symbolizer.symbolize(&requests);
    // All share the steps of one unit; those for whom none were left have their
    // function all the same.
    assert!(answers.iter().all(Result::is_ok), "each has its function");
}

/// Two functions, and between them 200,000 DIEs of one byte each, of this tag
/// and with 20,000 attributes of no size.
fn attributes_of_no_size(tag: u8, attribute: [u8; 2]) -> Vec<u8> {
    let mut abbrev = dwarf::ABBREV.to_vec();
    abbrev.pop();
    abbrev.extend([8, tag, 0]);
    for _ in 0..20_000 {
        abbrev.extend(attribute);
    }
    abbrev.extend([0, 0, 0]);
    let mut unit = dwarf::Unit::new(SHAPE);
    unit.function("early", 0x1000..0x1100);
    unit.end();
    for _ in 0..200_000 {
        unit.byte(8);
    }
    unit.function("late", 0x1100..0x1200);
    unit.end();
    file(&unit.finish(), &abbrev).build()
}

#[test]
fn attributes_of_no_size_that_are_asked_for_cost_fuel() {
    // Functions, each with 20,000 flags for a name.
    let bytes = attributes_of_no_size(0x2e, [0x03, 0x19]);
    let (symbolizer, module) = symbolizer_of_bytes(bytes);
    let early = find(&symbolizer, module, 0x1000).expect("it stands before the limit");
    assert!(early.limit_reached());
    assert_eq!(find(&symbolizer, module, 0x1100), Err(Reason::Limit));
}

#[test]
fn attributes_of_no_size_that_nobody_asks_for_cost_nothing() {
    // Variables, each with 20,000 flags.
    let bytes = attributes_of_no_size(0x34, [0x3f, 0x19]);
    let (symbolizer, module) = symbolizer_of_bytes(bytes);
    for (name, addr) in [("early@?", 0x1000), ("late@?", 0x1100)] {
        let found = find(&symbolizer, module, addr);
        assert_eq!(brief(&found), name);
        assert!(!found.expect("an answer").limit_reached());
    }
}

#[test]
fn units_that_share_a_huge_abbreviation_table_cost_fuel() {
    // No table ends before the section does, and each unit takes another tail.
    let mut abbrev = Vec::new();
    for _ in 0..100_000 {
        abbrev.extend([1, 0x11, 0, 0x03, 0x08, 0, 0]);
    }
    let mut info = Vec::new();
    for at in 0..20_000_u32 {
        let mut unit = dwarf::Unit::new(SHAPE).finish();
        unit[6..10].copy_from_slice(&(at * 7).to_le_bytes());
        info.extend(unit);
    }
    let (symbolizer, module) = symbolizer_of_bytes(file(&info, &abbrev).build());
    let found = find(&symbolizer, module, 0x1000);
    assert!(
        matches!(found, Err(Reason::Limit | Reason::NoSymbols)),
        "{found:?}"
    );
}

#[test]
fn zeros_for_address_ranges_do_not_exhaust_the_stack() {
    let mut aranges = vec![0; 4 << 20];
    let length = u32::try_from(aranges.len() - 4).expect("32 bits");
    aranges[..4].copy_from_slice(&length.to_le_bytes());
    aranges[4] = 2;
    aranges[10] = 8;
    let mut unit = dwarf::Unit::new(SHAPE);
    unit.function("found", 0x1000..0x1100);
    unit.end();
    let sections = [
        (".debug_info", &*unit.finish()),
        (".debug_abbrev", dwarf::ABBREV),
        (".debug_aranges", &*aranges),
    ];
    let (symbolizer, module) = symbolizer_of_bytes(dwarf::elf(SHAPE, &sections).build());
    let found = find(&symbolizer, module, 0x1000);
    assert_eq!(brief(&found), "found@?");
}

/// A compressed section that says it unpacks to `size` bytes.
fn packed(kind: u32, size: u64, packed: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    bytes.extend(kind.to_le_bytes());
    bytes.extend(0_u32.to_le_bytes());
    bytes.extend(size.to_le_bytes());
    bytes.extend(1_u64.to_le_bytes());
    bytes.extend(packed);
    bytes
}

fn zlib(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).expect("memory");
    encoder.finish().expect("memory")
}

fn with_packed_info(info: &[u8]) -> Vec<u8> {
    let elf = dwarf::elf(SHAPE, &[(".debug_abbrev", dwarf::ABBREV)]);
    let elf = elf.section(dwarf::debug_section(".debug_info", info, 0x800));
    elf.symbols(&[Symbol::function("symbol", 0x1000, 0x100)])
        .build()
}

#[test]
fn sizes_are_refused_before_they_are_allocated() {
    let bomb = zlib(&vec![0; 64 << 20]);
    let zstd_bomb = zstd::bulk::compress(&vec![0; 64 << 20], 1).expect("memory");
    let cases = [
        ("2^62 bytes of zlib", packed(1, 1 << 62, &zlib(b"x")), true),
        ("2^62 bytes of zstd", packed(2, 1 << 62, b"x"), true),
        ("all there is", packed(1, u64::MAX, &zlib(b"x")), true),
        ("an honest zlib bomb", packed(1, 64 << 20, &bomb), true),
        ("an honest zstd bomb", packed(2, 64 << 20, &zstd_bomb), true),
        ("more zlib than declared", packed(1, 1000, &bomb), false),
        (
            "more zstd than declared",
            packed(2, 1000, &zstd_bomb),
            false,
        ),
        ("less than declared", packed(1, 1000, &zlib(b"x")), false),
        ("no zlib", packed(1, 1000, b"garbage"), false),
        ("no zstd", packed(2, 1000, b"garbage"), false),
        ("an unknown scheme", packed(9, 1000, b"garbage"), false),
        ("no header", vec![1], false),
    ];
    for (name, info, limit) in cases {
        let mut options = Options::default();
        options.debug_dirs.clear();
        options.limits.unpacked_bytes = 1 << 20;
        let symbolizer = Symbolizer::new(options);
        let bytes = with_packed_info(&info);
        let module = symbolizer.add(ModuleInput::Bytes(bytes.into()), None, None);
        let found = find(&symbolizer, module, 0x1000);
        assert_eq!(brief(&found), "symbol@?", "{name}: the symbols still stand");
        let reached = found.expect("an answer").limit_reached();
        assert_eq!(reached, limit, "{name}");
        let elsewhere = find(&symbolizer, module, 0x1800);
        let want = if limit {
            Reason::Limit
        } else {
            Reason::NoSymbols
        };
        assert_eq!(elsewhere, Err(want), "{name}");
    }
}

#[test]
fn header_counts_that_lie_are_answered() {
    let cases = [
        ("sections far away", Field::SectionsOffset, u64::MAX),
        ("65,535 sections", Field::SectionCount, 0xffff),
        ("names in no section", Field::SectionNames, 0xfffe),
        ("65,535 program headers", Field::ProgramCount, 0xffff),
        (
            "program headers far away",
            Field::ProgramsOffset,
            u64::MAX - 8,
        ),
    ];
    for (name, field, value) in cases {
        let elf = dwarf::elf(SHAPE, &[]).symbols(&[Symbol::function("symbol", 0x1000, 0x100)]);
        let (symbolizer, module) = symbolizer_of_bytes(elf.claim(field, value).build());
        let found = find(&symbolizer, module, 0x1000);
        assert!(
            found.is_err() || brief(&found) == "symbol@?",
            "{name}: {found:?}"
        );
    }
}

/// Small, and with all that compilers put into a file.
fn small_program(fixture: &Fixture) -> Vec<u8> {
    let source = r#"
        static inline __attribute__((always_inline)) int folded(int x) { return x * x; }
        int called(int x) { return folded(x) + 1; }
        int main(int argc, char **argv) { return called(argc); }
    "#;
    fixture.write("a.c", source);
    fixture.must("cc", &["-g", "-O1", "-o", "a", "a.c"]);
    std::fs::read(fixture.path("a")).expect("readable")
}

fn ask_everything(bytes: Vec<u8>) {
    let (symbolizer, module) = symbolizer_of_bytes(bytes);
    let mut requests: Vec<_> = (0x1000..0x1200)
        .step_by(7)
        .map(|addr| at(module, addr))
        .collect();
    requests.extend([0, 1, u64::MAX, u64::MAX - 1, 1 << 63].map(|addr| at(module, addr)));
    let answers = symbolizer.symbolize(&requests);
    assert_eq!(answers.len(), requests.len());
}

#[test]
fn a_file_cut_off_anywhere_is_answered() {
    let fixture = Fixture::new();
    let bytes = small_program(&fixture);
    for length in (0..bytes.len()).step_by(64) {
        ask_everything(bytes[..length].to_vec());
    }
}

#[test]
fn a_file_with_random_bytes_is_answered() {
    let fixture = Fixture::new();
    let bytes = small_program(&fixture);
    let mut state = 7_u64;
    let mut next = |below: usize| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(state >> 33).expect("31 bits") % below
    };
    // Most of a file is code and padding: half of the hits go where the debug
    // sections and the headers behind them are.
    let debug = bytes.len() / 2;
    for round in 0..400 {
        let mut broken = bytes.clone();
        for _ in 0..1 + next(8) {
            let at = if round % 2 == 0 {
                next(bytes.len())
            } else {
                debug + next(bytes.len() - debug)
            };
            broken[at] = u8::try_from(next(256)).expect("a byte");
        }
        ask_everything(broken);
    }
}

#[test]
fn limits_can_be_changed_by_the_caller() {
    let mut limits = Limits::default();
    limits.inline_depth = 1;
    let mut unit = dwarf::Unit::new(SHAPE);
    let origin = unit.here();
    unit.byte(dwarf::ABSTRACT);
    unit.text("folded");
    unit.function("whole", dwarf::CODE);
    unit.inlined(origin, dwarf::CODE, 3);
    unit.inlined(origin, dwarf::CODE, 4);
    for _ in 0..3 {
        unit.end();
    }
    let options = Options::default().with_limits(limits);
    let symbolizer = Symbolizer::new(options);
    let bytes = file(&unit.finish(), dwarf::ABBREV).build();
    let module = symbolizer.add(ModuleInput::Bytes(bytes.into()), None, None);
    let found = find(&symbolizer, module, 0x1000);
    assert_eq!(brief(&found), "~folded@? whole@?");
    assert!(found.expect("an answer").limit_reached());
}
