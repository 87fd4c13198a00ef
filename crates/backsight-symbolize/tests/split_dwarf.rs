//! Functions in `.dwo` files and in packages of them (`.dwp`): where these are looked
//! for, and what is said without them. That the answers are right,
//! `differential/main.rs` holds.

mod common;

use std::path::Path;
use std::sync::Arc;

use backsight_symbolize::{ModuleInput, Options, Symbolizer, Tier};
use common::{Fixture, brief, find, symbol};
use object::{Object as _, ObjectSection as _};

const SOURCE: &str = r#"
volatile int sink;
static inline __attribute__((always_inline)) void deep(int x) {
    sink = x;
}
__attribute__((noinline)) void outer(int x) {
    deep(x + 1);
    sink = 2;
}
int main(void) {
    outer(1);
    return 0;
}
"#;

/// Behind the rest, for type units. Without `-fdebug-types-section`, llvm-dwp 14 does not
/// come to an end over it.
const TYPE: &str = "struct type {\n    int of, its, own;\n} typed;\n";

/// With its functions, and without.
const WHOLE: &str = "~deep@4 outer@7";
const SKELETON: &str = "outer@4";

/// `bin/a`, whose functions are in `src/a.dwo`.
fn split(flags: &[&str]) -> Result<Fixture, String> {
    let fixture = Fixture::new();
    let has_types = flags.contains(&"-fdebug-types-section");
    let types = if has_types { TYPE } else { "" };
    fixture.write("src/a.c", format!("{SOURCE}{types}"));
    fixture.write("bin/a", "");
    let fixed = ["-O2", "-gsplit-dwarf", "-ffreestanding", "-c", "a.c"];
    let compile = [&["-C", "src", "cc"][..], &fixed, flags].concat();
    fixture.run("env", &compile)?;
    let bits = flags.iter().filter(|flag| **flag == "-m32");
    let link = ["-nostdlib", "-static", "-Wl,-e,main", "-o", "bin/a"];
    let link = link.into_iter().chain(bits.copied()).chain(["src/a.o"]);
    fixture.run("cc", &link.collect::<Vec<_>>())?;
    Ok(fixture)
}

impl Fixture {
    fn ask(&self) -> String {
        let mut options = Options::default();
        options.debug_dirs.clear();
        self.ask_with(options)
    }

    fn ask_with(&self, options: Options) -> String {
        let input = ModuleInput::open(&self.path("bin/a")).expect("a file");
        self.ask_input(options, input)
    }

    /// Says the first answer with the line of `deep` that is in `outer`, by whichever
    /// tier.
    fn ask_input(&self, options: Options, input: ModuleInput) -> String {
        let flat = options.clone().with_tier(Tier::Flat);
        let said = self.ask_tier(options, input.clone());
        assert_eq!(self.ask_tier(flat, input), said, "indexed as a whole");
        said
    }

    fn ask_tier(&self, options: Options, input: ModuleInput) -> String {
        let symbolizer = Symbolizer::new(options);
        let module = symbolizer.add(input, None, None);
        let (start, size) = symbol(&self.path("bin/a"), "outer");
        let all = (start..start + size).map(|addr| find(&symbolizer, module, addr));
        let found = all.map(|found| brief(&found));
        let mut at_line = found.filter(|found| found.contains("@4"));
        at_line.next().unwrap_or_else(|| "line 4 is nowhere".into())
    }

    fn moves(&self, from: &str, to: &str) {
        let to = self.path(to);
        std::fs::create_dir_all(to.parent().expect("a folder")).expect("ours");
        std::fs::rename(self.path(from), to).expect("there");
    }
}

const VERSIONS: [&str; 2] = ["-gdwarf-4", "-gdwarf-5"];

#[test]
fn the_split_unit_is_looked_for_where_it_was_made_and_beside_the_module() {
    for version in VERSIONS {
        for more in ["-m64", "-m32"] {
            let fixture = match split(&[version, more]) {
                Ok(fixture) => fixture,
                Err(words) => {
                    testkit::skip(&words);
                    continue;
                }
            };
            assert_eq!(fixture.ask(), WHOLE, "{version} {more}");
            fixture.moves("src/a.dwo", "bin/a.dwo");
            assert_eq!(fixture.ask(), WHOLE, "moved, {version} {more}");
            fixture.moves("bin/a.dwo", "elsewhere/a.dwo");
            assert_eq!(fixture.ask(), SKELETON, "gone, {version} {more}");
        }
    }
}

#[test]
fn a_package_stands_beside_the_module_or_in_a_debug_directory() {
    for version in VERSIONS {
        let fixture = split(&[version]).expect("cc works");
        if let Err(words) = fixture.run("llvm-dwp", &["src/a.dwo", "-o", "bin/a.dwp"]) {
            return testkit::skip(&words);
        }
        std::fs::remove_file(fixture.path("src/a.dwo")).expect("there");
        assert_eq!(fixture.ask(), WHOLE, "{version}");
        let folder = fixture.path("bin").canonicalize().expect("there");
        let folder = folder.strip_prefix("/").expect("absolute");
        fixture.moves("bin/a.dwp", &format!("debug/{}/a.dwp", folder.display()));
        assert_eq!(fixture.ask(), SKELETON, "{version}");
        let debug_dirs = vec![fixture.path("debug")];
        let options = Options::default().with_debug_dirs(debug_dirs);
        assert_eq!(fixture.ask_with(options), WHOLE, "{version}");
    }
}

#[test]
fn the_module_s_and_the_debug_file_s_folder_both_count() {
    for version in VERSIONS {
        let fixture = split(&[version]).expect("cc works");
        fixture.must("objcopy", &["--only-keep-debug", "bin/a", "bin/a.debug"]);
        let link = ["--strip-debug", "--add-gnu-debuglink=bin/a.debug", "bin/a"];
        fixture.must("objcopy", &link);
        fixture.moves("bin/a.debug", "bin/.debug/a.debug");
        assert_eq!(fixture.ask(), WHOLE, "{version}");
        for place in ["bin/a.dwo", "bin/.debug/a.dwo"] {
            fixture.moves("src/a.dwo", place);
            assert_eq!(fixture.ask(), WHOLE, "{place} {version}");
            fixture.moves(place, "src/a.dwo");
        }
    }
}

#[test]
fn inside_a_root_the_root_goes_first() {
    let fixture = split(&["-gdwarf-5"]).expect("cc works");
    let dir = fixture.path("src").canonicalize().expect("there");
    let inside = format!("root/{}/a.dwo", dir.display());
    fixture.moves("src/a.dwo", &inside);
    assert_eq!(fixture.ask(), SKELETON);
    let options = || {
        Options::default()
            .with_roots(vec![fixture.path("root")])
            .with_debug_dirs(Vec::new())
    };
    let file = std::fs::File::open(fixture.path("bin/a")).expect("a file");
    let file = Arc::new(file);
    let known = Some("/usr/bin/a".into());
    for path in [known, None] {
        let file = Arc::clone(&file);
        let input = ModuleInput::File { file, path };
        assert_eq!(fixture.ask_input(options(), input), WHOLE);
    }
    fixture.moves(&inside, "src/a.dwo");
    let input = ModuleInput::File { file, path: None };
    assert_eq!(fixture.ask_input(options(), input), WHOLE, "the host's");
}

#[test]
fn wrong_split_units_are_passed_over() {
    let other = |fixture: &Fixture| {
        fixture.write("src/b.c", SOURCE.replace("sink = 2", "sink = 3"));
        let flags = ["-O2", "-gsplit-dwarf", "-gdwarf-5", "-c", "b.c"];
        fixture.must("env", &[&["-C", "src", "cc"][..], &flags].concat());
        fixture.moves("src/b.dwo", "src/a.dwo");
    };
    let older = |fixture: &Fixture| {
        fixture.write("src/b.c", SOURCE);
        let flags = ["-O2", "-gsplit-dwarf", "-gdwarf-4", "-c", "b.c"];
        fixture.must("env", &[&["-C", "src", "cc"][..], &flags].concat());
        fixture.moves("src/b.dwo", "src/a.dwo");
    };
    let own = |fixture: &Fixture| fixture.must("cp", &["bin/a", "src/a.dwo"]);
    let fifo = |fixture: &Fixture| {
        std::fs::remove_file(fixture.path("src/a.dwo")).expect("there");
        fixture.must("mkfifo", &["src/a.dwo"]);
    };
    let folder = |fixture: &Fixture| {
        std::fs::remove_file(fixture.path("src/a.dwo")).expect("there");
        std::fs::create_dir(fixture.path("src/a.dwo")).expect("ours");
    };
    let garbage = |fixture: &Fixture| {
        fixture.write("src/a.dwo", "garbage");
    };
    type Spoil<'a> = &'a dyn Fn(&Fixture);
    let cases: [(&str, Spoil<'_>); 6] = [
        ("of another id", &other),
        ("of another version", &older),
        ("the module itself", &own),
        ("a FIFO", &fifo),
        ("a folder", &folder),
        ("no ELF file", &garbage),
    ];
    for (name, spoil) in cases {
        let fixture = split(&["-gdwarf-5"]).expect("cc works");
        fixture.must("cp", &["src/a.dwo", "good.dwo"]);
        spoil(&fixture);
        assert_eq!(fixture.ask(), SKELETON, "{name}");
        // The next place still counts.
        fixture.moves("good.dwo", "bin/a.dwo");
        assert_eq!(fixture.ask(), WHOLE, "{name}");
        // So does a package, and one that has no such unit gives way.
        fixture.write("bin/a.dwp", "garbage");
        assert_eq!(fixture.ask(), WHOLE, "{name}");
    }
}

#[test]
fn names_in_a_file_are_followed_only_if_wished_and_within_limits() {
    let fixture = split(&["-gdwarf-5"]).expect("cc works");
    let options = |change: fn(&mut Options)| {
        let mut options = Options::default();
        change(&mut options);
        fixture.ask_with(options)
    };
    assert_eq!(options(|_| ()), WHOLE);
    assert_eq!(options(|options| options.named_files = false), SKELETON);
    assert_eq!(options(|options| options.limits.split_files = 0), SKELETON);
    let input = || ModuleInput::open(&fixture.path("bin/a")).expect("a file");
    let symbolizer = {
        let mut options = Options::default();
        options.limits.split_files = 0;
        Symbolizer::new(options)
    };
    let module = symbolizer.add(input(), None, None);
    let (start, _) = symbol(&fixture.path("bin/a"), "outer");
    let found = find(&symbolizer, module, start).expect("its symbol");
    assert!(found.limit_reached(), "a limit is said");
    if fixture
        .run("llvm-dwp", &["src/a.dwo", "-o", "bin/a.dwp"])
        .is_ok()
    {
        // Its name follows from the module's: nothing in the file chose it.
        assert_eq!(options(|options| options.named_files = false), WHOLE);
    }
}

/// With gcc and DWARF 5 each type has a section of the same name before the unit's own.
#[test]
fn type_units_stand_beside_the_split_unit() {
    for version in VERSIONS {
        for pack in [None, Some("zlib"), Some("zstd")] {
            let fixture = split(&[version, "-fdebug-types-section"]).expect("cc works");
            if let Some(scheme) = pack {
                let flag = format!("--compress-debug-sections={scheme}");
                if let Err(words) = fixture.run("objcopy", &[&flag, "src/a.dwo"]) {
                    testkit::skip(&words);
                    continue;
                }
            }
            let bytes = std::fs::read(fixture.path("src/a.dwo")).expect("made");
            let file = object::File::parse(&*bytes).expect("an object file");
            let infos = file.sections().filter(|section| {
                let name = section.name();
                name == Ok(".debug_info.dwo") || name == Ok(".debug_types.dwo")
            });
            assert!(
                infos.count() > 1,
                "{version}: this is not what was to be tested"
            );
            assert_eq!(fixture.ask(), WHOLE, "{version}, {pack:?}");
        }
    }
}

#[test]
fn a_package_cut_off_or_with_random_bytes_is_answered() {
    let types = "-fdebug-types-section";
    for flags in [&[VERSIONS[0]][..], &[VERSIONS[1]], &[VERSIONS[1], types]] {
        let fixture = split(flags).expect("cc works");
        if let Err(words) = fixture.run("llvm-dwp", &["src/a.dwo", "-o", "bin/a.dwp"]) {
            return testkit::skip(&words);
        }
        for (whole, place) in [("bin/a.dwp", "bin/a.dwp"), ("src/a.dwo", "src/a.dwo")] {
            let bytes = std::fs::read(fixture.path(whole)).expect("made");
            for length in (0..bytes.len()).step_by(31) {
                fixture.write(place, &bytes[..length]);
                fixture.ask_bounded();
            }
            let mut state = 7_usize;
            for _ in 0..200 {
                let mut broken = bytes.clone();
                for _ in 0..4 {
                    state = state
                        .wrapping_mul(6_364_136_223_846_793_005)
                        .wrapping_add(1);
                    let at = (state >> 33) % broken.len();
                    broken[at] = u8::try_from((state >> 20) & 0xff).expect("a byte");
                }
                fixture.write(place, &broken);
                fixture.ask_bounded();
            }
            std::fs::remove_file(fixture.path(place)).expect("there");
        }
    }
}

impl Fixture {
    /// Any answer is good, as long as it names the physical function.
    fn ask_bounded(&self) {
        let options = Options::default().with_debug_dirs(Vec::new());
        let path: &Path = &self.path("bin/a");
        let symbolizer = Symbolizer::new(options);
        let input = ModuleInput::open(path).expect("a file");
        let module = symbolizer.add(input, None, None);
        let (start, _) = symbol(path, "outer");
        assert!(find(&symbolizer, module, start).is_ok());
    }
}
