//! Separate debug files, through the command.

mod common;

use std::path::Path;
use std::process::Command;

use common::run;

const SOURCE: &str = "int called(int x) {\n    return x + 1;\n}\nint main(void) {\n    \
                      return called(1);\n}\n";

/// Runs a tool in this directory; returns an error if it is missing or fails.
fn tool(dir: &Path, words: &str) -> Result<(), String> {
    let mut words = words.split_whitespace();
    let mut command = Command::new(words.next().expect("a tool"));
    let output = command.args(words).current_dir(dir).output();
    let output = output.map_err(|error| error.to_string())?;
    let done = output.status.success();
    done.then_some(())
        .ok_or_else(|| String::from_utf8_lossy(&output.stderr).into_owned())
}

/// `bin/a` without DWARF, with a debug link to `a.debug`.
fn linked(dir: &Path) -> Result<String, String> {
    std::fs::create_dir(dir.join("bin")).map_err(|error| error.to_string())?;
    std::fs::write(dir.join("a.c"), SOURCE).map_err(|error| error.to_string())?;
    tool(dir, "cc -g -O0 -Wl,--build-id=none -o full a.c")?;
    tool(dir, "objcopy --only-keep-debug full a.debug")?;
    tool(
        dir,
        "objcopy --strip-debug --add-gnu-debuglink=a.debug full bin/a",
    )?;
    address_of(&dir.join("full"), "called")
}

/// Returns the address of a function according to `nm`.
fn address_of(elf: &Path, name: &str) -> Result<String, String> {
    let symbols = Command::new("nm").arg(elf).output();
    let symbols = symbols.map_err(|error| error.to_string())?.stdout;
    let symbols = String::from_utf8_lossy(&symbols).into_owned();
    let line = symbols
        .lines()
        .find(|line| line.ends_with(&format!(" {name}")));
    let addr = line.and_then(|line| line.split(' ').next());
    addr.map(str::to_owned).ok_or_else(|| "no symbol".into())
}

#[test]
fn a_debug_link_is_followed_beside_the_file_and_in_a_root() {
    let dir = tempfile::tempdir().expect("a folder");
    let addr = match linked(dir.path()) {
        Ok(addr) => addr,
        Err(words) => return testkit::skip(&words),
    };
    let elf = dir.path().join("bin/a");
    let (elf, root) = (elf.to_str().expect("text"), dir.path());
    let flag = format!("--root={}", root.display());
    let ask = |flags: &[&str]| run([&["symbolize", "-e", elf, &addr], flags].concat()).ok();
    assert!(!ask(&[]).contains("a.c:1"), "there is no debug file yet");
    let places = [
        ("bin/.debug/a.debug", vec![]),
        ("dbg/bin/a.debug", vec!["--debug-dir=/dbg", &*flag]),
    ];
    for (place, flags) in places {
        let to = root.join(place);
        std::fs::create_dir_all(to.parent().expect("a folder")).expect("ours");
        testkit::copy(root.join("a.debug"), &to).expect("ours");
        let shown = ask(&flags);
        assert!(shown.contains("a.c:1"), "{place}: {shown}");
        let index = root.join("index");
        let build = ["index", "build", elf, "-o", index.to_str().expect("text")];
        let built = run([&build[..], &flags].concat()).ok();
        let files = built.lines().find(|line| line.contains(" files "));
        let files: Vec<&str> = files.expect("a table").split_whitespace().collect();
        assert_eq!(files[..2], ["files", "1"], "{place}: {built}");
        std::fs::remove_file(to).expect("ours");
    }
    let ran = run(["symbolize", "-e", elf, "--root=/no/such", &addr]);
    ran.fails(1, &["--root /no/such: No such file"]);
}

#[test]
fn split_units_are_found_and_done_without() {
    let dir = tempfile::tempdir().expect("a folder");
    let source = "static volatile int sink;\nstatic inline __attribute__((always_inline)) void \
                  folded(int x) {\n    sink = x;\n}\nint main(int count, char **args) {\n    \
                  folded(count);\n    return args == 0;\n}\n";
    std::fs::write(dir.path().join("a.c"), source).expect("ours");
    let compiled = tool(dir.path(), "cc -g -gsplit-dwarf -O1 -c a.c")
        .and_then(|()| tool(dir.path(), "cc -o a a.o"));
    let addr = match compiled.and_then(|()| address_of(&dir.path().join("a"), "main")) {
        Ok(addr) => addr,
        Err(words) => return testkit::skip(&words),
    };
    let elf = dir.path().join("a");
    let ask = || run(["symbolize", "-e", elf.to_str().expect("text"), &addr]);
    let shown = ask().ok();
    assert!(shown.contains("folded [inlined]"), "{shown}");
    std::fs::remove_file(dir.path().join("a.dwo")).expect("it was beside the object");
    // The skeleton unit has the lines, the symbol table the name.
    let ran = ask();
    assert!(
        ran.stderr.contains(".dwo") && ran.stderr.lines().count() == 1,
        "{}",
        ran.stderr
    );
    let shown = ran.stdout;
    assert!(
        shown.contains("main+0x0") && shown.contains("a.c:3"),
        "{shown}"
    );
    assert!(!shown.contains("folded"), "{shown}");
}
