//! Symbol tables whose headers are damaged: what can be read is, and what is wrong is
//! told, where the readelf of LLVM or of binutils tells it as well.

mod common;

use std::path::Path;
use std::process::Command;

use backsight_symbolize::{BuiltIndex, Cause, Options, ShortfallKind, Sought, SoughtKind};
use common::{Fixture, at, names, no_debug_dirs, symbol, symbolizer_with};

const SOURCE: &str = "
static __attribute__((noinline)) int inner(int k) { volatile int z = k; return z * 5; }
int exported(int k) { return inner(k); }
";

const SYMTAB: u32 = 2;
const DYNSYM: u32 = 11;
const NUMBERS: u32 = 18;

/// Where the field of a section header is, and how many bytes it has: of 64 bits.
const LINK: (usize, usize) = (40, 4);
const OFFSET: (usize, usize) = (24, 8);
const SIZE: (usize, usize) = (32, 8);
const ENTRY_SIZE: (usize, usize) = (56, 8);

fn number(bytes: &[u8], at: usize, size: usize) -> u64 {
    let bytes = bytes[at..at + size].iter().rev();
    bytes.fold(0, |all, byte| all << 8 | u64::from(*byte))
}

/// Returns where the header of the first section of this type is.
fn header(bytes: &[u8], kind: u32) -> usize {
    let (at, count) = (number(bytes, 40, 8), number(bytes, 60, 2));
    let headers = (0..count).map(|n| usize::try_from(at + n * 64).expect("a small file"));
    let mut found = headers.filter(|at| number(bytes, at + 4, 4) == u64::from(kind));
    found.next().expect("there is one")
}

/// Returns the file with this number in the header of its table.
fn with(bytes: &[u8], kind: u32, (at, size): (usize, usize), value: u64) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    let at = header(&bytes, kind) + at;
    bytes[at..at + size].copy_from_slice(&value.to_le_bytes()[..size]);
    bytes
}

/// Returns what is told of tables.
fn told(path: &Path, options: Options) -> Vec<Sought> {
    let (symbolizer, module) = symbolizer_with(options, path);
    // Once more says nothing more.
    for _ in 0..2 {
        symbolizer.load(module).expect("it is read");
    }
    let mut all = symbolizer.sought(module);
    all.retain(|sought| sought.kind == SoughtKind::SymbolTable);
    all
}

fn parts(all: &[Sought]) -> Vec<(&'static str, &'static str)> {
    let parts = all.iter().map(|sought| {
        let error = sought.outcome.as_ref().expect_err("damage");
        match error.cause() {
            Cause::Damaged { part, wrong } => (*part, *wrong),
            _ => panic!("{error:?}"),
        }
    });
    parts.collect()
}

/// What two readers warn of when they list the symbols. LLVM's takes the dynamic symbols
/// by the dynamic segment. `None` where one is not installed.
fn warnings(path: &Path) -> Option<String> {
    let warnings = ["llvm-readelf", "readelf"].map(|tool| {
        let output = Command::new(tool).args(["-W", "-s"]).arg(path).output();
        Some(String::from_utf8_lossy(&output.ok()?.stderr).into_owned())
    });
    let [llvm, binutils] = warnings;
    Some(llvm? + &binutils?)
}

#[test]
fn a_damaged_table_is_told_and_the_rest_is_read() {
    let fixture = Fixture::new();
    fixture.write("a.c", SOURCE);
    if fixture
        .run("cc", &["-O1", "-shared", "-fPIC", "-o", "a.so", "a.c"])
        .is_err()
    {
        return testkit::skip("no C compiler");
    }
    let sound = fixture.path("a.so");
    let bytes = std::fs::read(&sound).expect("made");
    if bytes[4] != 2 || bytes[5] != 1 {
        return testkit::skip("not of 64 bits, or big-endian");
    }
    let places = ["inner", "exported"].map(|name| symbol(&sound, name).0);
    let text = u64::try_from(
        (header(&bytes, 1) - usize::try_from(number(&bytes, 40, 8)).expect("small")) / 64,
    );
    let text = text.expect("small");
    let far = 1 << 40;
    let size = |kind| number(&bytes, header(&bytes, kind) + SIZE.0, 8);
    // Which field, what is told, and whether symbols are read all the same.
    let cases = |kind| {
        [
            (LINK, 999, "sh_link", false),
            (LINK, 0, "sh_link", false),
            (LINK, text, "sh_link", false),
            (ENTRY_SIZE, 0, "sh_entsize", true),
            (ENTRY_SIZE, 7, "sh_entsize", true),
            (OFFSET, far, "outside of the file", false),
            (SIZE, far, "outside of the file", false),
            (SIZE, size(kind) - 1, "within a symbol", true),
        ]
    };
    assert_eq!(told(&sound, no_debug_dirs()), []);
    assert_eq!(warnings(&sound).unwrap_or_default(), "");
    for (kind, part) in [(SYMTAB, ".symtab"), (DYNSYM, ".dynsym")] {
        for (field, value, word, is_read) in cases(kind) {
            let what = format!("{part} {field:?} {value}");
            let path = fixture.write("d.so", with(&bytes, kind, field, value));
            let all = told(&path, no_debug_dirs());
            assert!(all.iter().all(|sought| sought.path == path), "{what}");
            let parts = parts(&all);
            assert!(
                matches!(parts[..], [(of, wrong)] if of == part && wrong.contains(word)),
                "{what}: {parts:?}"
            );
            if let Some(warnings) = warnings(&path) {
                assert_ne!(warnings, "", "{what}: nor is it wrong to others");
            }
            let index = BuiltIndex::of(
                backsight_symbolize::ModuleInput::open(&path).expect("a file"),
                None,
                &no_debug_dirs(),
            );
            assert_eq!(index.expect("an index").sought, all, "{what}");
            // One table or the other has what is exported.
            let [inner, exported] = &names(&path, &no_debug_dirs(), &places)[..] else {
                panic!("two places");
            };
            assert_eq!(exported.as_deref(), Some("exported"), "{what}");
            let has_inner = inner.as_deref() == Some("inner");
            assert_eq!(has_inner, kind == DYNSYM || is_read, "{what}: {inner:?}");
        }
    }
    // Without its end, a file has no section headers, and names what is exported.
    let cut = fixture.write("cut.so", &bytes[..bytes.len() - 64]);
    let all = told(&cut, no_debug_dirs());
    assert!(
        matches!(parts(&all)[..], [("section headers", _)]),
        "{all:?}"
    );
    let [_, exported] = &names(&cut, &no_debug_dirs(), &places)[..] else {
        panic!("two places");
    };
    assert_eq!(exported.as_deref(), Some("exported"));
}

#[test]
fn the_table_of_a_debug_file_is_told_with_its_path() {
    let fixture = Fixture::new();
    fixture.write("a.c", SOURCE);
    let made = fixture.run(
        "cc",
        &["-g", "-O1", "-shared", "-fPIC", "-o", "a.so", "a.c"],
    );
    let made = made.and_then(|()| fixture.run("objcopy", &["--only-keep-debug", "a.so", "kept"]));
    if made.is_err() {
        return testkit::skip("no C compiler, or no binutils");
    }
    let bytes = std::fs::read(fixture.path("kept")).expect("made");
    if bytes[4] != 2 || bytes[5] != 1 {
        return testkit::skip("not of 64 bits, or big-endian");
    }
    let debug = fixture.write("a.debug", with(&bytes, SYMTAB, LINK, 999));
    fixture.must(
        "objcopy",
        &["-S", "--add-gnu-debuglink=a.debug", "a.so", "bare.so"],
    );
    let all = told(&fixture.path("bare.so"), no_debug_dirs());
    assert!(matches!(parts(&all)[..], [(".symtab", _)]), "{all:?}");
    assert_eq!(all[0].path.canonicalize().ok(), debug.canonicalize().ok());
}

/// Returns in which ways the file is less than it should be, when all is asked of it.
fn lacks(path: &Path) -> Vec<ShortfallKind> {
    let (symbolizer, module) = symbolizer_with(no_debug_dirs(), path);
    // Of places that no table names, all tables are asked.
    let requests: Vec<_> = (0x1000..0x1400).map(|place| at(module, place)).collect();
    let _ = symbolizer.symbolize(&requests);
    let all = symbolizer.shortfalls(module).into_iter();
    all.map(|one| {
        assert_eq!(one.path.as_deref(), Some(path));
        one.kind
    })
    .collect()
}

#[test]
fn a_file_that_is_cut_off_is_told_once() {
    let fixture = Fixture::new();
    fixture.write("a.c", SOURCE);
    let args = ["-g", "-O1", "-shared", "-fPIC", "-o", "a.so", "a.c"];
    if fixture.run("cc", &args).is_err() {
        return testkit::skip("no C compiler");
    }
    let sound = fixture.path("a.so");
    assert_eq!(lacks(&sound), []);
    let bytes = std::fs::read(&sound).expect("made");
    for eighths in 1..8 {
        let part = &bytes[..bytes.len() * eighths / 8];
        let path = fixture.write("cut.so", part);
        assert_eq!(lacks(&path), [ShortfallKind::CutOff], "{eighths}/8");
    }
    // Its section headers come first, and the end of a section is missing.
    let mut moved = bytes.clone();
    let (headers, count) = (number(&bytes, 40, 8), number(&bytes, 60, 2));
    let headers = usize::try_from(headers).expect("small");
    let end = headers + usize::try_from(count * 64).expect("small");
    moved.extend_from_slice(&bytes[headers..end]);
    let strings = header(&moved, 3) + OFFSET.0;
    let behind = u64::try_from(moved.len() - 4).expect("small");
    moved[strings..strings + 8].copy_from_slice(&behind.to_le_bytes());
    let path = fixture.write("moved.so", moved);
    assert_eq!(lacks(&path), [ShortfallKind::CutOff]);
}

/// Files without what others have, which end where they should.
#[test]
fn a_stripped_file_is_not_cut_off() {
    let fixture = Fixture::new();
    fixture.write("a.c", SOURCE);
    let args = ["-g", "-O1", "-shared", "-fPIC", "-o", "a.so", "a.c"];
    if fixture.run("cc", &args).is_err() {
        return testkit::skip("no C compiler");
    }
    let ways = [
        ("strip", ""),
        ("strip", "--strip-debug"),
        ("strip", "--only-keep-debug"),
        ("objcopy", "--strip-section-headers"),
        ("llvm-objcopy", "--strip-sections"),
        ("llvm-objcopy-19", "--strip-sections"),
        ("llvm-strip", "--strip-all"),
    ];
    let mut tried = 0;
    for (tool, flag) in ways {
        let flags = [flag].into_iter().filter(|flag| !flag.is_empty());
        let is_strip = tool.ends_with("strip");
        let out: &[&str] = if is_strip {
            &["-o", "less.so", "a.so"]
        } else {
            &["a.so", "less.so"]
        };
        let args: Vec<&str> = flags.chain(out.iter().copied()).collect();
        if fixture.run(tool, &args).is_err() {
            continue;
        }
        tried += 1;
        let path = fixture.path("less.so");
        assert_eq!(lacks(&path), [], "{tool} {flag}");
        let bytes = std::fs::read(&path).expect("made");
        let path = fixture.write("cut.so", &bytes[..bytes.len() - 1]);
        assert_eq!(
            lacks(&path),
            [ShortfallKind::CutOff],
            "{tool} {flag}: a byte less"
        );
    }
    assert!(tried > 2, "{tried}");
}

#[test]
fn damaged_symbols_inside_mini_debug_info_are_told() {
    let fixture = Fixture::new();
    fixture.write("a.c", SOURCE);
    let made = fixture.run("cc", &["-O1", "-shared", "-fPIC", "-o", "a.so", "a.c"]);
    let made = made.and_then(|()| fixture.run("strip", &["-o", "bare", "a.so"]));
    if made.is_err() || fixture.run("xz", &["--version"]).is_err() {
        return testkit::skip("no C compiler, or no xz");
    }
    let bytes = std::fs::read(fixture.path("a.so")).expect("made");
    let cut = bytes[..bytes.len() / 2].to_vec();
    let cases = [
        ("sound", bytes.clone(), None),
        ("no names", with(&bytes, SYMTAB, LINK, 0), Some(())),
        ("cut off inside", cut, Some(())),
        ("no ELF file", b"garbage".to_vec(), Some(())),
    ];
    for (what, inner, told) in cases {
        fixture.write("mini", inner);
        fixture.must("xz", &["-kf", "mini"]);
        let args = ["--add-section", ".gnu_debugdata=mini.xz", "bare", "a"];
        fixture.must("objcopy", &args);
        let want: Vec<_> = told
            .map(|()| ShortfallKind::DamagedSymbols)
            .into_iter()
            .collect();
        assert_eq!(lacks(&fixture.path("a")), want, "{what}");
    }
}

/// What has more sections than a symbol can count has their numbers in a table beside.
#[test]
fn numbers_of_sections_that_belong_to_no_table_are_told() {
    let fixture = Fixture::new();
    fixture.write("a.c", SOURCE);
    if fixture
        .run("cc", &["-O1", "-shared", "-fPIC", "-o", "a.so", "a.c"])
        .is_err()
    {
        return testkit::skip("no C compiler");
    }
    let mut bytes = std::fs::read(fixture.path("a.so")).expect("made");
    let first = usize::try_from(number(&bytes, 40, 8)).expect("small");
    let symtab = u64::try_from((header(&bytes, SYMTAB) - first) / 64).expect("small");
    let entries = number(&bytes, header(&bytes, SYMTAB) + SIZE.0, 8) / 24;
    // The first section with bytes becomes that table.
    let numbers = header(&bytes, 1);
    bytes[numbers + 4..numbers + 8].copy_from_slice(&NUMBERS.to_le_bytes());
    for (link, count, told) in [
        (symtab, entries, false),
        (symtab, entries - 1, true),
        (symtab + 1, entries, true),
        (9999, entries, true),
    ] {
        let linked = with(&bytes, NUMBERS, LINK, link);
        let path = fixture.write("d.so", with(&linked, NUMBERS, SIZE, count * 4));
        let want = told.then_some(ShortfallKind::DamagedSymbols);
        assert_eq!(
            lacks(&path),
            want.into_iter().collect::<Vec<_>>(),
            "{link} {count}"
        );
    }
}
