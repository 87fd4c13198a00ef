//! Symbol files that are found by the build of a module, and used with its own files.

mod common;

use std::path::Path;
use std::sync::Arc;

use backsight_symbolize::{
    Access, Cause, Frames, Limits, ModuleInput, Options, SoughtKind, SymbolFiles, Symbolizer,
};
use backsight_types::{BuildId, Reason};
use common::symbol_files::levels;
use common::{Fixture, at, symbol};
use object::Object as _;

const SOURCE: &str = "static volatile int sink;\n\
    __attribute__((noinline)) void spill(int x) { sink = x; }\n\
    int main(int argc, char **argv) { (void)argv; spill(argc); return 0; }\n";

/// A program without debug information, its build ID, and the address of `spill`.
fn program(fixture: &Fixture, link: &str) -> Option<(BuildId, u64)> {
    fixture.write("a.c", SOURCE);
    let words = ["-O1", "-g", "-Wl,--build-id", link, "-o", "full", "a.c"];
    if let Err(words) = fixture.run("cc", &words) {
        testkit::skip(&words);
        return None;
    }
    let (addr, _) = symbol(&fixture.path("full"), "spill");
    fixture.must("strip", &["-o", "bare", "full"]);
    let bytes = std::fs::read(fixture.path("bare")).expect("readable");
    let file = object::File::parse(&*bytes).expect("an ELF file");
    let id = file.build_id().expect("notes").expect("a build ID");
    Some((BuildId::from_bytes(id).expect("20 bytes"), addr))
}

/// A Breakpad file of this build, which has one function.
fn breakpad(debug_id: &str, build_id: Option<&str>, addr: u64, name: &str) -> String {
    let code_id = build_id.map(|id| format!("INFO CODE_ID {id}\n"));
    format!(
        "MODULE Linux x86_64 {debug_id} a\n{}FILE 0 /src/a.c\nFUNC {addr:x} 4 0 {name}\n\
         {addr:x} 4 2 0\n",
        code_id.unwrap_or_default()
    )
}

fn debug_id(id: &BuildId) -> String {
    backsight_types::DebugId::of_build_id(id)[0].to_string()
}

struct Asked {
    name: Option<String>,
    files: Arc<SymbolFiles>,
    symbolizer: Symbolizer,
    answer: Result<Frames, Reason>,
}

/// Looks an address of the stripped program up, with these symbol files.
fn ask(fixture: &Fixture, input: ModuleInput, addr: u64, paths: &[&str]) -> Asked {
    let paths = paths.iter().map(|path| fixture.path(path));
    let files = Arc::new(SymbolFiles::new(paths));
    let mut options = Options::default().with_symbol_files(Arc::clone(&files));
    options.debug_dirs.clear();
    let symbolizer = Symbolizer::new(options);
    let module = symbolizer.add(input, None, None);
    let answer = symbolizer.symbolize(&[at(module, addr)]).remove(0);
    Asked {
        name: levels(&answer).pop().and_then(|level| level.0),
        files,
        symbolizer,
        answer,
    }
}

fn bare(fixture: &Fixture) -> ModuleInput {
    ModuleInput::open(&fixture.path("bare")).expect("a program")
}

#[test]
fn a_file_is_found_by_the_build_that_it_is_of() {
    let fixture = Fixture::new();
    let Some((id, addr)) = program(&fixture, "-pie") else {
        return;
    };
    let (hex, debug_id) = (id.to_string(), debug_id(&id));
    let text = breakpad(&debug_id, None, addr, "spilled");
    fixture.write("one.sym", &text);
    fixture.write("flat/x.sym", &text);
    fixture.write(&format!("store/a/{debug_id}/a.sym"), &text);
    fixture.write("store/a/readme/a.sym", "not read");
    for path in ["one.sym", "flat", "store"] {
        let asked = ask(&fixture, bare(&fixture), addr, &[path]);
        assert_eq!(asked.name.as_deref(), Some("spilled"), "{path}");
        assert_eq!(
            (asked.files.problems(), asked.files.unused()),
            (vec![], vec![])
        );
        let module = asked.symbolizer.module_ids()[0];
        let sought = asked.symbolizer.sought(module);
        let used = sought.iter().find(|it| it.kind == SoughtKind::SymbolFile);
        assert_eq!(used.map(|it| &it.outcome), Some(&Ok(())), "{path}");
        // The module itself is not at hand.
        let alone = ask(&fixture, ModuleInput::BuildId(id), addr, &[path]);
        assert_eq!(alone.name.as_deref(), Some("spilled"), "{path}");
    }
    // Debug information counts before it.
    let full = ModuleInput::open(&fixture.path("full")).expect("a program");
    let asked = ask(&fixture, full, addr, &["one.sym"]);
    assert_eq!(asked.name.as_deref(), Some("spill"));
    // Named twice, it is one file.
    let asked = ask(&fixture, bare(&fixture), addr, &["one.sym", "one.sym"]);
    assert_eq!(asked.name.as_deref(), Some("spilled"));
    // The whole build ID counts before the debug ID.
    let whole = breakpad(&debug_id, Some(&hex), addr, "whole");
    fixture.write("whole.sym", whole);
    let asked = ask(&fixture, bare(&fixture), addr, &["whole.sym"]);
    assert_eq!(asked.name.as_deref(), Some("whole"));
}

#[test]
fn addresses_count_from_the_first_segment() {
    let fixture = Fixture::new();
    let Some((id, addr)) = program(&fixture, "-no-pie") else {
        return;
    };
    let load = addr & !0xf_ffff;
    assert!(load > 0, "{addr:#x}");
    let text = breakpad(&debug_id(&id), None, addr - load, "spilled");
    fixture.write("one.sym", text);
    let asked = ask(&fixture, bare(&fixture), addr, &["one.sym"]);
    assert_eq!(asked.name.as_deref(), Some("spilled"));
}

#[test]
fn another_build_is_said_with_both_ids() {
    let fixture = Fixture::new();
    let Some((id, addr)) = program(&fixture, "-pie") else {
        return;
    };
    let other = "00112233445566778899AABBCCDDEEFF0";
    fixture.write("other.sym", breakpad(other, None, addr, "wrong"));
    let asked = ask(&fixture, bare(&fixture), addr, &["other.sym"]);
    assert_eq!(asked.answer, Err(Reason::NoSymbols));
    let unused = asked.files.unused();
    let want = format!(
        "use {}: it is of debug ID {other}, and build ID {id} was looked for",
        fixture.path("other.sym").display()
    );
    assert_eq!(unused[0].to_string(), want);
    // The same debug ID, of another build ID.
    let mut twin = id.to_string();
    twin.replace_range(38.., if twin.ends_with("00") { "11" } else { "00" });
    fixture.write(
        "twin.sym",
        breakpad(&debug_id(&id), Some(&twin), addr, "wrong"),
    );
    let asked = ask(&fixture, bare(&fixture), addr, &["twin.sym"]);
    assert_eq!(asked.answer, Err(Reason::NoSymbols));
    assert!(asked.files.unused()[0].to_string().contains(&twin));
    // A directory that is called by the debug ID of another file.
    let path = format!("store/a/{}/a.sym", debug_id(&id));
    fixture.write(&path, breakpad(other, None, addr, "wrong"));
    let asked = ask(&fixture, bare(&fixture), addr, &["store"]);
    assert_eq!(asked.answer, Err(Reason::NoSymbols));
    let problems = asked.files.problems();
    assert!(matches!(problems[0].cause(), Cause::OtherBuild { own, .. } if own.contains(other)));
}

#[test]
fn of_two_that_claim_a_build_none_is_used() {
    let fixture = Fixture::new();
    let Some((id, addr)) = program(&fixture, "-pie") else {
        return;
    };
    let debug_id = debug_id(&id);
    fixture.write("one.sym", breakpad(&debug_id, None, addr, "one"));
    fixture.write("two.sym", breakpad(&debug_id, None, addr, "two"));
    for input in [bare(&fixture), ModuleInput::BuildId(id)] {
        let asked = ask(&fixture, input, addr, &["one.sym", "two.sym"]);
        assert!(asked.answer.is_err());
        let problems = asked.files.problems();
        let text = problems[0].to_string();
        assert!(
            text.contains("one.sym") && text.contains("two.sym"),
            "{text}"
        );
        assert_eq!((problems.len(), asked.files.unused()), (1, vec![]));
    }
}

/// The line that only a wrong file has, and the file of this name is not used.
fn refused(asked: &Asked, name: &str, words: &[&str]) {
    let problems = asked.files.problems();
    let problems: Vec<String> = problems.iter().map(ToString::to_string).collect();
    let [problem] = &*problems else {
        panic!("{problems:?}");
    };
    for word in [&[name], words].concat() {
        assert!(problem.contains(word), "{word}: {problem}");
    }
}

#[test]
fn a_file_that_claims_two_builds_is_used_for_none() {
    let fixture = Fixture::new();
    let Some((id, addr)) = program(&fixture, "-pie") else {
        return;
    };
    let (hex, debug_id) = (id.to_string(), debug_id(&id));
    let other = "ab".repeat(20);
    let wrong = breakpad(&debug_id, Some(&other), addr, "wrong");
    // Behind other lines, where the first bytes do not tell it.
    let late = breakpad(&debug_id, None, addr, "wrong")
        + &format!(
            "PUBLIC ffff 0 x\n{}INFO CODE_ID {other}\n",
            "\n".repeat(5000)
        );
    fixture.write("wrong.sym", &wrong);
    fixture.write("late.sym", &late);
    fixture.write("flat/wrong.sym", &wrong);
    fixture.write(&format!("store/a/{debug_id}/wrong.sym"), &wrong);
    let ids = [format!("debug ID {debug_id}"), format!("build ID {other}")];
    let ids = ids.each_ref().map(String::as_str);
    for path in ["wrong.sym", "late.sym", "flat", "store"] {
        for input in [bare(&fixture), ModuleInput::BuildId(id)] {
            let asked = ask(&fixture, input, addr, &[path]);
            assert!(asked.answer.is_err(), "{path}: {:?}", asked.answer);
            let name = if path == "late.sym" {
                path
            } else {
                "wrong.sym"
            };
            refused(&asked, name, &ids);
        }
    }
    // It does not keep a sound one from being used.
    fixture.write("sound.sym", breakpad(&debug_id, Some(&hex), addr, "right"));
    fixture.write("sound/sound.sym", breakpad(&debug_id, None, addr, "right"));
    for paths in [
        ["store", "sound.sym"],
        ["sound", "store"],
        ["flat", "sound"],
    ] {
        let asked = ask(&fixture, bare(&fixture), addr, &paths);
        assert_eq!(asked.name.as_deref(), Some("right"), "{paths:?}");
        refused(&asked, "wrong.sym", &ids);
    }
}

#[test]
fn the_whole_build_id_counts_more_than_a_debug_id() {
    let fixture = Fixture::new();
    let Some((id, addr)) = program(&fixture, "-pie") else {
        return;
    };
    let (hex, debug_id) = (id.to_string(), debug_id(&id));
    fixture.write("whole.sym", breakpad(&debug_id, Some(&hex), addr, "whole"));
    fixture.write("short.sym", breakpad(&debug_id, None, addr, "short"));
    for paths in [["whole.sym", "short.sym"], ["short.sym", "whole.sym"]] {
        let asked = ask(&fixture, bare(&fixture), addr, &paths);
        assert_eq!(asked.name.as_deref(), Some("whole"), "{paths:?}");
        refused(&asked, "short.sym", &["whole.sym has the whole build ID"]);
        assert_eq!(asked.files.unused(), []);
    }
    // A copy says the same.
    fixture.write("copy.sym", breakpad(&debug_id, None, addr, "short"));
    let asked = ask(&fixture, bare(&fixture), addr, &["short.sym", "copy.sym"]);
    assert_eq!(asked.name.as_deref(), Some("short"));
    assert_eq!(
        (asked.files.problems(), asked.files.unused()),
        (vec![], vec![])
    );
}

#[test]
fn problems_that_are_not_listed_are_counted() {
    let fixture = Fixture::new();
    let id = "00112233445566778899AABBCCDDEEFF0";
    let wrong = breakpad(id, Some(&"ab".repeat(20)), 0x10, "wrong");
    for number in 0..70 {
        fixture.write(&format!("many/{number}.sym"), &wrong);
    }
    let files = SymbolFiles::new([fixture.path("many")]);
    assert_eq!((files.problems().len(), files.other_problems()), (64, 6));
}

#[test]
fn unreadable_symbol_files_are_named() {
    let fixture = Fixture::new();
    fixture.write("text", "not symbols");
    fixture.write("dir/cut.gsym", b"MYSG\x01\x00");
    fixture.write("dir/other.txt", "passed over");
    let files = SymbolFiles::new(["text", "dir", "absent"].map(|name| fixture.path(name)));
    let problems = files.problems();
    let name = |path: &Path| path.file_name().map(|name| name.to_owned());
    let names: Vec<_> = problems
        .iter()
        .filter_map(|error| name(error.path()?))
        .collect();
    assert_eq!(names, ["text", "cut.gsym", "absent"]);
    assert_eq!(problems[0].cause(), &Cause::NotSymbols);
    assert!(matches!(problems[1].cause(), Cause::Damaged { .. }));
    let id = BuildId::from_bytes(&[1; 20]).expect("20 bytes");
    let found = files.find(&id, Access::Auto, &Limits::default());
    assert!(found.expect("no problem").is_none());
}
