//! Debug information that is damaged, or is in a file that is gone, is told.

mod common;

use std::path::Path;

use backsight_symbolize::{
    BuiltIndex, IndexDir, ModuleInput, Options, Shortfall, ShortfallKind, Symbolizer, Tier,
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
    let input = ModuleInput::open(path).expect("a file");
    let built = BuiltIndex::of(input, None, &options).expect("an index");
    [of_tier(Tier::Lazy), of_tier(Tier::Flat), built.shortfalls]
}

#[test]
fn sound_files_have_no_shortfall() {
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
    let module = symbolizer.add(ModuleInput::open(&path).expect("a file"), None, None);
    assert_eq!(symbolizer.shortfalls(module), []);
}

/// A file that is there and does not count is told, and not the program that names it.
#[test]
fn a_split_unit_that_is_damaged_is_told_under_its_own_name() {
    let fixture = Fixture::new();
    fixture.write("a.c", SOURCE);
    for version in ["-gdwarf-4", "-gdwarf-5"] {
        let args = [version, "-gsplit-dwarf", "-O1", "-c", "a.c"];
        fixture.must("cc", &[&args[..], &["-DOTHER", "-O0"]].concat());
        let other = std::fs::read(fixture.path("a.dwo")).expect("the compiler wrote it");
        fixture.must("cc", &args);
        fixture.must("cc", &["-o", "a", "a.o"]);
        let (path, split) = (fixture.path("a"), fixture.path("a.dwo"));
        let none: [Vec<Shortfall>; 3] = Default::default();
        assert_eq!(shortfalls(&path), none);
        let sound = std::fs::read(&split).expect("the compiler wrote it");
        let file = object::File::parse(&*sound).expect("an object file");
        let ones = |name, part| {
            let section = file.section_by_name(name).expect("compilers write it");
            let (begin, size) = section.file_range().expect("it has bytes");
            let [begin, size] = [begin, size].map(|it| usize::try_from(it).expect("small"));
            let mut bytes = sound.clone();
            bytes[begin + size * part / 4..begin + size].fill(0xff);
            bytes
        };
        let cases = [
            ("empty", Vec::new(), ShortfallKind::Refused),
            ("zeros", vec![0; sound.len()], ShortfallKind::Refused),
            (
                "half of it",
                sound[..sound.len() / 2].to_vec(),
                ShortfallKind::Refused,
            ),
            ("another's", other, ShortfallKind::Refused),
            (
                "no unit",
                ones(".debug_info.dwo", 0),
                ShortfallKind::Refused,
            ),
            (
                "half a unit",
                ones(".debug_info.dwo", 2),
                ShortfallKind::Damaged,
            ),
            (
                "no more shapes",
                ones(".debug_abbrev.dwo", 2),
                ShortfallKind::Damaged,
            ),
        ];
        for (what, bytes, kind) in cases {
            std::fs::write(&split, bytes).expect("ours");
            let got = shortfalls(&path);
            let want = vec![Shortfall::new(Some(split.clone()), kind)];
            assert_eq!(got, [want.clone(), want.clone(), want], "{version}: {what}");
        }
    }
}

#[test]
fn a_damaged_supplementary_file_is_told_under_its_own_name() {
    let fixture = Fixture::new();
    fixture.write("a.c", SOURCE);
    for name in ["a", "b"] {
        let more = format!("-DNAME={name}");
        fixture.must("cc", &["-g", &more, "-O1", "-o", name, "a.c"]);
    }
    let dwz = ["-m", "common", "a", "b"];
    if fixture.run("dwz", &dwz).is_err() || !fixture.path("common").exists() {
        return testkit::skip("no dwz, or it finds nothing in common");
    }
    let (path, common) = (fixture.path("a"), fixture.path("common"));
    let sound = std::fs::read(&common).expect("made");
    assert_eq!(shortfalls(&path), <[Vec<Shortfall>; 3]>::default());
    for kept in [sound.len() / 2, sound.len() - 1, 0] {
        std::fs::write(&common, &sound[..kept]).expect("ours");
        let want = vec![Shortfall::new(Some(common.clone()), ShortfallKind::Refused)];
        let got = shortfalls(&path);
        assert_eq!(got, [want.clone(), want.clone(), want], "{kept}");
    }
}

/// An index of damaged debug information is not kept: whoever reads it later would be told
/// nothing.
#[test]
fn damage_is_told_again_by_the_next_lookup() {
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
