//! The same addresses asked of us and of three others: the `addr2line` crate,
//! llvm-symbolizer and binutils' addr2line.
//!
//! Frames, linkage names, files, lines and columns must be equal. Where they are
//! not, one of the differences that `testkit::differential` knows must hold, each with
//! its reason; any other fails the test. The counts are printed: `--nocapture` shows them.

#[path = "../common/mod.rs"]
pub(crate) mod common;

use std::path::{Path, PathBuf};

use backsight_symbolize::Options;
use common::{Fixture, at, symbolizer_with};
use object::{Object as _, ObjectSection as _};
use testkit::differential::{self, Asked, Level, Oracle, Subject};

/// Addresses in each file, spread over all of its code.
const ADDRESSES: usize = 10_000;

/// Enough for small programs.
const FEW: usize = 2_500;

#[test]
fn libc_with_its_debug_file() {
    let candidates = [
        "/lib/x86_64-linux-gnu/libc.so.6",
        "/lib64/libc.so.6",
        "/lib/libc.so.6",
    ];
    let Some(path) = candidates
        .map(PathBuf::from)
        .into_iter()
        .find(|path| path.exists())
    else {
        return testkit::skip("no libc.so.6 where it usually is");
    };
    let bytes = std::fs::read(&path).expect("readable");
    let id = backsight_elf::Headers::parse(&bytes)
        .expect("an ELF file")
        .build_id;
    let id = id.expect("a build ID").to_string();
    let debug = format!("/usr/lib/debug/.build-id/{}/{}.debug", &id[..2], &id[2..]);
    let debug = PathBuf::from(debug);
    if !debug.exists() {
        return testkit::skip("no debug symbols of libc (libc6-dbg)");
    }
    compare(&path, &debug, ADDRESSES);
}

#[test]
fn this_test_itself() {
    let path = std::env::current_exe().expect("this executable");
    compare(&path, &path, ADDRESSES);
}

#[test]
fn an_optimized_rust_program() {
    let fixture = Fixture::new();
    fixture.write("a.rs", include_str!("words.rs"));
    if let Err(words) = fixture.run("rustc", &["-O", "-g", "--edition=2021", "a.rs"]) {
        return testkit::skip(&words);
    }
    compare(&fixture.path("a"), &fixture.path("a"), FEW);
}

#[test]
fn an_optimized_cpp_program() {
    let fixture = Fixture::new();
    fixture.write("a.cpp", include_str!("words.cpp"));
    if let Err(words) = fixture.run("g++", &["-O2", "-g", "-o", "a", "a.cpp"]) {
        return testkit::skip(&words);
    }
    compare(&fixture.path("a"), &fixture.path("a"), FEW);
}

/// Plain, with its debug information packed as Go does it, and with C in it.
#[test]
fn go_programs() {
    const MODULE: &str = "module example.org/words\n\ngo 1.18\n";
    const WITH_C: &str = "package main\n\n\
        // static int twice(int k) { volatile int z = k; return z * 2; }\n\
        import \"C\"\nimport \"fmt\"\n\n\
        func main() { fmt.Println(C.twice(4)) }\n";
    // binutils knows no Go of its own.
    let oracles = [Oracle::Addr2lineCrate, Oracle::LlvmSymbolizer];
    for (source, flags) in [
        (
            include_str!("words.go"),
            &["-ldflags=-compressdwarf=false"][..],
        ),
        (include_str!("words.go"), &[]),
        (WITH_C, &[]),
    ] {
        let fixture = Fixture::new();
        fixture.write("main.go", source);
        fixture.write("go.mod", MODULE);
        // Nothing of the user's, and nothing from the net.
        let cache = fixture.path("cache");
        let mut go = std::process::Command::new("go");
        go.args(["build", "-o", "a"]).args(flags).arg(".");
        go.env("GOCACHE", cache).env("GOPROXY", "off");
        go.env("CGO_ENABLED", "1").env("GOFLAGS", "-mod=mod");
        let built = go.current_dir(fixture.path("")).output();
        match built {
            Ok(output) if output.status.success() => {}
            Ok(output) => {
                let words = String::from_utf8_lossy(&output.stderr).into_owned();
                return testkit::skip(&words);
            }
            Err(why) => return testkit::skip(&format!("go: {why}")),
        }
        let path = fixture.path("a");
        compare_with(&oracles, &path, &path, None, FEW);
    }
}

/// `.dwo` files, then a package of them; by gcc and clang, before and in the standard.
#[test]
fn a_split_cpp_program() {
    // binutils 2.40 does not look into `.dwo` files for names.
    let oracles = [Oracle::Addr2lineCrate, Oracle::LlvmSymbolizer];
    for (compiler, version) in [
        ("g++", "-gdwarf-4"),
        ("g++", "-gdwarf-5"),
        ("clang++", "-gdwarf-5"),
    ] {
        let fixture = Fixture::new();
        fixture.write("a.cpp", include_str!("words.cpp"));
        let flags = ["-O2", "-gsplit-dwarf", version];
        let compiled = [&flags[..], &["-c", "-o", "a.o", "a.cpp"]].concat();
        if let Err(words) = fixture.run(compiler, &compiled) {
            testkit::skip(&words);
            continue;
        }
        fixture.must("g++", &["-o", "a", "a.o"]);
        let path = fixture.path("a");
        compare_with(&oracles, &path, &path, None, FEW);
        if let Err(words) = fixture.run("llvm-dwp", &["-e", "a", "-o", "a.dwp"]) {
            testkit::skip(&words);
            continue;
        }
        std::fs::remove_file(fixture.path("a.dwo")).expect("it was beside the object");
        compare_with(&oracles, &path, &path, None, FEW);
    }
}

/// Types in units of their own: gcc gives each its own section in DWARF 5, and the
/// `.dwo` file has more than a hundred by the name of `.debug_info.dwo`. The oracles see
/// the same code with its debug information in one piece.
#[test]
fn a_split_cpp_program_with_type_units() {
    for (compiler, version) in [
        ("g++", "-gdwarf-4"),
        ("g++", "-gdwarf-5"),
        ("clang++", "-gdwarf-4"),
        ("clang++", "-gdwarf-5"),
    ] {
        let fixture = Fixture::new();
        fixture.write("a.cpp", include_str!("words.cpp"));
        let build = |name: &str, flags: &[&str]| {
            let object = format!("{name}.o");
            let fixed = ["-O2", version, "-c", "-o", &object, "a.cpp"];
            fixture.run(compiler, &[&fixed[..], flags].concat())?;
            fixture.run("g++", &["-o", name, &object])
        };
        let split = ["-gsplit-dwarf", "-fdebug-types-section"];
        if let Err(words) = build("whole", &[]).and_then(|()| build("a", &split)) {
            testkit::skip(&words);
            continue;
        }
        let (path, whole) = (fixture.path("a"), fixture.path("whole"));
        assert_eq!(code_of(&path), code_of(&whole), "{compiler} {version}");
        let oracles = [Oracle::Addr2lineCrate, Oracle::LlvmSymbolizer];
        compare_as(&oracles, &path, &whole, &whole, None, FEW);
        let compare = || compare_as(&oracles[..1], &path, &whole, &whole, None, 500);
        // That of binutils 2.40 crashes over DWARF 5.
        let packers = ["llvm-dwp", "dwp"].into_iter();
        for dwp in packers.take(if version == "-gdwarf-4" { 2 } else { 1 }) {
            match fixture.run(dwp, &["-e", "a", "-o", "a.dwp"]) {
                Ok(()) => {
                    fixture.must("mv", &["a.dwo", "gone"]);
                    compare();
                    fixture.must("mv", &["gone", "a.dwo"]);
                    std::fs::remove_file(fixture.path("a.dwp")).expect("made");
                }
                Err(words) => {
                    testkit::skip(&words);
                }
            }
        }
        for scheme in ["zlib", "zstd"] {
            let flag = format!("--compress-debug-sections={scheme}");
            match fixture.run("objcopy", &[&flag, "a.dwo"]) {
                Ok(()) => compare(),
                Err(words) => {
                    testkit::skip(&words);
                }
            }
        }
    }
}

/// The bytes of `.text`.
fn code_of(path: &Path) -> Vec<u8> {
    let bytes = std::fs::read(path).expect("readable");
    let file = object::File::parse(&*bytes).expect("an object file");
    let text = file.section_by_name(".text").expect("code");
    text.data().expect("bytes").to_vec()
}

/// Two programs whose common parts `dwz` moves to a third file.
#[test]
fn a_cpp_program_with_a_supplementary_file() {
    let fixture = Fixture::new();
    fixture.write("a.cpp", include_str!("words.cpp"));
    for (name, level) in [("a", "-O2"), ("b", "-O1")] {
        let flags = [level, "-g", "-o", name, "a.cpp"];
        if let Err(words) = fixture.run("g++", &flags) {
            return testkit::skip(&words);
        }
    }
    if let Err(words) = fixture.run("dwz", &["-m", "common", "a", "b"]) {
        return testkit::skip(&words);
    }
    let (path, common) = (fixture.path("a"), fixture.path("common"));
    // llvm-symbolizer 14 does not look into supplementary files.
    let oracles = [Oracle::Addr2lineCrate, Oracle::BinutilsAddr2line];
    compare_with(&oracles, &path, &path, Some(&common), FEW);
}

/// Asks everyone about `path`, whose debug information is in `debug`.
fn compare(path: &Path, debug: &Path, count: usize) {
    compare_with(&Oracle::ALL, path, debug, None, count);
}

/// Asks these about `path`, whose debug information is in `debug` and in the
/// supplementary file.
fn compare_with(
    oracles: &[Oracle],
    path: &Path,
    debug: &Path,
    supplementary: Option<&Path>,
    count: usize,
) {
    compare_as(oracles, path, path, debug, supplementary, count);
}

/// Asks us about `ours`, and these about a file with the same code.
fn compare_as(
    oracles: &[Oracle],
    ours: &Path,
    path: &Path,
    debug: &Path,
    supplementary: Option<&Path>,
    count: usize,
) {
    let addrs = differential::sample(path, count);
    let ours = ask_us(ours, &addrs);
    let mut all: Vec<(Oracle, Vec<Vec<Level>>)> = Vec::new();
    let asked = Asked {
        supplementary,
        ..Asked::new(path, debug)
    };
    for oracle in oracles {
        match oracle.ask(&asked, &addrs) {
            Ok(theirs) => all.push((*oracle, theirs)),
            Err(words) => testkit::skip(&words),
        }
    }
    let mut unknown = Vec::new();
    let subject = Subject::of(&[path, debug]);
    for (oracle, comparison) in differential::compare(&subject, &addrs, &ours, &all) {
        let counts = comparison.counts;
        println!("{} against {oracle:?}: {counts:?}", path.display());
        unknown.extend(comparison.unknown);
    }
    let shown: Vec<&str> = unknown.iter().take(10).map(String::as_str).collect();
    let (count, shown) = (unknown.len(), shown.join("\n"));
    assert!(unknown.is_empty(), "{count} unknown differences:\n{shown}");
}

fn ask_us(path: &Path, addrs: &[u64]) -> Vec<Vec<Level>> {
    let options = Options::default().with_demangle(false);
    let (symbolizer, module) = symbolizer_with(options, path);
    let requests: Vec<_> = addrs.iter().map(|addr| at(module, *addr)).collect();
    let cold = std::time::Instant::now();
    let answers = symbolizer.symbolize(&requests);
    let cold = cold.elapsed();
    let warm = std::time::Instant::now();
    assert_eq!(
        symbolizer.symbolize(&requests),
        answers,
        "the second time as the first"
    );
    println!(
        "{}: {} addresses in {cold:?}, again in {:?}",
        path.display(),
        addrs.len(),
        warm.elapsed()
    );
    let levels = answers.into_iter().map(|answer| {
        let Ok(frames) = answer else {
            return Vec::new();
        };
        assert!(!frames.limit_reached(), "no limit is for real files");
        let levels = frames.iter().map(|frame| Level {
            name: frame.function.as_deref().map(String::from),
            file: frame.file.as_deref().map(String::from),
            line: frame.line.unwrap_or(0),
            column: frame.column.unwrap_or(0),
        });
        levels.collect()
    });
    levels.collect()
}
