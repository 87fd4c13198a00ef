//! Files that are brought from elsewhere: proven, asked for once, and only when no
//! directory has them.

mod common;

use std::fs::File;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use backsight_symbolize::{
    Cause, Fetch, FetchError, Fetched, ModuleInput, Options, SoughtKind, Symbolizer, Tier, Wanted,
};
use backsight_types::{BuildId, Reason};
use common::{Fixture, at, find, symbol};

const SOURCE: &str = "volatile int sink;\n__attribute__((noinline)) void hidden(int x) { sink = x; }\n\
    int main(int argc, char **argv) { hidden(argc); return 0; }\n";

const ID: &str = "0123456789abcdef0123456789abcdef01234567";

/// Brings what it is told to, and notes what was wanted.
#[derive(Debug)]
struct Bring {
    module: Option<PathBuf>,
    debug_file: Option<PathBuf>,
    wanted: Mutex<Vec<(SoughtKind, String, Option<PathBuf>)>>,
}

impl Fetch for Bring {
    fn fetch(&self, wanted: &Wanted<'_>) -> Result<Option<Fetched>, FetchError> {
        let path = wanted.path.map(PathBuf::from);
        let noted = (wanted.kind, wanted.build_id.to_string(), path);
        self.wanted.lock().unwrap().push(noted);
        let path = match wanted.kind {
            SoughtKind::Module => self.module.as_ref(),
            _ => self.debug_file.as_ref(),
        };
        let Some(path) = path else {
            return Ok(None);
        };
        let file = File::open(path).expect("readable");
        Ok(Some(Fetched::new(file, "store:this")))
    }
}

fn fixture() -> Fixture {
    let fixture = Fixture::new();
    fixture.write("a.c", SOURCE);
    let id = format!("-Wl,--build-id=0x{ID}");
    fixture.must("cc", &["-g", "-O0", &id, "-o", "full", "a.c"]);
    fixture.must(
        "cc",
        &["-g", "-O0", "-Wl,--build-id=0xfeed", "-o", "other", "a.c"],
    );
    fixture.must("objcopy", &["--only-keep-debug", "full", "debug"]);
    fixture.must("strip", &["-o", "a", "full"]);
    fixture
}

fn bring(module: Option<PathBuf>, debug_file: Option<PathBuf>) -> Arc<Bring> {
    Arc::new(Bring {
        module,
        debug_file,
        wanted: Mutex::default(),
    })
}

fn options(fetchers: &[Arc<Bring>], tier: Tier) -> Options {
    let mut options = Options::default();
    options.debug_dirs.clear();
    options.tier = tier;
    for fetcher in fetchers {
        options.fetchers.push(fetcher.clone());
    }
    options
}

#[test]
fn a_debug_file_is_brought_and_proven() {
    let fixture = fixture();
    let (start, _) = symbol(&fixture.path("full"), "hidden");
    let path = fixture.path("a");
    for tier in [Tier::Lazy, Tier::Flat] {
        let liar = bring(None, Some(fixture.path("other")));
        let honest = bring(None, Some(fixture.path("debug")));
        let fetchers = [liar.clone(), honest.clone()];
        let symbolizer = Symbolizer::new(options(&fetchers, tier));
        let module = symbolizer.add(ModuleInput::open(&path).expect("a file"), None, None);
        for _ in 0..3 {
            let frames = find(&symbolizer, module, start).expect("named");
            let frame = frames.physical().expect("a frame");
            assert_eq!(
                (frame.function.as_deref(), frame.line),
                (Some("hidden"), Some(2))
            );
        }
        let asked = [(SoughtKind::DebugFile, ID.to_owned(), Some(path.clone()))];
        assert_eq!(*liar.wanted.lock().unwrap(), asked);
        assert_eq!(*honest.wanted.lock().unwrap(), asked);
        let sought = symbolizer.sought(module);
        let of_store = sought
            .iter()
            .filter(|it| it.path.as_os_str() == "store:this");
        let outcomes: Vec<_> = of_store
            .map(|it| it.outcome.clone().map_err(|error| error.cause().clone()))
            .collect();
        let [Err(Cause::OtherBuild { wanted, .. }), Ok(())] = &*outcomes else {
            panic!("{outcomes:?}");
        };
        assert_eq!(*wanted, format!("build ID {ID}"));
    }
}

#[test]
fn a_module_is_brought_by_its_build_id() {
    let fixture = fixture();
    let (start, _) = symbol(&fixture.path("full"), "hidden");
    let id: BuildId = ID.parse().expect("hexadecimal");
    let whole = bring(Some(fixture.path("full")), None);
    let symbolizer = Symbolizer::new(options(std::slice::from_ref(&whole), Tier::Auto));
    let module = symbolizer.add(ModuleInput::BuildId(id), None, None);
    let frames = find(&symbolizer, module, start).expect("named");
    assert_eq!(frames.physical().expect("a frame").line, Some(2));
    // Another's is refused.
    let other = bring(Some(fixture.path("other")), None);
    let symbolizer = Symbolizer::new(options(&[other], Tier::Auto));
    let module = symbolizer.add(ModuleInput::BuildId(id), None, None);
    assert_eq!(find(&symbolizer, module, start), Err(Reason::NoSymbols));
}

#[test]
fn files_of_a_directory_are_not_fetched() {
    let fixture = fixture();
    let debug = format!("dir/.build-id/{}/{}.debug", &ID[..2], &ID[2..]);
    fixture.write(
        &debug,
        std::fs::read(fixture.path("debug")).expect("readable"),
    );
    let never = bring(None, None);
    let mut options = options(std::slice::from_ref(&never), Tier::Auto);
    options.debug_dirs.push(fixture.path("dir"));
    let symbolizer = Symbolizer::new(options);
    let input = ModuleInput::open(&fixture.path("a")).expect("a file");
    let module = symbolizer.add(input, None, None);
    let (start, _) = symbol(&fixture.path("full"), "hidden");
    let answers = symbolizer.symbolize(&[at(module, start)]);
    assert!(answers[0].is_ok());
    assert!(never.wanted.lock().unwrap().is_empty());
}
