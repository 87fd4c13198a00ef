//! Kernel modules as distributions ship them: packed, and their debug files found by
//! their path.

mod common;

use std::path::{Path, PathBuf};

use backsight_symbolize::{Cause, ModuleId, Options, Symbolizer};
use common::{Fixture, brief, find, symbolizer_with};

const SOURCE: &str = "volatile int sink;
static inline __attribute__((always_inline)) void folded(int x) {
    sink = x + 1;
    sink = x + 2;
}
int served(int x) {
    folded(x);
    return sink;
}
__attribute__((section(\".init.text\"))) int starting(int x) {
    folded(x + 3);
    return sink * 5;
}
";

const MODULE: &str = "lib/modules/6.1.0/kernel/fs/served.ko";

/// How modules are packed: what stands behind their names, and the command.
const PACKED: [(&str, &[&str]); 3] = [
    (".xz", &["xz", "--check=crc32", "--lzma2=dict=1MiB"]),
    (".zst", &["zstd", "-q", "--rm"]),
    (".gz", &["gzip"]),
];

/// Makes a module with its debug information, `whole.ko`, as the kernel's build links it:
/// still relocatable, with a build ID.
fn module(fixture: &Fixture, id: &str) -> Result<(), String> {
    fixture.write("a.c", SOURCE);
    fixture.run(
        "gcc",
        &["-c", "-O2", "-g", "-ffreestanding", "-fno-pic", "a.c"],
    )?;
    let id = format!("--build-id=0x{id}");
    fixture.run("ld", &["-r", &id, "-o", "whole.ko", "a.o"])
}

/// Puts it into a root: the module without debug information, packed or not.
fn install(fixture: &Fixture, end: &str, pack: &[&str]) -> Result<PathBuf, String> {
    let path = fixture.write(MODULE, "");
    fixture.run("objcopy", &["--strip-debug", "whole.ko", MODULE])?;
    let Some((tool, args)) = pack.split_first() else {
        return Ok(path);
    };
    fixture.run(tool, &[args, &[MODULE]].concat())?;
    Ok(fixture.path(&format!("{MODULE}{end}")))
}

fn in_root(fixture: &Fixture, path: &Path) -> (Symbolizer, ModuleId) {
    let options = Options::default()
        .with_debug_dirs(vec!["/usr/lib/debug".into()])
        .with_roots(vec![fixture.path("")]);
    symbolizer_with(options, path)
}

fn answers(symbolizer: &Symbolizer, module: ModuleId) -> Vec<String> {
    let places = (0..0x40).step_by(4);
    places
        .map(|place| brief(&find(symbolizer, module, place)))
        .collect()
}

#[test]
fn debug_files_are_found_by_the_path_of_the_module() {
    let fixture = Fixture::new();
    if let Err(words) = module(&fixture, "0123456789abcdef") {
        return testkit::skip(&words);
    }
    let (symbolizer, whole) = common::symbolizer_of(&fixture.path("whole.ko"));
    let want = answers(&symbolizer, whole);
    assert!(
        want.iter()
            .any(|found| found.starts_with("~folded@3 served@7")),
        "{want:?}"
    );
    assert!(
        want.iter().any(|found| found.contains("starting@")),
        "{want:?}"
    );
    let places = [
        "usr/lib/debug/lib/modules/6.1.0/kernel/fs/served.ko",
        "usr/lib/debug/lib/modules/6.1.0/kernel/fs/served.ko.debug",
        "usr/lib/debug/usr/lib/modules/6.1.0/kernel/fs/served.ko",
    ];
    let plain: (&str, &[&str]) = ("", &[]);
    for (end, pack) in [plain].into_iter().chain(PACKED) {
        let path = match install(&fixture, end, pack) {
            Ok(path) => path,
            Err(words) => {
                testkit::skip(&words);
                continue;
            }
        };
        for debug in places {
            let debug = fixture.write(debug, "");
            let shown = debug.to_str().expect("text");
            fixture.must("objcopy", &["--only-keep-debug", "whole.ko", shown]);
            let (symbolizer, module) = in_root(&fixture, &path);
            assert_eq!(answers(&symbolizer, module), want, "{shown} of {end:?}");
            // Another module's tells nothing of this one.
            module_with_other_id(&fixture, shown);
            let (symbolizer, module) = in_root(&fixture, &path);
            let found = answers(&symbolizer, module);
            assert!(found.contains(&"served@?".to_owned()), "{shown}: {found:?}");
            assert!(
                !found.iter().any(|found| found.contains('~')),
                "{shown}: {found:?}"
            );
            std::fs::remove_file(&debug).expect("removed");
        }
        std::fs::remove_file(&path).expect("removed");
    }
}

fn module_with_other_id(fixture: &Fixture, debug: &str) {
    fixture.must("ld", &["-r", "--build-id=0xffff", "-o", "other.ko", "a.o"]);
    fixture.must("objcopy", &["--only-keep-debug", "other.ko", debug]);
}

#[test]
fn a_packed_file_unpacks_within_the_limit_or_says_why_not() {
    let fixture = Fixture::new();
    if let Err(words) = module(&fixture, "abcd") {
        return testkit::skip(&words);
    }
    for (end, pack) in PACKED {
        let path = match install(&fixture, end, pack) {
            Ok(path) => path,
            Err(words) => {
                testkit::skip(&words);
                continue;
            }
        };
        let whole = std::fs::read(&path).expect("readable");
        let load = |bytes: &[u8], limit: u64| {
            std::fs::write(&path, bytes).expect("written");
            let mut options = Options::default();
            options.debug_dirs.clear();
            options.limits.unpacked_bytes = limit;
            let (symbolizer, module) = symbolizer_with(options, &path);
            symbolizer
                .load(module)
                .map_err(|error| error.cause().clone())
        };
        let size = std::fs::metadata({
            fixture.must("objcopy", &["--strip-debug", "whole.ko", "plain.ko"]);
            fixture.path("plain.ko")
        });
        let size = size.expect("there").len();
        assert_eq!(load(&whole, size), Ok(()), "{end}");
        let limit = size - 1;
        assert_eq!(load(&whole, limit), Err(Cause::TooLarge { limit }), "{end}");
        assert_eq!(load(&whole, 0), Err(Cause::TooLarge { limit: 0 }), "{end}");
        let cut = &whole[..whole.len() / 2];
        assert_eq!(load(cut, 1 << 30), Err(Cause::Packed), "{end}");
        for at in 0..whole.len() {
            let mut bytes = whole.clone();
            bytes[at] ^= 0x55;
            // Some bytes say nothing: a time stamp, a name.
            match load(&bytes, 1 << 20) {
                Ok(()) | Err(Cause::Packed | Cause::TooLarge { .. } | Cause::Elf(_)) => {}
                other => panic!("{other:?} at {at} of {end}"),
            }
        }
        std::fs::remove_file(&path).expect("removed");
    }
}

#[test]
fn a_bomb_is_refused_at_the_limit() {
    let fixture = Fixture::new();
    let zeros = 64 << 20;
    for (end, pack) in PACKED {
        let path = fixture.write("bomb", vec![0; zeros]);
        let (tool, args) = pack.split_first().expect("a command");
        if let Err(words) = fixture.run(tool, &[args, &["bomb"]].concat()) {
            testkit::skip(&words);
            continue;
        }
        let mut options = Options::default();
        options.debug_dirs.clear();
        let limit = 1 << 20;
        options.limits.unpacked_bytes = limit;
        let (symbolizer, module) = symbolizer_with(options, &fixture.path(&format!("bomb{end}")));
        assert_eq!(
            symbolizer
                .load(module)
                .map_err(|error| error.cause().clone()),
            Err(Cause::TooLarge { limit }),
            "{end}"
        );
        let _ = std::fs::remove_file(path);
    }
}
