//! An input of another kind gives one message and a failure.

mod common;

use std::fs;

use common::{run, run_with};

/// Unsupported inputs with their names.
fn foreign_inputs() -> Vec<(&'static str, Vec<u8>)> {
    let mut png = b"\x89PNG\r\n\x1a\n".to_vec();
    png.extend((0..20_000_u32).map(|at| (at.wrapping_mul(2_654_435_761) >> 24) as u8));
    vec![
        ("png", png),
        ("text", b"no record\n".repeat(500)),
        ("json", b"[1, 2, 3]\n".to_vec()),
        ("unknown", b"{\"type\":\"other\"}\n".to_vec()),
        ("empty", Vec::new()),
        ("blank", b"\n\n\n".to_vec()),
    ]
}

#[test]
fn symbolize_says_so_in_one_line_and_fails() {
    let dir = tempfile::tempdir().expect("a folder");
    for (name, bytes) in foreign_inputs() {
        let path = dir.path().join(name);
        fs::write(&path, &bytes).expect("ours");
        let path = path.to_str().expect("UTF-8");
        for ran in [
            run(["symbolize", "-i", path]),
            run_with(["symbolize", "-i", "-"], &bytes),
        ] {
            // Kinds that are recognized by their content are named.
            ran.fails(
                1,
                match name {
                    "png" => &["a PNG picture", "recording"],
                    "json" => &["JSON", "NDJSON"],
                    "empty" => &["empty", "record again"],
                    _ => &["record", "backsight convert"],
                },
            );
            assert_eq!(
                (ran.stdout.as_str(), ran.stderr.lines().count()),
                ("", 1),
                "{name}: {ran:?}"
            );
        }
    }
}

#[test]
fn normalize_leaves_nothing_behind_and_names_options_it_has() {
    let dir = tempfile::tempdir().expect("a folder");
    let path = dir.path().join("x.bin");
    fs::write(&path, b"\x01\x02\x03nothing that is known").expect("ours");
    let path = path.to_str().expect("UTF-8");
    let ran = run(["normalize", "-i", path]);
    ran.fails(1, &["x.bin", "--from"]);
    assert_eq!(ran.stdout, "");
    let help = run(["normalize", "--help"]).ok();
    assert!(help.contains("--from <FORMAT>"));
    // Cut after the magic number: only the format is known.
    fs::write(path, b"PERFILE2").expect("ours");
    let ran = run(["normalize", "-i", path]);
    assert_eq!((ran.code, &*ran.stdout), (Some(1), ""), "{ran:?}");
}

#[test]
fn convert_takes_its_files_in_order() {
    let dir = tempfile::tempdir().expect("a folder");
    let of = |name: &str| dir.path().join(name).to_str().expect("UTF-8").to_owned();
    let (folded, out) = (of("a.folded"), of("b.folded"));
    fs::write(&folded, "a;b 3\n").expect("ours");
    let ways: [&[&str]; 4] = [
        &["-i", &folded, "-o", &out],
        &[&folded, "-o", &out],
        &["-i", &folded, &out],
        &[&folded, &out],
    ];
    for way in ways {
        run(["convert"].iter().chain(way)).ok();
        assert_eq!(
            fs::read_to_string(&out).expect("written"),
            "a;b 3\n",
            "{way:?}"
        );
        fs::remove_file(&out).expect("ours");
    }
    run(["convert", &folded]).fails(2, &["give an output file"]);
    run(["convert"]).fails(2, &["give an input and an output file"]);
    run(["convert", &folded, &out, "c"]).fails(2, &["more are named"]);
}

/// By its name, by a link, and as standard input.
#[test]
fn an_output_that_is_the_input_is_refused() {
    let dir = tempfile::tempdir().expect("a folder");
    let input = dir.path().join("a.folded");
    let link = dir.path().join("link.folded");
    let text = "main;work 3\n";
    fs::write(&input, text).expect("ours");
    std::os::unix::fs::symlink(&input, &link).expect("ours");
    for [read, written] in [[&input, &input], [&input, &link], [&link, &input]] {
        let ran = run(["convert".as_ref(), read.as_os_str(), written.as_os_str()]);
        ran.fails(1, &["which the output would replace"]);
        let args = ["normalize".as_ref(), "-i".as_ref(), read.as_os_str()];
        let ran = run(args.into_iter().chain(["-o".as_ref(), written.as_os_str()]));
        ran.fails(1, &["which the output would replace"]);
    }
    let mut command = common::backsight();
    command.args(["convert", "-i", "-", "-o"]).arg(&input);
    command.stdin(fs::File::open(&input).expect("ours"));
    assert_eq!(command.output().expect("it runs").status.code(), Some(1));
    assert_eq!(fs::read_to_string(&input).expect("still there"), text);
}
