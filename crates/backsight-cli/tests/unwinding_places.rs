//! Recorded stack memory, with call frame information in another file, or from another machine.

mod common;

use std::path::Path;

use common::{Ran, objcopy, run};
use testkit::perf::{self, Recording};
use testkit::skip;
use testkit::tools::{compile, tool};

fn record(program: &Path, way: &str, turns: &str) -> Result<Recording, String> {
    let how = [
        "-N",
        "-e",
        "cpu-clock",
        "-F",
        "997",
        "--call-graph",
        "dwarf,8192",
    ];
    let program = program.to_str().expect("UTF-8");
    perf::record(&how, &[program, way, turns])
}

fn folded(recording: &Recording, more: &[&str]) -> Ran {
    let input = recording.data.to_str().expect("UTF-8");
    let args = [
        "convert",
        "-i",
        input,
        "-o",
        "-",
        "--to",
        "folded",
        "--root-frame",
        "none",
    ];
    run([&args[..], more].concat())
}

/// Counts the samples in `leaf`, and those whose stack reaches `main`.
fn whole(folded: &str, leaf: &str) -> [u64; 2] {
    let mut counts = [0, 0];
    for line in folded.lines() {
        let (stack, count) = line.rsplit_once(' ').expect("a value");
        let count: u64 = count.parse().expect("a number");
        let names: Vec<&str> = stack.split(';').collect();
        if names.last() == Some(&leaf) {
            counts[0] += count;
            counts[1] += count * u64::from(names.contains(&"main"));
        }
    }
    counts
}

/// Current versions of perf leave these stacks without user frames.
#[test]
fn stacks_of_32_bits_reach_main() {
    let flags = ["-O2", "-m32", "-fomit-frame-pointer", "-Wl,--build-id"];
    let program = match compile("stacks32", include_str!("unwinding/stacks.c"), &flags) {
        Ok(program) => program,
        Err(why) => return skip(&format!("no compiler for 32 bits: {why}")),
    };
    let recording = match record(&program, "sorts", "800") {
        Ok(recording) => recording,
        Err(why) => return skip(&why),
    };
    let text = folded(&recording, &[]).stdout;
    let [all, of_main] = whole(&text, "burn");
    println!("{of_main} of {all} stacks of 32 bits reach main");
    assert!(all > 20, "{text}");
    assert_eq!(all, of_main, "{text}");
}

#[test]
fn stacks_of_a_machine_that_is_not_walked_are_said() {
    let Ok(program) = compile("stacks", include_str!("unwinding/stacks.c"), &["-O2"]) else {
        return skip("no C compiler");
    };
    let recording = match record(&program, "sorts", "800") {
        Ok(recording) => recording,
        Err(why) => return skip(&why),
    };
    // Simulates another machine by its name in the header.
    let mut bytes = std::fs::read(&recording.data).expect("readable");
    let name = format!("{}\0", std::env::consts::ARCH);
    let name = name.as_bytes();
    let other = b"s390x\0\0";
    let found: Vec<usize> = (0..bytes.len() - name.len())
        .filter(|at| &bytes[*at..][..name.len()] == name && bytes[at - 2..*at] == [0, 0])
        .collect();
    for at in found {
        bytes[at..][..name.len()].fill(0);
        let len = other.len().min(name.len());
        bytes[at..][..len].copy_from_slice(&other[..len]);
    }
    std::fs::write(&recording.data, bytes).expect("written");
    let ran = folded(&recording, &[]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let words = "stacks were recorded as memory of s390x, which cannot be unwound here";
    assert!(ran.stderr.contains(words), "{}", ran.stderr);
    assert_eq!(whole(&ran.stdout, "burn")[1], 0, "{}", ran.stdout);
}

/// Information removed by `strip` is read from the debug file: by build ID, and by debug link.
#[test]
fn call_frames_of_a_debug_file_are_used() {
    if tool("objcopy").is_none() {
        return skip("no objcopy");
    }
    const ID: &str = "0123456789abcdef0123456789abcdef01234567";
    for packing in ["none", "zlib"] {
        for by_id in [true, false] {
            let id = match by_id {
                true => format!("-Wl,--build-id=0x{ID}"),
                false => "-Wl,--build-id=none".to_owned(),
            };
            let flags = [
                "-O2",
                "-g",
                "-fno-asynchronous-unwind-tables",
                "-fomit-frame-pointer",
            ];
            let flags = [&flags[..], &[&id]].concat();
            let source = include_str!("unwinding/stacks.c");
            let Ok(program) = compile("stacks", source, &flags) else {
                return skip("no C compiler");
            };
            let dir = tempfile::tempdir().expect("a directory");
            let [program, stripped, debug, dirs] = [
                program,
                dir.path().join("stacks"),
                dir.path().join("stacks.debug"),
                dir.path().join("debug"),
            ]
            .map(|path| path.to_str().expect("UTF-8").to_owned());
            let packed = format!("--compress-debug-sections={packing}");
            objcopy(&["--only-keep-debug", &packed, &program, &debug]);
            objcopy(&["--strip-debug", &program, &stripped]);
            let folder = format!("{dirs}/.build-id/{}", &ID[..2]);
            std::fs::create_dir_all(&folder).expect("a new folder");
            let recording = match record(Path::new(&stripped), "deeps", "60000") {
                Ok(recording) => recording,
                Err(why) => return skip(&why),
            };
            let without = whole(&folded(&recording, &[]).stdout, "burn");
            let recording = match by_id {
                true => {
                    let place = format!("{folder}/{}.debug", &ID[2..]);
                    std::fs::rename(&debug, place).expect("moved");
                    recording
                }
                // Another file than the recorded one.
                false => {
                    objcopy(&[&format!("--add-gnu-debuglink={debug}"), &stripped]);
                    match record(Path::new(&stripped), "deeps", "60000") {
                        Ok(recording) => recording,
                        Err(why) => return skip(&why),
                    }
                }
            };
            let with = folded(&recording, &["--debug-dir", &dirs]);
            let [all, of_main] = whole(&with.stdout, "burn");
            println!(
                "{packing}, by ID {by_id}: {of_main} of {all} reach main; {without:?} without"
            );
            assert!(all > 20, "{}", with.stdout);
            assert_eq!(all, of_main, "{}", with.stdout);
            assert_eq!(without[1], 0, "without the debug file");
        }
    }
}

/// A function without call frame information has set up a frame as any other has: what is at the top
/// of its stack is not where it returns to.
#[test]
fn no_caller_is_invented_of_pointers_to_functions() {
    const SOURCE: &str = r#"
        #include <stdlib.h>
        volatile long sink;
        __attribute__((noinline)) void decoy(void) { for (long i = 0; i < 9; i++) sink += i; }
        __attribute__((noinline)) void leaf(long turns) {
            void *volatile pointers[64];
            for (int i = 0; i < 64; i++) pointers[i] = (char *)decoy + 8;
            for (long i = 0; i < turns; i++) sink += (long)pointers[i & 63];
        }
        __attribute__((noinline)) void caller(long turns) { leaf(turns); sink++; }
        int main(int count, char **words) {
            for (long i = atol(words[1]); i > 0; i--) caller(100000);
            return 0;
        }
    "#;
    let none = ["-fno-asynchronous-unwind-tables", "-fno-unwind-tables"];
    for tables in [&none[..], &[]] {
        let flags = [&["-O2", "-g0", "-Wl,--build-id"], tables].concat();
        let recording = compile("pointers.c", SOURCE, &flags).and_then(|program| {
            let program = program.to_str().expect("UTF-8");
            let how = ["-e", "cpu-clock", "-F", "997", "--call-graph", "dwarf,8192"];
            perf::record(&how, &[program, "3000"])
        });
        let recording = match recording {
            Ok(recording) => recording,
            Err(reason) => return skip(&reason),
        };
        let ran = folded(&recording, &[]);
        assert!(!ran.stdout.contains("decoy"), "{tables:?}: {ran:?}");
        let [all, to_main] = whole(&ran.stdout, "leaf");
        assert!(all > 20, "{ran:?}");
        if tables.is_empty() {
            assert!(to_main * 10 > all * 9, "{ran:?}");
        } else {
            assert!(ran.stderr.contains("are cut short"), "{ran:?}");
        }
    }
}
