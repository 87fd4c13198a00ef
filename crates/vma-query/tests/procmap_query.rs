//! The example prints the same in both modes, and reports wrong arguments.

mod common;

#[path = "../examples/procmap_query.rs"]
#[allow(dead_code, reason = "its main is for the command line")]
mod procmap_query;

use std::ffi::OsString;
use std::fmt::Write;
use std::fs;

use common::{covering, ioctl_answers, telling_addresses};
use testkit::child::Child;
use testkit::maps::Line;
use testkit::{naive, tools};

/// Runs the example; returns its exit status, standard output and standard error.
fn run(args: &[&str]) -> (u8, String, String) {
    let args: Vec<OsString> = args.iter().map(Into::into).collect();
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let status = procmap_query::run(&args, &mut out, &mut err);
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (status, text(out), text(err))
}

const REFUSED: &str = "this kernel does not answer PROCMAP_QUERY";

#[test]
fn both_modes_print_the_same() {
    let dir = tempfile::tempdir().unwrap();
    let odd = dir.path().join("two\nlines \"and\" more");
    fs::write(&odd, "x").unwrap();
    let mut child = Child::spawn();
    child.map(&odd, "r--p");
    child.gaps("/proc/self/exe", 5);
    child.anon("rwxp", 0x3000);

    let lines: Vec<Line> = naive::lines(&naive::text_of(child.pid()).unwrap()).collect();
    // As captured: unsorted, with many duplicates.
    let mut captured = telling_addresses(&lines);
    captured.reverse();
    captured.extend_from_within(captured.len() / 3..);
    let (mut file, mut want) = ("# captured\n\n".to_owned(), String::new());
    for addr in &captured {
        writeln!(file, "{addr} # {addr}").unwrap();
        let Some(line) = covering(&lines, *addr) else {
            writeln!(want, "{addr:016x} -> no VMA").unwrap();
            continue;
        };
        let (start, end, offset, inode) = (line.start, line.end, line.offset, line.inode);
        let perms = line.perms.escape_ascii();
        let (major, minor, name) = (line.major, line.minor, line.name.escape_ascii());
        let device = format!("{major:02x}:{minor:02x}");
        let place = format!("{start:08x}-{end:08x} {perms} {offset:08x} {device} {inode}");
        writeln!(want, "{addr:016x} -> {place} {name}").unwrap();
    }
    let addresses = dir.path().join("addresses");
    fs::write(&addresses, file).unwrap();

    let pid = child.pid().to_string();
    let usual = ["-p", &pid, "-f", addresses.to_str().unwrap()];
    let by_text = run(&usual);
    assert_eq!(by_text, (0, want, String::new()));
    let (status, printed, said) = run(&[&usual[..], &["-Q"]].concat());
    if ioctl_answers() {
        assert_eq!((status, printed, said), by_text);
    } else {
        assert!(status == 1 && said.contains(REFUSED), "{status} {said}");
    }

    let (status, printed, said) = run(&[&usual[..], &["-q", "-v", "-B", "3"]].concat());
    assert_eq!((status, printed.as_str()), (0, ""));
    assert!(
        said.starts_with(&format!("{} addresses, ", captured.len())),
        "{said}"
    );
    assert!(
        said.contains("\ntext: ") && said.contains(" of 3 runs"),
        "{said}"
    );
}

#[test]
fn build_ids_are_shown() {
    let dir = tempfile::tempdir().unwrap();
    let addresses = dir.path().join("addresses");
    let own = std::env::current_exe().unwrap();
    let mut child = Child::spawn();
    let (code, anon) = (child.map(&own, "r-xp"), child.anon("rwxp", 0x1000));
    fs::write(&addresses, format!("{:x}\n{:x}\n", code.start, anon.start)).unwrap();
    let pid = child.pid().to_string();
    let (status, printed, said) = run(&["-b", "-Q", "-p", &pid, "-f", addresses.to_str().unwrap()]);
    if !ioctl_answers() {
        assert!(status == 1 && said.contains(REFUSED), "{status} {said}");
        return;
    }
    assert_eq!((status, said.as_str()), (0, ""));
    let [first, second] = printed.lines().collect::<Vec<_>>()[..] else {
        panic!("two lines: {printed}");
    };
    if let Some(Some(digits)) = tools::readelf_build_id(&own) {
        assert!(first.contains(&format!(" {digits} /")), "{first}");
    }
    assert!(second.ends_with(" 00:00 0 - "), "{second}");
}

#[test]
fn a_failure_says_what_failed() {
    let dir = tempfile::tempdir().unwrap();
    let file = |name, content: &str| {
        let path = dir.path().join(name);
        fs::write(&path, content).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let good = file("good", "0x1000\n");
    let word = file("word", "0x1000\n\n 2000 # fine\nmain+0x10\n");
    let wide = file("wide", "11112222333344445\n");
    let child = Child::spawn();
    let pid = child.pid().to_string();
    let cases: [(&[&str], u8, &str); 12] = [
        (
            &["-p", &pid, "-f", &word],
            1,
            "word: line 4: not a hexadecimal address",
        ),
        (
            &["-p", &pid, "-f", &wide],
            1,
            "wide: line 1: more than 64 bits",
        ),
        (&["-p", &pid, "-f", "/nowhere"], 1, "/nowhere: No such file"),
        (
            &["-p", "4294967295", "-f", &good],
            1,
            "process 4294967295: no such process",
        ),
        (&[], 2, "-p and -f are required"),
        (&["-p", &pid], 2, "-p and -f are required"),
        (
            &["-p", "me", "-f", &good],
            2,
            "-p needs a number of at least 1, not me",
        ),
        (
            &["-p", &pid, "-f", &good, "-B", "0"],
            2,
            "-B needs a number of at least 1, not 0",
        ),
        (&["-p", &pid, "-f"], 2, "-f needs a value"),
        (&["-p", &pid, "-f", &good, "-b"], 2, "-b needs -Q"),
        (&["-x"], 2, "-x is not an option"),
        (&["good"], 2, "good is not an option"),
    ];
    for (args, want, reason) in cases {
        let (status, printed, said) = run(args);
        assert_eq!((status, printed.as_str()), (want, ""), "{args:?}: {said}");
        assert!(said.contains(reason), "{args:?}: {said}");
        assert_eq!(said.contains("usage: "), want == 2, "{args:?}");
    }
}
