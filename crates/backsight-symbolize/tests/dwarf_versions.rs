//! Functions, inlined functions and lines as compilers write them: DWARF 2, 3, 4
//! and 5, 64 and 32 bits, stripped by degrees.

mod common;

use std::path::Path;

use backsight_symbolize::{Frames, Options};
use common::{Fixture, brief, find, symbol, symbolizer_of, symbolizer_with};

const SOURCE: &str = r#"
volatile int sink;
static inline __attribute__((always_inline)) void deep(int x) {
    sink = x;
}
static inline __attribute__((always_inline)) void middle(int x) {
    deep(x + 1);
}
__attribute__((noinline)) void outer(int x) {
    middle(x);
}
int main(void) {
    outer(1);
    return 0;
}
"#;

/// 32 bits, with nothing of a 32-bit system but the compiler.
fn bare(version: &str) -> Vec<&str> {
    vec![version, "-m32", "-nostdlib", "-static", "-Wl,-e,main"]
}

fn compile(flags: &[&str]) -> Result<Fixture, String> {
    let fixture = Fixture::new();
    fixture.write("src/a.c", SOURCE);
    let mut args = vec!["-O2", "-o", "a", "src/a.c"];
    args.extend(flags);
    fixture.run("cc", &args)?;
    Ok(fixture)
}

/// Returns the first place in `outer` where all three are.
fn innermost(path: &Path, options: Options) -> Option<Frames> {
    let (start, size) = symbol(path, "outer");
    let (symbolizer, module) = symbolizer_with(options, path);
    let mut addrs = start..start + size;
    addrs.find_map(|addr| {
        find(&symbolizer, module, addr).ok().filter(|frames| {
            frames.first().is_some_and(|frame| frame.line == Some(4)) || frames.len() == 3
        })
    })
}

#[test]
fn inlined_frames_come_innermost_first() {
    let versions =
        ["-gdwarf-2", "-gdwarf-3", "-gdwarf-4", "-gdwarf-5"].map(|version| vec![version]);
    let mut all = versions.to_vec();
    all.push(bare("-gdwarf-4"));
    all.push(bare("-gdwarf-5"));
    all.push(vec!["-gdwarf-5", "-gdwarf64"]);
    all.push(vec!["-gdwarf-4", "-fdebug-types-section"]);
    all.push(vec![
        "-gdwarf-4",
        "-ffunction-sections",
        "-Wl,--gc-sections",
    ]);
    for flags in all {
        let fixture = match compile(&flags) {
            Ok(fixture) => fixture,
            Err(words) => {
                testkit::skip(&format!("{flags:?}: {words}"));
                continue;
            }
        };
        let path = fixture.path("a");
        let frames = innermost(&path, Options::default()).expect("inlined frames");
        assert_eq!(
            brief(&Ok(frames.clone())),
            "~deep@4 ~middle@7 outer@10",
            "{flags:?}"
        );
        assert!(!frames.limit_reached(), "{flags:?}");
        for frame in &frames {
            let file = frame.file.as_deref().expect("a file");
            assert!(
                file.starts_with('/') && file.ends_with("/src/a.c"),
                "{file} of {flags:?}"
            );
            assert!(frame.column.is_none_or(|column| column < 20), "{flags:?}");
        }
        let starts: Vec<_> = frames
            .iter()
            .map(|frame| frame.start.map(|start| start.0))
            .collect();
        assert_eq!(
            starts,
            [None, None, Some(symbol(&path, "outer").0)],
            "{flags:?}"
        );
    }
}

#[test]
fn without_inlines_the_physical_function_stands_at_its_own_line() {
    let fixture = compile(&["-g"]).expect("cc works");
    let path = fixture.path("a");
    let all = Options::default().with_inlines(false);
    let (start, size) = symbol(&path, "outer");
    let (symbolizer, module) = symbolizer_with(all, &path);
    let found: Vec<String> = (start..start + size)
        .map(|addr| brief(&find(&symbolizer, module, addr)))
        .collect();
    assert!(found.contains(&String::from("outer@10")), "{found:?}");
    assert!(
        !found
            .iter()
            .any(|found| found.contains("deep") || found.contains("@4")),
        "{found:?}"
    );
}

#[test]
fn stripped_files_are_not_reported() {
    let fixture = compile(&["-g", "-O0", "-rdynamic"]).expect("cc works");
    let (start, _) = symbol(&fixture.path("a"), "outer");
    let steps = [
        ("nothing", "--keep-symbol=outer", "outer@9"),
        ("debug sections", "--strip-debug", "outer@?"),
        ("all but dynamic symbols", "--strip-all", "outer@?"),
    ];
    for (name, flag, want) in steps {
        let args = if name == "nothing" {
            vec!["a", "b"]
        } else {
            vec![flag, "a", "b"]
        };
        if let Err(words) = fixture.run("objcopy", &args) {
            testkit::skip(&words);
            continue;
        }
        let (symbolizer, module) = symbolizer_of(&fixture.path("b"));
        assert_eq!(
            brief(&find(&symbolizer, module, start)),
            want,
            "without {name}"
        );
    }
}
