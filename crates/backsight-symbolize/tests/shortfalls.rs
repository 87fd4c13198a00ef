//! Debug information that is damaged, or is in a file that is gone, is told.

mod common;

use std::path::Path;

use backsight_symbolize::{
    BuiltIndex, IndexDir, Options, Shortfall, ShortfallKind, Source, Symbolizer, Tier,
};
use common::{Fixture, at, symbol, symbolizer_with};
use object::{Object as _, ObjectSection as _};

const SOURCE: &str = r#"
static volatile int sink;
static inline __attribute__((always_inline)) int folded(int x) { sink = x; return x + 1; }
__attribute__((noinline)) int first(int x) { return folded(x) * 3; }
int main(int argc, char **argv) { return first(argc); }
"#;

/// Returns what answers at all code of `first` lack, lazily and from an index.
fn shortfalls(path: &Path) -> [Vec<Shortfall>; 3] {
    let (start, size) = symbol(path, "first");
    let of_tier = |tier| {
        let mut options = Options::default();
        options.debug_dirs.clear();
        options.tier = tier;
        let (symbolizer, module) = symbolizer_with(options, path);
        let requests: Vec<_> = (start..start + size)
            .map(|place| at(module, place))
            .collect();
        let answers = symbolizer.symbolize(&requests);
        assert!(
            answers.iter().all(Result::is_ok),
            "the symbol table names it"
        );
        symbolizer.shortfalls(module)
    };
    let mut options = Options::default();
    options.debug_dirs.clear();
    let source = Source::open(path).expect("a file");
    let built = BuiltIndex::of(source, None, &options).expect("an index");
    [of_tier(Tier::Lazy), of_tier(Tier::Flat), built.shortfalls]
}

#[test]
fn what_is_sound_lacks_nothing() {
    for flags in [&["-gdwarf-5"][..], &["-gdwarf-4", "-gz"], &["-g0"]] {
        let fixture = Fixture::new();
        fixture.write("a.c", SOURCE);
        let args = [&["-O1", "-o", "a", "a.c"], flags].concat();
        fixture.must("cc", &args);
        let none: [Vec<Shortfall>; 3] = Default::default();
        assert_eq!(shortfalls(&fixture.path("a")), none, "{flags:?}");
    }
}

#[test]
fn a_damaged_section_is_told() {
    for name in [".debug_info", ".debug_abbrev"] {
        for part in [0, 2] {
            let fixture = Fixture::new();
            fixture.write("a.c", SOURCE);
            // Nothing else's units stand before ours.
            fixture.must("cc", &["-gdwarf-5", "-O1", "-o", "a", "a.c"]);
            let path = fixture.path("a");
            let mut bytes = std::fs::read(&path).expect("ours");
            let file = object::File::parse(&*bytes).expect("an object file");
            let section = file.section_by_name(name).expect("compilers write it");
            let (begin, size) = section.file_range().expect("it has bytes");
            let [begin, size] = [begin, size].map(|it| usize::try_from(it).expect("small"));
            let middle = begin + size * part / 4;
            bytes[middle..begin + size].fill(0xff);
            std::fs::write(&path, bytes).expect("ours");
            let want = vec![Shortfall::new(Some(path.clone()), ShortfallKind::Damaged)];
            let got = shortfalls(&path);
            assert_eq!(
                got,
                [want.clone(), want.clone(), want],
                "{name} from {part}/4 on"
            );
        }
    }
}

#[test]
fn a_split_unit_that_is_gone_is_told() {
    let fixture = Fixture::new();
    fixture.write("a.c", SOURCE);
    fixture.must("cc", &["-g", "-gsplit-dwarf", "-O1", "-c", "a.c"]);
    fixture.must("cc", &["-o", "a", "a.o"]);
    let path = fixture.path("a");
    let none: [Vec<Shortfall>; 3] = Default::default();
    assert_eq!(shortfalls(&path), none);
    std::fs::remove_file(fixture.path("a.dwo")).expect("the compiler wrote it");
    let want = vec![Shortfall::new(Some(path.clone()), ShortfallKind::Missing)];
    assert_eq!(shortfalls(&path), [want.clone(), want.clone(), want]);
    // Nobody has asked yet.
    let symbolizer = Symbolizer::new(Options::default());
    let module = symbolizer.add(Source::open(&path).expect("a file"), None, None);
    assert_eq!(symbolizer.shortfalls(module), []);
}

/// An index of damaged debug information is not kept: whoever reads it later would be told
/// nothing.
#[test]
fn what_is_damaged_is_told_by_the_next_as_well() {
    let fixture = Fixture::new();
    fixture.write("a.c", SOURCE);
    fixture.must(
        "cc",
        &["-gdwarf-5", "-O1", "-Wl,--build-id", "-o", "a", "a.c"],
    );
    let path = fixture.path("a");
    let (start, _) = symbol(&path, "first");
    let ask = |name: &str| {
        let mut options = Options::default();
        options.debug_dirs.clear();
        options.tier = Tier::Flat;
        options.index_dir = Some(IndexDir::new(fixture.path(name), 1 << 30));
        let (symbolizer, module) = symbolizer_with(options, &path);
        assert!(symbolizer.symbolize(&[at(module, start)])[0].is_ok());
        assert_eq!(symbolizer.index_errors(), []);
        let kept = std::fs::read_dir(fixture.path(name)).map_or(0, Iterator::count);
        (symbolizer.shortfalls(module).len(), kept)
    };
    assert_eq!([ask("sound"), ask("sound")], [(0, 1), (0, 1)]);
    let mut bytes = std::fs::read(&path).expect("ours");
    let file = object::File::parse(&*bytes).expect("an object file");
    let section = file.section_by_name(".debug_info").expect("it has one");
    let (begin, size) = section.file_range().expect("it has bytes");
    let [begin, size] = [begin, size].map(|it| usize::try_from(it).expect("small"));
    bytes[begin..begin + size].fill(0xff);
    std::fs::write(&path, bytes).expect("ours");
    assert_eq!([ask("damaged"), ask("damaged")], [(1, 0), (1, 0)]);
}
