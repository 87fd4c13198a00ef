//! Which debug sections are read, and that unpacking them side by side changes nothing.

mod common;

use backsight_symbolize::{ModuleInput, Options, Symbolizer};
use common::{Fixture, at, brief, dwarf, find, symbolizer_of};
use testkit::elf::Shape;

/// A compressed section that declares more than any budget has.
fn huge() -> Vec<u8> {
    let mut bytes = Vec::new();
    bytes.extend(1_u32.to_le_bytes());
    bytes.extend(0_u32.to_le_bytes());
    bytes.extend((1_u64 << 62).to_le_bytes());
    bytes.extend(1_u64.to_le_bytes());
    bytes
}

#[test]
fn sections_that_no_lookup_needs_are_not_unpacked() {
    let mut unit = dwarf::Unit::new(Shape::ELF64_LITTLE);
    unit.function("found", dwarf::CODE);
    unit.end();
    let info = unit.finish();
    let own = [(".debug_info", &*info), (".debug_abbrev", dwarf::ABBREV)];
    let ask = |name: &str| {
        let elf = dwarf::elf(Shape::ELF64_LITTLE, &own);
        let elf = elf.section(dwarf::debug_section(name, &huge(), 0x800));
        let mut options = Options::default();
        options.debug_dirs.clear();
        let symbolizer = Symbolizer::new(options);
        let module = symbolizer.add(ModuleInput::Bytes(elf.build().into()), None, None);
        brief(&find(&symbolizer, module, 0x1000))
    };
    let unread = [
        ".debug_loc",
        ".debug_loclists",
        ".debug_types",
        ".debug_macro",
        ".debug_macinfo",
        ".debug_names",
        ".debug_pubnames",
        ".debug_pubtypes",
        ".debug_gnu_pubnames",
        ".debug_frame",
        ".debug_info.dwo",
        ".gdb_index",
    ];
    for name in unread {
        assert_eq!(ask(name), "found@?", "{name}");
    }
    // One that is needed is a limit.
    assert_eq!(ask(".debug_line"), "[limit]");
}

/// Its sections are large enough to be unpacked by several threads.
#[test]
fn this_test_itself_answers_the_same_when_packed() {
    let fixture = Fixture::new();
    let own = std::env::current_exe().expect("this executable");
    let own = own.to_str().expect("text");
    fixture.must("strip", &["-o", "code", own]);
    let addrs: Vec<u64> = {
        let bytes = std::fs::read(fixture.path("code")).expect("readable");
        let segments = backsight_elf::Headers::parse(&bytes)
            .expect("an ELF file")
            .segments;
        let code = segments.as_slice().iter();
        let code = code.filter(|segment| segment.flags.is_executable());
        let all = code.flat_map(|segment| {
            let start = segment.virt_offset.0;
            (start..start + segment.memory_size).step_by(997)
        });
        all.collect()
    };
    let ask = |path: &std::path::Path| {
        let (symbolizer, module) = symbolizer_of(path);
        let requests: Vec<_> = addrs.iter().map(|addr| at(module, *addr)).collect();
        symbolizer.symbolize(&requests)
    };
    let plain = ask(std::path::Path::new(own));
    assert!(plain.iter().filter(|found| found.is_ok()).count() > 100);
    for scheme in ["zlib", "zlib-gnu", "zstd"] {
        let flag = format!("--compress-debug-sections={scheme}");
        if let Err(words) = fixture.run("objcopy", &[&flag, own, "packed"]) {
            testkit::skip(&words);
            continue;
        }
        let packed = fixture.path("packed");
        assert_eq!(ask(&packed), plain, "{scheme}");
        // The first few unpack no more than they need, alone or one after the other.
        let (together, of_all) = symbolizer_of(&packed);
        let few = addrs.iter().zip(&plain).step_by(addrs.len() / 9);
        for (addr, want) in few {
            let (alone, module) = symbolizer_of(&packed);
            let first = alone.symbolize(&[at(module, *addr)]);
            assert_eq!(
                first,
                std::slice::from_ref(want),
                "{scheme}: {addr:#x} first"
            );
            let next = together.symbolize(&[at(of_all, *addr)]);
            assert_eq!(
                next,
                std::slice::from_ref(want),
                "{scheme}: {addr:#x} in turn"
            );
        }
    }
}
