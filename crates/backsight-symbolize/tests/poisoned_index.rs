//! A directory of indexes that somebody would like to lie: a build ID is a claim, and what
//! others can change is neither kept nor read.

mod common;

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};

use backsight_symbolize::{
    BuiltIndex, IndexCause, IndexDir, ModuleInput, Options, SymbolIndex, Symbolizer, Tier,
};
use common::{Fixture, brief, find, symbol};

const NOBODY: u32 = 65534;

/// `good` and `evil`: the same code and the same build ID under other names.
struct Pair {
    fixture: Fixture,
    start: u64,
    dir: IndexDir,
}

impl Pair {
    fn new() -> Option<Self> {
        // Files that others of our group can write to would be untrusted themselves.
        nix::sys::stat::umask(nix::sys::stat::Mode::from_bits_truncate(0o022));
        let fixture = Fixture::new();
        for name in ["good", "evil"] {
            let source = format!(
                "int {name}_work(int n) {{ return n * 3; }}\nint main(void) {{ return 0; }}\n"
            );
            fixture.write(&format!("{name}.c"), source);
            let of = format!("{name}.c");
            let args = [
                "-g",
                "-O0",
                "-Wl,--build-id=0x1234567812345678",
                "-o",
                name,
                &of,
            ];
            if let Err(words) = fixture.run("gcc", &args) {
                testkit::skip(&words);
                return None;
            }
        }
        let (start, _) = symbol(&fixture.path("good"), "good_work");
        assert_eq!(start, symbol(&fixture.path("evil"), "evil_work").0);
        let dir = IndexDir::new(fixture.path("indexes"), u64::MAX);
        Some(Self {
            fixture,
            start,
            dir,
        })
    }

    fn path(&self, name: &str) -> PathBuf {
        self.fixture.path(name)
    }

    fn options(&self, tier: Tier) -> Options {
        Options::default()
            .with_tier(tier)
            .with_index_dir(Some(self.dir.clone()))
    }

    fn ask(&self, input: ModuleInput, options: Options) -> String {
        let symbolizer = Symbolizer::new(options);
        let module = symbolizer.add(input, None, None);
        brief(&find(&symbolizer, module, self.start))
    }

    fn ask_file(&self, name: &str, tier: Tier) -> String {
        let input = ModuleInput::open(&self.path(name)).expect("a file");
        self.ask(input, self.options(tier))
    }

    fn names(&self) -> Vec<PathBuf> {
        let Ok(entries) = fs::read_dir(&self.dir.path) else {
            return Vec::new();
        };
        entries
            .map(|entry| entry.expect("an entry").path())
            .collect()
    }
}

fn index_of(path: &Path) -> SymbolIndex {
    let input = ModuleInput::open(path).expect("a file");
    let built = BuiltIndex::of(input, None, &Options::default());
    built.expect("an index").index
}

#[test]
fn names_of_a_file_are_not_those_of_another_with_its_build_id() {
    let Some(pair) = Pair::new() else { return };
    assert_eq!(pair.ask_file("evil", Tier::Flat), "evil_work@1");
    assert_eq!(pair.names().len(), 1);
    for tier in [Tier::Auto, Tier::Flat] {
        assert_eq!(pair.ask_file("good", tier), "good_work@1", "{tier:?}");
        assert_eq!(pair.ask_file("evil", tier), "evil_work@1", "{tier:?}");
    }
    assert_eq!(pair.names().len(), 2);
    let id = index_of(&pair.path("good")).build_id().expect("a build ID");
    let by_id = pair.ask(ModuleInput::BuildId(id), pair.options(Tier::Auto));
    assert!(by_id.starts_with('['), "{by_id}");
}

#[test]
fn a_file_that_was_changed_is_another() {
    let Some(pair) = Pair::new() else { return };
    assert_eq!(pair.ask_file("evil", Tier::Flat), "evil_work@1");
    let before = pair.names();
    // In place: its inode and its size are as before, and so is the time of its content.
    let good = fs::read(pair.path("good")).expect("ours");
    let file = fs::File::options()
        .write(true)
        .open(pair.path("evil"))
        .expect("ours");
    let modified = file
        .metadata()
        .and_then(|metadata| metadata.modified())
        .expect("a time");
    assert_eq!(file.metadata().expect("ours").len(), good.len() as u64);
    std::io::Write::write_all(&mut &file, &good).expect("ours");
    file.set_modified(modified).expect("ours");
    drop(file);
    assert_eq!(pair.ask_file("evil", Tier::Auto), "good_work@1");
    assert_eq!(pair.ask_file("evil", Tier::Flat), "good_work@1");
    assert_eq!(pair.names().len(), before.len() + 1);
}

#[test]
fn another_debug_file_is_another_index() {
    let Some(pair) = Pair::new() else { return };
    pair.fixture.must("strip", &["-o", "bare", "good"]);
    let debug = |name: &str| {
        let home = pair.path(&format!("{name}.d/.build-id/12"));
        fs::create_dir_all(&home).expect("ours");
        testkit::copy(pair.path(name), home.join("34567812345678.debug")).expect("ours");
        pair.options(Tier::Flat)
            .with_debug_dirs(vec![pair.path(&format!("{name}.d"))])
    };
    let input = || ModuleInput::open(&pair.path("bare")).expect("a file");
    for _ in 0..2 {
        for name in ["good", "evil"] {
            assert_eq!(pair.ask(input(), debug(name)), format!("{name}_work@1"));
        }
    }
    assert!(pair.names().len() >= 2, "{:?}", pair.names());
}

#[test]
fn files_of_a_root_alone_are_trusted_for_it_alone() {
    let Some(pair) = Pair::new() else { return };
    pair.fixture.must("strip", &["-o", "bare", "good"]);
    let home = pair.path("root/d/.build-id/12");
    fs::create_dir_all(&home).expect("ours");
    testkit::copy(pair.path("evil"), home.join("34567812345678.debug")).expect("ours");
    let input = || ModuleInput::open(&pair.path("bare")).expect("a file");
    let inside = |roots: Vec<PathBuf>| {
        pair.options(Tier::Flat)
            .with_debug_dirs(vec!["/d".into()])
            .with_roots(roots)
    };
    assert_eq!(
        pair.ask(input(), inside(vec![pair.path("root")])),
        "evil_work@1"
    );
    assert!(pair.names().is_empty());
    let outside = pair.ask(input(), inside(Vec::new()));
    assert!(!outside.contains("evil"), "{outside}");
}

#[test]
fn untrusted_files_are_not_kept() {
    let Some(pair) = Pair::new() else { return };
    let evil = pair.path("evil");
    let writable = || fs::set_permissions(&evil, fs::Permissions::from_mode(0o666)).is_ok();
    let given_away = || {
        let mode = fs::Permissions::from_mode(0o755);
        fs::set_permissions(&evil, mode).is_ok() && chown(&evil, Some(NOBODY), None).is_ok()
    };
    for (what, makes) in [
        ("writable", &writable as &dyn Fn() -> bool),
        ("given away", &given_away),
    ] {
        if !makes() {
            testkit::skip(&format!("{what}: root alone may"));
            continue;
        }
        assert_eq!(pair.ask_file("evil", Tier::Flat), "evil_work@1", "{what}");
        assert!(pair.names().is_empty(), "{what}");
        let kept = pair.dir.keep(&index_of(&evil));
        let refused = kept.expect_err("untrusted");
        assert_eq!(*refused.cause(), IndexCause::Untrusted, "{what}");
        assert!(pair.names().is_empty(), "{what}");
    }
}

#[test]
fn an_index_or_a_directory_that_others_can_change_is_not_read() {
    let Some(pair) = Pair::new() else { return };
    pair.dir.keep(&index_of(&pair.path("evil"))).expect("kept");
    let path = pair.names().remove(0);
    assert_eq!(
        pair.ask_file("good", Tier::Auto),
        "evil_work@1",
        "vouched for"
    );
    assert_eq!(pair.dir.check(), Ok(()));
    let mode = |path: &Path, mode| {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("ours");
    };
    mode(&path, 0o664);
    assert_eq!(pair.ask_file("good", Tier::Auto), "good_work@1", "the file");
    mode(&path, 0o644);
    mode(&pair.dir.path, 0o777);
    assert_eq!(
        pair.ask_file("good", Tier::Auto),
        "good_work@1",
        "the directory"
    );
    let refused = pair.dir.check().expect_err("not ours");
    assert_eq!(*refused.cause(), IndexCause::NotOurs);
    assert_eq!(pair.ask_file("good", Tier::Flat), "good_work@1");
    assert_eq!(pair.names().len(), 1, "nothing is written to it");
    mode(&pair.dir.path, 0o700);
    if chown(&path, Some(NOBODY), None).is_err() {
        return testkit::skip("root alone gives files away");
    }
    assert_eq!(
        pair.ask_file("good", Tier::Auto),
        "good_work@1",
        "another's file"
    );
    chown(&path, Some(0), None).expect("root may");
    chown(&pair.dir.path, Some(NOBODY), None).expect("root may");
    assert_eq!(
        pair.ask_file("good", Tier::Auto),
        "good_work@1",
        "another's directory"
    );
    // A link to what is ours is not ours.
    chown(&pair.dir.path, Some(0), None).expect("root may");
    assert_eq!(pair.ask_file("good", Tier::Auto), "evil_work@1");
    fs::rename(&path, pair.path("elsewhere")).expect("ours");
    std::os::unix::fs::symlink(pair.path("elsewhere"), &path).expect("ours");
    assert_eq!(pair.ask_file("good", Tier::Auto), "good_work@1", "a link");
}
