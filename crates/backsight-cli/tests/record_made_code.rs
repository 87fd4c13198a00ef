//! `record`: code that was made at run time, whose names come when the process ends.

mod common;

use std::fs;
use std::path::Path;

use common::{Ran, backsight};
use testkit::skip;
use testkit::tools::compile;

/// Runs code that it makes, and tells its name when it ends, as Java does.
const SOURCE: &str = r#"
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

/* 1: dec rdi; jnz 1b; ret */
static const unsigned char code[] = { 0x48, 0xff, 0xcf, 0x75, 0xfb, 0xc3 };

int main(void) {
    void *at = mmap(0, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (at == MAP_FAILED) return 3;
    memcpy(at, code, sizeof code);
    while (clock() < CLOCKS_PER_SEC * 8 / 10) ((void (*)(unsigned long))at)(1000000);
    char path[64];
    snprintf(path, sizeof path, "/tmp/perf-%d.map", (int)getpid());
    FILE *list = fopen(path, "w");
    if (!list) return 4;
    fprintf(list, "%lx 40 told_at_the_end\n", (unsigned long)at);
    fclose(list);
    return 0;
}
"#;

/// Records the program, with the arguments before `-o` and the output.
fn recorded(args: &[&str], output: &Path) -> Option<Ran> {
    if !cfg!(target_arch = "x86_64") {
        skip("the code is of x86-64");
        return None;
    }
    let program = match compile("made-late", SOURCE, &["-O1"]) {
        Ok(program) => program,
        Err(why) => {
            skip(&why);
            return None;
        }
    };
    let mut command = backsight();
    command.args(["record", "-F", "997"]).args(args);
    command.arg("-o").arg(output).arg("--").arg(program);
    let ran = Ran::from(command.output().unwrap());
    let cannot = ["permission denied to sample", "no perf events"];
    if cannot.iter().any(|why| ran.stderr.contains(why)) {
        skip(&ran.stderr);
        return None;
    }
    assert_eq!(ran.code, Some(0), "{ran:?}");
    Some(ran)
}

/// Removes the lists that were said to be read.
fn remove_lists(stacks: &str, ran: &Ran) {
    let words = stacks
        .split(['(', ')', ' ', ':', '\n'])
        .chain(ran.stderr.split([' ', ':', '\n']));
    for path in words.filter(|word| word.starts_with("/tmp/perf-")) {
        let _ = fs::remove_file(path);
    }
}

#[test]
fn names_that_are_told_at_the_end_are_used() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("made.folded");
    let Some(ran) = recorded(&[], &path) else {
        return;
    };
    let stacks = fs::read_to_string(&path).unwrap();
    assert!(stacks.contains("told_at_the_end"), "{stacks}\n{ran:?}");
    assert!(!stacks.contains("[anonymous]"), "{stacks}");
    remove_lists(&stacks, &ran);
}

/// A file of an interval is whole when it is written: what is told later is said to be missing.
#[test]
fn names_that_come_after_an_interval_are_said_to_be_missing() {
    let dir = tempfile::tempdir().unwrap();
    let args = ["--every", "200ms", "--to", "folded"];
    let Some(ran) = recorded(&args, dir.path()) else {
        return;
    };
    let mut with_names = 0;
    for file in fs::read_dir(dir.path()).unwrap() {
        let path = file.unwrap().path();
        let stacks = fs::read_to_string(&path).unwrap();
        let said = format!("{}: ", path.display());
        let mut lines = ran.stderr.lines();
        let is_said = lines.any(|line| line.contains(&said) && line.contains("has no name yet"));
        let has_nameless = stacks.contains(".map [anonymous]");
        assert_eq!(is_said, has_nameless, "{stacks}\n{ran:?}");
        with_names += usize::from(stacks.contains("told_at_the_end"));
        remove_lists(&stacks, &ran);
    }
    assert!(ran.stderr.contains("has no name yet"), "{ran:?}");
    assert!(with_names <= 1, "{ran:?}");
}
