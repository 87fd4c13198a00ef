//! Common parts of several files' DWARF in a supplementary file, as `dwz` makes it:
//! where that is looked for, and what is said without it. That the answers are right,
//! `differential/main.rs` holds.

mod common;

use std::path::Path;

use backsight_symbolize::{Answers, ModuleInput, Options, Symbolizer, Tier};
use common::{Fixture, at, brief, find, symbol};

/// Enough in common that `dwz` finds it worthwhile.
const COMMON: &str = r#"
volatile int sink;
struct first { int one; int two; struct first *next; };
struct second { struct first first; long three; char name[16]; };
static inline __attribute__((always_inline)) int folded_together(struct second *second) {
    sink = second->first.one;
    return sink;
}
__attribute__((noinline)) int outermost_function(struct second *second) {
    return folded_together(second);
}
"#;

const WHOLE: &str = "~folded_together@6 outermost_function@10";

/// `bin/a` and `bin/b`, and the supplementary file that `bin/a` names so.
fn common_parts(flags: &[&str], name: &str) -> Result<Fixture, String> {
    common_parts_in("-g", flags, name)
}

/// The same in a version of DWARF.
fn common_parts_in(version: &str, flags: &[&str], name: &str) -> Result<Fixture, String> {
    let fixture = Fixture::new();
    fixture.write("bin/a", "");
    fixture.write("common/x", "");
    for (program, more) in [("a", "1"), ("b", "2")] {
        let main = "int main(void) { struct second s = { 0 }; return outermost_function(&s) + ";
        fixture.write("a.c", format!("{COMMON}{main} {more}; }}\n"));
        let out = format!("bin/{program}");
        let compile = ["-O2", version, "-Wl,--build-id", "-o", &out, "a.c"];
        fixture.run("cc", &compile)?;
    }
    let dwz = [
        "-C",
        "bin",
        "dwz",
        "-m",
        "../common/sup",
        "-M",
        name,
        "a",
        "b",
    ];
    fixture.run("env", &[&dwz[..3], flags, &dwz[3..]].concat())?;
    Ok(fixture)
}

impl Fixture {
    fn ask(&self, debug_dirs: &[&str], change: fn(&mut Options, &Self)) -> String {
        let mut options = Options::default()
            .with_debug_dirs(debug_dirs.iter().map(|dir| self.path(dir)).collect());
        change(&mut options, self);
        let flat = options.clone().with_tier(Tier::Flat);
        let said = self.ask_with(options);
        assert_eq!(self.ask_with(flat), said, "indexed as a whole");
        said
    }

    fn ask_with(&self, options: Options) -> String {
        let symbolizer = Symbolizer::new(options);
        let input = ModuleInput::open(&self.path("bin/a")).expect("a file");
        let module = symbolizer.add(input, None, None);
        let (start, size) = symbol(&self.path("bin/a"), "outermost_function");
        let all = (start..start + size).map(|addr| brief(&find(&symbolizer, module, addr)));
        let mut at_line = all.filter(|found| found.contains("@6"));
        at_line.next().unwrap_or_else(|| "line 6 is nowhere".into())
    }

    fn moves(&self, from: &str, to: &Path) {
        let to = self.path(to.to_str().expect("text"));
        std::fs::create_dir_all(to.parent().expect("a folder")).expect("ours");
        std::fs::rename(self.path(from), to).expect("there");
    }
}

/// Returns the name that a file of this build ID has in a debug directory.
fn by_id(path: &Path) -> Option<String> {
    let id = testkit::tools::readelf_build_id(path)??;
    let (first, rest) = id.split_at_checked(2)?;
    Some(format!("debug/.build-id/{first}/{rest}.debug"))
}

#[test]
fn the_supplementary_file_is_found_by_its_path_and_by_its_build_id() {
    let fixture = match common_parts(&[], "../common/sup") {
        Ok(fixture) => fixture,
        Err(words) => return testkit::skip(&words),
    };
    assert!(fixture.path("common/sup").exists());
    let keep = |_: &mut Options, _: &Fixture| ();
    let unnamed = |options: &mut Options, _: &Fixture| options.named_files = false;
    assert_eq!(fixture.ask(&[], keep), WHOLE);
    assert_ne!(fixture.ask(&[], unnamed), WHOLE, "no path is followed");
    let place = by_id(&fixture.path("common/sup")).expect("readelf finds a build ID");
    fixture.moves("common/sup", Path::new(&place));
    let without = fixture.ask(&[], keep);
    // Its names are gone with it; that something is there, and where, is not.
    assert_ne!(without, WHOLE);
    assert!(without.ends_with("@10"), "{without}");
    assert_eq!(fixture.ask(&["debug"], keep), WHOLE);
    assert_eq!(fixture.ask(&["debug"], unnamed), WHOLE);
}

#[test]
fn the_versions_of_dwarf_that_dwz_reads_are_read() {
    for version in ["-gdwarf-2", "-gdwarf-3", "-gdwarf-4", "-gdwarf-5"] {
        match common_parts_in(version, &[], "../common/sup") {
            Ok(fixture) => assert_eq!(fixture.ask(&[], |_, _| ()), WHOLE, "{version}"),
            Err(words) => testkit::skip(&words),
        }
    }
}

#[test]
fn an_absolute_path_is_the_target_s_before_it_is_the_host_s() {
    let fixture = match common_parts(&[], "/supplementary/of/a/container") {
        Ok(fixture) => fixture,
        Err(words) => return testkit::skip(&words),
    };
    let root =
        |options: &mut Options, fixture: &Fixture| options.roots = vec![fixture.path("root")];
    assert_ne!(fixture.ask(&[], root), WHOLE);
    let inside = Path::new("root/supplementary/of/a/container");
    fixture.moves("common/sup", inside);
    assert_ne!(fixture.ask(&[], |_, _| ()), WHOLE, "the host has none");
    assert_eq!(fixture.ask(&[], root), WHOLE);
}

/// As distributions have it: `/usr/lib/debug/.dwz/TRIPLET/PACKAGE.debug`, in a package
/// that was unpacked somewhere.
#[test]
fn an_absolute_path_is_looked_for_below_each_debug_directory() {
    let name = "/usr/lib/debug/.dwz/x86_64-linux-gnu/backsight-test.debug";
    let fixture = match common_parts(&[], name) {
        Ok(fixture) => fixture,
        Err(words) => return testkit::skip(&words),
    };
    let keep = |_: &mut Options, _: &Fixture| ();
    let unnamed = |options: &mut Options, _: &Fixture| options.named_files = false;
    assert_ne!(fixture.ask(&["debug", "other"], keep), WHOLE);
    let mut at = "common/sup".to_owned();
    for place in [
        "other/.dwz/x86_64-linux-gnu/backsight-test.debug",
        "other/usr/lib/debug/.dwz/x86_64-linux-gnu/backsight-test.debug",
    ] {
        fixture.moves(&at, Path::new(place));
        at = place.to_owned();
        assert_eq!(fixture.ask(&["debug", "other"], keep), WHOLE, "{place}");
        assert_ne!(fixture.ask(&["debug", "other"], unnamed), WHOLE, "{place}");
        assert_ne!(fixture.ask(&["debug"], keep), WHOLE, "{place}");
    }
    // Another file of that name is not taken.
    fixture.must("cp", &["bin/a", &at]);
    assert_ne!(fixture.ask(&["debug", "other"], keep), WHOLE);
}

/// The names of inlined functions are gone with the supplementary file; where each was
/// declared may still be there. All ways say the same.
#[test]
fn nameless_frames_are_alike_by_every_tier() {
    let fixture = match common_parts(&[], "../common/sup") {
        Ok(fixture) => fixture,
        Err(words) => return testkit::skip(&words),
    };
    std::fs::remove_file(fixture.path("common/sup")).expect("there");
    let (start, size) = symbol(&fixture.path("bin/a"), "outermost_function");
    let ask = |tier| {
        let options = Options::default()
            .with_tier(tier)
            .with_debug_dirs(Vec::new());
        let symbolizer = Symbolizer::new(options);
        let input = ModuleInput::open(&fixture.path("bin/a")).expect("a file");
        let module = symbolizer.add(input, None, None);
        let requests: Vec<_> = (start..start + size).map(|addr| at(module, addr)).collect();
        let owned = symbolizer.symbolize(&requests);
        let mut answers = Answers::default();
        symbolizer.symbolize_into(&requests, &mut answers);
        for (owned, borrowed) in owned.iter().flatten().zip(answers.iter().flatten()) {
            let lines = owned.iter().map(|frame| frame.start_line);
            let borrowed = borrowed.frames().map(|frame| frame.start_line());
            assert!(borrowed.eq(lines), "{tier:?}: {owned:?}");
        }
        owned
    };
    let lazy = ask(Tier::Lazy);
    assert!(lazy.iter().flatten().any(|frames| frames.len() > 1));
    assert_eq!(ask(Tier::Flat), lazy);
}

/// DWARF 5 has a section of its own for it, with a checksum in both files.
#[test]
fn the_standard_s_link_leads_to_it_too() {
    let fixture = match common_parts(&["--dwarf-5"], "../common/sup") {
        Ok(fixture) => fixture,
        Err(words) => return testkit::skip(&words),
    };
    let mut readelf = std::process::Command::new("readelf");
    let readelf = readelf.arg("-SW").arg(fixture.path("bin/a"));
    let sections = readelf.output().expect("readelf runs").stdout;
    assert!(String::from_utf8_lossy(&sections).contains(".debug_sup"));
    assert_eq!(fixture.ask(&[], |_, _| ()), WHOLE);
    fixture.write("a.c", format!("{COMMON} int main(void) {{ return 0; }}"));
    fixture.must("cc", &["-O2", "-g", "-o", "common/sup", "a.c"]);
    assert_ne!(fixture.ask(&[], |_, _| ()), WHOLE, "another file");
}

#[test]
fn wrong_supplementary_files_are_passed_over() {
    let own = |fixture: &Fixture| fixture.must("cp", &["bin/a", "common/sup"]);
    let other = |fixture: &Fixture| {
        let other = [
            "-O2",
            "-g",
            "-Wl,--build-id=0xabcd",
            "-o",
            "common/sup",
            "a.c",
        ];
        fixture.must("cc", &other);
    };
    let fifo = |fixture: &Fixture| {
        std::fs::remove_file(fixture.path("common/sup")).expect("there");
        fixture.must("mkfifo", &["common/sup"]);
    };
    let garbage = |fixture: &Fixture| {
        fixture.write("common/sup", "garbage");
    };
    type Spoil<'a> = &'a dyn Fn(&Fixture);
    let cases: [(&str, Spoil<'_>); 4] = [
        ("the file itself", &own),
        ("of another build ID", &other),
        ("a FIFO", &fifo),
        ("no ELF file", &garbage),
    ];
    for (name, spoil) in cases {
        let fixture = match common_parts(&[], "../common/sup") {
            Ok(fixture) => fixture,
            Err(words) => return testkit::skip(&words),
        };
        fixture.must("cp", &["common/sup", "good"]);
        let place = by_id(&fixture.path("good")).expect("readelf finds a build ID");
        spoil(&fixture);
        assert_ne!(fixture.ask(&["debug"], |_, _| ()), WHOLE, "{name}");
        // The next place still counts.
        fixture.moves("good", Path::new(&place));
        assert_eq!(fixture.ask(&["debug"], |_, _| ()), WHOLE, "{name}");
    }
}

/// A file that is its own supplementary file leads nowhere else.
#[test]
fn a_circle_of_links_ends() {
    let fixture = match common_parts(&[], "../common/sup") {
        Ok(fixture) => fixture,
        Err(words) => return testkit::skip(&words),
    };
    let id = testkit::tools::readelf_build_id(&fixture.path("bin/a"));
    let id = id.flatten().expect("readelf finds a build ID");
    let digits = |at: usize| u8::from_str_radix(&id[at..at + 2], 16).expect("hex");
    let mut link = b"a\0".to_vec();
    link.extend((0..id.len()).step_by(2).map(digits));
    fixture.write("link", link);
    let update = ["--update-section", ".gnu_debugaltlink=link", "bin/a"];
    fixture.must("objcopy", &update);
    let found = fixture.ask(&[], |_, _| ());
    assert!(
        found.ends_with("@10") || found.ends_with("nowhere"),
        "{found}"
    );
}
