//! Symbol tables as other linkers, machines and strippers leave them: function
//! descriptors, more sections than a symbol can count, no section headers at all.
//!
//! The oracles are nm and objdump of the machine's binutils, and llvm-symbolizer.

mod common;

use std::path::Path;
use std::process::Command;

use common::{Fixture, labels, names, nm, no_debug_dirs, section_of, symbolizer_with};

const SOURCE: &str = r#"
#include <stdio.h>
#include <stdlib.h>
volatile int sink;
__attribute__((noinline)) int leaf(int k) { sink = k; return sink * 3; }
static __attribute__((noinline)) int inner(int k) { sink = k; return sink * 5; }
int exported(int k) { return leaf(k) + inner(k) + atoi("1"); }
int main(int argc, char **argv) {
    printf("%s %d\n", argv[0], exported(argc));
    return sink;
}
"#;

/// Asks llvm-symbolizer for the function at each place.
fn ask_llvm(fixture: &Fixture, path: &Path, places: &[u64]) -> Vec<Option<String>> {
    let asked: Vec<String> = places.iter().map(|place| format!("{place:#x}\n")).collect();
    let asked = std::fs::File::open(fixture.write("asked", asked.concat())).expect("readable");
    let mut command = Command::new("llvm-symbolizer");
    command.args([
        "--no-inlines",
        "--no-demangle",
        "--functions=linkage",
        "--obj",
    ]);
    let said = command.arg(path).stdin(asked).output();
    let said = said.expect("llvm-symbolizer runs");
    let said = String::from_utf8_lossy(&said.stdout).into_owned();
    let answers = said
        .split("\n\n")
        .filter(|answer| !answer.trim().is_empty());
    let names = answers.map(|answer| {
        let first = answer.trim().lines().next().expect("a line");
        (first != "??").then(|| first.to_owned())
    });
    names.collect()
}

#[test]
fn functions_with_descriptors_are_where_their_code_is() {
    let (gcc, objcopy) = ("powerpc64-linux-gnu-gcc", "powerpc64-linux-gnu-objcopy");
    if testkit::tools::tool(gcc).is_none() || testkit::tools::tool("llvm-symbolizer").is_none() {
        return testkit::skip("no powerpc64-linux-gnu-gcc, or no llvm-symbolizer");
    }
    let fixture = Fixture::new();
    fixture.write("a.c", SOURCE);
    let shapes: [(&str, &[&str]); 4] = [
        ("exe", &["-no-pie"]),
        ("pie", &["-pie", "-fPIE"]),
        ("lib.so", &["-shared", "-fPIC"]),
        ("static", &["-static"]),
    ];
    for (name, flags) in shapes {
        let fixed = ["-O2", "-o", name, "a.c"];
        fixture.must(gcc, &[&fixed, flags].concat());
        let path = fixture.path(name);
        let code = section_of(&path, ".text");
        let step = if name == "static" { 40 } else { 4 };
        let places: Vec<u64> = code.step_by(step).collect();
        let ours = names(&path, &no_debug_dirs(), &places);
        let llvm = ask_llvm(&fixture, &path, &places);
        let aliases = nm("powerpc64-linux-gnu-nm", &[], &path);
        let are_aliases = |one: &String, other: &String| {
            let mut all = aliases.values();
            all.any(|names| names.contains(one) && names.contains(other))
        };
        let mut compared = 0;
        for ((place, ours), llvm) in places.iter().zip(&ours).zip(&llvm) {
            // llvm-symbolizer knows no size of hand-written code, as of crt1.o.
            let Some(llvm) = llvm else { continue };
            let same = |ours: &String| ours == llvm || are_aliases(ours, llvm);
            let found = ours.as_ref().is_some_and(same);
            assert!(found, "{place:#x} of {name}: {ours:?}, {llvm}");
            compared += 1;
        }
        assert!(
            compared * 10 > places.len() * 8,
            "{compared} of {} in {name}",
            places.len()
        );
        eprintln!("{name}: {compared} of {}", places.len());
        // A debug file has the symbols alone.
        let debug = format!("{name}.debug");
        fixture.must(objcopy, &["--only-keep-debug", name, &debug]);
        let bare = format!("{name}.bare");
        fixture.must(objcopy, &["-S", name, &bare]);
        let link = format!("--add-gnu-debuglink={debug}");
        fixture.must(objcopy, &[&link, &bare]);
        assert_eq!(
            names(&fixture.path(&bare), &no_debug_dirs(), &places),
            ours,
            "{bare}"
        );
    }
}

#[test]
fn descriptors_of_an_object_are_relocations() {
    let gcc = "powerpc64-linux-gnu-gcc";
    if testkit::tools::tool(gcc).is_none() {
        return testkit::skip("no powerpc64-linux-gnu-gcc");
    }
    let fixture = Fixture::new();
    fixture.write("a.c", SOURCE);
    fixture.must(gcc, &["-O2", "-c", "a.c"]);
    let path = fixture.path("a.o");
    // llvm-symbolizer takes descriptors of objects for code.
    let labels = labels("powerpc64-linux-gnu-objdump", &["-j", ".text"], &path);
    assert_eq!(labels.len(), 3, "{labels:?}");
    let places: Vec<u64> = labels.iter().map(|(start, _)| start + 8).collect();
    let found = names(&path, &no_debug_dirs(), &places);
    for ((start, label), found) in labels.iter().zip(found) {
        assert_eq!(found.as_deref(), label.strip_prefix('.'), "{start:#x}");
    }
}

#[test]
fn more_sections_than_a_symbol_can_count() {
    use std::fmt::Write as _;
    let Some(_) = testkit::tools::tool("nm") else {
        return testkit::skip("no nm");
    };
    let count = 70_000_u32;
    let fixture = Fixture::new();
    let mut source = String::new();
    for number in 0..count {
        writeln!(
            source,
            ".section .text.f{number},\"ax\"\n.globl f{number}\n.type f{number},@function\n\
             f{number}: .quad {number}\n.size f{number}, 8"
        )
        .expect("a string takes it");
    }
    fixture.write("a.s", source);
    fixture.must("as", &["-o", "a.o", "a.s"]);
    fixture.must(
        "ld",
        &["--unique=.text.f*", "-e", "f0", "-o", "linked", "a.o"],
    );
    let path = fixture.path("linked");
    let mut functions = nm("nm", &[], &path);
    // The linker adds marks of its own.
    functions.retain(|_, names| names.iter().any(|name| name.starts_with('f')));
    assert_eq!(functions.len(), usize::try_from(count).expect("few"));
    let places: Vec<u64> = functions.keys().map(|start| start + 4).collect();
    let ours = names(&path, &no_debug_dirs(), &places);
    for ((start, names), ours) in functions.iter().zip(ours) {
        assert_eq!(ours.as_ref(), names.first(), "{start:#x}");
    }
    // The same before linking, where all sections begin at 0: each is 8 bytes, in the
    // order of the source.
    let places: Vec<u64> = (0..u64::from(count)).map(|number| number * 8 + 4).collect();
    let ours = names(&fixture.path("a.o"), &no_debug_dirs(), &places);
    for (number, ours) in (0..count).zip(ours) {
        assert_eq!(ours, Some(format!("f{number}")), "of the object");
    }
}

#[test]
fn without_section_headers_the_dynamic_segment_has_the_names() {
    let compilers: [(&str, &str, &[&str]); 8] = [
        ("gcc", "nm", &[]),
        ("gcc", "nm", &["-Wl,--hash-style=sysv"]),
        ("gcc", "nm", &["-Wl,--hash-style=both"]),
        ("clang", "nm", &["-fuse-ld=lld"]),
        ("aarch64-linux-gnu-gcc", "aarch64-linux-gnu-nm", &[]),
        ("arm-linux-gnueabihf-gcc", "arm-linux-gnueabihf-nm", &[]),
        (
            "s390x-linux-gnu-gcc",
            "s390x-linux-gnu-nm",
            &["-Wl,--hash-style=sysv"],
        ),
        ("powerpc64-linux-gnu-gcc", "powerpc64-linux-gnu-nm", &[]),
    ];
    let Some(strip) = testkit::tools::tool("llvm-objcopy") else {
        return testkit::skip("no llvm-objcopy");
    };
    let strip = strip.to_str().expect("text").to_owned();
    for (compiler, nm_tool, flags) in compilers {
        let fixture = Fixture::new();
        fixture.write("a.c", SOURCE);
        for (name, kind) in [
            ("lib.so", ["-shared", "-fPIC"]),
            ("exe", ["-rdynamic", "-pie"]),
        ] {
            let fixed = [
                "-O2",
                "-Wl,--build-id=0xabcdef01",
                "-fPIC",
                "-o",
                name,
                "a.c",
            ];
            if let Err(words) = fixture.run(compiler, &[&fixed, flags, &kind].concat()) {
                testkit::skip(&words);
                continue;
            }
            let full = fixture.path(name);
            fixture.must(&strip, &["--strip-sections", name, "bare"]);
            let bare = fixture.path("bare");
            let header = std::fs::read(&bare).expect("readable");
            use object::Object as _;
            let sections = object::File::parse(&*header)
                .expect("ELF")
                .sections()
                .count();
            assert_eq!(sections, 0, "{compiler} {flags:?}");
            let ours = |path: &Path| {
                let (symbolizer, module) = symbolizer_with(no_debug_dirs(), path);
                symbolizer.definitions(module).expect("read")
            };
            // What is exported, where the whole file says that it is.
            let exported = nm(nm_tool, &["-D"], &full);
            let known: Vec<&str> = exported.values().flatten().map(String::as_str).collect();
            assert!(
                known.contains(&"leaf") && known.contains(&"exported"),
                "{known:?}"
            );
            let whole = ours(&full);
            let left = ours(&bare);
            for name in known {
                let start = |all: &[backsight_symbolize::Definition]| {
                    all.iter()
                        .find(|found| &*found.name == name)
                        .map(|found| found.start)
                };
                assert_eq!(
                    start(&left),
                    start(&whole),
                    "{name} of {compiler} {flags:?}"
                );
                let needed = ["leaf", "exported"].contains(&name);
                assert!(
                    start(&left).is_some() || !needed,
                    "{name} of {compiler} {flags:?}"
                );
            }
            let leaf = whole
                .iter()
                .find(|found| &*found.name == "leaf")
                .expect("leaf");
            let places = [leaf.start.0, leaf.start.0 + 4, leaf.start.0 + leaf.size - 1];
            let found = names(&bare, &no_debug_dirs(), &places);
            assert_eq!(
                found,
                vec![Some("leaf".to_owned()); 3],
                "{compiler} {flags:?}"
            );
            let id = backsight_elf::Headers::parse(&header)
                .expect("ELF")
                .build_id;
            assert_eq!(id.map(|id| id.to_string()).as_deref(), Some("abcdef01"));
        }
    }
}

#[test]
fn a_damaged_dynamic_segment_costs_names_and_nothing_else() {
    if testkit::tools::tool("llvm-objcopy").is_none() {
        return testkit::skip("no llvm-objcopy");
    }
    let fixture = Fixture::new();
    fixture.write("a.c", SOURCE);
    fixture.must("cc", &["-O2", "-shared", "-fPIC", "-o", "lib.so", "a.c"]);
    let dynamic = section_of(&fixture.path("lib.so"), ".dynamic");
    let hash = section_of(&fixture.path("lib.so"), ".gnu.hash");
    fixture.must("llvm-objcopy", &["--strip-sections", "lib.so", "bare"]);
    let whole = std::fs::read(fixture.path("bare")).expect("readable");
    use object::{Object as _, ObjectSegment as _};
    let file = object::File::parse(&*whole).expect("ELF");
    let offset = |virt: u64| {
        let mut segments = file.segments();
        let holds = |segment: &object::Segment<'_, '_>| {
            (segment.address()..segment.address() + segment.size()).contains(&virt)
        };
        let segment = segments.find(holds).expect("loaded");
        let at = virt - segment.address() + segment.file_range().0;
        usize::try_from(at).expect("a small file")
    };
    let listed = |bytes: Vec<u8>| {
        let (symbolizer, module) = common::symbolizer_of_bytes(bytes);
        let all = symbolizer
            .definitions(module)
            .expect("headers alone matter");
        all.into_iter()
            .filter(|found| &*found.name == "leaf")
            .count()
    };
    assert_eq!(listed(whole.clone()), 1);
    let (mut tried, mut lost) = (0, 0);
    for range in [dynamic, hash] {
        for at in offset(range.start)..offset(range.end - 1) + 1 {
            for forged in [0, 0x7f, 0xff] {
                let mut bytes = whole.clone();
                bytes[at] = forged;
                lost += usize::from(listed(bytes) == 0);
                tried += 1;
            }
        }
    }
    assert!(lost > 0 && lost < tried, "{lost} of {tried}");
}
