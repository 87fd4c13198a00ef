//! Indexes kept in a directory: found again, made room for, shared.

mod common;

use std::path::Path;
use std::sync::{Arc, LazyLock};
use std::time::{Duration, SystemTime};

use backsight_symbolize::{
    Frames, IndexDir, ModuleId, Options, Source, SymbolIndex, Symbolizer, Tier,
};
use backsight_types::{BuildId, Reason};
use common::Fixture;

/// A program, and the same but stripped.
type Pair = (Vec<u8>, Vec<u8>);

/// Compiled once for all tests.
static PROGRAM: LazyLock<Result<Pair, String>> = LazyLock::new(|| {
    let fixture = Fixture::new();
    fixture.write("a.cpp", include_str!("differential/words.cpp"));
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
        let dir = IndexDir {
            path: fixture.path("indexes"),
            max_bytes,
        };
        Some(Self { fixture, dir })
    }

    fn options(&self, tier: Tier) -> Options {
        Options {
            index_dir: Some(self.dir.clone()),
            tier,
            ..Options::default()
        }
    }

    fn id(&self) -> BuildId {
        let index = SymbolIndex::build(self.source("a"), None, &Options::default());
        index.expect("an index").build_id().expect("a build ID")
    }

    fn source(&self, name: &str) -> Source {
        Source::open(&self.fixture.path(name)).expect("a regular file")
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

fn answers_of(source: Source, options: Options) -> Answers {
    let symbolizer = Symbolizer::new(options);
    let module = symbolizer.add(source, None, None);
    answers(&symbolizer, module)
}

#[test]
fn an_index_that_was_built_is_found_again() {
    let Some(case) = Case::new(u64::MAX) else {
        return;
    };
    let want = answers_of(case.source("a"), Options::default());
    assert!(want.iter().flatten().count() > 500);
    assert_eq!(answers_of(case.source("a"), case.options(Tier::Flat)), want);
    let id = case.id();
    assert_eq!(case.names(), [format!("{id}.index")]);
    // By now neither its symbols nor its debug information are anywhere else.
    let stripped = case.source("stripped");
    assert_ne!(answers_of(stripped.clone(), Options::default()), want);
    assert_eq!(answers_of(stripped, case.options(Tier::Auto)), want);
    let by_id = Source::BuildId(id);
    assert_eq!(answers_of(by_id.clone(), case.options(Tier::Auto)), want);
    // Whoever asks for no index gets none.
    assert_ne!(answers_of(by_id, case.options(Tier::Lazy)), want);
}

#[test]
fn a_damaged_index_is_replaced() {
    let Some(case) = Case::new(u64::MAX) else {
        return;
    };
    let want = answers_of(case.source("a"), case.options(Tier::Flat));
    let path = case.dir.path_of(case.id());
    let whole = std::fs::read(&path).expect("written");
    for damaged in [&[][..], b"not an index", &whole[..whole.len() / 2]] {
        std::fs::write(&path, damaged).expect("written");
        let found = answers_of(case.source("a"), case.options(Tier::Flat));
        assert_eq!(found, want);
        assert!(std::fs::read(&path).expect("there") == whole);
    }
    // One of another module, under this one's name.
    case.fixture.write("b.cpp", "int main() { return 1; }");
    let args = ["-g", "-Wl,--build-id", "-o", "b", "b.cpp"];
    case.fixture.run("g++", &args).expect("compiled before");
    let other = SymbolIndex::build(case.source("b"), None, &Options::default());
    other.expect("an index").write(&path).expect("written");
    assert_eq!(answers_of(case.source("a"), case.options(Tier::Flat)), want);
    assert!(std::fs::read(&path).expect("there") == whole);
}

#[test]
fn what_may_be_said_better_later_is_not_kept() {
    let Some(case) = Case::new(u64::MAX) else {
        return;
    };
    // Its debug file may be installed tomorrow.
    let found = answers_of(case.source("stripped"), case.options(Tier::Flat));
    assert_eq!(found.len(), 0x1400);
    assert_eq!(case.names(), [""; 0]);
    // Nothing to be found by.
    let nameless = ["-O2", "-g", "-Wl,--build-id=none", "-o", "c", "c.cpp"];
    case.fixture.write("c.cpp", "int main() { return 1; }");
    case.fixture.run("g++", &nameless).expect("compiled before");
    answers_of(case.source("c"), case.options(Tier::Flat));
    assert_eq!(case.names(), [""; 0]);
}

#[test]
fn what_cannot_be_written_is_counted_and_answered_all_the_same() {
    let Some(mut case) = Case::new(u64::MAX) else {
        return;
    };
    let want = answers_of(case.source("a"), Options::default());
    case.fixture.write("taken", "a file");
    case.dir.path = case.fixture.path("taken");
    let too_small = IndexDir {
        path: case.fixture.path("small"),
        max_bytes: 100,
    };
    for dir in [case.dir.clone(), too_small] {
        case.dir = dir;
        let symbolizer = Symbolizer::new(case.options(Tier::Flat));
        let module = symbolizer.add(case.source("a"), None, None);
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
    let index = SymbolIndex::build(case.source("a"), None, &Options::default());
    let index = index.expect("an index");
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
        std::fs::copy(&own, &path).expect("copied");
        age(&path, hour * n);
    }
    for name in ["notes.txt", "02.index.1-0.new", "03.index.1-0.new"] {
        std::fs::write(case.dir.path.join(name), "x").expect("written");
    }
    age(&case.dir.path.join("03.index.1-0.new"), hour * 2);
    // Two tenths of one index are left over: nine tenths of the room are 1.98 indexes.
    case.dir.max_bytes = size * 22 / 10;
    assert_eq!(case.dir.make_room(), Ok(size));
    let own = own.file_name().expect("a name").to_str().expect("digits");
    let left = ["02.index.1-0.new", own, "lock", "notes.txt"];
    assert_eq!(case.names(), left);
    assert_eq!(case.dir.make_room(), Ok(size));
}

#[test]
fn use_keeps_an_index() {
    let Some(case) = Case::new(u64::MAX) else {
        return;
    };
    let want = answers_of(case.source("a"), case.options(Tier::Flat));
    let path = case.dir.path_of(case.id());
    let file = std::fs::File::options().write(true).open(&path);
    let long_ago = SystemTime::UNIX_EPOCH + Duration::from_secs(1);
    file.expect("open").set_modified(long_ago).expect("set");
    assert_eq!(answers_of(case.source("a"), case.options(Tier::Auto)), want);
    let used = std::fs::metadata(&path).and_then(|metadata| metadata.modified());
    assert!(used.expect("a time") > long_ago);
}

#[test]
fn many_may_write_and_make_room_at_once() {
    let Some(mut case) = Case::new(u64::MAX) else {
        return;
    };
    let want = answers_of(case.source("a"), Options::default());
    let index = SymbolIndex::build(case.source("a"), None, &Options::default());
    let size = u64::try_from(index.expect("an index").file_size()).expect("64 bits");
    // Room for one: whoever comes second may push it out.
    case.dir.max_bytes = size;
    let case = Arc::new(case);
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                for _ in 0..4 {
                    let found = answers_of(case.source("a"), case.options(Tier::Flat));
                    assert_eq!(found, want);
                }
            });
        }
    });
    let own = format!("{}.index", case.id());
    let names = case.names();
    assert!(
        names.iter().all(|name| *name == own || name == "lock"),
        "{names:?}"
    );
}
