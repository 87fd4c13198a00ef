//! Compressed debug information that may not be unpacked: refused as a whole, by every
//! way alike, and named.

mod common;

use std::path::Path;

use backsight_symbolize::{
    BuiltIndex, Cause, Error, ModuleInput, Options, Oversized, Symbolizer, Tier,
};
use common::{Fixture, at, brief, dwarf, find, symbol};
use testkit::elf::{Bits, Elf, Order, Shape, Symbol};

const SOURCE: &str = "static inline __attribute__((always_inline)) int folded(int x) { return x * x; \
                      }\nint called(int x) {\n    return folded(x) + 1;\n}\nint main(int argc, char \
                      **argv) {\n    return called(argc);\n}\n";

/// As sections are compressed: the flag of objcopy.
const SCHEMES: [&str; 3] = ["zlib", "zlib-gnu", "zstd"];

/// The sections that lookups read of a main file.
const READ: [&str; 10] = [
    "info",
    "abbrev",
    "line",
    "line_str",
    "str",
    "str_offsets",
    "addr",
    "ranges",
    "rnglists",
    "aranges",
];

/// `plain`, and `packed` whose debug sections are compressed: with the bytes that lookups
/// have to unpack of it, as the sections of `plain` say.
fn packed(scheme: &str) -> Result<(Fixture, u64), String> {
    let fixture = Fixture::new();
    fixture.write("a.c", SOURCE);
    fixture.must("cc", &["-g", "-O2", "-gz=none", "-o", "plain", "a.c"]);
    let flag = format!("--compress-debug-sections={scheme}");
    fixture.run("objcopy", &[&flag, "plain", "packed"])?;
    let bytes = std::fs::read(fixture.path("plain")).expect("there");
    let packed = std::fs::read(fixture.path("packed")).expect("there");
    let (plain, packed) = (sections(&bytes), sections(&packed));
    let unpacked = READ.iter().filter_map(|name| {
        // What would not be smaller stays as it is.
        let (_, plain) = plain.iter().find(|(of, _)| of == name)?;
        let (_, packed) = packed.iter().find(|(of, _)| of == name)?;
        (plain != packed).then_some(*plain)
    });
    Ok((fixture, unpacked.sum()))
}

/// Names behind `.debug_` or `.zdebug_`, and sizes in the file.
fn sections(bytes: &[u8]) -> Vec<(String, u64)> {
    use object::{Object as _, ObjectSection as _};
    let file = object::File::parse(bytes).expect("an object file");
    let debug = file.sections().filter_map(|section| {
        let name = section.name().ok()?;
        let name = name.strip_prefix(".z").or(name.strip_prefix('.'))?;
        let name = name.strip_prefix("debug_")?.to_owned();
        Some((name, section.compressed_data().ok()?.data.len() as u64))
    });
    debug.collect()
}

fn options(unpacked_bytes: u64, tier: Tier) -> Options {
    let mut options = Options::default();
    options.debug_dirs.clear();
    options.limits.unpacked_bytes = unpacked_bytes;
    options.tier = tier;
    options
}

const TIERS: [Tier; 3] = [Tier::Lazy, Tier::Flat, Tier::Auto];

/// What is said of the first `count` bytes of `called`, and of so many more that modules
/// are indexed; whether a limit was reached for each; and the file that was too large.
fn ask(path: &Path, options: Options, count: u64) -> (Vec<String>, Vec<bool>, Option<Oversized>) {
    let (symbolizer, module) = common::symbolizer_with(options, path);
    let (start, size) = symbol(path, "called");
    let addrs = (0..count).map(|n| start + n % size);
    let requests: Vec<_> = addrs.map(|addr| at(module, addr)).collect();
    let found = symbolizer.symbolize(&requests);
    let limited = found.iter().map(|found| {
        let frames = found.as_ref().expect("a symbol covers it");
        frames.limit_reached()
    });
    let limited = limited.collect();
    // It is known for as long as the module is, whatever is kept of it.
    let oversized = symbolizer.oversized(module);
    symbolizer.evict(0);
    assert_eq!(symbolizer.oversized(module), oversized);
    assert!(oversized.len() < 2, "{oversized:?}");
    let found = found.iter().map(brief).collect();
    (found, limited, oversized.into_iter().next())
}

#[test]
fn a_byte_too_many_leaves_the_symbols_and_is_named() {
    for scheme in SCHEMES {
        let (fixture, needed) = match packed(scheme) {
            Ok(made) => made,
            Err(words) => {
                testkit::skip(&words);
                continue;
            }
        };
        let (plain, packed) = (fixture.path("plain"), fixture.path("packed"));
        for tier in TIERS {
            for count in [1, 2, 63, 64, 65, 1000] {
                let name = format!("{scheme}, {tier:?}, {count}");
                let (want, ..) = ask(&plain, options(0, tier), count);
                assert!(want[0].contains("called@"), "{name}: {want:?}");
                let (got, limited, oversized) = ask(&packed, options(needed, tier), count);
                assert_eq!(got, want, "{name}");
                assert!(!limited.contains(&true), "{name}");
                assert_eq!(oversized, None, "{name}");

                let (got, limited, oversized) = ask(&packed, options(needed - 1, tier), count);
                assert!(
                    got.iter().all(|found| found == "called@?"),
                    "{name}: {got:?}"
                );
                assert!(!limited.contains(&false), "{name}");
                let file = oversized.expect("one file");
                assert_eq!(file.path.as_deref(), Some(&*packed), "{name}");
                let said = (file.needed, file.allowed);
                assert_eq!(said, (needed, Some(needed - 1)), "{name}");
            }
        }
        let build = |most| {
            let input = ModuleInput::open(&packed).expect("there");
            BuiltIndex::of(input, None, &options(most, Tier::Auto))
        };
        let refused = Cause::Oversized {
            needed,
            allowed: Some(needed - 1),
        };
        let error = build(needed - 1).expect_err("too large");
        let want = Error::new("unpack", Some(&packed), refused);
        assert_eq!(error, want, "{scheme}");
        let built = build(needed).expect("it may");
        assert!(
            !built.index.limit_reached() && built.oversized.is_empty(),
            "{scheme}"
        );
    }
}

#[test]
fn companions_that_are_too_large_are_named() {
    let fixture = Fixture::new();
    fixture.write("a.c", SOURCE);
    let flags = ["-g", "-O2", "-gz=none", "-gsplit-dwarf", "-c", "a.c"];
    fixture.must("cc", &flags);
    fixture.must("cc", &["-o", "a", "a.o"]);
    let pack = ["--compress-debug-sections=zlib", "a.dwo"];
    fixture.must("objcopy", &pack);
    let path = fixture.path("a");
    for tier in TIERS {
        let (want, ..) = ask(&path, options(u64::MAX, tier), 1);
        assert_eq!(want, ["~folded@1 called@3"], "{tier:?}");
        let (got, limited, oversized) = ask(&path, options(1, tier), 1);
        assert!(
            limited[0] && got[0].starts_with("called@"),
            "{tier:?}: {got:?}"
        );
        let file = oversized.expect("one file");
        let named = file.path.as_deref().and_then(Path::file_name);
        assert_eq!(named, Some("a.dwo".as_ref()), "{tier:?}");
        assert!(
            file.needed > 1 && file.allowed == Some(1),
            "{tier:?}: {file:?}"
        );
    }
    // The index of what is left says that something is missing, and what.
    let input = ModuleInput::open(&path).expect("there");
    let built = BuiltIndex::of(input, None, &options(1, Tier::Auto)).expect("an index");
    assert!(built.index.limit_reached());
    assert_eq!(built.oversized.len(), 1);
}

/// A unit with nothing behind it but `zeros` bytes: it compresses a thousandfold.
fn bomb(zeros: usize) -> Vec<u8> {
    let shape = Shape {
        bits: Bits::Elf64,
        order: Order::Little,
    };
    let mut unit = dwarf::Unit::new(shape);
    unit.function("from DWARF", 0x1000..0x1100);
    let mut info = unit.finish();
    info.resize(info.len() + zeros, 0);
    let packed = zstd::bulk::compress(&info, 1).expect("memory");
    // Elf64_Chdr: ELFCOMPRESS_ZSTD, padding, size and alignment.
    let mut section = Vec::new();
    section.extend(2_u32.to_le_bytes());
    section.extend([0; 4]);
    section.extend((info.len() as u64).to_le_bytes());
    section.extend(1_u64.to_le_bytes());
    section.extend(packed);
    let elf: Elf = dwarf::elf(shape, &[(".debug_abbrev", dwarf::ABBREV)]);
    let elf = elf.section(dwarf::debug_section(".debug_info", &section, 0x800));
    elf.symbols(&[Symbol::function("symbol", 0x1000, 0x100)])
        .build()
}

#[test]
fn decompression_bombs_are_refused() {
    let bytes = bomb(8 << 20);
    assert!(bytes.len() < 64 << 10, "{} bytes", bytes.len());
    let ask = |ratio, exempt| {
        let mut options = options(4 << 30, Tier::Auto);
        options.limits.unpack_ratio = ratio;
        options.limits.unpack_ratio_exempt_bytes = exempt;
        let symbolizer = Symbolizer::new(options);
        let module = symbolizer.add(ModuleInput::Bytes(bytes.clone().into()), None, None);
        let found = brief(&find(&symbolizer, module, 0x1010));
        (found, symbolizer.oversized(module))
    };
    let (found, oversized) = ask(16, 1 << 20);
    assert_eq!(found, "symbol@?");
    let [file] = &oversized[..] else {
        panic!("one file: {oversized:?}");
    };
    assert!(
        file.needed > 8 << 20 && file.allowed == Some(1 << 20),
        "{file:?}"
    );
    assert_eq!(file.path, None);
    for (ratio, exempt) in [(16, 9 << 20), (100_000, 1 << 20)] {
        let (found, oversized) = ask(ratio, exempt);
        assert_eq!(found, "from DWARF@?", "{ratio}, {exempt}");
        assert_eq!(oversized, []);
    }
}
