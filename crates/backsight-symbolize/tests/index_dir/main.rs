//! Indexes kept in a directory: found again, made room for, shared.

#[path = "../common/mod.rs"]
mod common;
mod flips;

use std::path::Path;
use std::sync::{Arc, LazyLock};
use std::time::{Duration, SystemTime};

use backsight_symbolize::{
    BuiltIndex, Frames, IndexDir, ModuleId, ModuleInput, Options, SymbolIndex, Symbolizer, Tier,
};
use backsight_types::{BuildId, Reason};
use common::Fixture;

/// A program, and the same but stripped.
type Pair = (Vec<u8>, Vec<u8>);

/// Compiled once for all tests.
static PROGRAM: LazyLock<Result<Pair, String>> = LazyLock::new(|| {
    let fixture = Fixture::new();
    fixture.write("a.cpp", include_str!("../differential/words.cpp"));
    let args = ["-O2", "-g", "-Wl,--build-id", "-o", "a", "a.cpp"];
    fixture.run("g++", &args)?;
    fixture.run("objcopy", &["--strip-all", "a", "stripped"])?;
    let read = |name| std::fs::read(fixture.path(name)).expect("made");
    Ok((read("a"), read("stripped")))
});

struct Case {
    fixture: Fixture,
    dir: IndexDir,
}

impl Case {
    /// `None`, and a word why not, without a compiler.
    fn new(max_bytes: u64) -> Option<Self> {
        // What others of our group can write to would be untrusted.
        nix::sys::stat::umask(nix::sys::stat::Mode::from_bits_truncate(0o022));
        let fixture = Fixture::new();
        match &*PROGRAM {
            Ok((whole, stripped)) => {
                fixture.write("a", whole);
                fixture.write("stripped", stripped);
            }
            Err(words) => {
                testkit::skip(words);
                return None;
            }
        }
        let dir = IndexDir::new(fixture.path("indexes"), max_bytes);
        Some(Self { fixture, dir })
    }

    fn options(&self, tier: Tier) -> Options {
        Options::default()
            .with_index_dir(Some(self.dir.clone()))
            .with_tier(tier)
    }

    fn id(&self) -> BuildId {
        let index = BuiltIndex::of(self.input("a"), None, &Options::default());
        index
            .expect("an index")
            .index
            .build_id()
            .expect("a build ID")
    }

    fn input(&self, name: &str) -> ModuleInput {
        ModuleInput::open(&self.fixture.path(name)).expect("a regular file")
    }

    /// The index of this build ID that was built from files.
    fn kept_of(&self, id: &BuildId) -> std::path::PathBuf {
        let mut names = self.names().into_iter();
        let bound = names.find(|name| name.starts_with(&format!("{id}-")));
        self.dir.path.join(bound.expect("it was kept"))
    }

    /// The one index in the directory.
    fn kept(&self) -> std::path::PathBuf {
        let names = self.names();
        assert_eq!(names.len(), 1, "{names:?}");
        self.dir.path.join(&names[0])
    }

    /// What is in the directory.
    fn names(&self) -> Vec<String> {
        let Ok(entries) = std::fs::read_dir(&self.dir.path) else {
            return Vec::new();
        };
        let names = entries.map(|entry| entry.expect("an entry").file_name());
        let mut names: Vec<String> = names.filter_map(|name| name.into_string().ok()).collect();
        names.sort();
        names
    }
}

type Answers = Vec<Result<Frames, Reason>>;

fn answers(symbolizer: &Symbolizer, module: ModuleId) -> Answers {
    let requests: Vec<_> = (0x1000..0x6000)
        .step_by(4)
        .map(|addr| common::at(module, addr))
        .collect();
    symbolizer.symbolize(&requests)
}

fn answers_of(input: ModuleInput, options: Options) -> Answers {
    let symbolizer = Symbolizer::new(options);
    let module = symbolizer.add(input, None, None);
    answers(&symbolizer, module)
}

#[test]
fn an_index_that_was_built_is_found_again() {
    let Some(case) = Case::new(u64::MAX) else {
        return;
    };
    let want = answers_of(case.input("a"), Options::default());
    assert!(want.iter().flatten().count() > 500);
    assert_eq!(answers_of(case.input("a"), case.options(Tier::Flat)), want);
    let id = case.id();
    let name = case.kept().file_name().expect("a name").to_owned();
    let name = name.to_str().expect("text");
    // Of these files alone: 32 digits say which.
    assert!(name.starts_with(&format!("{id}-")) && name.len() == id.to_string().len() + 39);
    let symbolizer = Symbolizer::new(case.options(Tier::Auto));
    let module = symbolizer.add(case.input("a"), None, None);
    let one = symbolizer.symbolize(&[common::at(module, 0x1000)]);
    assert_eq!(one, want[..1]);
    assert_eq!(
        symbolizer.usage().indexed,
        1,
        "nobody would index it for one"
    );
    assert_ne!(
        answers_of(case.input("stripped"), case.options(Tier::Auto)),
        want
    );
    // Who keeps it by hand vouches for all files of its build ID.
    let index = SymbolIndex::open(&case.kept(), &Options::default()).expect("an index");
    case.dir.keep(&index).expect("kept");
    assert!(case.names().contains(&format!("{id}.index")));
    // By now neither its symbols nor its debug information are anywhere else.
    let stripped = case.input("stripped");
    assert_ne!(answers_of(stripped.clone(), Options::default()), want);
    assert_eq!(answers_of(stripped, case.options(Tier::Auto)), want);
    let by_id = ModuleInput::BuildId(id);
    assert_eq!(answers_of(by_id.clone(), case.options(Tier::Auto)), want);
    // Whoever asks for no index gets none.
    assert_ne!(answers_of(by_id, case.options(Tier::Lazy)), want);
}

#[test]
fn a_damaged_index_is_replaced() {
    let Some(case) = Case::new(u64::MAX) else {
        return;
    };
    let want = answers_of(case.input("a"), case.options(Tier::Flat));
    let path = case.kept();
    let whole = std::fs::read(&path).expect("written");
    for damaged in [&[][..], b"not an index", &whole[..whole.len() / 2]] {
        std::fs::write(&path, damaged).expect("written");
        let found = answers_of(case.input("a"), case.options(Tier::Flat));
        assert_eq!(found, want);
        assert!(std::fs::read(&path).expect("there") == whole);
    }
    // One of another module, under this one's name.
    case.fixture.write("b.cpp", "int main() { return 1; }");
    let args = ["-g", "-Wl,--build-id", "-o", "b", "b.cpp"];
    case.fixture.run("g++", &args).expect("compiled before");
    let other = BuiltIndex::of(case.input("b"), None, &Options::default());
    other
        .expect("an index")
        .index
        .write(&path)
        .expect("written");
    assert_eq!(answers_of(case.input("a"), case.options(Tier::Flat)), want);
    assert!(std::fs::read(&path).expect("there") == whole);
}

#[test]
fn incomplete_indexes_are_not_kept() {
    let Some(case) = Case::new(u64::MAX) else {
        return;
    };
    // Its debug file may be installed tomorrow.
    let found = answers_of(case.input("stripped"), case.options(Tier::Flat));
    assert_eq!(found.len(), 0x1400);
    assert_eq!(case.names(), [""; 0]);
    // Nothing to be found by.
    let nameless = ["-O2", "-g", "-Wl,--build-id=none", "-o", "c", "c.cpp"];
    case.fixture.write("c.cpp", "int main() { return 1; }");
    case.fixture.run("g++", &nameless).expect("compiled before");
    answers_of(case.input("c"), case.options(Tier::Flat));
    assert_eq!(case.names(), [""; 0]);
}

#[test]
fn unwritable_indexes_are_counted_and_addresses_answered() {
    let Some(mut case) = Case::new(u64::MAX) else {
        return;
    };
    let want = answers_of(case.input("a"), Options::default());
    case.fixture.write("taken", "a file");
    case.dir.path = case.fixture.path("taken");
    let too_small = IndexDir::new(case.fixture.path("small"), 100);
    for dir in [case.dir.clone(), too_small] {
        case.dir = dir;
        let symbolizer = Symbolizer::new(case.options(Tier::Flat));
        let module = symbolizer.add(case.input("a"), None, None);
        assert_eq!(answers(&symbolizer, module), want);
        assert_eq!(symbolizer.usage().not_written, 1);
    }
}

#[test]
fn the_indexes_that_were_not_used_for_longest_go() {
    let Some(mut case) = Case::new(u64::MAX) else {
        return;
    };
    let hour = Duration::from_secs(3600);
    let index = BuiltIndex::of(case.input("a"), None, &Options::default());
    let index = index.expect("an index").index;
    case.dir.keep(&index).expect("kept");
    let own = case.dir.path_of(case.id());
    let size = u64::try_from(index.file_size()).expect("64 bits");
    // As many others as large, used one, two and three hours ago; and others' files.
    let age = |path: &Path, age: Duration| {
        let file = std::fs::File::options().write(true).open(path);
        let at = SystemTime::now() - age;
        file.expect("open").set_modified(at).expect("its time set");
    };
    for n in 1..=3 {
        let path = case.dir.path.join(format!("0{n}.index"));
        testkit::copy(&own, &path).expect("copied");
        age(&path, hour * n);
    }
    let begun = b"\x89BSIX\r\n\n and more";
    for name in [
        ".02.index.1-0.part",
        ".03.index.1-0.part",
        ".04.index.1-0.part",
        "05.index.1-0.new",
    ] {
        std::fs::write(case.dir.path.join(name), begun).expect("written");
    }
    age(&case.dir.path.join(".03.index.1-0.part"), hour * 2);
    age(&case.dir.path.join("05.index.1-0.new"), hour * 2);
    std::fs::write(case.dir.path.join(".04.index.1-0.part"), "").expect("written");
    age(&case.dir.path.join(".04.index.1-0.part"), hour * 2);
    // Others' files, by name or by content, however old, and whatever they are.
    let others = [
        "05.index",
        ".06.index.1-0.part",
        ".a.index.1-0.part",
        "06.index.1-0.new",
        "a.index",
        "b.new",
        "lock",
        "notes.txt",
    ];
    for name in others {
        let path = case.dir.path.join(name);
        std::fs::write(&path, if name.len() < 8 { &begun[..] } else { b"x" }).expect("written");
        age(&path, hour * 9);
    }
    for (name, tool) in [("07.index", "mkfifo"), ("08.index", "mkdir")] {
        case.fixture.must(tool, &[&format!("indexes/{name}")]);
    }
    std::os::unix::fs::symlink("notes.txt", case.dir.path.join("09.index")).expect("ours");
    // Two tenths of one index are left over: nine tenths of the room are 1.98 indexes.
    case.dir.max_bytes = size * 22 / 10;
    assert_eq!(case.dir.make_room(), Ok(size));
    let own = own.file_name().expect("a name").to_str().expect("digits");
    let mut left = vec![
        ".02.index.1-0.part",
        own,
        "07.index",
        "08.index",
        "09.index",
    ];
    left.extend(others);
    left.sort_unstable();
    assert_eq!(case.names(), left);
    assert_eq!(case.dir.make_room(), Ok(size));
}

#[test]
fn use_keeps_an_index() {
    let Some(case) = Case::new(u64::MAX) else {
        return;
    };
    let want = answers_of(case.input("a"), case.options(Tier::Flat));
    let path = case.kept();
    let file = std::fs::File::options().write(true).open(&path);
    let long_ago = SystemTime::UNIX_EPOCH + Duration::from_secs(1);
    file.expect("open").set_modified(long_ago).expect("set");
    assert_eq!(answers_of(case.input("a"), case.options(Tier::Auto)), want);
    let used = std::fs::metadata(&path).and_then(|metadata| metadata.modified());
    assert!(used.expect("a time") > long_ago);
}

#[test]
fn many_may_write_and_make_room_at_once() {
    let Some(mut case) = Case::new(u64::MAX) else {
        return;
    };
    let want = answers_of(case.input("a"), Options::default());
    let index = BuiltIndex::of(case.input("a"), None, &Options::default());
    let size = u64::try_from(index.expect("an index").index.file_size()).expect("64 bits");
    // Room for one: whoever comes second may push it out.
    case.dir.max_bytes = size;
    let case = Arc::new(case);
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                for _ in 0..4 {
                    let found = answers_of(case.input("a"), case.options(Tier::Flat));
                    assert_eq!(found, want);
                }
            });
        }
    });
    let own = format!("{}-", case.id());
    let names = case.names();
    assert!(names.len() <= 1 && names.iter().all(|name| name.starts_with(&own)));
}

/// What stands in the way of a lock is not waited for, nor followed.
#[test]
fn nothing_in_the_directory_holds_anybody_up() {
    let Some(mut case) = Case::new(u64::MAX) else {
        return;
    };
    let want = answers_of(case.input("a"), case.options(Tier::Flat));
    let size = std::fs::metadata(case.kept()).expect("there").len();
    let target = case.fixture.path("target");
    for (tool, args) in [
        ("mkfifo", vec!["indexes/lock"]),
        ("ln", vec!["-s", "../target", "indexes/lock"]),
    ] {
        case.fixture.must(tool, &args);
        // Room for one of two.
        case.dir.max_bytes = size + size / 2;
        let index = SymbolIndex::open(&case.kept_of(&case.id()), &Options::default());
        case.dir.keep(&index.expect("an index")).expect("kept");
        let left = case.names();
        assert_eq!(left.len(), 2, "{left:?}");
        assert!(left.contains(&"lock".to_owned()) && !target.exists());
        std::fs::remove_file(case.dir.path.join("lock")).expect("ours");
        std::fs::remove_dir_all(&case.dir.path).expect("ours");
        assert_eq!(answers_of(case.input("a"), case.options(Tier::Flat)), want);
    }
}
