//! All commands look for files in the same places, and can report the results.

mod common;
mod split;

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use common::{Ran, backsight};
use split::Split;
use testkit::perf;

#[test]
fn a_debug_dir_is_one_more() {
    let Some(split) = Split::new() else {
        return testkit::skip("no C compiler, or no binutils");
    };
    split.put("kept", "cache");
    fs::create_dir(split.path("empty")).expect("ours");
    let addr = split.addr.clone();
    let ways: [&[&str]; 3] = [
        &["symbolize", "-e", "bare", &addr],
        &["addr2line", "-e", "bare", "-f", &addr],
        &["index", "build", "bare", "-o", "bare.index"],
    ];
    for way in ways {
        let has = |ran: Ran| {
            let lines = ran.stdout.lines().find(|line| line.contains("  lines "));
            let count = lines.map(|line| line.split_whitespace().nth(1) != Some("0"));
            count.unwrap_or(ran.stdout.contains("a.c:"))
        };
        assert!(has(split.ask(way)), "{way:?}: perf's cache is looked into");
        let added = [way, &["--debug-dir", "empty"]].concat();
        assert!(has(split.ask(&added)), "{way:?}: it adds");
        let alone = [&added[..], &["--no-default-debug-dir"]].concat();
        assert!(!has(split.ask(&alone)), "{way:?}: no other");
        let none = [way, &["--no-default-debug-dir"]].concat();
        assert!(!has(split.ask(&none)), "{way:?}: none at all");
    }
}

#[test]
fn why_a_file_did_not_count_can_be_asked() {
    let Some(split) = Split::new() else {
        return testkit::skip("no C compiler, or no binutils");
    };
    let addr = split.addr.clone();
    let by_id = split.put("kept", "debug");
    let name = by_id.to_str().expect("text").to_owned();
    let link = split.path("a.debug");
    let args = [
        "symbolize",
        "-e",
        "bare",
        &addr,
        "--debug-dir",
        "debug",
        "-v",
    ];
    let spoilt: [(&str, &dyn Fn(), &str); 6] = [
        ("is taken", &|| (), "debug file, used"),
        (
            "is another's",
            &|| drop(testkit::copy("/proc/self/exe", &by_id)),
            "no debug file: it is of ",
        ),
        (
            "is garbage",
            &|| fs::write(&by_id, "garbage").expect("ours"),
            "no debug file: ",
        ),
        (
            "is a folder",
            &|| {
                fs::remove_file(&by_id).expect("ours");
                fs::create_dir(&by_id).expect("ours");
            },
            "not a regular file",
        ),
        (
            "is gone",
            &|| fs::remove_dir(&by_id).expect("ours"),
            "no debug file: No such file or directory",
        ),
        (
            "has the name of the link, and other content",
            &|| {
                fs::write(
                    &link,
                    [fs::read(split.path("kept")).expect("ours"), vec![0]].concat(),
                )
                .expect("ours")
            },
            "no debug file: its checksum is ",
        ),
    ];
    for (what, spoil, word) in spoilt {
        spoil();
        let ran = split.ask(&args);
        assert_eq!(ran.code, Some(0), "{what}");
        assert!(ran.stderr.contains(word), "{what}: {}", ran.stderr);
        assert!(ran.stderr.contains(".build-id/12/"), "{what}: {name}");
        let has_lines = ran.stdout.contains("a.c:");
        assert_eq!(has_lines, what == "is taken", "{what}: {}", ran.stdout);
        // Without the flag, what is there and not used is said.
        let quiet = split.ask(&args[..args.len() - 1]);
        let is_file = ["is another's", "is garbage"].contains(&what) || what.starts_with("has");
        let said = [": refused: ", "\n"].map(|word| quiet.stderr.matches(word).count());
        assert_eq!(said, [usize::from(is_file); 2], "{what}: {quiet:?}");
        assert_eq!(quiet.stdout, ran.stdout, "{what}");
    }
    // The other commands report it, too.
    let capture = split.path("capture.ndjson");
    let text = format!(
        "{{\"type\":\"module\",\"index\":0,\"path\":\"{}\",\"build_id\":\"{}\"}}\n\
         {{\"type\":\"address\",\"index\":0,\"module\":0,\"virtual_offset\":\"0x{}\"}}\n\
         {{\"type\":\"sample\",\"stack\":[0],\"values\":[1]}}\n",
        split.path("bare").display(),
        split.id,
        addr.trim_start_matches('0'),
    );
    fs::write(&capture, text).expect("ours");
    let others: [&[&str]; 5] = [
        &["inspect", "bare", "work", "-v"],
        &["addr2line", "-e", "bare", &addr, "--verbose"],
        &["index", "build", "bare", "-o", "bare.index", "-v"],
        &["symbolize", "-i", "capture.ndjson", "-v"],
        &[
            "convert",
            "-i",
            "capture.ndjson",
            "-o",
            "-",
            "--to",
            "folded",
            "-v",
        ],
    ];
    for args in others {
        let ran = split.ask(args);
        assert_eq!(ran.code, Some(0), "{args:?}");
        // By the name that was given and by its canonical one it is the same file.
        assert_eq!(
            ran.stderr
                .matches("no debug file: its checksum is ")
                .count(),
            1,
            "{args:?}: {}",
            ran.stderr
        );
    }
}

/// Damages the symbol table of `bare` so that it has no names.
fn damage(split: &Split) {
    let path = split.path("bare");
    let mut bytes = fs::read(&path).expect("made");
    let number = |at: usize, size: usize| {
        let bytes = bytes[at..at + size].iter().rev();
        bytes.fold(0_usize, |all, byte| all << 8 | usize::from(*byte))
    };
    let mut headers = (0..number(60, 2)).map(|n| number(40, 8) + n * 64);
    let symtab = headers.find(|at| number(at + 4, 4) == 2).expect("a table");
    bytes[symtab + 40..symtab + 44].copy_from_slice(&999_u32.to_le_bytes());
    fs::write(path, bytes).expect("ours");
}

#[test]
fn a_damaged_symbol_table_is_said() {
    let Some(split) = Split::new() else {
        return testkit::skip("no C compiler, or no binutils");
    };
    if fs::read(split.path("bare")).expect("made")[4..6] != [2, 1] {
        return testkit::skip("not of 64 bits, or big-endian");
    }
    let addr = split.addr.clone();
    let word = "bare: no sound symbol table: .symtab: leads to no section of names";
    let mut command = vec!["inspect", "bare"];
    split.ask(&command).ok();
    damage(&split);
    // Listings lack names, whether they are requested or not.
    let ran = split.ask(&command);
    assert!(!ran.stdout.contains(" work"), "{}", ran.stdout);
    command.push("-v");
    let others: [&[&str]; 4] = [
        &command,
        &["symbolize", "-e", "bare", &addr, "-v"],
        &["addr2line", "-e", "bare", &addr, "--verbose"],
        &["index", "build", "bare", "-o", "bare.index", "-v"],
    ];
    for args in others {
        let ran = split.ask(args);
        assert_eq!(ran.code, Some(0), "{args:?}");
        assert_eq!(
            ran.stderr.matches(word).count(),
            1,
            "{args:?}: {}",
            ran.stderr
        );
    }
    // Without -v it is one line that does not say what is wrong.
    for args in others {
        let flag = if args[0] == "addr2line" {
            "--verbose"
        } else {
            "-v"
        };
        let line = format!(
            "backsight: bare: a symbol table in it is damaged: names may be missing ({flag} says \
             what is wrong)\n"
        );
        let quiet = split.ask(&args[..args.len() - 1]);
        assert_eq!((quiet.code, quiet.stderr), (Some(0), line), "{args:?}");
    }
}

#[test]
fn a_file_that_is_cut_off_is_said_once_by_every_command() {
    let Some(split) = Split::new() else {
        return testkit::skip("no C compiler, or no binutils");
    };
    let whole = fs::read(split.path("whole")).expect("made");
    fs::write(split.path("cut"), &whole[..whole.len() * 3 / 4]).expect("ours");
    let capture = format!(
        "{{\"type\":\"module\",\"index\":0,\"path\":\"{}\",\"build_id\":\"{}\"}}\n\
         {{\"type\":\"address\",\"index\":0,\"module\":0,\"virtual_offset\":\"0x{}\"}}\n\
         {{\"type\":\"sample\",\"stack\":[0],\"values\":[1]}}\n",
        split.path("cut").display(),
        split.id,
        split.addr.trim_start_matches('0'),
    );
    fs::write(split.path("capture.ndjson"), capture).expect("ours");
    let addr = split.addr.as_str();
    let commands: [&[&str]; 6] = [
        &["symbolize", "-e", "cut", addr],
        &["addr2line", "-e", "cut", addr],
        &["inspect", "cut"],
        &["index", "build", "cut", "-o", "cut.index"],
        &["symbolize", "-i", "capture.ndjson"],
        &["convert", "capture.ndjson", "-o", "-", "--to", "folded"],
    ];
    for args in commands {
        let ran = split.ask(args);
        assert_eq!(ran.code, Some(0), "{args:?}: {}", ran.stderr);
        let said = ran
            .stderr
            .matches("cut: it is cut off: it ends before")
            .count();
        assert_eq!(said, 1, "{args:?}: {}", ran.stderr);
    }
}

#[test]
fn files_too_large_or_untrusted_are_said() {
    let Some(split) = Split::new() else {
        return testkit::skip("no C compiler, or no binutils");
    };
    let addr = split.addr.clone();
    let chmod = |path: &Path, mode| {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("ours");
    };
    let debug = split.put("kept", "debug");
    // A file that others can change is read instead of mapped, and this one has a tebibyte.
    let file = fs::File::create(&debug).expect("ours");
    if file.set_len(1 << 40).is_err() {
        return testkit::skip("no file of a tebibyte");
    }
    chmod(&debug, 0o666);
    let ask = |more: &[&str]| {
        let args = ["symbolize", "-e", "bare", &addr, "-v"];
        split.ask(&[&args[..], more].concat())
    };
    let ran = ask(&["--debug-dir", "debug"]);
    assert_eq!(ran.code, Some(0));
    let word = "no debug file: larger than the limit of ";
    assert!(ran.stderr.contains(word), "{}", ran.stderr);
    fs::remove_file(&debug).expect("ours");
    // An index is used only if no other user can change it.
    let dir = split.path("indexes");
    let built = split.ask(&["index", "build", "whole", "--index-dir", "indexes"]);
    assert_eq!(built.code, Some(0), "{built:?}");
    let mut entries = fs::read_dir(&dir).expect("made");
    let index = entries.next().expect("one").expect("an entry").path();
    let with_index = || ask(&["--index-dir", "indexes"]);
    assert!(with_index().stdout.contains("a.c:"));
    let word = "no index: others can change it";
    for (path, open, closed) in [(&index, 0o666, 0o644), (&dir, 0o777, 0o700)] {
        chmod(path, open);
        let ran = with_index();
        assert!(
            ran.stderr.contains(word),
            "{}: {}",
            path.display(),
            ran.stderr
        );
        assert!(!ran.stdout.contains("a.c:"), "{}", ran.stdout);
        chmod(path, closed);
    }
    if std::os::unix::fs::chown(&index, Some(65534), None).is_ok() {
        let ran = with_index();
        assert!(ran.stderr.contains(word), "another's: {}", ran.stderr);
        assert!(!ran.stdout.contains("a.c:"), "{}", ran.stdout);
    }
}

/// A recording with another machine's name, and without build IDs.
fn of_another_host(to: &Path) -> Result<(), String> {
    let program = perf::program().ok_or("no C compiler")?;
    let program = program.to_str().ok_or("a path that is no text")?;
    let way = ["-e", "cpu-clock", "-F", "500", "-B", "-N"];
    let recording = perf::record(&way, &[program, "spin", "30000"])?;
    let mut bytes = fs::read(&recording.data).map_err(|error| error.to_string())?;
    let here = nix::sys::utsname::uname().map_err(|error| error.to_string())?;
    let name = here.nodename().as_encoded_bytes();
    let with_end = [name, b"\0"].concat();
    let places: Vec<usize> = bytes
        .windows(with_end.len())
        .enumerate()
        .filter_map(|(at, part)| (part == with_end).then_some(at))
        .collect();
    if places.is_empty() {
        return Err("it does not say its machine's name".into());
    }
    for at in places {
        for byte in &mut bytes[at..at + name.len()] {
            *byte = b'z';
        }
    }
    fs::write(to, bytes).map_err(|error| error.to_string())
}

#[test]
fn a_recording_that_proves_nothing_says_so_and_can_be_trusted() {
    let dir = tempfile::tempdir().expect("a folder");
    let data = dir.path().join("perf.data");
    if let Err(why) = of_another_host(&data) {
        return testkit::skip(&why);
    }
    let ask = |to: &str, more: &[&str]| -> Ran {
        let mut command = backsight();
        command
            .arg("convert")
            .arg("-i")
            .arg(&data)
            .args(["-o", "-", "--to", to]);
        command.args(more).output().expect("it runs").into()
    };
    let silent = ask("folded", &[]);
    assert_eq!(silent.code, Some(0));
    assert!(!silent.stdout.contains("leaf"), "{}", silent.stdout);
    for word in ["recorded on z", "without build IDs of", "--trust-paths"] {
        assert!(silent.stderr.contains(word), "{word}: {}", silent.stderr);
    }
    let trusted = ask("folded", &["--trust-paths"]);
    assert!(trusted.stdout.contains("leaf"), "{}", trusted.stdout);
    assert!(
        trusted.stderr.contains("were accepted by path alone"),
        "{}",
        trusted.stderr
    );
    let marked = ask("ndjson", &["--trust-paths"]);
    assert!(
        marked.stdout.contains("\"by_path\":true"),
        "{}",
        marked.stdout
    );
    assert!(!ask("ndjson", &[]).stdout.contains("by_path"));
    // In pprof it is a comment.
    let packed = dir.path().join("it.pb");
    let mut command = backsight();
    command
        .arg("convert")
        .arg("-i")
        .arg(&data)
        .arg("-o")
        .arg(&packed);
    assert!(
        command
            .args(["--trust-paths"])
            .output()
            .expect("it runs")
            .status
            .success()
    );
    let again = backsight()
        .arg("convert")
        .arg("-i")
        .arg(&packed)
        .args(["-o", "-", "--to", "ndjson", "--no-symbols"])
        .output()
        .expect("it runs");
    let again = String::from_utf8(again.stdout).expect("text");
    assert!(
        again.contains("taken by its path alone, unproven: "),
        "{again}"
    );
}
