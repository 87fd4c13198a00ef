//! Symbol indexes through the command: built, shown, verified, and rejected.

mod common;

use std::fs;
use std::path::Path;
use std::process::Command;

use common::{Ran, backsight, json, of_type, run};
use object::{Object as _, ObjectSymbol as _};

const SOURCE: &str = "static inline __attribute__((always_inline)) int folded(int x) {\n    \
                      return x + 1;\n}\nint main(int count, char **args) {\n    \
                      return folded(count) + (args == 0);\n}\n";

/// A directory with a program and its index.
struct Built {
    dir: tempfile::TempDir,
    shown: String,
}

impl Built {
    /// Returns `None`, with a skip message, without a compiler.
    fn new() -> Option<Self> {
        let compiled = testkit::tools::compile("index", SOURCE, &["-g", "-Wl,--build-id"]);
        let program = match compiled {
            Ok(program) => program,
            Err(words) => {
                testkit::skip(&words);
                return None;
            }
        };
        let dir = tempfile::tempdir().expect("a folder");
        testkit::copy(program, dir.path().join("prog")).expect("ours");
        let shown = run_in(dir.path(), &["index", "build", "prog"]).ok();
        Some(Self { dir, shown })
    }

    fn run(&self, args: &[&str]) -> Ran {
        run_in(self.dir.path(), args)
    }

    fn write(&self, name: &str, bytes: &[u8]) {
        fs::write(self.dir.path().join(name), bytes).expect("ours");
    }

    fn index(&self) -> Vec<u8> {
        fs::read(self.dir.path().join("prog.index")).expect("it was built")
    }
}

fn run_in(dir: &Path, args: &[&str]) -> Ran {
    let mut command = backsight();
    command.args(args).current_dir(dir);
    command.output().expect("it runs").into()
}

#[test]
fn a_built_index_is_shown_and_sound() {
    let Some(built) = Built::new() else { return };
    let size = built.index().len();
    let id = built.run(&["buildid", "prog"]).ok();
    let first = format!("prog.index  {size} bytes  [build id {}]", id.trim_end());
    assert_eq!(built.shown.lines().next(), Some(&*first));
    for table in ["windows", "scopes", "nodes", "functions", "strings"] {
        assert!(built.shown.contains(&format!("\n  {table} ")), "{table}");
    }
    assert_eq!(
        built.run(&["index", "show", "prog.index"]).ok(),
        built.shown
    );
    let sound = built.run(&["index", "verify", "prog.index", "prog.index"]);
    assert_eq!(sound.ok(), format!("{first}  sound\n").repeat(2));
}

#[test]
fn json_has_each_table() {
    let Some(built) = Built::new() else { return };
    let build = ["index", "build", "prog", "-o", "prog.index"];
    let show = ["index", "show", "prog.index"];
    let verify = ["index", "verify", "prog.index"];
    for args in [&build[..], &show, &verify] {
        let lines = json(&built.run(&[args, &["--format", "json"]].concat()).ok());
        assert_eq!(lines[0]["type"], "header", "{args:?}");
        let indexes = of_type(&lines, "index");
        assert_eq!((lines.len(), indexes.len()), (2, 1), "{args:?}");
        let index = &indexes[0];
        assert_eq!(index["path"], "prog.index");
        assert_eq!(index["size"], built.index().len());
        assert_eq!(index["limit_reached"], false);
        let id = built.run(&["buildid", "prog"]).ok();
        assert_eq!(index["build_id"], id.trim_end());
        let tables = index["tables"].as_array().expect("tables");
        let rows = |name: &str| {
            let table = tables.iter().find(|table| table["name"] == name);
            table.expect(name)["rows"].as_u64().expect("a count")
        };
        // `folded` and `main`, each with its name, and the startup code.
        assert!(rows("functions") >= 2 && rows("nodes") >= 2 && rows("files") >= 1);
        assert_eq!(rows("spots"), rows("spot columns"));
        // A function has an extent, an inlined call does not.
        assert!((1..=rows("nodes")).contains(&rows("extents")));
        let bytes = tables.iter().map(|table| table["bytes"].as_u64());
        let bytes: Option<u64> = bytes.sum();
        assert!(bytes < index["size"].as_u64(), "{index}");
    }
}

#[test]
fn a_file_that_is_no_sound_index_is_named_with_the_cause() {
    let Some(built) = Built::new() else { return };
    let whole = built.index();
    let mut flipped = whole.clone();
    *flipped.last_mut().expect("bytes") ^= 0xff;
    let mut other = whole.clone();
    other[8] = 77;
    built.write("flipped", &flipped);
    built.write("cut", &whole[..whole.len() / 2]);
    built.write("other", &other);
    built.write("empty", b"");
    built.write("text", b"some text\n");
    let fifo = built.dir.path().join("fifo");
    nix::unistd::mkfifo(&fifo, nix::sys::stat::Mode::S_IRWXU).expect("ours");
    let cases = [
        ("cut", "a damaged symbol index: "),
        ("other", "a symbol index of version 77"),
        ("empty", "not a symbol index: `backsight index build FILE`"),
        ("text", "not a symbol index: `backsight index build FILE`"),
        ("prog", "not a symbol index: `backsight index build FILE`"),
        (".", "not a regular file"),
        ("fifo", "not a regular file"),
        ("/dev/zero", "not a regular file"),
        ("no-such", "No such file or directory"),
    ];
    for (name, cause) in cases {
        let said = format!("{name}: {cause}");
        for action in ["show", "verify"] {
            let ran = built.run(&["index", action, name]);
            ran.fails(1, &[&said]);
            assert_eq!(ran.stdout, "", "{name}");
        }
    }
    // The contents of tables are not checked before they are used.
    assert!(!built.run(&["index", "show", "flipped"]).ok().is_empty());
    let ran = built.run(&["index", "verify", "flipped", "prog.index", "text"]);
    ran.fails(
        1,
        &["flipped: a damaged symbol index", "text: not a symbol"],
    );
    assert!(ran.stdout.starts_with("prog.index  "), "{ran:?}");
    assert_eq!(ran.stdout.lines().count(), 1);
}

#[test]
fn files_that_cannot_be_indexed_or_written_are_named() {
    let Some(built) = Built::new() else { return };
    built.write("text", b"some text\n");
    let fifo = built.dir.path().join("fifo");
    nix::unistd::mkfifo(&fifo, nix::sys::stat::Mode::S_IRWXU).expect("ours");
    let cases: [(&[&str], &str); 9] = [
        (&["no-such"], "no-such: No such file or directory"),
        (&["fifo"], "fifo: not a regular file"),
        (&["."], ".: not a regular file"),
        (&["text"], "text: "),
        (&["prog", "-o", "prog"], "prog: the index would replace"),
        (&["prog", "-o", "./prog"], "./prog: the index would replace"),
        (&["prog", "-o", "fifo"], "fifo: not a regular file"),
        (
            &["prog", "-o", "/dev/null"],
            "/dev/null: not a regular file",
        ),
        (
            &["prog", "-o", "no/such/a"],
            "no/such/a: its directory: No such file or directory",
        ),
    ];
    let before = fs::read(built.dir.path().join("prog")).expect("ours");
    for (args, cause) in cases {
        let ran = built.run(&[&["index", "build"], args].concat());
        ran.fails(1, &[cause]);
        assert_eq!(ran.stdout, "", "{args:?}");
    }
    assert!(fs::read(built.dir.path().join("prog")).expect("ours") == before);
    for args in [&["index"][..], &["index", "build"], &["index", "verify"]] {
        assert_eq!(run(args).code, Some(2), "{args:?}");
    }
}

/// The names of inlined functions are only in the debug file.
#[test]
fn a_debug_file_is_found_where_it_is_told() {
    let Some(built) = Built::new() else { return };
    let id = built.run(&["buildid", "prog"]).ok();
    let (first, rest) = id.trim_end().split_at(2);
    let debug = built.dir.path().join("debug/.build-id").join(first);
    fs::create_dir_all(&debug).expect("ours");
    let debug = debug.join(format!("{rest}.debug"));
    let mut objcopy = Command::new("objcopy");
    objcopy.arg("--strip-debug").args(["prog", "stripped"]);
    match objcopy.current_dir(built.dir.path()).status() {
        Ok(status) if status.success() => {}
        _ => return testkit::skip("no objcopy"),
    }
    let lines = |args: &[&str]| {
        let args = [&["index", "build", "stripped", "--format", "json"], args].concat();
        let lines = json(&built.run(&args).ok());
        let tables = lines[1]["tables"].as_array().expect("tables").clone();
        let table = tables.iter().find(|table| table["name"] == "lines");
        table.expect("lines")["rows"].as_u64().expect("a count")
    };
    let empty = lines(&["--debug-dir", "debug"]);
    testkit::copy(built.dir.path().join("prog"), debug).expect("ours");
    let found = lines(&["--debug-dir", "debug"]);
    assert!(empty == 0 && found > 0, "{empty} {found}");
    // Not even stubs, which are named after their targets.
    built.write("bare.c", b"int main(void) { for (;;) ; }\n");
    let mut bare = Command::new("cc");
    bare.args([
        "-nostdlib",
        "-static",
        "-s",
        "-Wl,-e,main",
        "-o",
        "bare",
        "bare.c",
    ]);
    let compiled = bare.current_dir(built.dir.path()).status();
    assert!(compiled.expect("it compiled the program").success());
    fs::create_dir(built.dir.path().join("none")).expect("ours");
    let ran = built.run(&["index", "build", "bare", "--debug-dir", "none"]);
    ran.fails(0, &["bare: neither it nor", "has symbols", "--debug-dir"]);
    assert!(ran.stdout.starts_with("bare.index  "), "{ran:?}");
}

#[test]
fn an_index_that_is_kept_serves_where_the_symbols_are_gone() {
    let Some(built) = Built::new() else { return };
    let Some(objcopy) = testkit::tools::tool("objcopy") else {
        return testkit::skip("no objcopy");
    };
    let program = fs::read(built.dir.path().join("prog")).expect("ours");
    let main = object::File::parse(&*program).expect("an ELF file");
    let main = main.symbols().find(|symbol| symbol.name() == Ok("main"));
    let main = format!("{:x}", main.expect("a program").address());
    let whole = built.run(&["symbolize", "-e", "prog", &main]).ok();
    assert!(whole.contains("input.c:5"), "{whole}");
    let kept = ["--index-dir", "kept", "--demangled", "prog"];
    let shown = built.run(&[&["index", "build"], &kept[..]].concat()).ok();
    assert!(shown.starts_with("kept/"), "{shown}");
    let mut strip = Command::new(objcopy);
    strip
        .args(["--strip-all", "prog"])
        .current_dir(built.dir.path());
    assert!(strip.status().expect("it runs").success());
    let ask = |more: &[&str]| {
        let args = [&["symbolize", "-e", "prog", main.as_str()], more].concat();
        built.run(&args).ok()
    };
    assert_ne!(ask(&[]), whole);
    assert_eq!(ask(&["--index-dir", "kept"]), whole);
}

#[test]
fn an_index_that_cannot_be_kept_is_said() {
    let Some(built) = Built::new() else { return };
    let build =
        |args: &[&str]| built.run(&[&["index", "build", "prog", "--index-dir"], args].concat());
    let small = build(&["kept", "--index-dir-size", "1K"]);
    small.fails(
        1,
        &[
            "prog: its index takes",
            "more than the 1024 of --index-dir-size",
        ],
    );
    built.write("taken", b"");
    build(&["taken"]).fails(1, &["taken/", "cannot be written"]);
    let words = "a size is a number of bytes, for example 500M or 4G";
    build(&["kept", "--index-dir-size", "4GB"]).fails(2, &[words]);
}
