//! `record`, `top` and `convert` of a program that moved its own text to anonymous memory, as
//! programs do that want it on huge pages: its functions have their names, and it is said that the
//! file was inferred. A program that writes other code over its text is told from it.

mod common;

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use common::{Ran, backsight};
use serde_json::Value;
use testkit::child::KillOnDrop;
use testkit::skip;
use testkit::tools::compile;

/// Moves a part of its text or all of it, prints a line, and calls `hot` and `warm`. With `other`
/// and `late` it has other code there instead, a function that has no name: with `late` it is
/// written a while after the memory was mapped.
const SOURCE: &str = r#"
#define _GNU_SOURCE
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

volatile uint64_t sink;
#define SPIN(name) \
    __attribute__((noinline, section("moved_text"))) void name(uint64_t turns) { \
        for (uint64_t i = 0; i < turns; i++) sink = sink * 31 + i; \
        sink += (uint64_t)__builtin_frame_address(0) & 1; \
    }
__asm__(".pushsection moved_text,\"ax\",%progbits\n\t.balign 4096\n.globl moved_from\nmoved_from:\n\t.popsection");
SPIN(hot)
SPIN(warm)
__asm__(".pushsection moved_text,\"ax\",%progbits\n\t.balign 4096\n.globl moved_to\nmoved_to:\n\t.popsection");
__asm__(".pushsection z_after_text,\"ax\",%progbits\n\t.balign 4096\n\t.skip 8192\n\t.popsection");
extern char moved_from[], moved_to[];
static void other(uint64_t turns, volatile uint64_t *sum) {
    for (uint64_t i = 0; i < turns; i++) *sum = *sum * 33 + i;
    *sum += (uint64_t)__builtin_frame_address(0) & 1;
}

static void die(const char *what) { perror(what); exit(3); }

static void move(char *start, size_t size, int is_mremap) {
    char *copy = mmap(0, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (copy == MAP_FAILED) die("mmap");
    memcpy(copy, start, size);
    if (is_mremap) {
        if (mprotect(copy, size, PROT_READ | PROT_EXEC)) die("mprotect");
        if (mremap(copy, size, size, MREMAP_MAYMOVE | MREMAP_FIXED, start) == MAP_FAILED) die("mremap");
        return;
    }
    int all = PROT_READ | PROT_WRITE | PROT_EXEC;
    if (mmap(start, size, all, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == MAP_FAILED) die("mmap over");
    memcpy(start, copy, size);
    munmap(copy, size);
}

static void replace(char *start, size_t size, int is_late) {
    int all = PROT_READ | PROT_WRITE | PROT_EXEC;
    if (mmap(start, size, all, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == MAP_FAILED) die("mmap over");
    clock_t mapped = clock();
    while (is_late && clock() - mapped < CLOCKS_PER_SEC) {}
    memset(start, 0xcc, size);
    memcpy(start, other, 512);
    __builtin___clear_cache(start, start + size);
}

int main(int count, char **words) {
    if (count != 3) return 2;
    if (!strcmp(words[1], "all")) {
        FILE *maps = fopen("/proc/self/maps", "r");
        char line[4096], *start = 0, *end = 0;
        while (!start && fgets(line, sizeof line, maps)) {
            unsigned long from, to;
            if (sscanf(line, "%lx-%lx r-xp", &from, &to) == 2 && from <= (uintptr_t)moved_from && (uintptr_t)moved_from < to)
                start = (char *)from, end = (char *)to;
        }
        move(start, end - start, 1);
    } else if (!strcmp(words[1], "other") || !strcmp(words[1], "late")) {
        replace(moved_from, moved_to - moved_from, !strcmp(words[1], "late"));
        puts("moved");
        fflush(stdout);
        void (*code)(uint64_t, volatile uint64_t *) = (void (*)(uint64_t, volatile uint64_t *))moved_from;
        while (clock() < atol(words[2]) * (CLOCKS_PER_SEC / 1000)) code(40000, &sink);
        return 0;
    } else {
        move(moved_from, moved_to - moved_from, !strcmp(words[1], "mremap"));
    }
    puts("moved");
    fflush(stdout);
    long end = atol(words[2]);
    while (clock() < end * (CLOCKS_PER_SEC / 1000)) { hot(30000); warm(10000); }
    return 0;
}
"#;

fn program() -> Result<PathBuf, String> {
    let flags = [
        "-fno-toplevel-reorder",
        "-fno-omit-frame-pointer",
        "-fno-optimize-sibling-calls",
    ];
    compile("moves-its-text", SOURCE, &flags)
}

/// A program that has moved its text and goes on.
fn moved(program: &Path, how: &str) -> KillOnDrop {
    let mut command = Command::new(program);
    command.args([how, "120000"]).stdout(Stdio::piped());
    let mut child = KillOnDrop(command.spawn().expect("it starts"));
    let mut line = String::new();
    let mut out = BufReader::new(child.0.stdout.take().expect("a pipe"));
    out.read_line(&mut line).expect("a line");
    assert_eq!(line, "moved\n", "{how}");
    child
}

/// Checks the stacks of `folded` text, and returns how many frames were inferred.
fn inferred(what: &str, stacks: &str, ran: &Ran) -> u64 {
    assert_eq!(ran.code, Some(0), "{what}: {ran:?}");
    let (mut named, mut all) = (0_u64, 0_u64);
    for line in stacks.lines() {
        let (stack, count) = line.rsplit_once(' ').expect("a value");
        let count: u64 = count.parse().expect("a number");
        all += count;
        let is_it = [";hot", ";warm"].iter().any(|name| stack.contains(name));
        named += if is_it { count } else { 0 };
    }
    assert!(
        all > 10 && named * 10 >= all * 7,
        "{what}: {stacks}\n{ran:?}"
    );
    assert!(!stacks.contains("[anonymous]"), "{what}: {stacks}\n{ran:?}");
    let account = ran.stderr.lines().find(|line| line.starts_with('{'));
    let account: Value = serde_json::from_str(account.expect("one")).expect("JSON");
    account["frames_inferred"].as_u64().expect("a number")
}

/// What the kernel says if nothing can be sampled here.
fn cannot(ran: &Ran) -> bool {
    let texts = ["permission denied to sample", "no perf events"];
    texts.iter().any(|why| ran.stderr.contains(why))
}

fn record(dir: &Path, args: &[&str]) -> Ran {
    let mut command = backsight();
    command.current_dir(dir).arg("record");
    command.args(["-F", "499", "--account", "json", "-o", "out.folded"]);
    Ran::from(command.args(args).output().expect("it runs"))
}

fn perf_record(pid: &str, data: &Path, more: &[&str]) -> Result<(), String> {
    let mut perf = Command::new("perf");
    perf.args(["record", "-q", "-g", "-e", "cpu-clock:u", "-p", pid, "-o"]);
    perf.arg(data).args(more).args(["--", "sleep", "0.5"]);
    match perf.output() {
        Ok(done) if done.status.success() => Ok(()),
        done => Err(format!("perf record: {done:?}")),
    }
}

/// With what the advice says, its names are known: the test above.
#[test]
fn what_names_a_program_that_moved_all_its_text_is_said() {
    let program = match program() {
        Ok(program) => program,
        Err(reason) => return skip(&reason),
    };
    let dir = tempfile::tempdir().expect("a directory");
    let data = dir.path().join("perf.data");
    let child = moved(&program, "all");
    if let Err(reason) = perf_record(&child.0.id().to_string(), &data, &[]) {
        return skip(&reason);
    }
    let mut command = backsight();
    command.arg("convert").arg("-i").arg(&data);
    let ran = command.args(["-o", "-", "--to", "folded"]).output();
    let ran = Ran::from(ran.expect("it runs"));
    assert!(ran.stdout.contains("[anonymous]"), "{ran:?}");
    assert!(ran.stderr.contains("perf record -d"), "{ran:?}");
}

fn convert(data: &Path) -> Ran {
    let mut command = backsight();
    command.arg("convert").arg("-i").arg(data);
    command.args(["-o", "-", "--to", "folded", "--account", "json"]);
    command.args(["--sample-type", "samples"]);
    Ran::from(command.output().expect("it runs"))
}

#[test]
fn a_program_that_had_moved_its_text_has_names_and_it_is_said() {
    let program = match program() {
        Ok(program) => program,
        Err(reason) => return skip(&reason),
    };
    let dir = tempfile::tempdir().expect("a directory");
    for how in ["mremap", "fixed", "all"] {
        let child = moved(&program, how);
        let pid = child.0.id().to_string();
        let ran = record(dir.path(), &["-p", &pid, "-d", "0.5"]);
        if cannot(&ran) {
            return skip(&ran.stderr);
        }
        let out = dir.path().join("out.folded");
        let stacks = std::fs::read_to_string(&out).expect("it was written");
        let count = inferred(&format!("record of {how}"), &stacks, &ran);
        assert!(count > 10, "record of {how}: {count} {ran:?}");
        std::fs::remove_file(out).expect("ours");

        let mut command = backsight();
        command.args(["top", "-p", &pid, "--every", "1s", "-d", "60s", "-n", "3"]);
        let mut top = KillOnDrop(command.stdout(Stdio::piped()).spawn().expect("it runs"));
        let lines = BufReader::new(top.0.stdout.take().expect("a pipe")).lines();
        let mut lines = lines.map(|line| line.expect("text"));
        let row = lines.find(|line| line.contains("hot") || line.contains("[anonymous]"));
        let row = row.expect("a table");
        assert!(row.contains("hot"), "top of {how}: {row}");
        drop(top);

        let data = dir.path().join("perf.data");
        // The recording has only mappings of code, unless those of data are asked for. If all code
        // was moved, there is nothing of the file in them.
        let more: &[&str] = match how {
            "all" => &["-d"],
            _ => &[],
        };
        if let Err(reason) = perf_record(&pid, &data, more) {
            skip(&reason);
            continue;
        }
        let ran = convert(&data);
        let count = inferred(&format!("convert of {how}"), &ran.stdout, &ran);
        assert!(count > 10, "convert of {how}: {count} {ran:?}");
    }
}

/// `mremap` leaves no record, so the file's mapping is still known; what is mapped over it, is
/// recorded.
#[test]
fn a_program_that_moves_its_text_while_it_is_recorded_has_names() {
    let program = match program() {
        Ok(program) => program,
        Err(reason) => return skip(&reason),
    };
    let dir = tempfile::tempdir().expect("a directory");
    let name = program.to_str().expect("text");
    for how in ["mremap", "fixed", "all"] {
        let ran = record(dir.path(), &["--", name, how, "700"]);
        if cannot(&ran) {
            return skip(&ran.stderr);
        }
        let out = dir.path().join("out.folded");
        let stacks = std::fs::read_to_string(&out).expect("it was written");
        let count = inferred(&format!("record of {how}"), &stacks, &ran);
        assert_eq!(
            count > 10,
            how == "fixed",
            "record of {how}: {count} {ran:?}"
        );
        std::fs::remove_file(out).expect("ours");

        let recording =
            match testkit::perf::record(&["-g", "-e", "cpu-clock:u"], &[name, how, "700"]) {
                Ok(recording) => recording,
                Err(reason) => {
                    skip(&reason);
                    continue;
                }
            };
        let ran = convert(&recording.data);
        let count = inferred(&format!("convert of {how}"), &ran.stdout, &ran);
        assert_eq!(
            count > 10,
            how == "fixed",
            "convert of {how}: {count} {ran:?}"
        );
    }
}

/// The process says that it is no text of its file, so a recorder says the same.
#[test]
fn other_code_over_text_is_not_named_as_that_text() {
    let program = match program() {
        Ok(program) => program,
        Err(reason) => return skip(&reason),
    };
    let dir = tempfile::tempdir().expect("a directory");
    let out = dir.path().join("out.folded");
    let name = program.to_str().expect("text");
    let child = moved(&program, "other");
    let pid = child.0.id().to_string();
    let maps = std::fs::read_to_string(format!("/proc/{pid}/maps")).expect("ours");
    let made = maps
        .lines()
        .find(|line| line.contains(" rwxp 00000000 00:00 0"));
    let start = made
        .and_then(|line| line.split_once('-'))
        .expect("a mapping")
        .0;
    let mut asked = backsight();
    let asked = asked.args(["normalize", "-p", &pid, &format!("0x{start}")]);
    let asked = Ran::from(asked.output().expect("it runs"));
    assert!(asked.stdout.contains("[anonymous]"), "{asked:?}");

    let runs: [&[&str]; 3] = [
        &["-p", &pid, "-d", "0.5"],
        &["--", name, "other", "900"],
        &["--", name, "late", "2000"],
    ];
    for args in runs {
        let ran = record(dir.path(), args);
        if cannot(&ran) {
            return skip(&ran.stderr);
        }
        assert_eq!(ran.code, Some(0), "{args:?}: {ran:?}");
        let stacks = std::fs::read_to_string(&out).expect("it was written");
        std::fs::remove_file(&out).expect("ours");
        let is_it = |name: &str| stacks.contains(&format!(";{name} "));
        assert!(
            !is_it("hot") && !is_it("warm"),
            "{args:?}: {stacks}\n{ran:?}"
        );
        let account = ran.stderr.lines().find(|line| line.starts_with('{'));
        let account: Value = serde_json::from_str(account.expect("one")).expect("JSON");
        assert_eq!(account["frames_inferred"], 0, "{args:?}: {stacks}\n{ran:?}");
        let nameless = account["frames_without_name"]["anonymous"].as_u64();
        assert!(nameless > Some(10), "{args:?}: {stacks}\n{ran:?}");
    }
    let mut command = backsight();
    command.args(["top", "-p", &pid, "--every", "1s", "-d", "60s", "-n", "3"]);
    let mut top = KillOnDrop(command.stdout(Stdio::piped()).spawn().expect("it runs"));
    let lines = BufReader::new(top.0.stdout.take().expect("a pipe")).lines();
    let mut lines = lines.map(|line| line.expect("text"));
    let is_row = |line: &String| {
        ["hot", "warm", "[anonymous]"]
            .iter()
            .any(|it| line.contains(it))
    };
    let row = lines.find(is_row).expect("a table");
    assert!(row.contains("[anonymous]"), "{row}");
}
