//! Debug information in a file of its own, found by build ID.

mod common;

use std::path::Path;

use backsight_symbolize::{Cause, Error, ModuleInput, Options, Place, Request, Symbolizer};
use backsight_types::{BuildId, FileOffset, Lookup, Reason};
use common::{Fixture, at, brief, find, symbol};
use object::Object as _;

const SOURCE: &str = r#"
volatile int sink;
__attribute__((noinline)) void hidden(int x) {
    sink = x;
}
int main(int argc, char **argv) {
    hidden(argc);
    return 0;
}
"#;

const ID: &str = "0123456789abcdef0123456789abcdef01234567";

/// `a`: stripped of all but code; `full`: not stripped; `debug/.build-id/…`: what
/// was stripped off.
fn split(compress: Option<&str>) -> Result<Fixture, String> {
    let fixture = Fixture::new();
    fixture.write("a.c", SOURCE);
    let id = format!("-Wl,--build-id=0x{ID}");
    fixture.must("cc", &["-g", "-O0", &id, "-o", "full", "a.c"]);
    let debug = debug_path();
    fixture.write(&debug, "");
    let mut args = vec!["--only-keep-debug", "full", &debug];
    let flag = compress.map(|scheme| format!("--compress-debug-sections={scheme}"));
    args.extend(flag.as_deref());
    fixture.run("objcopy", &args)?;
    fixture.run("strip", &["-o", "a", "full"])?;
    Ok(fixture)
}

fn debug_path() -> String {
    format!("debug/.build-id/{}/{}.debug", &ID[..2], &ID[2..])
}

fn options(fixture: &Fixture) -> Options {
    let debug_dirs = vec![fixture.path("absent"), fixture.path("debug")];
    Options::default().with_debug_dirs(debug_dirs)
}

fn id() -> BuildId {
    ID.parse().expect("digits")
}

fn open(path: &Path) -> ModuleInput {
    ModuleInput::open(path).expect("a regular file")
}

/// `perf record` and `perf buildid-cache` put debug files that they find, or that debuginfod has,
/// beside the copies of executables.
#[test]
fn the_debug_file_is_found_in_perfs_cache() {
    let fixture = match split(None) {
        Ok(fixture) => fixture,
        Err(words) => return testkit::skip(&words),
    };
    let of_id = fixture.path(&format!("debug/.build-id/{}/{}", &ID[..2], &ID[2..]));
    std::fs::create_dir(&of_id).expect("a directory");
    let debug_file = fixture.path(&debug_path());
    std::fs::rename(debug_file, of_id.join("debug")).expect("the same file system");
    let (start, _) = symbol(&fixture.path("full"), "hidden");
    let symbolizer = Symbolizer::new(options(&fixture));
    let module = symbolizer.add(open(&fixture.path("a")), None, None);
    assert_eq!(brief(&find(&symbolizer, module, start)), "hidden@3");
}

#[test]
fn the_debug_file_is_found_plain_and_compressed() {
    for compress in [None, Some("zlib"), Some("zlib-gnu"), Some("zstd")] {
        let fixture = match split(compress) {
            Ok(fixture) => fixture,
            Err(words) => {
                testkit::skip(&words);
                continue;
            }
        };
        let (start, _) = symbol(&fixture.path("full"), "hidden");
        let symbolizer = Symbolizer::new(options(&fixture));
        let module = symbolizer.add(open(&fixture.path("a")), None, None);
        let found = find(&symbolizer, module, start);
        assert_eq!(brief(&found), "hidden@3", "{compress:?}");
        let frames = found.expect("an answer");
        let file = frames[0].file.as_deref().expect("a file");
        assert!(file.starts_with('/') && file.ends_with("/a.c"), "{file}");
        assert_eq!(frames[0].start.map(|start| start.0), Some(start));
    }
}

#[test]
fn a_debug_file_that_cannot_be_used_gives_way_to_what_the_module_has() {
    type Spoil = fn(&Fixture);
    let cases: [(&str, Spoil); 5] = [
        ("absent", |fixture| {
            std::fs::remove_file(fixture.path(&debug_path())).expect("ours")
        }),
        ("of another build ID", |fixture| {
            fixture.must("cc", &["-g", "-Wl,--build-id=0xabcd", "-o", "other", "a.c"]);
            fixture.must("cp", &["other", &debug_path()]);
        }),
        ("no ELF file", |fixture| {
            fixture.write(&debug_path(), "garbage");
        }),
        ("a FIFO", |fixture| {
            std::fs::remove_file(fixture.path(&debug_path())).expect("ours");
            fixture.must("mkfifo", &[&debug_path()]);
        }),
        ("a directory", |fixture| {
            std::fs::remove_file(fixture.path(&debug_path())).expect("ours");
            std::fs::create_dir(fixture.path(&debug_path())).expect("ours");
        }),
    ];
    for (name, spoil) in cases {
        let fixture = match split(None) {
            Ok(fixture) => fixture,
            Err(words) => return testkit::skip(&words),
        };
        spoil(&fixture);
        let (start, _) = symbol(&fixture.path("full"), "hidden");
        let symbolizer = Symbolizer::new(options(&fixture));
        let stripped = symbolizer.add(open(&fixture.path("a")), Some(id()), None);
        assert_eq!(
            find(&symbolizer, stripped, start),
            Err(Reason::NoSymbols),
            "{name}"
        );
        fixture.must("strip", &["--strip-debug", "-o", "symbols", "full"]);
        let symbols = symbolizer.add(open(&fixture.path("symbols")), Some(id()), None);
        assert_eq!(
            brief(&find(&symbolizer, symbols, start)),
            "hidden@?",
            "{name}"
        );
    }
}

#[test]
fn a_module_of_another_build_id_is_refused() {
    let fixture = match split(None) {
        Ok(fixture) => fixture,
        Err(words) => return testkit::skip(&words),
    };
    let other: BuildId = "abcd".parse().expect("digits");
    let symbolizer = Symbolizer::new(options(&fixture));
    let module = symbolizer.add(open(&fixture.path("full")), Some(other), None);
    let bytes = std::fs::read(fixture.path("full")).expect("made");
    let own = object::File::parse(&*bytes).expect("an ELF file");
    let own = own.build_id().expect("notes").map(BuildId::from_bytes);
    let own = own.transpose().expect("at most 64 bytes");
    let cause = Cause::other_build(own.as_ref(), &other);
    let want = Error::new("read", Some(&fixture.path("full")), cause);
    assert_eq!(symbolizer.load(module), Err(want));
    let (start, _) = symbol(&fixture.path("full"), "hidden");
    assert_eq!(
        find(&symbolizer, module, start),
        Err(Reason::IdentityUnproven)
    );
}

#[test]
fn the_debug_file_serves_alone_but_not_for_file_offsets() {
    let fixture = match split(None) {
        Ok(fixture) => fixture,
        Err(words) => return testkit::skip(&words),
    };
    let full = fixture.path("full");
    let (start, _) = symbol(&full, "hidden");
    let bytes = std::fs::read(&full).expect("readable");
    let segments = backsight_elf::Headers::parse(&bytes)
        .expect("an ELF file")
        .segments;
    let offset = segments
        .file_offset_of(backsight_types::VirtOffset(start))
        .expect("loaded");

    let symbolizer = Symbolizer::new(options(&fixture));
    let debug = fixture.path(&debug_path());
    let by_id = symbolizer.add(ModuleInput::BuildId(id()), None, None);
    let by_id_with = symbolizer.add(ModuleInput::BuildId(id()), None, Some(segments));
    let as_file = symbolizer.add(open(&debug), None, None);
    let own = symbolizer.add(open(&fixture.path("a")), None, None);
    let gone = symbolizer.add(
        ModuleInput::BuildId("abcd".parse().expect("digits")),
        None,
        None,
    );
    let file =
        |module, offset| Request::new(module, Place::File(FileOffset(offset)), Lookup::Exact);
    let cases = [
        ("build ID alone", at(by_id, start), "hidden@3"),
        (
            "its file offset",
            file(by_id, offset.0),
            "[needs-program-headers]",
        ),
        (
            "with the executable's headers",
            file(by_id_with, offset.0),
            "hidden@3",
        ),
        ("the debug file as a module", at(as_file, start), "hidden@3"),
        (
            "its file offset",
            file(as_file, offset.0),
            "[needs-program-headers]",
        ),
        ("the executable", file(own, offset.0), "hidden@3"),
        ("outside all segments", file(own, u64::MAX), "[no-symbols]"),
        ("an unknown build ID", at(gone, start), "[no-symbols]"),
    ];
    let requests: Vec<Request> = cases.iter().map(|case| case.1).collect();
    for (answer, (name, _, want)) in symbolizer.symbolize(&requests).iter().zip(cases) {
        assert_eq!(brief(answer), want, "{name}");
    }
}
