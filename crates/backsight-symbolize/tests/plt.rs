//! Stubs of procedure linkage tables, named after the functions that they jump to.
//!
//! The oracle is objdump: binutils' of the machine, or LLVM's, which know layouts of
//! different linkers.

mod common;

use std::collections::HashMap;
use std::path::Path;
use std::process::Command;

use common::{Fixture, labels, names, no_debug_dirs, section_of};

const SOURCE: &str = r#"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
int main(int argc, char **argv) {
    /* Taken as an address too, which makes it a slot of its own. */
    int (*volatile through)(const char *) = puts;
    through("x");
    puts("y");
    printf("%d %s\n", argc, argv[0]);
    char *room = malloc(argc + 100);
    strcpy(room, argv[0]);
    free(room);
    if (strlen(argv[0]) > 100) abort();
    return 0;
}
"#;

/// A way to make a program, and what to ask about it.
struct Way {
    compiler: &'static str,
    flags: &'static [&'static str],
    objdump: &'static str,
    /// How many stubs objdump knows at least.
    least: usize,
}

fn way(
    compiler: &'static str,
    flags: &'static [&'static str],
    objdump: &'static str,
    least: usize,
) -> Way {
    Way {
        compiler,
        flags,
        objdump,
        least,
    }
}

fn stubs(objdump: &str, path: &Path) -> Vec<(u64, String)> {
    let mut stubs = labels(objdump, &[], path);
    stubs.retain(|(_, name)| name.ends_with("@plt"));
    stubs
}

#[test]
fn stubs_have_the_names_that_objdump_gives_them() {
    let ways = [
        way("gcc", &["-Wl,-z,lazy"], "objdump", 6),
        way("gcc", &["-Wl,-z,now"], "objdump", 6),
        way(
            "gcc",
            &["-Wl,-z,lazy", "-fcf-protection", "-Wl,-z,ibtplt"],
            "objdump",
            6,
        ),
        way(
            "gcc",
            &["-Wl,-z,now", "-fcf-protection", "-Wl,-z,ibtplt"],
            "objdump",
            6,
        ),
        way("gcc", &["-Wl,-z,lazy", "-no-pie", "-fno-pie"], "objdump", 6),
        way("gcc", &["-fuse-ld=gold"], "objdump", 6),
        way("gcc", &["-m32", "-Wl,-z,lazy"], "objdump", 6),
        way("gcc", &["-m32", "-Wl,-z,now"], "objdump", 6),
        way(
            "gcc",
            &["-m32", "-Wl,-z,lazy", "-no-pie", "-fno-pie"],
            "objdump",
            6,
        ),
        way(
            "gcc",
            &["-m32", "-Wl,-z,lazy", "-fcf-protection", "-Wl,-z,ibtplt"],
            "objdump",
            6,
        ),
        way("clang", &["-fuse-ld=lld"], "llvm-objdump", 6),
        way("clang", &["-fuse-ld=lld", "-Wl,-z,force-ibt"], "objdump", 6),
        way("aarch64-linux-gnu-gcc", &[], "aarch64-linux-gnu-objdump", 6),
        way(
            "aarch64-linux-gnu-gcc",
            &[
                "-Wl,-z,force-bti",
                "-Wl,-z,pac-plt",
                "-Wl,-z,lazy",
                "-no-pie",
            ],
            "aarch64-linux-gnu-objdump",
            6,
        ),
        way(
            "arm-linux-gnueabihf-gcc",
            &[],
            "arm-linux-gnueabihf-objdump",
            6,
        ),
        way("riscv64-linux-gnu-gcc", &[], "riscv64-linux-gnu-objdump", 6),
        way("s390x-linux-gnu-gcc", &[], "s390x-linux-gnu-objdump", 6),
    ];
    for way in ways {
        let fixture = Fixture::new();
        fixture.write("a.c", SOURCE);
        let fixed = ["-O0", "-o", "a", "a.c"];
        let made = fixture.run(way.compiler, &[&fixed, way.flags].concat());
        let stripped = made.and_then(|()| {
            fixture.run("llvm-objcopy", &["--strip-all", "a", "stripped"])?;
            fixture.run("llvm-objcopy", &["--strip-sections", "a", "bare"])
        });
        if let Err(words) = stripped {
            testkit::skip(&words);
            continue;
        }
        let said = format!("{} {:?}", way.compiler, way.flags);
        let stubs = stubs(way.objdump, &fixture.path("a"));
        assert!(stubs.len() >= way.least, "{said}: {stubs:?}");
        // Its first byte, and one within its last instruction.
        let places: Vec<u64> = stubs.iter().flat_map(|(at, _)| [*at, at + 6]).collect();
        for file in ["a", "stripped"] {
            let ours = names(&fixture.path(file), &no_debug_dirs(), &places);
            for ((at, want), ours) in stubs.iter().zip(ours.chunks(2)) {
                let want = vec![Some(want.clone()); 2];
                assert_eq!(ours, want, "{at:#x} of {file} by {said}");
            }
        }
        // Without section headers there are those that nothing else jumps through.
        let ours = names(&fixture.path("bare"), &no_debug_dirs(), &places);
        let mut known = 0;
        for ((at, want), ours) in stubs.iter().zip(ours.chunks(2)) {
            known += usize::from(ours[0].is_some());
            assert!(
                ours[0].is_none() || ours[0].as_ref() == Some(want),
                "{at:#x} by {said}"
            );
        }
        assert!(known + 2 >= way.least, "{known} stubs of {said}");
    }
}

#[test]
fn each_half_of_a_stub_and_the_begin_of_a_table_have_a_name() {
    let fixture = Fixture::new();
    fixture.write("a.c", SOURCE);
    let flags = [
        "-O0",
        "-fcf-protection",
        "-Wl,-z,lazy",
        "-Wl,-z,ibtplt",
        "-o",
        "a",
        "a.c",
    ];
    if let Err(words) = fixture.run("gcc", &flags) {
        return testkit::skip(&words);
    }
    let path = fixture.path("a");
    let table = section_of(&path, ".plt");
    let halves: Vec<u64> = table.clone().skip(16).step_by(16).collect();
    let lazy = names(&path, &no_debug_dirs(), &halves);
    let second: Vec<u64> = section_of(&path, ".plt.sec").step_by(16).collect();
    assert_eq!(halves.len(), second.len());
    // The linker has them in the same order.
    assert_eq!(lazy, names(&path, &no_debug_dirs(), &second));
    assert!(lazy.contains(&Some("printf@plt".to_owned())), "{lazy:?}");
    let begin = [table.start, table.start + 15];
    let begin = names(&path, &no_debug_dirs(), &begin);
    assert_eq!(begin, vec![Some(".plt".to_owned()); 2]);
}

/// Returns where code of a section jumps through which slot, or loads it to jump there.
fn jumps(path: &Path, section: &str) -> Vec<(u64, u64)> {
    let args = ["-d", "-j", section];
    let said = Command::new("objdump").args(args).arg(path).output();
    let said = String::from_utf8_lossy(&said.expect("objdump runs").stdout).into_owned();
    let jumps = said.lines().filter_map(|line| {
        let (code, slot) = line.split_once("(%rip)")?;
        let is_jump = code.contains("jmp") || slot.starts_with(",%r11");
        let slot = slot.split_once("# ")?.1.split(' ').next()?;
        let at = code.split_once(':')?.0.trim();
        let hex = |text| u64::from_str_radix(text, 16).ok();
        is_jump.then_some((hex(at)?, hex(slot)?))
    });
    jumps.collect()
}

/// Returns what readelf says of the slots: their addresses, and a name or an address.
fn slots(path: &Path) -> HashMap<u64, String> {
    let said = Command::new("readelf").arg("-rW").arg(path).output();
    let said = String::from_utf8_lossy(&said.expect("readelf runs").stdout).into_owned();
    let slots = said.lines().filter_map(|line| {
        let words: Vec<&str> = line.split_whitespace().collect();
        let slot = u64::from_str_radix(words.first()?, 16).ok()?;
        match words.get(2..)? {
            [kind, addr] if kind.contains("IRELATIV") => Some((slot, (*addr).to_owned())),
            [kind, _, name, ..] if kind.contains("JUMP_SLO") => {
                Some((slot, name.split('@').next()?.to_owned()))
            }
            _ => None,
        }
    });
    slots.collect()
}

#[test]
fn stubs_against_speculation_are_larger() {
    for flag in ["-Wl,-z,lazy", "-Wl,-z,now"] {
        let fixture = Fixture::new();
        fixture.write("a.c", SOURCE);
        let flags = [
            "-fuse-ld=lld",
            "-Wl,-z,retpolineplt",
            flag,
            "-o",
            "a",
            "a.c",
        ];
        if let Err(words) = fixture.run("clang", &flags) {
            testkit::skip(&words);
            continue;
        }
        let path = fixture.path("a");
        let slots = slots(&path);
        let jumps = jumps(&path, ".plt");
        let known = jumps.iter().filter(|(_, slot)| slots.contains_key(slot));
        let (places, want): (Vec<u64>, Vec<_>) = known
            .map(|(at, slot)| (*at, Some(format!("{}@plt", slots[slot]))))
            .unzip();
        assert!(places.len() >= 7, "{flag}: {places:x?}");
        assert_eq!(names(&path, &no_debug_dirs(), &places), want, "{flag}");
        let inside: Vec<u64> = places.iter().map(|at| at + 12).collect();
        assert_eq!(names(&path, &no_debug_dirs(), &inside), want, "{flag}");
    }
}

#[test]
fn resolvers_of_static_programs_are_named_after_what_they_find() {
    let fixture = Fixture::new();
    fixture.write("a.c", SOURCE);
    if let Err(words) = fixture.run("gcc", &["-static", "-o", "a", "a.c"]) {
        return testkit::skip(&words);
    }
    fixture.must("objcopy", &["-S", "a", "stripped"]);
    let path = fixture.path("a");
    let slots = slots(&path);
    let jumps = jumps(&path, ".plt");
    assert!(jumps.len() > 10, "{jumps:x?}");
    let places: Vec<u64> = jumps.iter().map(|(at, _)| *at).collect();
    let bare = names(&fixture.path("stripped"), &no_debug_dirs(), &places);
    let full = names(&path, &no_debug_dirs(), &places);
    let functions = common::nm("nm", &[], &path);
    for (((at, slot), bare), full) in jumps.iter().zip(bare).zip(full) {
        let resolver = u64::from_str_radix(&slots[slot], 16).expect("an address");
        // So does binutils write it, where it labels such stubs.
        let want = format!("*ABS*+{resolver:#x}@plt");
        assert_eq!(bare, Some(want), "{at:#x}");
        let full = full.expect("a name");
        let name = full.strip_suffix("@plt").expect("a stub").to_owned();
        let there = functions.get(&resolver).expect("a symbol of the resolver");
        assert!(there.contains(&name), "{at:#x}: {name} of {there:?}");
    }
}

#[test]
fn names_for_people_are_of_the_function() {
    let fixture = Fixture::new();
    fixture.write(
        "a.cc",
        "namespace a { int far(int); } int main(int c, char **) { return a::far(c); }",
    );
    fixture.write("b.cc", "namespace a { int far(int c) { return c; } }");
    let made = fixture.run("g++", &["-shared", "-fPIC", "-o", "libb.so", "b.cc"]);
    let made = made.and_then(|()| fixture.run("g++", &["-o", "a", "a.cc", "libb.so"]));
    if let Err(words) = made {
        return testkit::skip(&words);
    }
    let stubs = stubs("objdump", &fixture.path("a"));
    let (at, _) = stubs
        .iter()
        .find(|(_, name)| name.contains("far"))
        .expect("a stub");
    let (symbolizer, module) = common::symbolizer_of(&fixture.path("a"));
    let found = common::find(&symbolizer, module, *at).expect("named");
    let frame = found.physical().expect("a frame");
    let linkage = frame.linkage_name.as_ref().or(frame.function.as_ref());
    assert_eq!(linkage.map(|name| &**name), Some("_ZN1a3farEi@plt"));
    // The definitions of this file, and not of the other.
    let named = symbolizer
        .definitions_named(module, "a::far(int)")
        .expect("read");
    assert_eq!(named, []);
    let named = symbolizer
        .definitions_named(module, "_ZN1a3farEi@plt")
        .expect("read");
    assert_eq!(named.len(), 1);
}

#[test]
fn damaged_tables_cost_names_and_nothing_else() {
    let fixture = Fixture::new();
    fixture.write("a.c", SOURCE);
    fixture.must("cc", &["-O0", "-Wl,-z,lazy", "-o", "a", "a.c"]);
    let path = fixture.path("a");
    let whole = std::fs::read(&path).expect("readable");
    let table = section_of(&path, ".plt");
    let (mut tried, mut known) = (0, 0);
    for name in [".rela.plt", ".plt", ".dynsym", ".dynstr"] {
        let at = common::bytes_of(&path, name);
        for at in at {
            for forged in [0, 0x7f, 0xff] {
                let mut bytes = whole.clone();
                bytes[at] = forged;
                let (symbolizer, module) = common::symbolizer_of_bytes(bytes);
                for place in table.clone().step_by(16) {
                    let found = common::find(&symbolizer, module, place);
                    known += usize::from(found.is_ok());
                    tried += 1;
                }
            }
        }
    }
    assert!(known * 2 > tried && known < tried, "{known} of {tried}");
}
