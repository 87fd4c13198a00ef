//! Which directory a source file is in: the compilation directory by the unit, directory 0
//! of the line table, and those that are relative to it.

mod common;

use std::ops::Range;
use std::process::Command;

use backsight_symbolize::{Frames, Options, Tier};
use backsight_types::Reason;
use common::{Fixture, find, symbol, symbolizer_with};

const HEADER: &str = "static inline __attribute__((always_inline)) int in(int x) {\n    volatile \
                      int y = x;\n    return y * 3;\n}\n";
const SOURCE: &str = "#include \"sub/h.h\"\nint f(int x) {\n    volatile int z = x;\n    return \
                      in(z) + 1;\n}\n";

/// `a.so`, whose line table has this directory 0, and whose unit has its compilation
/// directory or none.
fn assembled(compiler: &str, dir: &str, has_comp_dir: bool) -> Result<Fixture, String> {
    let fixture = Fixture::new();
    fixture.write("sub/h.h", HEADER);
    fixture.write("a.c", SOURCE);
    let flags = ["-S", "-O1", "-g", "-gdwarf-5", "-fPIC", "a.c"];
    fixture.run(compiler, &flags)?;
    let text = std::fs::read_to_string(fixture.path("a.s")).expect("made");
    let mut found = (0, 0);
    let lines = text.lines().map(|line| {
        let words: Vec<&str> = line.split_whitespace().collect();
        match words[..] {
            [".file", "0", _, ref name @ ..] => {
                found.0 += 1;
                format!(
                    "\t.file 0 \"{}\" {}\n",
                    dir.replace('\\', "\\\\"),
                    name.join(" ")
                )
            }
            // DW_AT_comp_dir in the abbreviations, by gcc and clang: becomes DW_AT_lo_user.
            [".uleb128", "0x1b"] | [".byte", "27", "#", "DW_AT_comp_dir"] if !has_comp_dir => {
                found.1 += 1;
                "\t.byte 0x80, 0x40\n".into()
            }
            _ => format!("{line}\n"),
        }
    });
    let changed: String = lines.collect();
    if found != (1, usize::from(!has_comp_dir)) {
        return Err(format!("{compiler} writes another assembly: {found:?}"));
    }
    fixture.write("b.s", changed);
    fixture.must(compiler, &["-c", "b.s", "-o", "b.o"]);
    fixture.must("cc", &["-shared", "-nostdlib", "-o", "a.so", "b.o"]);
    Ok(fixture)
}

/// The paths of all levels at one address, innermost first.
fn paths(found: &Result<Frames, Reason>) -> Vec<String> {
    let frames = found.as_ref().expect("in the function").iter();
    let paths = frames.map(|frame| frame.file.as_deref().unwrap_or("?").replace("/./", "/"));
    paths.collect()
}

/// What llvm-symbolizer says of these addresses.
fn ask_llvm(fixture: &Fixture, addrs: Range<u64>) -> Option<Vec<Vec<String>>> {
    let mut command = Command::new("llvm-symbolizer");
    command.args(["--functions=none", "--obj=a.so"]);
    command.args(addrs.map(|addr| format!("{addr:#x}")));
    let output = command.current_dir(fixture.path("")).output();
    let Ok(output) = output else {
        testkit::skip("no llvm-symbolizer");
        return None;
    };
    let text = String::from_utf8(output.stdout).expect("text");
    let path = |line: &str| {
        let mut parts = line.rsplitn(3, ':');
        let path = parts.nth(2).expect("a path, a line and a column");
        path.replace("/./", "/")
    };
    let answers = text.trim_end().split("\n\n");
    Some(
        answers
            .map(|lines| lines.lines().map(path).collect())
            .collect(),
    )
}

#[test]
fn directory_0_is_the_line_table_s_where_it_says_more() {
    // Directory 0, whether there is a compilation directory (`CWD`), where the source is,
    // where the header is, and whether LLVM 14 says the same.
    let cases = [
        ("/build/one", true, "/build/one/a.c", "CWD/sub/h.h", true),
        (
            "/build/one",
            false,
            "/build/one/a.c",
            "/build/one/sub/h.h",
            false,
        ),
        ("CWD", true, "CWD/a.c", "CWD/sub/h.h", true),
        ("C:\\build", true, "C:\\build\\a.c", "CWD/sub/h.h", false),
        // Not twice, as LLVM has it: the directory of the unit is meant.
        ("rel/one", true, "CWD/a.c", "CWD/sub/h.h", false),
        ("rel/one", false, "rel/one/a.c", "rel/one/sub/h.h", false),
    ];
    for compiler in ["gcc", "clang"] {
        for (dir, has_comp_dir, source, header, as_llvm) in cases {
            let name = format!("{compiler}, {dir}, {has_comp_dir}");
            // The compilers resolve links on the way to where they work.
            let of = |fixture: &Fixture, text: &str| {
                let cwd = fixture.path("").canonicalize().expect("there");
                text.replace("CWD", cwd.to_str().expect("text").trim_end_matches('/'))
            };
            let made = if dir == "CWD" {
                // Nothing is changed but for what is put back.
                let fixture = assembled(compiler, "/", true);
                fixture.and_then(|fixture| {
                    fixture.run(compiler, &["-c", "a.s", "-o", "b.o"])?;
                    fixture.run("cc", &["-shared", "-nostdlib", "-o", "a.so", "b.o"])?;
                    Ok(fixture)
                })
            } else {
                assembled(compiler, dir, has_comp_dir)
            };
            let fixture = match made {
                Ok(fixture) => fixture,
                Err(words) => {
                    testkit::skip(&words);
                    continue;
                }
            };
            let path = fixture.path("a.so");
            let (start, size) = symbol(&path, "f");
            let (source, header) = (of(&fixture, source), of(&fixture, header));
            let theirs = ask_llvm(&fixture, start..start + size).filter(|_| as_llvm);
            let mut met = 0;
            for tier in [Tier::Lazy, Tier::Flat] {
                let mut options = Options::default();
                options.debug_dirs.clear();
                options.tier = tier;
                let (symbolizer, module) = symbolizer_with(options, &path);
                for (at, addr) in (start..start + size).enumerate() {
                    let got = paths(&find(&symbolizer, module, addr));
                    let want = match got.len() {
                        1 => vec![source.clone()],
                        _ => vec![header.clone(), source.clone()],
                    };
                    assert_eq!(got, want, "{name}, {tier:?}, {addr:#x}");
                    met |= got.len();
                    if let Some(theirs) = &theirs {
                        assert_eq!(got, theirs[at], "{name}, {addr:#x}");
                    }
                }
            }
            assert_eq!(
                met, 3,
                "{name}: in the function itself, and in what is inlined"
            );
        }
    }
}

/// Where compilers map directories, the unit and its line table agree, up to DWARF 4 too.
#[test]
fn mapped_directories_are_as_the_oracle_has_them() {
    for compiler in ["gcc", "clang"] {
        for version in ["-gdwarf-3", "-gdwarf-4", "-gdwarf-5"] {
            for to in ["/mapped", ".", "rel"] {
                let fixture = Fixture::new();
                fixture.write("sub/h.h", HEADER);
                fixture.write("a.c", SOURCE);
                let cwd = fixture.path("").canonicalize().expect("there");
                let cwd = cwd.to_str().expect("text").trim_end_matches('/');
                let map = format!("-ffile-prefix-map={cwd}={to}");
                let flags = ["-O1", "-g", version, &map, "-fPIC", "-shared", "-nostdlib"];
                let built = fixture.run(compiler, &[&flags[..], &["-o", "a.so", "a.c"]].concat());
                if let Err(words) = built {
                    testkit::skip(&words);
                    continue;
                }
                let path = fixture.path("a.so");
                let (start, size) = symbol(&path, "f");
                let (symbolizer, module) = common::symbolizer_of(&path);
                // What is relative LLVM puts behind itself once more.
                let theirs = ask_llvm(&fixture, start..start + size);
                let theirs = theirs.filter(|_| to == "/mapped");
                for (at, addr) in (start..start + size).enumerate() {
                    let got = paths(&find(&symbolizer, module, addr));
                    let name = format!("{compiler} {version} {to}, {addr:#x}");
                    assert_eq!(got.last(), Some(&format!("{to}/a.c")), "{name}");
                    if let Some(theirs) = &theirs {
                        assert_eq!(got, theirs[at], "{name}");
                    }
                }
            }
        }
    }
}
