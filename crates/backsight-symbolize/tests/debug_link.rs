//! Debug information in a file that `.gnu_debuglink` names, beside the module and in
//! the debug directories, inside the target's root and on the host.

mod common;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use backsight_symbolize::{ModuleInput, Options, Symbolizer};
use common::{Fixture, brief, dwarf, find, symbol};
use testkit::elf::{Shape, Symbol};

const SOURCE: &str = r#"
volatile int sink;
__attribute__((noinline)) void hidden(int x) {
    sink = x;
}
int main(int argc, char **argv) {
    hidden(argc);
    return 0;
}
"#;

/// `full`: not stripped; `a.debug`: what was stripped off; `usr/bin/a`: with symbols,
/// without DWARF, and with a link to `a.debug`.
fn split(flags: &[&str]) -> Result<Fixture, String> {
    let fixture = Fixture::new();
    fixture.write("a.c", SOURCE);
    fixture.write("usr/bin/a", "");
    fixture.must("cc", &[&["-g", "-O0", "-o", "full", "a.c"], flags].concat());
    fixture.run("objcopy", &["--only-keep-debug", "full", "a.debug"])?;
    let link = ["--strip-debug", "--add-gnu-debuglink=a.debug"];
    fixture.run("objcopy", &[&link[..], &["full", "usr/bin/a"]].concat())?;
    Ok(fixture)
}

const WITHOUT_ID: &[&str] = &["-Wl,--build-id=none"];

impl Fixture {
    fn debug_file_at(&self, path: &str) {
        self.write(path, std::fs::read(self.path("a.debug")).expect("made"));
    }

    /// Asks for `hidden` in `usr/bin/a`, with one debug directory.
    fn ask(&self, debug_dir: &Path) -> String {
        let options = Options::default().with_debug_dirs(vec![debug_dir.to_owned()]);
        let input = ModuleInput::open(&self.path("usr/bin/a")).expect("a file");
        self.ask_with(options, input)
    }

    /// As a process of the root that this directory is would name it.
    fn ask_inside(&self, debug_dir: &str) -> String {
        let options = Options::default()
            .with_debug_dirs(vec![debug_dir.into()])
            .with_roots(vec![self.path(".")]);
        let file = std::fs::File::open(self.path("usr/bin/a")).expect("a file");
        let input = ModuleInput::File {
            file: Arc::new(file),
            path: Some("/usr/bin/a".into()),
        };
        self.ask_with(options, input)
    }

    fn ask_with(&self, options: Options, input: ModuleInput) -> String {
        let symbolizer = Symbolizer::new(options);
        let module = symbolizer.add(input, None, None);
        let (start, _) = symbol(&self.path("full"), "hidden");
        brief(&find(&symbolizer, module, start))
    }

    /// What a path of this directory is called inside of a debug directory.
    fn inside_of(&self, debug_dir: &str, path: &str) -> String {
        let own = self.path(path).canonicalize().expect("there");
        let own = own.strip_prefix("/").expect("absolute");
        format!("{debug_dir}/{}", own.display())
    }
}

#[test]
fn the_debug_file_is_looked_for_as_gdb_does() {
    for flags in [WITHOUT_ID, &["-Wl,--build-id=0xabcdef"]] {
        let places = ["usr/bin/a.debug", "usr/bin/.debug/a.debug", "debug/…"];
        for place in places {
            let fixture = match split(flags) {
                Ok(fixture) => fixture,
                Err(words) => return testkit::skip(&words),
            };
            let debug_dir = fixture.path("debug");
            assert_eq!(fixture.ask(&debug_dir), "hidden@?", "nothing is there yet");
            let place = match place {
                "debug/…" => fixture.inside_of("debug", "usr/bin") + "/a.debug",
                place => place.to_owned(),
            };
            fixture.debug_file_at(&place);
            assert_eq!(fixture.ask(&debug_dir), "hidden@3", "{place}");
        }
    }
}

#[test]
fn others_follow_the_link_to_the_same_answer() {
    let fixture = match split(WITHOUT_ID) {
        Ok(fixture) => fixture,
        Err(words) => return testkit::skip(&words),
    };
    let own = fixture.path("usr/bin/a");
    let (start, _) = symbol(&fixture.path("full"), "hidden");
    for place in ["usr/bin/.debug/a.debug", "usr/bin/a.debug"] {
        fixture.debug_file_at(place);
        assert_eq!(fixture.ask(Path::new("/nowhere")), "hidden@3", "{place}");
        for tool in ["addr2line", "llvm-symbolizer"] {
            let mut command = Command::new(tool);
            let command = command.arg("-f").arg("-e").arg(&own);
            let Ok(output) = command.arg(format!("{start:#x}")).output() else {
                testkit::skip(&format!("no {tool}"));
                continue;
            };
            let text = String::from_utf8_lossy(&output.stdout);
            let right = text.starts_with("hidden\n") && text.contains("/a.c:3");
            assert!(right, "{tool} with {place}: {text}");
        }
    }
}

#[test]
fn a_file_that_is_not_the_linked_one_gives_way() {
    let other = |fixture: &Fixture, place: &str| {
        fixture.write("b.c", SOURCE.replace("volatile", "\n\nvolatile"));
        fixture.must("cc", &["-g", "-O0", "-o", "other", "b.c"]);
        fixture.must("cp", &["other", place]);
    };
    let longer = |fixture: &Fixture, place: &str| {
        let mut bytes = std::fs::read(fixture.path("a.debug")).expect("made");
        bytes.push(0);
        fixture.write(place, bytes);
    };
    let fifo = |fixture: &Fixture, place: &str| fixture.must("mkfifo", &[place]);
    let folder = |fixture: &Fixture, place: &str| {
        std::fs::create_dir(fixture.path(place)).expect("ours");
    };
    let garbage = |fixture: &Fixture, place: &str| {
        fixture.write(place, "garbage");
    };
    type Spoil<'a> = &'a dyn Fn(&Fixture, &str);
    let cases: [(&str, Spoil<'_>); 5] = [
        ("another program's", &other),
        ("one byte more", &longer),
        ("a FIFO", &fifo),
        ("a folder", &folder),
        ("no ELF file", &garbage),
    ];
    for flags in [WITHOUT_ID, &["-Wl,--build-id=0xabcdef"]] {
        for (name, spoil) in cases {
            let fixture = match split(flags) {
                Ok(fixture) => fixture,
                Err(words) => return testkit::skip(&words),
            };
            spoil(&fixture, "usr/bin/a.debug");
            let nowhere = Path::new("/nowhere");
            assert_eq!(fixture.ask(nowhere), "hidden@?", "{name}");
            // The next place still counts.
            fixture.debug_file_at("usr/bin/.debug/a.debug");
            assert_eq!(fixture.ask(nowhere), "hidden@3", "{name}");
        }
    }
}

#[test]
fn the_right_checksum_with_another_build_id_does_not_count() {
    let fixture = match split(&["-Wl,--build-id=0xabcdef"]) {
        Ok(fixture) => fixture,
        Err(words) => return testkit::skip(&words),
    };
    fixture.must("cc", &["-g", "-Wl,--build-id=0x1234", "-o", "other", "a.c"]);
    fixture.must("objcopy", &["--only-keep-debug", "other", "a.debug"]);
    let link = ["--strip-debug", "--add-gnu-debuglink=a.debug"];
    fixture.must("objcopy", &[&link[..], &["full", "usr/bin/a"]].concat());
    fixture.debug_file_at("usr/bin/a.debug");
    assert_eq!(fixture.ask(Path::new("/nowhere")), "hidden@?");
}

#[test]
fn a_debug_file_larger_than_the_limit_is_not_summed_up() {
    let fixture = match split(WITHOUT_ID) {
        Ok(fixture) => fixture,
        Err(words) => return testkit::skip(&words),
    };
    fixture.debug_file_at("usr/bin/a.debug");
    let size = std::fs::metadata(fixture.path("a.debug"))
        .expect("made")
        .len();
    for (limit, want) in [(size, "hidden@3"), (size - 1, "hidden@?")] {
        let mut options = Options::default();
        options.limits.file_bytes = limit;
        options.access = backsight_symbolize::Access::Map;
        let input = ModuleInput::open(&fixture.path("usr/bin/a")).expect("a file");
        assert_eq!(fixture.ask_with(options, input), want, "{limit}");
    }
}

#[test]
fn inside_a_root_the_root_goes_first_and_then_the_host() {
    let fixture = || split(&["-Wl,--build-id=0xabcdef"]);
    let fixture = match fixture() {
        Ok(fixture) => fixture,
        Err(words) => return testkit::skip(&words),
    };
    let by_id = "/.build-id/ab/cdef.debug";
    let host = fixture.path("host");
    let host = host.to_str().expect("text");
    let places: [(&str, String, &str); 6] = [
        ("beside", "usr/bin/a.debug".into(), "/debug"),
        ("hidden beside", "usr/bin/.debug/a.debug".into(), "/debug"),
        ("in its debug dir", "debug/usr/bin/a.debug".into(), "/debug"),
        ("by build ID", format!("debug{by_id}"), "/debug"),
        ("the host's, by link", "host/usr/bin/a.debug".into(), host),
        ("the host's, by build ID", format!("host{by_id}"), host),
    ];
    for (name, place, debug_dir) in places {
        assert_eq!(fixture.ask_inside(debug_dir), "hidden@?", "without {name}");
        fixture.debug_file_at(&place);
        assert_eq!(fixture.ask_inside(debug_dir), "hidden@3", "{name}");
        std::fs::remove_file(fixture.path(&place)).expect("ours");
    }
}

#[test]
fn no_symbolic_link_leads_out_of_the_root() {
    let fixture = match split(WITHOUT_ID) {
        Ok(fixture) => fixture,
        Err(words) => return testkit::skip(&words),
    };
    let outside = Fixture::new();
    outside.write(
        "d/a.debug",
        std::fs::read(fixture.path("a.debug")).expect("made"),
    );
    let link = |to: &Path| {
        let link = fixture.path("usr/bin/.debug");
        let _ = std::fs::remove_file(&link);
        std::os::unix::fs::symlink(to, link).expect("ours");
    };
    let up: PathBuf = std::iter::repeat_n("..", 20).collect();
    let outside = outside.path("d");
    link(&outside);
    assert_eq!(
        fixture.ask(Path::new("/nowhere")),
        "hidden@3",
        "on the host"
    );
    assert_eq!(fixture.ask_inside("/nowhere"), "hidden@?", "absolute");
    link(&up.join(outside.strip_prefix("/").expect("absolute")));
    assert_eq!(fixture.ask_inside("/nowhere"), "hidden@?", "relative");
    // Inside, the same link means what it means to a process there.
    fixture.debug_file_at("d/a.debug");
    link(Path::new("/d"));
    assert_eq!(fixture.ask_inside("/nowhere"), "hidden@3", "inside");
}

#[test]
fn a_link_is_a_bare_name_or_none() {
    let fixture = Fixture::new();
    let mut unit = dwarf::Unit::new(Shape::ELF64_LITTLE);
    unit.function("from_debug", dwarf::CODE);
    unit.end();
    let info = unit.finish();
    let debug = [(".debug_info", &*info), (".debug_abbrev", dwarf::ABBREV)];
    let debug = dwarf::elf(Shape::ELF64_LITTLE, &debug).build();
    let mut crc = flate2::Crc::new();
    crc.update(&debug);
    let target = fixture.write("dir/a.debug", &debug);
    fixture.write("dir/sub/a.debug", &debug);
    let absolute = target.to_str().expect("text").to_owned();
    let names = [
        ("a.debug", "from_debug@?"),
        ("sub/a.debug", "symbol@?"),
        ("../dir/a.debug", "symbol@?"),
        ("./a.debug", "symbol@?"),
        (&absolute, "symbol@?"),
        ("", "symbol@?"),
        ("..", "symbol@?"),
    ];
    for (name, want) in names {
        let mut link = name.as_bytes().to_vec();
        link.push(0);
        link.resize(link.len().next_multiple_of(4), 0);
        link.extend(crc.sum().to_le_bytes());
        let elf = dwarf::elf(Shape::ELF64_LITTLE, &[(".gnu_debuglink", &link)]);
        let elf = elf.symbols(&[Symbol::function("symbol", 0x1000, 0x100)]);
        let own = fixture.write("dir/own", elf.build());
        let (symbolizer, module) = common::symbolizer_of(&own);
        assert_eq!(brief(&find(&symbolizer, module, 0x1000)), want, "{name}");
    }
}
