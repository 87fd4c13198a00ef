//! `--stack`, `--strict` and `--debug-dir`, in each subcommand that has them.

mod common;

use common::{json, of_type, program_counter, run, run_with, sleeping};

/// A return address gets the name of the call before it, not of the code after it.
#[test]
fn all_but_the_first_address_of_a_stack_are_looked_up_before() {
    let program = testkit::child::program();
    let elf = program.to_str().unwrap();
    let Some(nm) = testkit::tools::tool("nm") else {
        return testkit::skip("no nm");
    };
    let symbols = std::process::Command::new(nm)
        .arg(&program)
        .output()
        .unwrap();
    let symbols = String::from_utf8(symbols.stdout).unwrap();
    let main = symbols
        .lines()
        .find_map(|line| line.strip_suffix(" T main"));
    let main = main.expect("a main").trim_start_matches('0');
    let names = |args: &[&str]| {
        let lines = json(&run([&["symbolize", "-e", elf, "--format", "json"], args].concat()).ok());
        let answers = of_type(&lines, "address");
        answers
            .iter()
            .map(|line| {
                line["frames"][0]["start"]
                    .as_str()
                    .is_some_and(|start| start.ends_with(main))
            })
            .collect::<Vec<_>>()
    };
    assert_eq!(names(&[main, main]), [true, true]);
    assert_eq!(names(&["--stack", main, main, main]), [true, false, false]);
    let listed = run(["addr2line", "-e", elf, "-f", "--stack", main, main]).ok();
    assert_eq!(
        listed.lines().filter(|line| *line == "main").count(),
        1,
        "{listed}"
    );
    // A capture has the kind of each address.
    run(["symbolize", "-i", "-", "--stack"]).fails(2, &["-i", "--stack"]);
}

#[test]
fn strict_says_by_its_code_that_an_address_has_no_frame() {
    let child = sleeping();
    let pid = child.0.id();
    let pc = format!("{:x}", program_counter(pid));
    let pid = pid.to_string();
    let own = env!("CARGO_BIN_EXE_backsight");
    run(["symbolize", "-p", &pid, "--strict", &pc]).ok();
    run(["symbolize", "-p", &pid, "--strict"]).ok();
    let cases: [&[&str]; 3] = [
        &["symbolize", "-p", &pid, "--strict", &pc, "10"],
        &["symbolize", "-e", own, "--strict", "fffffffff"],
        &[
            "symbolize",
            "-e",
            own,
            "--strict",
            "--format",
            "json",
            "fffffffff",
        ],
    ];
    for args in cases {
        let ran = run(args);
        assert_eq!((ran.code, &*ran.stderr), (Some(3), ""), "{args:?}");
        assert!(!ran.stdout.is_empty());
    }
    let bad = run_with(
        ["symbolize", "-p", &pid, "--strict", "-"],
        format!("{pc}\nzz\n").as_bytes(),
    );
    bad.fails(3, &["line 2"]);
}

#[test]
fn a_debug_folder_that_is_none_is_said() {
    let own = env!("CARGO_BIN_EXE_backsight");
    for command in ["symbolize", "addr2line"] {
        let ran = run([
            command,
            "-e",
            own,
            "--debug-dir",
            "/no/such",
            "--debug-dir",
            own,
            "10",
        ]);
        let file = format!("--debug-dir {own}: not a directory");
        ran.fails(1, &["--debug-dir /no/such: No such file", &file]);
        assert!(!ran.stdout.is_empty(), "what was asked is answered");
    }
}
