//! The message about a file that cannot be read or written names it once, with the cause and the
//! way out: each command, and each way in which a file fails.

mod common;

use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use common::{Ran, public_copy};
use testkit::perf_file::{Event, PerfFile, sample};
use testkit::user::unprivileged;

/// The commands that read a file, which stands for `FILE`. All but the first four read ELF files
/// or indexes.
const READING: [&[&str]; 11] = [
    &["convert", "-i", "FILE", "-o", "OUT"],
    &["normalize", "-i", "FILE"],
    &["symbolize", "-i", "FILE"],
    &["normalize", "--maps", "FILE", "10"],
    &["symbolize", "-e", "FILE", "10"],
    &["addr2line", "-e", "FILE", "10"],
    &["buildid", "FILE"],
    &["inspect", "FILE"],
    &["index", "build", "FILE", "-o", "OUT"],
    &["index", "show", "FILE"],
    &["index", "verify", "FILE"],
];

/// How the command is run.
#[derive(Clone, Copy, PartialEq, Eq)]
enum As {
    Us,
    Nobody,
    /// With this limit of open files.
    Descriptors(u32),
}

fn run_as(program: &Path, how: As, args: &[&str]) -> Ran {
    let command = |mut command: Command| -> Ran {
        command.args(args).stdin(std::process::Stdio::null());
        command.output().expect("it runs").into()
    };
    match how {
        As::Us => command(Command::new(program)),
        As::Nobody => unprivileged(|| command(Command::new(program))),
        As::Descriptors(most) => {
            // It may have inherited files from the parent of the tests.
            let close = "exec 3<&- 4<&- 5<&- 6<&- 7<&- 8<&- 9<&-";
            let script = format!("{close}; ulimit -n {most} && exec \"$0\" \"$@\"");
            let mut shell = Command::new("sh");
            shell.args(["-c", &script]).arg(program);
            command(shell)
        }
    }
}

/// Checks that there is one line, with these words, which names the file once, and at its start.
#[track_caller]
fn names_once(ran: &Ran, file: &str, words: &[&str], context: &str) {
    assert_eq!(
        (ran.code, &*ran.stdout),
        (Some(1), ""),
        "{context}: {ran:?}"
    );
    assert_eq!(ran.stderr.lines().count(), 1, "{context}: {ran:?}");
    let start = format!("backsight: {file}: ");
    assert!(ran.stderr.starts_with(&start), "{context}: {ran:?}");
    assert_eq!(ran.stderr.matches(file).count(), 1, "{context}: {ran:?}");
    ran.fails(1, words);
}

#[test]
fn a_file_that_cannot_be_opened_or_read_is_named_once() {
    let (dir, program) = public_copy();
    let at = |name: &str| dir.path().join(name).to_str().expect("UTF-8").to_owned();
    fs::create_dir(at("folder")).expect("ours");
    fs::write(at("secret"), "main;work 3\n").expect("ours");
    fs::set_permissions(at("secret"), fs::Permissions::from_mode(0o000)).expect("ours");
    fs::write(at("there.folded"), "main;work 3\n").expect("ours");
    let memory = "/proc/self/mem".to_owned();

    let root = "run as a user with permission, or as root";
    // How many of the commands fail in this way, from the first.
    let cases: [(&str, String, As, usize, &[&str]); 6] = [
        (
            "absent",
            at("absent"),
            As::Us,
            11,
            &["No such file or directory (os error 2)"],
        ),
        (
            "secret",
            at("secret"),
            As::Nobody,
            11,
            &["Permission denied (os error 13): ", root],
        ),
        (
            "too many",
            at("there.folded"),
            // Standard input, output and error, and the copy of the output.
            As::Descriptors(4),
            11,
            &["Too many open files (os error 24): allow more open files, with ulimit -n"],
        ),
        // Reading it fails; files of ELF and indexes are read by their size, which is 0.
        (
            "memory",
            memory,
            As::Us,
            4,
            &["Input/output error (os error 5)"],
        ),
        ("folder", at("folder"), As::Us, 11, &["a directory"]),
        ("empty name", at("folder/"), As::Us, 11, &["a directory"]),
    ];
    for (name, file, how, failing, words) in cases {
        for args in &READING[..failing] {
            let out = at("out.folded");
            let given: Vec<&str> = args
                .iter()
                .map(|arg| match *arg {
                    "FILE" => file.as_str(),
                    "OUT" => out.as_str(),
                    other => other,
                })
                .collect();
            let context = format!("{name}: {given:?}");
            let ran = run_as(&program, how, &given);
            let is_folder = words == ["a directory"];
            // The text of the errno has a capital letter.
            let words = match is_folder && ran.stderr.contains("Is a directory") {
                true => &["Is a directory (os error 21): give a file"][..],
                false => words,
            };
            names_once(&ran, &file, words, &context);
            assert!(!Path::new(&out).exists(), "{context}");
        }
    }
}

fn recording() -> PerfFile {
    let event = Event {
        name: "cycles",
        sample_type: sample::IDENTIFIER | sample::TID | sample::TIME,
        ids: vec![1],
        ..Event::default()
    };
    let mut file = PerfFile::new(false, &[event]);
    file.comm(7, 7, "main", 1);
    file
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::none());
    packed.write_all(bytes).expect("memory");
    packed.finish().expect("memory")
}

/// No result is written of these: what is left of them has none.
#[test]
fn a_file_that_is_cut_or_damaged_is_named_once_with_the_way_out() {
    let (dir, program) = public_copy();
    let at = |name: &str| dir.path().join(name).to_str().expect("UTF-8").to_owned();
    let whole = recording().file();
    let folded = b"main;work 3\n".repeat(1000);
    let packed = gzip(&folded);
    let packed = &packed[..packed.len() / 2];
    let lines = gzip(&b"{\"type\":\"header\",\"schema_version\":1}\n".repeat(1000));
    let again = "record or copy it again";
    let copy = "packed by gzip, and damaged or cut off (";
    let cases: [(&str, &[u8], &[&str]); 10] = [
        (
            "start.perf.data",
            &whole[..8],
            &["it ends within its header", again],
        ),
        (
            "cut.perf.data",
            &whole[..110],
            &["it ends before its first record", again],
        ),
        (
            "other.perf.data",
            b"\x01\x02\x03",
            &["not a perf.data file", "--from"],
        ),
        (
            "cut.perf.data.gz",
            &gzip(&whole)[..60],
            &[copy, "copy it again"],
        ),
        (
            "cut.folded.gz",
            packed,
            &[copy, "copy it again", "gunzip -t"],
        ),
        (
            "cut.ndjson.gz",
            &lines[..lines.len() / 2],
            &[copy, "copy it again"],
        ),
        (
            "cut.pb.gz",
            &gzip(&[0x32, 0, 0x32, 9, b'a'])[..18],
            &["its gzip stream", again],
        ),
        (
            "cut.pb",
            &[0x32, 0, 0x32, 9, b'a'],
            &["at byte 2", again, "--from"],
        ),
        ("empty.folded", b"", &["empty", "record again"]),
        (
            "newer.ndjson",
            b"{\"type\":\"header\",\"schema_version\":99}\n",
            &["line 1", "schema_version 99", "use a newer backsight"],
        ),
    ];
    for (name, bytes, words) in cases {
        let (file, out) = (at(name), at("out.folded"));
        fs::write(&file, bytes).expect("ours");
        let args = ["convert", &file, &out];
        let ran = run_as(&program, As::Us, &args);
        names_once(&ran, &file, words, name);
        assert!(!Path::new(&out).exists(), "{name}");
    }
    // Of a directory, the file in it.
    fs::create_dir(at("threads")).expect("ours");
    fs::write(at("threads/data"), &whole[..8]).expect("ours");
    let args = ["convert", &at("threads"), &at("out.folded")];
    let ran = run_as(&program, As::Us, &args);
    names_once(
        &ran,
        &at("threads/data"),
        &["it ends within its header", again],
        "a directory",
    );
}

/// Each file that ends early has a message, and the rest is read.
#[test]
fn the_files_of_a_recording_that_end_early_are_named() {
    let (dir, program) = public_copy();
    let at = |name: &str| dir.path().join(name).to_str().expect("UTF-8").to_owned();
    let recording = recording();
    let records = recording.records();
    fs::create_dir(at("threads")).expect("ours");
    fs::write(at("threads/data"), recording.file()).expect("ours");
    fs::write(at("threads/data.0"), &records[..records.len() - 1]).expect("ours");
    fs::write(at("threads/data.1"), &records[..9]).expect("ours");
    let ran = run_as(
        &program,
        As::Us,
        &["convert", &at("threads"), &at("out.folded"), "--strict"],
    );
    assert_eq!(ran.code, Some(3), "{ran:?}");
    for file in ["threads/data.0", "threads/data.1"] {
        let line = format!("backsight: {}: the file is cut off; ", at(file));
        assert_eq!(ran.stderr.matches(&line).count(), 1, "{ran:?}");
        assert_eq!(ran.stderr.matches(&at(file)).count(), 1, "{ran:?}");
    }
}

#[test]
fn an_output_that_cannot_be_written_is_named_once() {
    let (dir, program) = public_copy();
    let at = |name: &str| dir.path().join(name).to_str().expect("UTF-8").to_owned();
    let input = at("there.folded");
    fs::write(&input, "main;work 3\n").expect("ours");
    fs::set_permissions(&input, fs::Permissions::from_mode(0o644)).expect("ours");
    fs::create_dir(at("folder.folded")).expect("ours");
    let full = "No space left on device (os error 28)";
    let cases: [(String, As, &[&str]); 4] = [
        ("/dev/full".to_owned(), As::Us, &[full]),
        (
            at("folder.folded"),
            As::Us,
            &["Is a directory (os error 21)"],
        ),
        (
            at("absent/out.folded"),
            As::Us,
            &["No such file or directory (os error 2): create its directory first"],
        ),
        (
            at("out.folded"),
            As::Nobody,
            &["Permission denied (os error 13): run as a user"],
        ),
    ];
    for (out, how, words) in cases {
        for to in ["folded", "pprof", "ndjson", "firefox", "svg"] {
            let args = ["convert", &input, &out, "--to", to];
            let ran = run_as(&program, how, &args);
            names_once(&ran, &out, words, to);
        }
        let args = ["normalize", "-i", &input, "-o", &out];
        names_once(&run_as(&program, how, &args), &out, words, "normalize");
    }
    // Standard output has no name.
    let mut command = Command::new(&program);
    command.args(["convert", &input, "-o", "-", "--to", "folded"]);
    command.stdout(
        fs::OpenOptions::new()
            .write(true)
            .open("/dev/full")
            .expect("there"),
    );
    let ran: Ran = command.output().expect("it runs").into();
    ran.fails(1, &["cannot write the results: ", full]);
    assert_eq!(ran.stderr.lines().count(), 1, "{ran:?}");
}
