//! Saved maps texts as they occur in practice: truncated, mixed up, or of another file.

mod common;

use std::fs;
use std::io::{BufWriter, Write};
use std::path::Path;
use std::process::{Command, Stdio};

use common::{Ran, run};
use nix::sys::stat::Mode;
use testkit::child::KillOnDrop;

const FIRST: &str = "1000-2000 r-xp 00000000 fe:00 1                             /x\n";

fn saved(text: &[u8]) -> (tempfile::TempDir, String) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("maps");
    fs::write(&path, text).unwrap();
    let path = path.to_str().unwrap().to_owned();
    (dir, path)
}

#[test]
fn a_text_that_no_kernel_prints_is_refused_by_line_and_cause() {
    let binary = fs::read(env!("CARGO_BIN_EXE_backsight")).unwrap();
    let long = vec![b'a'; 5 << 20];
    let cases: [(&str, Vec<u8>, &str, &str); 8] = [
        (
            "cut in a line",
            [FIRST.as_bytes(), b"3000-4000 r-x"].concat(),
            "line 2",
            "permissions",
        ),
        (
            "overlapping",
            format!("{FIRST}1800-3000 r-xp 00000000 fe:00 2 /y\n").into(),
            "line 2",
            "begins before the one above it ends",
        ),
        (
            "unsorted",
            format!("{FIRST}0500-0800 r-xp 00000000 fe:00 2 /y\n").into(),
            "line 2",
            "begins before the one above it ends",
        ),
        (
            "backwards",
            b"2000-1000 r-xp 00000000 fe:00 1 /x\n".into(),
            "line 1",
            "the range does not end after its start",
        ),
        (
            "binary",
            binary[..100_000].into(),
            "line 1",
            "not hexadecimal",
        ),
        ("one long line", long, "line 1", "1 MiB"),
        ("empty", Vec::new(), "line 1", "empty"),
        (
            "another text",
            format!("{FIRST}Size: 4 kB\n").into(),
            "line 2",
            "",
        ),
    ];
    for (name, text, line, cause) in cases {
        let (_dir, path) = saved(&text);
        let ran = run(["normalize", "--maps", &path, "1000"]);
        ran.fails(
            1,
            &[
                &path,
                line,
                cause,
                "give the complete text of /proc/PID/maps",
            ],
        );
        assert_eq!(ran.stdout, "", "{name}");
    }
}

#[test]
fn a_text_without_its_last_end_is_answered_with_a_word_of_doubt() {
    let (_dir, path) = saved(FIRST.trim_end().as_bytes());
    let ran = run(["normalize", "--maps", &path, "--strict", "1010"]);
    ran.fails(0, &[&path, "may be cut short"]);
    assert_eq!(ran.stdout, "0x1010             /x+0x10\n");
}

#[test]
fn only_files_and_pipes_are_read() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().to_str().unwrap();
    let cases = [
        (folder, "Is a directory"),
        ("/dev/zero", "a device: give a file or a pipe"),
        ("/no/such", "No such file"),
    ];
    for (path, cause) in cases {
        run(["normalize", "--maps", path, "10"]).fails(1, &[path, cause]);
        run(["symbolize", "-i", path]).fails(1, &[path, cause]);
    }
    // As in `--maps <(ssh host cat /proc/1/maps)`.
    let fifo = dir.path().join("fifo");
    nix::unistd::mkfifo(&fifo, Mode::S_IRWXU).unwrap();
    let path = fifo.to_str().unwrap();
    let text = std::thread::scope(|scope| {
        scope.spawn(|| fs::write(&fifo, FIRST));
        run(["normalize", "--maps", path, "1010"]).ok()
    });
    assert_eq!(text, "0x1010             /x+0x10\n");
}

/// The most VMAs that a process was seen with, through a pipe: 100 MB of text. Only lines that
/// contain addresses are kept, so an address space limit of a fifth of the text's size beside the program
/// itself suffices, with its libraries and stacks.
#[test]
fn two_million_lines_are_read_within_bounds() {
    const LINES: u64 = 2_000_000;
    let program = env!("CARGO_BIN_EXE_backsight");
    let (first, last) = (0x10_0000_0000_u64, 0x10_0000_0000 + (LINES - 1) * 0x2000);
    let sizes = match Command::new("size").arg(program).output() {
        Ok(sizes) => String::from_utf8(sizes.stdout).unwrap(),
        Err(error) => return testkit::skip(&format!("size: {error}")),
    };
    // The fourth column: the sum of those of code, data and zeros.
    let sum = sizes
        .lines()
        .nth(1)
        .and_then(|row| row.split_whitespace().nth(3));
    let limit = sum.unwrap().parse::<u64>().unwrap() / 1024 + 20_000;
    let script = format!(
        "ulimit -v {limit} && exec {program} normalize --maps /dev/stdin {first:x} {last:x} {:x}",
        last + 0x1000
    );
    let mut shell = Command::new("sh");
    shell.args(["-c", &script]).stdin(Stdio::piped());
    let shell = shell.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let mut child = KillOnDrop(shell.unwrap());
    let mut text = BufWriter::with_capacity(1 << 20, child.0.stdin.take().unwrap());
    for i in 0..LINES {
        let start = first + i * 0x2000;
        writeln!(
            text,
            "{start:x}-{:x} r-xp 00000000 fe:00 {} /lib/{}.so",
            start + 0x1000,
            i % 999 + 1,
            i % 999
        )
        .unwrap();
    }
    drop(text);
    let read = |from: Option<&mut dyn std::io::Read>| {
        let mut text = String::new();
        from.unwrap().read_to_string(&mut text).unwrap();
        text
    };
    let stdout = read(child.0.stdout.as_mut().map(|out| out as _));
    let stderr = read(child.0.stderr.as_mut().map(|err| err as _));
    assert_eq!((child.0.wait().unwrap().code(), &*stderr), (Some(0), ""));
    let last_module = (LINES - 1) % 999;
    let want = format!(
        "{first:#x}       /lib/0.so+0x0\n{last:#x}       /lib/{last_module}.so+0x0\n{:#x}       [unmapped]\n",
        last + 0x1000
    );
    assert_eq!(stdout, want);
}

#[test]
fn a_text_may_come_from_another_machine() {
    // The file does not exist here, and none is opened.
    let text = "7f0000001000-7f0000002000 r-xp 00001000 103:02 77      /no/such/lib.so (deleted)\n";
    let (_dir, path) = saved(text.as_bytes());
    let ran: Ran = run(["normalize", "--maps", &path, "7f0000001234"]);
    assert_eq!(
        ran.ok(),
        "0x7f0000001234     /no/such/lib.so (deleted)+0x1234\n"
    );
    assert!(!Path::new("/no/such/lib.so").exists());
}
