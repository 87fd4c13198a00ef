//! Debug information over the decompression limit: every command that symbolizes reports it
//! once, with the way out, and uses symbol tables.

mod common;

use std::path::Path;
use std::process::Command;

use common::{Ran, backsight, json, of_type, run};
use testkit::memory::peak;

const SOURCE: &str = "static inline __attribute__((always_inline)) int folded(int x) { return x * x; \
                      }\nint called(int x) {\n    return folded(x) + 1;\n}\nint main(int argc, char \
                      **argv) {\n    return called(argc);\n}\n";

/// Runs a tool in this directory; returns an error if it is missing or fails.
fn tool(dir: &Path, words: &str) -> Result<String, String> {
    let mut words = words.split_whitespace();
    let mut command = Command::new(words.next().expect("a tool"));
    let output = command.args(words).current_dir(dir).output();
    let output = output.map_err(|error| error.to_string())?;
    let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
    match output.status.success() {
        true => Ok(text(&output.stdout)),
        false => Err(text(&output.stderr)),
    }
}

/// Returns `a` with compressed debug sections, and the address of `called` according to `nm`.
fn packed(dir: &Path) -> Result<String, String> {
    std::fs::write(dir.join("a.c"), SOURCE).map_err(|error| error.to_string())?;
    tool(dir, "cc -g -O2 -gz=zlib -Wl,--build-id=sha1 -o a a.c")?;
    let symbols = tool(dir, "nm a")?;
    let mut lines = symbols.lines();
    let line = lines.find(|line| line.ends_with(" called"));
    let addr = line.and_then(|line| line.split(' ').next());
    addr.map(str::to_owned).ok_or_else(|| "no symbol".into())
}

/// Returns the size named as the way out in the single message.
fn way_out(ran: &Ran, file: &str) -> String {
    assert_eq!(ran.stderr.lines().count(), 1, "{}", ran.stderr);
    assert!(
        ran.stderr
            .starts_with(&format!("backsight: {file}: its debug")),
        "{}",
        ran.stderr
    );
    let (_, rest) = ran.stderr.split_once("--max-unpacked ").expect("a way out");
    rest.split_once(' ').expect("more words").0.to_owned()
}

#[test]
fn every_command_says_what_it_did_not_unpack() {
    let dir = tempfile::tempdir().expect("a folder");
    let addr = match packed(dir.path()) {
        Ok(addr) => addr,
        Err(words) => return testkit::skip(&words),
    };
    let file = dir.path().join("a");
    let file = file.to_str().expect("text");
    let many = vec![&*addr; 1000];
    let id = run(["buildid", file]).ok();
    let module = serde_json::json!({"type": "module", "index": 0, "path": file,
        "build_id_kind": "gnu", "build_id": id.trim()});
    let place = serde_json::json!({"type": "address", "module": 0,
        "virtual_offset": format!("0x{}", addr.trim_start_matches('0'))});
    let capture = dir.path().join("capture.ndjson");
    std::fs::write(&capture, format!("{module}\n{place}\n")).expect("ours");
    let capture = capture.to_str().expect("text");
    // The output with everything, and with only the symbol tables.
    let cases: [(&[&str], &str, &str); 7] = [
        (
            &["symbolize", "-e", file, &addr],
            "folded [inlined]",
            "called+0x0  (",
        ),
        (
            &["addr2line", "-f", "-i", "-e", file, &addr],
            "folded\n",
            "called\n??:?\n",
        ),
        (
            &[&["symbolize", "-e", file][..], &many].concat(),
            "folded [inlined]",
            "called+0x0  (",
        ),
        (
            &["symbolize", "-i", capture],
            "folded [inlined]",
            "called+0x0  (",
        ),
        (
            &["convert", "-i", capture, "-o", "-", "--to", "ndjson"],
            "\"folded\"",
            "\"called\"",
        ),
        (&["inspect", file, "called"], "/a.c:3", "function called\n"),
        (
            &["symbolize", "-e", file, "--no-inlines", &addr],
            "called+0x0  /",
            "called+0x0  (",
        ),
    ];
    for (args, whole, symbols) in cases {
        let with = |size: &str| run([args, &["--max-unpacked", size]].concat());
        let shown = run(args).ok();
        assert!(shown.contains(whole), "{args:?}: {shown}");
        let refused = with("100");
        assert_eq!(refused.code, Some(0), "{args:?}");
        assert!(
            refused.stdout.contains(symbols),
            "{args:?}: {}",
            refused.stdout
        );
        assert!(
            !refused.stdout.contains(whole),
            "{args:?}: {}",
            refused.stdout
        );
        assert_eq!(
            with(&way_out(&refused, file)).ok(),
            shown,
            "{args:?}: the way out"
        );
    }
    let args = [
        "symbolize",
        "-e",
        file,
        "--format",
        "json",
        "--max-unpacked",
        "1",
        &addr,
    ];
    let ran = run(args);
    let lines = json(&ran.stdout);
    assert_eq!(of_type(&lines, "address")[0]["reason"], "limit");
    way_out(&ran, file);

    let index = dir.path().join("a.index");
    let build = |size: &str| {
        let out = index.to_str().expect("text");
        run(["index", "build", file, "-o", out, "--max-unpacked", size])
    };
    let refused = build("100");
    assert_eq!((refused.code, &*refused.stdout), (Some(1), ""));
    assert!(!index.exists());
    let size = refused
        .stderr
        .split_once("--max-unpacked ")
        .expect("a way out")
        .1;
    build(size.split_once(' ').expect("more words").0).ok();
    assert!(index.exists());
}

/// A declared size that is as large as real debug files, in a file as small as only bombs are.
fn declaring(dir: &Path, name: &str, unpacked: u64, packed: usize) -> Result<String, String> {
    tool(dir, "cc -g -O0 -gz=none -c -o plain.o a.c")?;
    // Elf64_Chdr: ELFCOMPRESS_ZLIB, padding, size and alignment.
    let mut section = 1_u64.to_le_bytes().to_vec();
    section.extend(unpacked.to_le_bytes());
    section.extend(1_u64.to_le_bytes());
    section.resize(24 + packed, 7);
    std::fs::write(dir.join("section"), section).map_err(|error| error.to_string())?;
    tool(
        dir,
        &format!(
            "objcopy --update-section .debug_info=section --set-section-flags .debug_info=readonly,debug plain.o {name}"
        ),
    )?;
    // SHF_COMPRESSED, which objcopy cannot set.
    let path = dir.join(name);
    let mut bytes = std::fs::read(&path).map_err(|error| error.to_string())?;
    let headers = usize::try_from(u64::from_le_bytes(
        bytes[40..48].try_into().expect("8 bytes"),
    ));
    let headers = headers.expect("a small file");
    let at = (headers..bytes.len()).step_by(64).find(|at| {
        let size = bytes[at + 32..at + 40].try_into().expect("8 bytes");
        u64::from_le_bytes(size) == 24 + packed as u64
    });
    bytes[at.ok_or("no such section")? + 8] |= 8;
    bytes[at.ok_or("no such section")? + 9] |= 8;
    std::fs::write(&path, bytes).map_err(|error| error.to_string())?;
    path.to_str().map(str::to_owned).ok_or("no text".into())
}

#[test]
fn a_bomb_is_refused_without_a_word_of_ours() {
    let dir = tempfile::tempdir().expect("a folder");
    if let Err(words) = packed(dir.path()) {
        return testkit::skip(&words);
    }
    let bomb = match declaring(dir.path(), "bomb.o", 4 << 30, 4 << 20) {
        Ok(bomb) => bomb,
        Err(words) => return testkit::skip(&words),
    };
    let ran = run(["symbolize", "-e", &bomb, "0"]);
    ran.fails(
        0,
        &["bomb.o: its debug information decompresses to 4097 MiB, more than the limit of 256 MiB"],
    );
    let mut command = backsight();
    command.args(["symbolize", "-e", &bomb, "0"]);
    command.stdout(std::process::Stdio::null());
    command.stderr(std::process::Stdio::null());
    let most = peak(&mut command);
    assert!(most < 100 << 20, "{most} bytes");
}
