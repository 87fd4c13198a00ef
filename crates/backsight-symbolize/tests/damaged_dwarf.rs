//! Each section of debug information, damaged in turn: the answers are those of the sound
//! file, or it is told that the file is damaged.
//!
//! What nobody can notice is not tried: a text that became another text, a number that
//! became another number that may stand there (an address, all of whose bits are set, is
//! that of a function the linker dropped), an opcode that became another opcode. Zeros in
//! the middle of a section are such numbers: in `.debug_ranges` and behind the header of
//! `.debug_rnglists` they end a list early, in `.debug_str` they are empty texts.

mod common;

use std::path::Path;

use backsight_symbolize::{BuiltIndex, ModuleInput, Options, ShortfallKind, Tier};
use common::{Fixture, at, symbol, symbolizer_with};
use object::{Object as _, ObjectSection as _};

const SOURCE: &str = r#"
namespace shop {
static volatile int sink;
struct Till {
    int all;
    inline __attribute__((always_inline)) int add(int x) {
        for (int i = 0; i < x; i++) { if (x > 3) sink = i; all += x; }
        return all;
    }
};
static inline __attribute__((always_inline)) int folded(int x) {
    Till till{x};
    sink = x + 7;
    return till.add(x) + sink;
}
}
extern "C" __attribute__((noinline)) int first(int x) {
    int sum = shop::folded(x) * 3;
    if (x > 100) __builtin_abort();
    return sum + shop::folded(sum);
}
namespace shop { static __attribute__((noinline)) int local(int x) { sink = x; return x + sink; } }
int main(int argc, char **argv) { return first(argc) + shop::local(argc); }
"#;

/// Compilers and what they are told: every version, and the ways of laying sections out.
const WAYS: [(&str, &[&str]); 8] = [
    ("g++", &["-gdwarf-2", "-gstrict-dwarf"]),
    ("g++", &["-gdwarf-3"]),
    ("g++", &["-gdwarf-4"]),
    ("g++", &["-gdwarf-5"]),
    ("g++", &["-gdwarf-5", "-gz"]),
    ("g++", &["-gdwarf-5", "-gsplit-dwarf"]),
    ("clang++", &["-gdwarf-4"]),
    ("clang++", &["-gdwarf-5"]),
];

const SECTIONS: [&str; 10] = [
    ".debug_info",
    ".debug_abbrev",
    ".debug_str",
    ".debug_line_str",
    ".debug_str_offsets",
    ".debug_rnglists",
    ".debug_ranges",
    ".debug_addr",
    ".debug_line",
    ".debug_aranges",
];

/// What is done to a section from some place on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Damage {
    /// All bytes become ones.
    Ones,
    /// Its header says that it ends there.
    Cut,
}

/// Returns the answers at all these places, and whether damage is told, by each tier; and
/// whether it is told when an index is built.
fn asked(path: &Path, places: &[u64]) -> ([(Vec<String>, bool); 2], bool) {
    let mut options = Options::default();
    options.debug_dirs.clear();
    let of_tier = |tier| {
        let mut options = options.clone();
        options.tier = tier;
        let (symbolizer, module) = symbolizer_with(options, path);
        let requests: Vec<_> = places.iter().map(|place| at(module, *place)).collect();
        let answers = symbolizer.symbolize(&requests);
        let answers = answers.iter().map(|answer| format!("{answer:?}"));
        (answers.collect(), !symbolizer.shortfalls(module).is_empty())
    };
    let input = ModuleInput::open(path).expect("a file");
    let built = BuiltIndex::of(input, None, &options).expect("an index");
    let told = built.shortfalls.iter();
    let told = told.filter(|it| it.kind == ShortfallKind::Damaged).count() > 0;
    ([Tier::Lazy, Tier::Flat].map(of_tier), told)
}

/// Where a section's header stands in a file of 64 bits.
fn header_of(bytes: &[u8], index: usize) -> usize {
    let headers = bytes[40..48].try_into().expect("eight bytes");
    usize::try_from(u64::from_le_bytes(headers)).expect("a small file") + index * 64
}

fn damaged(sound: &[u8], name: &str, from: usize, damage: Damage) -> Option<Vec<u8>> {
    let file = object::File::parse(sound).expect("an object file");
    let section = file.section_by_name(name)?;
    let (begin, size) = section.file_range().expect("it has bytes");
    let [begin, size] = [begin, size].map(|it| usize::try_from(it).expect("small"));
    let kept = size * from / 4;
    let mut bytes = sound.to_vec();
    match damage {
        Damage::Ones => bytes[begin + kept..begin + size].fill(0xff),
        Damage::Cut => {
            let at = header_of(sound, section.index().0) + 32;
            bytes[at..at + 8].copy_from_slice(&u64::try_from(kept).expect("small").to_le_bytes());
        }
    }
    Some(bytes)
}

/// Whether nobody can notice it.
fn is_hidden(name: &str, from: usize, damage: Damage) -> bool {
    match damage {
        Damage::Ones => name == ".debug_addr",
        // Then the file has no debug information.
        Damage::Cut => name == ".debug_info" && from == 0,
    }
}

#[test]
fn damage_of_any_section_is_told_or_does_not_matter() {
    let mut silent = Vec::new();
    let (mut tried, mut told_of) = (0, std::collections::BTreeMap::<_, usize>::new());
    for (compiler, flags) in WAYS {
        let fixture = Fixture::new();
        fixture.write("a.cpp", SOURCE);
        let args = [&["-O2", "-ffunction-sections", "-c", "a.cpp"], flags].concat();
        if fixture.run(compiler, &args).is_err() && compiler == "clang++" {
            continue;
        }
        fixture.must("g++", &["-o", "a", "a.o"]);
        let path = fixture.path("a");
        let places: Vec<u64> = ["first", "main"]
            .into_iter()
            .flat_map(|name| {
                let (start, size) = symbol(&path, name);
                start..start + size
            })
            .collect();
        let sound = std::fs::read(&path).expect("ours");
        let (want, told) = asked(&path, &places);
        assert_eq!(
            [want[0].1, want[1].1, told],
            [false; 3],
            "{compiler} {flags:?}: sound"
        );
        let damages = [Damage::Ones, Damage::Cut];
        for name in SECTIONS {
            for (damage, from) in damages
                .into_iter()
                .flat_map(|it| (0..4).map(move |n| (it, n)))
            {
                let bytes = damaged(&sound, name, from, damage);
                let Some(bytes) = bytes.filter(|_| !is_hidden(name, from, damage)) else {
                    continue;
                };
                std::fs::write(&path, bytes).expect("ours");
                let (got, told) = asked(&path, &places);
                let what = format!("{compiler} {flags:?}: {name} {damage:?} from {from}/4 on");
                for (tier, (got, want)) in got.iter().zip(&want).enumerate() {
                    if !got.1 && got.0 != want.0 {
                        silent.push(format!("{what}, in tier {tier}"));
                    }
                }
                if !told && got[1].0 != want[1].0 {
                    silent.push(format!("{what}, when indexed"));
                }
                tried += 1;
                *told_of.entry(name).or_default() += usize::from(got[0].1 && got[1].1);
            }
        }
    }
    assert!(silent.is_empty(), "{silent:#?}");
    assert!(tried > 200, "{tried}");
    for name in [
        ".debug_info",
        ".debug_abbrev",
        ".debug_str",
        ".debug_rnglists",
        ".debug_line",
    ] {
        assert!(
            told_of.get(name).is_some_and(|count| *count > 3),
            "{name}: {told_of:?}"
        );
    }
}

/// The headers of the tables of DWARF 5, before the place that a unit's base names.
#[test]
fn a_table_whose_header_is_none_is_told() {
    const SIZES: [(&str, usize); 3] = [
        (".debug_rnglists", 12),
        (".debug_addr", 8),
        (".debug_str_offsets", 8),
    ];
    let fixture = Fixture::new();
    fixture.write("a.cpp", SOURCE);
    let args = [
        "-gdwarf-5",
        "-O2",
        "-ffunction-sections",
        "-o",
        "a",
        "a.cpp",
    ];
    if fixture.run("clang++", &args).is_err() {
        return testkit::skip("no clang++");
    }
    let path = fixture.path("a");
    let (start, size) = symbol(&path, "first");
    let places: Vec<u64> = (start..start + size).collect();
    let sound = std::fs::read(&path).expect("ours");
    let told = |bytes: Vec<u8>| {
        std::fs::write(&path, bytes).expect("ours");
        let ([lazy, flat], indexed) = asked(&path, &places);
        [lazy.1, flat.1, indexed]
    };
    assert_eq!(told(sound.clone()), [false; 3], "sound");
    let file = object::File::parse(&*sound).expect("an object file");
    for (name, size) in SIZES {
        let section = file.section_by_name(name).expect("clang writes it");
        let (begin, _) = section.file_range().expect("it has bytes");
        let begin = usize::try_from(begin).expect("small");
        for (what, at, value) in [
            ("no length", 0..4, 0),
            ("behind the section", 3..4, 0x7f),
            ("another version", 4..5, 4),
            ("nothing", 0..size, 0),
        ] {
            let mut bytes = sound.clone();
            bytes[begin + at.start..begin + at.end].fill(value);
            assert_eq!(told(bytes), [true; 3], "{name}: {what}");
        }
    }
}

/// An extended opcode says how long it is: a byte more or less than its operands have.
#[test]
fn an_opcode_whose_length_does_not_fit_is_told() {
    let fixture = Fixture::new();
    fixture.write("a.cpp", SOURCE);
    // Nothing else's lines stand before ours.
    fixture.must("g++", &["-gdwarf-5", "-O2", "-c", "a.cpp"]);
    fixture.must("g++", &["-o", "a", "a.o"]);
    let path = fixture.path("a");
    let (start, _) = symbol(&path, "first");
    let sound = std::fs::read(&path).expect("ours");
    let file = object::File::parse(&*sound).expect("an object file");
    let section = file.section_by_name(".debug_line").expect("it has one");
    let (begin, size) = section.file_range().expect("it has bytes");
    let [begin, size] = [begin, size].map(|it| usize::try_from(it).expect("small"));
    let lines = &sound[begin..begin + size];
    let set_address = lines.windows(3).position(|it| it == [0, 9, 2]);
    let set_address = set_address.expect("addresses have eight bytes");
    assert!(!asked(&path, &[start]).1, "sound");
    for length in [8, 10] {
        let mut bytes = sound.clone();
        bytes[begin + set_address + 1] = length;
        std::fs::write(&path, bytes).expect("ours");
        let ([lazy, flat], indexed) = asked(&path, &[start]);
        assert_eq!([lazy.1, flat.1, indexed], [true; 3], "{length}");
    }
}
