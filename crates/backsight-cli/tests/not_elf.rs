//! A file of another kind, given for an ELF file, is named with what takes it, by each command.

mod common;

use std::fs;
use std::path::Path;
use std::process::Command;

use common::run;
use testkit::perf_file::{Event, PerfFile};
use testkit::zip::Zip;

/// The commands that take an ELF file, which stands for `FILE`.
const COMMANDS: [&[&str]; 6] = [
    &["symbolize", "-e", "FILE", "0x10"],
    &["addr2line", "-e", "FILE", "0x10"],
    &["buildid", "FILE"],
    &["inspect", "FILE"],
    &["index", "build", "FILE", "-o", "OUT"],
    &["store", "add", "--store", "STORE", "FILE"],
];

/// A file that a tool makes of `in.txt`, and the words that are said of it.
const MADE: [(&str, &str, &[&str]); 9] = [
    (
        "a.a",
        "ar rc a.a in.txt",
        &["a static library", "ar x FILE"],
    ),
    (
        "a.thin",
        "ar rcT a.thin in.txt",
        &["a thin archive", "ar t FILE"],
    ),
    (
        "a.tar",
        "tar -cf a.tar in.txt",
        &["a tar archive", "tar -xf"],
    ),
    (
        "a.tar.gz",
        "tar -czf a.tar.gz in.txt",
        &["packed by gzip, a tar archive", "tar -xf"],
    ),
    ("in.txt.xz", "xz -k in.txt", &["packed by xz", "xz -dk"]),
    (
        "in.txt.zst",
        "zstd -q in.txt",
        &["packed by zstd", "zstd -d"],
    ),
    ("in.txt.gz", "gzip -k in.txt", &["packed by gzip, a text"]),
    (
        "a.deb",
        "sh -c 'echo 2.0 > debian-binary && ar rc a.deb debian-binary in.txt'",
        &["a Debian package", "dpkg-deb -x"],
    ),
    (
        "a.bc",
        "clang -c -emit-llvm -o a.bc in.c",
        &["LLVM bitcode", "compiled of it"],
    ),
];

fn padded(begin: &[u8]) -> Vec<u8> {
    [begin, &[0; 600]].concat()
}

/// Bytes of each kind that no tool here makes, and the words.
fn written() -> Vec<(&'static str, Vec<u8>, &'static [&'static str])> {
    let zip = Zip::new().stored("in.txt", b"text", 1).build();
    let recording = PerfFile::new(false, &[Event::default()]).file();
    let mut kernel = padded(b"MZ\xea\x07\0\xc0");
    kernel[0x202..0x206].copy_from_slice(b"HdrS");
    vec![
        ("a.apk", zip, &["a zip archive", "FILE!/NAME"]),
        (
            "perf.data",
            recording,
            &["a recording of perf", "backsight convert"],
        ),
        (
            "a.exe",
            padded(b"MZ\x90\0\x03\0\0\0"),
            &["Windows (PE)", "ELF files"],
        ),
        ("vmlinuz", kernel, &["image of a kernel", "extract-vmlinux"]),
        (
            "a.macho",
            padded(b"\xcf\xfa\xed\xfe\x07\0\0\x01"),
            &["macOS", "dump_syms"],
        ),
        (
            "fat",
            padded(b"\xca\xfe\xba\xbe\0\0\0\x02\x01\0\0\x07"),
            &["macOS"],
        ),
        (
            "A.class",
            padded(b"\xca\xfe\xba\xbe\0\0\0\x3d"),
            &["a Java class", "perf map"],
        ),
        ("a.wasm", padded(b"\0asm\x01\0\0\0"), &["WebAssembly"]),
        (
            "a.pdb",
            padded(b"Microsoft C/C++ MSF 7.00\r\n"),
            &["PDB", "dump_syms"],
        ),
        ("a.png", padded(b"\x89PNG\r\n\x1a\n"), &["a PNG picture"]),
        (
            "a.index",
            padded(b"\x89BSIX"),
            &["index of symbols", "index show"],
        ),
        (
            "a.dump",
            padded(b"DTiJ\x01\0\0\0"),
            &["a jitdump", "recording"],
        ),
        (
            "a.rpm",
            padded(b"\xed\xab\xee\xdb\x03\0"),
            &["an RPM package", "rpm2cpio"],
        ),
        ("a.json", b"[1, 2]\n".to_vec(), &["JSON"]),
        (
            "a.ndjson",
            b"{\"type\":\"header\",\"schema_version\":1}\n".to_vec(),
            &["NDJSON", "symbolize -i"],
        ),
        ("a.txt", b"plain words\n".to_vec(), &["a text"]),
        ("a.sh", b"#!/bin/sh\nexit\n".to_vec(), &["a script"]),
        (
            "libc.so",
            b"/* GNU ld script */\nGROUP ( /lib/libc.so.6 )\n".to_vec(),
            &["a script of the linker"],
        ),
        ("empty", Vec::new(), &["empty"]),
    ]
}

fn check(dir: &Path, name: &str, words: &[&str]) {
    let path = dir.join(name).display().to_string();
    for command in COMMANDS {
        let out = dir.join("out.index").display().to_string();
        let store = dir.join("store").display().to_string();
        let args = command.iter().map(|arg| match *arg {
            "FILE" => path.as_str(),
            "OUT" => out.as_str(),
            "STORE" => store.as_str(),
            other => other,
        });
        let args: Vec<&str> = args.collect();
        let ran = run(&args);
        assert_eq!(ran.code, Some(1), "{args:?}: {ran:?}");
        assert_eq!(ran.stderr.lines().count(), 1, "{args:?}: {ran:?}");
        let start = format!("backsight: {path}: ");
        assert!(ran.stderr.starts_with(&start), "{args:?}: {ran:?}");
        for word in words {
            assert!(ran.stderr.contains(word), "{word} by {args:?}: {ran:?}");
        }
        assert!(!Path::new(&out).exists(), "{args:?}");
    }
}

#[test]
fn files_of_other_formats_are_named_with_their_command() {
    let dir = tempfile::tempdir().expect("a folder");
    fs::write(dir.path().join("in.txt"), "words\n".repeat(20)).expect("ours");
    fs::write(dir.path().join("in.c"), "int f(void) { return 1; }\n").expect("ours");
    for (name, line, words) in MADE {
        let made = Command::new("sh")
            .args(["-c", line])
            .current_dir(&dir)
            .output();
        match made {
            Ok(made) if made.status.success() => check(dir.path(), name, words),
            _ => testkit::skip(&format!("not made: {line}")),
        }
    }
    for (name, bytes, words) in written() {
        fs::write(dir.path().join(name), bytes).expect("ours");
        check(dir.path(), name, words);
    }
    // Of no kind that is known.
    let noise: Vec<u8> = (1..2000_u32)
        .map(|at| (at.wrapping_mul(2_654_435_761) >> 24) as u8)
        .collect();
    fs::write(dir.path().join("noise"), noise).expect("ours");
    for command in &COMMANDS[..5] {
        let path = dir.path().join("noise").display().to_string();
        let out = dir.path().join("out.index").display().to_string();
        let args = command.iter().map(|arg| match *arg {
            "FILE" => path.as_str(),
            "OUT" => out.as_str(),
            other => other,
        });
        let ran = run(args.collect::<Vec<_>>());
        ran.fails(1, &["not an ELF file", "of no kind that is known"]);
    }
}

/// A symbol file is described by `inspect`, and added to a store.
#[test]
fn a_symbol_file_is_given_with_symbols() {
    let dir = tempfile::tempdir().expect("a folder");
    let text = "MODULE Linux x86_64 00112233445566778899AABBCCDDEEFF0 a\nFUNC 10 4 0 f\n";
    let gsym = padded(b"MYSG\x01\0\x08\x14");
    for (name, bytes) in [("a.sym", text.as_bytes()), ("a.gsym", &gsym)] {
        fs::write(dir.path().join(name), bytes).expect("ours");
        let path = dir.path().join(name).display().to_string();
        for command in [&["symbolize", "-e", &path, "0x10"][..], &["buildid", &path]] {
            let ran = run(command);
            ran.fails(1, &["symbol file", "--symbols", "backsight inspect"]);
        }
        run(["convert", &path, "-o", "-", "--to", "folded"])
            .fails(1, &["symbol file", "--symbols"]);
    }
    // What was given with --symbols, and is no symbol file.
    let own = env!("CARGO_BIN_EXE_backsight");
    let ran = run(["symbolize", "-e", own, "--symbols", own, "0x10"]);
    ran.fails(
        1,
        &[
            "not a symbol file",
            "a program or library (ELF)",
            "--debug-dir",
        ],
    );
}

/// What is in a member of an archive counts, not the archive.
#[test]
fn a_member_that_is_no_elf_file_is_named_too() {
    let dir = tempfile::tempdir().expect("a folder");
    let zip = Zip::new().stored("classes.txt", b"some words\n", 1).build();
    fs::write(dir.path().join("a.apk"), zip).expect("ours");
    let path = format!("{}!/classes.txt", dir.path().join("a.apk").display());
    for command in [&["buildid", &path][..], &["inspect", &path]] {
        run(command).fails(1, &["not an ELF file, but a text"]);
    }
}
