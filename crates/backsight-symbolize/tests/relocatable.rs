//! Object files and kernel modules: code without addresses, DWARF full of holes.
//!
//! The oracle is binutils' addr2line, which is asked per section (`-j`); what address
//! a section has with us is said by its size and its alignment, as readelf has them.

mod common;

use std::path::Path;
use std::process::Command;

use backsight_symbolize::{ModuleId, Options, Place, Request, Symbolizer, Tier};
use backsight_types::{FileOffset, Lookup};
use common::{Fixture, brief, find, symbolizer_of, symbolizer_with};
use object::{Object as _, ObjectSection as _};

/// Sections of several alignments, an inlined call in two of them.
const SOURCE: &str = r#"
volatile int sink;
static inline __attribute__((always_inline)) void folded(int x) {
    sink = x + 1;
    sink = x + 2;
}
int plain(int x) {
    folded(x);
    return sink;
}
__attribute__((section(".init.text"))) int starting(int x) {
    folded(x + 3);
    return sink * 5;
}
__attribute__((section(".text.later"), aligned(64))) int later(int x) {
    folded(x + 7);
    return sink * 3;
}
"#;

/// Returns `SOURCE` as an object file.
fn compile(compiler: &str, flags: &[&str]) -> Result<Fixture, String> {
    let fixture = Fixture::new();
    fixture.write("a.c", SOURCE);
    let fixed = ["-c", "-O2", "-ffreestanding", "-o", "a.o", "a.c"];
    fixture.run(compiler, &[&fixed, flags].concat())?;
    Ok(fixture)
}

/// A section with code: its name, where we put it, its size and its file offset.
#[derive(Debug)]
struct Code {
    name: String,
    start: u64,
    size: u64,
    offset: u64,
}

/// Lays the code out by the rule that is documented, from what `object` reads.
fn code_of(path: &Path) -> Vec<Code> {
    let bytes = std::fs::read(path).expect("readable");
    let file = object::File::parse(&*bytes).expect("an object file");
    let sections = file.sections();
    let text = sections.filter(|section| section.kind() == object::SectionKind::Text);
    let (init, core): (Vec<_>, Vec<_>) = text
        .filter(|section| section.size() > 0)
        .partition(|section| section.name().expect("text").starts_with(".init"));
    let mut next = 0_u64;
    let place = |section: object::Section<'_, '_>| {
        let start = next.next_multiple_of(section.align().max(1));
        next = start + section.size();
        Code {
            name: section.name().expect("text").to_owned(),
            start,
            size: section.size(),
            offset: section.file_range().expect("bytes").0,
        }
    };
    core.into_iter().chain(init).map(place).collect()
}

/// Asks binutils about places in one section: function, file's name and line of each
/// level, innermost first.
fn ask_binutils(path: &Path, section: &str, size: u64) -> Option<Vec<Vec<String>>> {
    let mut command = Command::new("addr2line");
    command.args(["-a", "-f", "-i", "-s", "-j", section, "-e"]);
    command
        .arg(path)
        .args((0..size).map(|at| format!("{at:#x}")));
    let output = command.output().ok()?;
    let text = String::from_utf8(output.stdout).expect("text");
    let mut answers: Vec<Vec<String>> = Vec::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        if line.starts_with("0x") {
            answers.push(Vec::new());
            continue;
        }
        let place = lines.next().expect("a place follows each function");
        let place = place.split(" (").next().expect("a first part");
        let levels = answers.last_mut().expect("an address goes first");
        levels.push(format!("{line} {place}"));
    }
    Some(answers)
}

fn ask_us(symbolizer: &Symbolizer, module: ModuleId, addr: u64) -> Vec<String> {
    let Ok(frames) = find(symbolizer, module, addr) else {
        return vec!["?? ??:0".into()];
    };
    let level = |frame: &backsight_symbolize::Frame| {
        let name = frame.function.as_deref().unwrap_or("??");
        let file = frame.file.as_deref().unwrap_or("??");
        let file = file.rsplit('/').next().unwrap_or(file);
        match frame.line {
            Some(line) => format!("{name} {file}:{line}"),
            None => format!("{name} {file}:?"),
        }
    };
    frames.iter().map(level).collect()
}

/// Compares every byte of the code.
fn compare(path: &Path, what: &str) {
    for tier in [Tier::Lazy, Tier::Flat] {
        let options = Options::default()
            .with_tier(tier)
            .with_debug_dirs(Vec::new());
        compare_with(options, path, &format!("{tier:?} {what}"));
    }
}

fn compare_with(options: Options, path: &Path, what: &str) {
    let (symbolizer, module) = symbolizer_with(options, path);
    let sections = code_of(path);
    assert!(sections.len() >= 3, "{sections:?} of {what}");
    for section in sections {
        let Some(theirs) = ask_binutils(path, &section.name, section.size) else {
            return testkit::skip("no addr2line");
        };
        assert_eq!(u64::try_from(theirs.len()), Ok(section.size), "{what}");
        for (into, theirs) in (0..).zip(theirs) {
            let ours = ask_us(&symbolizer, module, section.start + into);
            assert_eq!(ours, theirs, "{}+{into:#x} of {what}", section.name);
        }
    }
}

#[test]
fn every_section_answers_at_the_address_it_is_given() {
    let sets: [&[&str]; 9] = [
        &["-gdwarf-2"],
        &["-gdwarf-3"],
        &["-gdwarf-4"],
        &["-gdwarf-5"],
        &["-gdwarf-4", "-fdebug-types-section"],
        &["-gdwarf-5", "-fdebug-types-section"],
        &["-g", "-ffunction-sections"],
        &["-g", "-gz=zlib"],
        &["-g", "-m32", "-fno-pic"],
    ];
    for flags in sets {
        match compile("cc", flags) {
            Ok(fixture) => compare(&fixture.path("a.o"), &format!("{flags:?}")),
            Err(words) => testkit::skip(&format!("{flags:?}: {words}")),
        }
    }
}

/// Machines whose relocations differ, each with both versions of line tables.
const MACHINES: &[&str] = &[
    "x86_64-linux-gnu",
    "i386-linux-gnu",
    "aarch64-linux-gnu",
    "aarch64_be-linux-gnu",
    "arm-linux-gnueabihf",
    "armeb-linux-gnueabihf",
    "riscv64-linux-gnu",
    "riscv32-linux-gnu",
    "powerpc64le-linux-gnu",
    "powerpc64-linux-gnu",
    "powerpc-linux-gnu",
    "s390x-linux-gnu",
    "mips-linux-gnu",
    "mips64el-linux-gnuabi64",
];

#[test]
fn the_relocations_of_every_machine_are_applied() {
    for machine in MACHINES {
        for version in ["-gdwarf-4", "-gdwarf-5"] {
            let target = format!("--target={machine}");
            let mut flags = vec![&*target, version];
            if machine.starts_with("riscv") {
                // Distances in DWARF are left to the linker then.
                flags.push("-mrelax");
            }
            let fixture = match compile("clang", &flags) {
                Ok(fixture) => fixture,
                Err(words) => {
                    testkit::skip(&format!("{flags:?}: {words}"));
                    continue;
                }
            };
            let path = fixture.path("a.o");
            let (symbolizer, module) = symbolizer_of(&path);
            let mut found = Vec::new();
            for section in code_of(&path) {
                let all = section.start..section.start + section.size;
                let mut seen: Vec<String> = all
                    .map(|addr| brief(&find(&symbolizer, module, addr)))
                    .collect();
                seen.dedup();
                found.extend(seen);
            }
            for want in [
                "~folded@4 plain@8",
                "~folded@5 plain@8",
                "plain@9",
                "~folded@4 starting@12",
                "starting@13",
                "~folded@5 later@16",
                "later@17",
            ] {
                let there = found.iter().any(|found| found == want);
                assert!(there, "no {want} with {flags:?}: {found:?}");
            }
            // Padding alone has no name.
            let known = ["plain@", "starting@", "later@", "[no-symbols]"];
            let strange = found
                .iter()
                .find(|found| !known.iter().any(|known| found.contains(known)));
            assert_eq!(strange, None, "{flags:?}");
        }
    }
}

#[test]
fn file_offsets_are_places_in_sections() {
    let fixture = compile("cc", &["-g"]).expect("cc works");
    let path = fixture.path("a.o");
    let (symbolizer, module) = symbolizer_of(&path);
    for section in code_of(&path) {
        let request = Request::new(
            module,
            Place::File(FileOffset(section.offset)),
            Lookup::Exact,
        );
        let by_offset = symbolizer.symbolize(&[request]).remove(0);
        let by_address = find(&symbolizer, module, section.start);
        assert!(by_address.is_ok(), "{section:?}");
        assert_eq!(by_offset, by_address, "{section:?}");
    }
}

#[test]
fn a_stripped_object_has_its_symbols() {
    let fixture = compile("cc", &["-g"]).expect("cc works");
    let path = fixture.path("a.o");
    let want: Vec<_> = code_of(&path).iter().map(|section| section.start).collect();
    fixture.must("strip", &["--strip-debug", "a.o"]);
    let (symbolizer, module) = symbolizer_of(&path);
    let names = want
        .iter()
        .map(|addr| brief(&find(&symbolizer, module, *addr)));
    let names: Vec<String> = names.collect();
    assert_eq!(names, ["plain@?", "later@?", "starting@?"]);
}

#[test]
fn the_debug_file_of_a_module_has_the_same_addresses() {
    let fixture = compile("cc", &["-g"]).expect("cc works");
    fixture.must("objcopy", &["--only-keep-debug", "a.o", "a.debug"]);
    let link = [
        "--strip-debug",
        "--add-gnu-debuglink=a.debug",
        "a.o",
        "a.ko",
    ];
    fixture.must("objcopy", &link);
    let (full, full_module) = symbolizer_of(&fixture.path("a.o"));
    let (split, split_module) = symbolizer_of(&fixture.path("a.ko"));
    for section in code_of(&fixture.path("a.o")) {
        for addr in section.start..section.start + section.size {
            let found = find(&split, split_module, addr);
            assert!(found.is_ok(), "{addr:#x}");
            assert_eq!(found, find(&full, full_module, addr), "{addr:#x}");
        }
    }
}
