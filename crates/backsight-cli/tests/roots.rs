//! Several root directories, for every command that looks for files: searched in the given
//! order, for modules and debug files, and then the host.

mod common;
mod split;

use std::fs;

use split::Split;

/// The path of the module in a capture; it does not exist on this host.
const GONE: &str = "/no/such/container/prog";

/// `first` and `second` are roots that contain the module by path and the debug file by build
/// ID. `other` has another program at the module's path.
fn roots() -> Option<Split> {
    let split = Split::new()?;
    let path = GONE.trim_start_matches('/');
    for root in ["empty", "other", "first", "second"] {
        let place = split.path(root).join(path);
        fs::create_dir_all(place.parent().expect("a folder")).expect("ours");
        match root {
            "empty" => continue,
            "other" => testkit::copy("/proc/self/exe", &place),
            _ => testkit::copy(split.path("bare"), &place),
        }
        .expect("ours");
        if root != "other" {
            split.put("kept", &format!("{root}/usr/lib/debug"));
        }
    }
    let capture = format!(
        "{{\"type\":\"module\",\"index\":0,\"path\":\"{GONE}\",\"build_id\":\"{}\"}}\n\
         {{\"type\":\"address\",\"index\":0,\"module\":0,\"virtual_offset\":\"0x{}\"}}\n\
         {{\"type\":\"sample\",\"stack\":[0],\"values\":[1]}}\n",
        split.id,
        split.addr.trim_start_matches('0'),
    );
    fs::write(split.path("capture.ndjson"), capture).expect("ours");
    Some(split)
}

/// Every command with these flags, with its input.
fn ways(addr: &str) -> Vec<Vec<&str>> {
    vec![
        vec!["symbolize", "-i", "capture.ndjson", "-v"],
        vec![
            "convert",
            "capture.ndjson",
            "-o",
            "-",
            "--to",
            "ndjson",
            "-v",
        ],
        vec!["symbolize", "-e", "bare", addr, "-v"],
        vec!["addr2line", "-e", "bare", addr, "--verbose"],
        vec!["index", "build", "bare", "-o", "bare.index", "-v"],
        vec!["inspect", "bare", "work", "-v"],
    ]
}

#[test]
fn roots_are_searched_in_the_order_given() {
    let Some(split) = roots() else {
        return testkit::skip("no C compiler, or no binutils");
    };
    for way in ways(&split.addr) {
        for (order, taken) in [
            (["empty", "other", "first", "second"], "first"),
            (["second", "first", "other", "empty"], "second"),
        ] {
            let flags = order.iter().flat_map(|root| ["--root", root]);
            let args: Vec<&str> = way.iter().copied().chain(flags).collect();
            let ran = split.ask(&args);
            assert_eq!(ran.code, Some(0), "{args:?}: {}", ran.stderr);
            let debug_file = |line: &&str| line.ends_with(": debug file, used");
            let taken_from: Vec<&str> = ran.stderr.lines().filter(debug_file).collect();
            let want = format!("backsight: {taken}/usr/lib/debug/.build-id/");
            assert!(
                matches!(taken_from[..], [line] if line.starts_with(&want)),
                "{args:?}: {}",
                ran.stderr
            );
            if way[0] != "index" {
                assert!(ran.stdout.contains("a.c"), "{args:?}: {}", ran.stdout);
            }
            // The debug file is not looked for in roots after the one that has it.
            let behind = match taken {
                "first" => "second/",
                _ => "first/",
            };
            assert!(!ran.stderr.contains(behind), "{args:?}: {}", ran.stderr);
        }
    }
}

#[test]
fn a_module_is_found_in_any_root_and_proven() {
    let Some(split) = roots() else {
        return testkit::skip("no C compiler, or no binutils");
    };
    // By file offset, a capture needs the module's program headers.
    let capture = split.path("capture.ndjson");
    let text = fs::read_to_string(&capture).expect("ours");
    let by_offset = text.replace("virtual_offset", "file_offset");
    fs::write(&capture, by_offset).expect("ours");
    for command in ["symbolize", "convert"] {
        let base: &[&str] = match command {
            "symbolize" => &["symbolize", "-i", "capture.ndjson", "--format", "json"],
            _ => &["convert", "capture.ndjson", "-o", "-", "--to", "ndjson"],
        };
        let ask = |roots: &[&str]| {
            let flags = roots.iter().flat_map(|root| ["--root", root]);
            let args: Vec<&str> = base.iter().copied().chain(flags).collect();
            split.ask(&args).stdout
        };
        assert!(!ask(&[]).contains("\"work\""), "{command}");
        assert!(!ask(&["empty", "other"]).contains("\"work\""), "{command}");
        for roots in [["other", "second"], ["second", "other"], ["empty", "first"]] {
            let said = ask(&roots);
            assert!(said.contains("\"work\""), "{command} {roots:?}: {said}");
        }
    }
}

#[test]
fn every_command_has_the_same_flags_for_files() {
    let commands: [&[&str]; 6] = [
        &["symbolize"],
        &["convert"],
        &["normalize"],
        &["addr2line"],
        &["index", "build"],
        &["inspect"],
    ];
    for command in commands {
        let help = common::run([command, &["--help"]].concat()).ok();
        for flag in [
            "--root <DIR>",
            "--debug-dir <DIR>",
            "--no-default-debug-dir",
            "--trust-paths",
            "--max-unpacked <BYTES>",
        ] {
            assert_eq!(help.matches(flag).count(), 1, "{command:?}: {flag}");
        }
        let root = help.split("--root <DIR>").nth(1).expect("it is there");
        let about = root.split("--").next().expect("its text");
        assert!(about.contains("several times"), "{command:?}: {about}");
    }
}
