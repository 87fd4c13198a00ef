//! Files that were there and did not count: the library gives the cause as a value.

mod common;

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::path::Path;

use backsight_symbolize::{
    Access, BuiltIndex, Cause, IndexDir, ModuleInput, Options, Sought, SoughtKind, Symbolizer, Tier,
};
use common::Fixture;

const ID: &str = "1234567812345678";

/// `a` with its debug information, `bare` without it, both of this build ID.
fn program() -> Option<Fixture> {
    nix::sys::stat::umask(nix::sys::stat::Mode::from_bits_truncate(0o022));
    let fixture = Fixture::new();
    fixture.write("a.c", "int work(int n) { return n * 3; }\n");
    let id = format!("-Wl,--build-id=0x{ID}");
    let made = fixture.run("cc", &["-g", "-shared", "-fPIC", &id, "-o", "a", "a.c"]);
    let made = made.and_then(|()| fixture.run("objcopy", &["-S", "a", "bare"]));
    match made {
        Ok(()) => Some(fixture),
        Err(words) => {
            testkit::skip(&words);
            None
        }
    }
}

/// Returns what came of the things of this kind that are there.
fn outcomes(options: Options, bytes: &[u8], kind: SoughtKind) -> Vec<Result<(), Cause>> {
    let symbolizer = Symbolizer::new(options);
    let module = symbolizer.add(ModuleInput::Bytes(bytes.into()), None, None);
    symbolizer.load(module).expect("it is read");
    let sought = symbolizer.sought(module).into_iter();
    let there = sought.filter(|sought| {
        let missing = Err(std::io::Error::from_raw_os_error(2).into());
        sought.kind == kind && cause(sought) != missing
    });
    there.map(|sought| cause(&sought)).collect()
}

/// Returns what came of one, whose error has its path, or that of the directory that is refused.
fn cause(sought: &Sought) -> Result<(), Cause> {
    let outcome = sought.outcome.as_ref();
    outcome.copied().map_err(|error| {
        let of_directory = Some(&*sought.path).and_then(Path::parent);
        let named = error.path();
        assert!(
            named == Some(&*sought.path) || named == of_directory,
            "{error}"
        );
        error.cause().clone()
    })
}

#[test]
fn a_debug_file_that_is_too_large() {
    let Some(fixture) = program() else { return };
    let bare = fs::read(fixture.path("bare")).expect("made");
    let whole = fs::read(fixture.path("a")).expect("made");
    let debug = fixture.write("debug/.build-id/12/34567812345678.debug", &whole);
    let size = u64::try_from(whole.len()).expect("64 bits");
    let ask = |access, limit| {
        let mut options = Options::default()
            .with_debug_dirs(vec![fixture.path("debug")])
            .with_access(access);
        options.limits.file_bytes = limit;
        outcomes(options, &bare, SoughtKind::DebugFile)
    };
    assert_eq!(ask(Access::Read, size), [Ok(())]);
    let limit = size - 1;
    assert_eq!(
        ask(Access::Read, limit),
        [Err(Cause::TooLarge { limit })],
        "by one byte"
    );
    // What is mapped takes no memory.
    assert_eq!(ask(Access::Map, limit), [Ok(())]);
    // The checksum of a link is of the whole file.
    fs::remove_file(&debug).expect("ours");
    fixture.must("objcopy", &["--add-gnu-debuglink=a", "bare", "linked"]);
    let ask = |limit| {
        let mut options = Options::default()
            .with_debug_dirs(Vec::new())
            .with_access(Access::Map);
        options.limits.file_bytes = limit;
        let (symbolizer, module) = common::symbolizer_with(options, &fixture.path("linked"));
        symbolizer.load(module).expect("it is read");
        let sought = symbolizer.sought(module).into_iter();
        let mut there = sought.filter(|sought| sought.path == fixture.path("a"));
        cause(&there.next().expect("it was looked for"))
    };
    assert_eq!(ask(size), Ok(()));
    assert_eq!(ask(limit), Err(Cause::TooLarge { limit }));
}

#[test]
fn an_index_of_the_wrong_owner() {
    let Some(fixture) = program() else { return };
    let bare = fs::read(fixture.path("bare")).expect("made");
    let dir = IndexDir::new(fixture.path("indexes"), u64::MAX);
    let input = ModuleInput::open(&fixture.path("a")).expect("a file");
    let built = BuiltIndex::of(input, None, &Options::default()).expect("an index");
    dir.keep(&built.index).expect("kept");
    let path = dir.path_of(ID.parse().expect("an ID"));
    let ask = || {
        let options = Options::default()
            .with_debug_dirs(Vec::new())
            .with_index_dir(Some(dir.clone()))
            .with_tier(Tier::Flat);
        outcomes(options, &bare, SoughtKind::Index)
    };
    let chmod = |path: &Path, mode| {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("ours");
    };
    assert_eq!(ask(), [Ok(())]);
    for (what, path, open, closed) in [
        ("the index", &path, 0o666, 0o644),
        ("of the group", &path, 0o664, 0o644),
        ("the directory", &dir.path, 0o777, 0o700),
    ] {
        chmod(path, open);
        assert!(ask().contains(&Err(Cause::NotOurs)), "{what}");
        assert!(!ask().contains(&Ok(())), "{what}");
        chmod(path, closed);
        assert_eq!(ask(), [Ok(())], "{what}");
    }
    for (what, path) in [("the index", &path), ("the directory", &dir.path)] {
        if chown(path, Some(65534), None).is_err() {
            return testkit::skip("root alone gives files away");
        }
        assert!(ask().contains(&Err(Cause::NotOurs)), "{what}");
        assert!(!ask().contains(&Ok(())), "{what}");
        chown(path, Some(0), None).expect("back");
    }
}
