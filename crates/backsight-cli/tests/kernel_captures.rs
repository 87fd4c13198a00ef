//! Addresses of the kernel in the stack of a live process: its capture has the same names and
//! offsets, and so has the kernel asked alone.

mod common;

use std::fs;

use common::{run, run_with, sleeping};
use testkit::skip;

/// Returns the addresses of some functions of the kernel's image; none if they are hidden.
fn functions() -> Vec<(u64, String)> {
    let list = fs::read_to_string("/proc/kallsyms").unwrap_or_default();
    let symbols = list.lines().filter_map(|line| {
        let mut words = line.split_whitespace();
        let addr = u64::from_str_radix(words.next()?, 16).ok()?;
        let is_code = matches!(words.next()?, "T" | "t");
        let name = words.next()?;
        // Of several symbols at one address, another one may be chosen.
        let is_one = ["schedule", "do_nanosleep", "vfs_read"].contains(&name);
        (is_code && is_one && addr > 0 && words.next().is_none()).then(|| (addr, name.to_owned()))
    });
    symbols.collect()
}

#[test]
fn a_capture_has_the_kernels_functions_with_their_offsets() {
    let functions = functions();
    if functions.is_empty() {
        return skip("the kernel lists no addresses for this user");
    }
    let child = sleeping();
    let pid = child.pid().to_string();
    let addrs: Vec<String> = functions
        .iter()
        .flat_map(|(start, _)| [0, 5].map(|into| format!("{:#x}", start + into)))
        .collect();
    let ask = |args: &[&str]| {
        let addrs = addrs.iter().map(|addr| &**addr);
        let ran = run(args.iter().copied().chain(addrs));
        assert_eq!(ran.code, Some(0), "{ran:?}");
        ran.stdout
    };
    let live = ask(&["symbolize", "-p", &pid]);
    // No files are looked for elsewhere, so that lines of the kernel's own do not differ.
    let elsewhere = |captured: &str| {
        let ran = run_with(["symbolize", "-i", "-"], captured.as_bytes());
        assert_eq!(ran.code, Some(0), "{ran:?}");
        ran.stdout
    };
    let ways = [
        (
            "a process",
            ask(&["normalize", "-p", &pid, "--format", "json"]),
        ),
        ("a process by text", {
            let by_text = [
                "normalize",
                "-p",
                &pid,
                "--backend",
                "text",
                "--format",
                "json",
            ];
            ask(&by_text)
        }),
        (
            "the kernel",
            ask(&["normalize", "--kernel", "--format", "json"]),
        ),
    ];
    for (way, captured) in ways {
        assert_eq!(elsewhere(&captured), live, "{way}");
    }
    assert_eq!(ask(&["symbolize", "--kernel"]), live);
    for (start, name) in functions {
        for into in [0, 5] {
            let line = format!("{:#x} {name}+{into:#x}", start + into);
            let is_shown = live.lines().any(|shown| shown.starts_with(&line));
            assert!(is_shown, "{line} in {live}");
        }
    }
    // Text for reading has the place, too.
    let text = ask(&["normalize", "-p", &pid]);
    assert!(text.contains("[kernel.kallsyms]+0x"), "{text}");
    assert_eq!(text, ask(&["normalize", "--kernel"]));
}
