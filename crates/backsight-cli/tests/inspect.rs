//! Lists the symbols of a file through the command.

mod common;

use common::{json, of_type, run};

const SOURCE: &str = "static int secret = 3;\nint open_one(int x) {\n    return x + secret++;\n}\n\
                      int main(void) {\n    return open_one(1);\n}\n";

fn program() -> Option<String> {
    let compiled = testkit::tools::compile("inspect", SOURCE, &["-g", "-O0"]);
    match compiled {
        Ok(path) => Some(path.into_os_string().into_string().expect("ours")),
        Err(words) => {
            testkit::skip(&words);
            None
        }
    }
}

#[test]
fn all_definitions_are_listed_with_their_lines() {
    let Some(path) = program() else { return };
    let all = run(["inspect", &path]).ok();
    let line_of = |name: &str| {
        let is_it = |line: &&str| line.split_whitespace().nth(3) == Some(name);
        all.lines()
            .find(is_it)
            .unwrap_or_else(|| panic!("no {name} in {all}"))
    };
    assert!(line_of("open_one").ends_with("input.c:2"), "{all}");
    assert!(line_of("main").ends_with("input.c:5"), "{all}");
    assert!(line_of("secret").contains(" 4 object "), "{all}");
}

#[test]
fn definitions_are_found_by_name() {
    let Some(path) = program() else { return };
    let found = run(["inspect", &path, "main", "secret", "--format", "json"]).ok();
    let symbols = of_type(&json(&found), "symbol");
    let names: Vec<_> = symbols.iter().map(|symbol| &symbol["name"]).collect();
    assert_eq!(names, ["main", "secret"]);
    assert_eq!(
        (&symbols[0]["line"], &symbols[0]["kind"]),
        (&5.into(), &"function".into())
    );
    assert_eq!(
        (&symbols[1]["size"], &symbols[1]["kind"]),
        (&4.into(), &"object".into())
    );
    let ran = run(["inspect", &path, "nothing", "main"]);
    ran.fails(1, &["inspect", "no definition of nothing"]);
    assert!(ran.stdout.contains(" main "), "{ran:?}");
}

#[test]
fn unreadable_files_are_said() {
    run(["inspect", "/"]).fails(1, &["/: ", "not a regular file"]);
    run(["inspect", "/proc/self/maps"]).fails(1, &["/proc/self/maps: "]);
    run(["inspect", "/nowhere"]).fails(1, &["/nowhere: ", "No such file"]);
}

/// Of a stripped Go program there is Go's own line table, which has where functions are declared
/// (since Go 1.20) or where their code begins.
#[test]
fn functions_of_a_stripped_go_program_have_their_lines() {
    let dir = tempfile::tempdir().expect("a folder");
    let twins = match testkit::go::build(dir.path(), &testkit::go::Build::new("plain", &[])) {
        Ok(twins) => twins,
        Err(words) => return testkit::skip(&words),
    };
    let path = twins.stripped.to_str().expect("ours");
    let listed = run(["inspect", path, "--format", "json"]).ok();
    let symbols = of_type(&json(&listed), "symbol");
    for (name, declared) in [
        ("main.main", "func main()"),
        ("main.(*tree).walk", "func (t *tree) walk("),
    ] {
        let mut named = symbols.iter().filter(|symbol| symbol["name"] == name);
        let symbol = named.next().unwrap_or_else(|| panic!("no {name}"));
        let file = symbol["file"].as_str().expect("a file");
        assert!(file.ends_with("/main.go"), "{symbol}");
        let line = testkit::go::WALK
            .lines()
            .position(|line| line.starts_with(declared));
        let line = line.expect("it is declared") + 1;
        assert_eq!(symbol["line"], line, "{symbol}");
    }
    let with_line = symbols.iter().filter(|symbol| symbol["line"].is_u64());
    assert!(with_line.count() > 1_000, "{listed}");
}
