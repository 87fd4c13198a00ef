//! Debug files that stand apart, through the command.

mod common;

use std::path::Path;
use std::process::Command;

use common::run;

const SOURCE: &str = "int called(int x) {\n    return x + 1;\n}\nint main(void) {\n    \
                      return called(1);\n}\n";

/// Runs a tool in this folder; its words when it is absent or fails.
fn tool(dir: &Path, words: &str) -> Result<(), String> {
    let mut words = words.split_whitespace();
    let mut command = Command::new(words.next().expect("a tool"));
    let output = command.args(words).current_dir(dir).output();
    let output = output.map_err(|error| error.to_string())?;
    let done = output.status.success();
    done.then_some(())
        .ok_or_else(|| String::from_utf8_lossy(&output.stderr).into_owned())
}

/// `bin/a` without DWARF, whose debug file `a.debug` it names by a link.
fn linked(dir: &Path) -> Result<String, String> {
    std::fs::create_dir(dir.join("bin")).map_err(|error| error.to_string())?;
    std::fs::write(dir.join("a.c"), SOURCE).map_err(|error| error.to_string())?;
    tool(dir, "cc -g -O0 -Wl,--build-id=none -o full a.c")?;
    tool(dir, "objcopy --only-keep-debug full a.debug")?;
    tool(
        dir,
        "objcopy --strip-debug --add-gnu-debuglink=a.debug full bin/a",
    )?;
    let symbols = Command::new("nm").arg(dir.join("full")).output();
    let symbols = symbols.map_err(|error| error.to_string())?.stdout;
    let symbols = String::from_utf8_lossy(&symbols).into_owned();
    let called = symbols.lines().find(|line| line.ends_with(" called"));
    let addr = called.and_then(|line| line.split(' ').next());
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
        std::fs::copy(root.join("a.debug"), &to).expect("ours");
        let shown = ask(&flags);
        assert!(shown.contains("a.c:1"), "{place}: {shown}");
        std::fs::remove_file(to).expect("ours");
    }
    let ran = run(["symbolize", "-e", elf, "--root=/no/such", &addr]);
    ran.fails(0, &["--root /no/such: No such file"]);
}
