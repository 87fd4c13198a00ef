//! Paths in untrusted files, and names that are tried: whichever way such a path is used, no
//! FIFO, device, socket, directory or kernel file is opened. The kernel reports opens of watched
//! paths.

mod common;

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use common::run;
use testkit::openings::{Openings, traps};
use testkit::perf;

/// A way by which a path reaches the command.
struct Door {
    name: &'static str,
    /// Whether a regular file would be opened this way.
    is_open: bool,
    /// Sets the way up for a path, and returns the command line.
    lead: fn(&House, &Path) -> Option<Vec<String>>,
}

/// A program in a directory, with everything that belongs to it.
struct House {
    dir: tempfile::TempDir,
    build_id: String,
}

const DOORS: &[Door] = &[
    Door {
        name: "DW_AT_dwo_name",
        is_open: true,
        lead: |house, to| {
            house.link(DWO, to);
            Some(house.symbolize("prog"))
        },
    },
    Door {
        name: "DW_AT_dwo_name itself",
        is_open: true,
        lead: |house, to| {
            // The name must have the length of the replaced one; additional leading slashes do
            // not matter.
            let bytes = fs::read(house.path("prog")).ok()?;
            let missing = DWO.len().checked_sub(to.to_str()?.len())?;
            let named = "/".repeat(missing) + to.to_str()?;
            let bytes = replace(&bytes, DWO.as_bytes(), named.as_bytes());
            fs::write(house.path("patched"), bytes).ok()?;
            Some(house.symbolize("patched"))
        },
    },
    Door {
        name: "a package beside the module",
        is_open: true,
        lead: |house, to| {
            house.link("prog.dwp", to);
            Some(house.symbolize("prog"))
        },
    },
    Door {
        name: ".gnu_debugaltlink",
        is_open: true,
        lead: |house, to| {
            let link = [to.to_str()?.as_bytes(), b"\0", &[7; 20]].concat();
            house.with_section(".gnu_debugaltlink", &link);
            Some(house.symbolize("other"))
        },
    },
    Door {
        name: ".gnu_debuglink, relative",
        is_open: true,
        lead: |house, to| {
            house.link("linked", to);
            house.with_section(".gnu_debuglink", b"linked\0\0\x01\x02\x03\x04");
            Some(house.symbolize("other"))
        },
    },
    Door {
        name: ".gnu_debuglink, absolute",
        is_open: false,
        lead: |house, to| {
            let mut link = [to.to_str()?.as_bytes(), b"\0"].concat();
            link.resize(link.len().next_multiple_of(4), 0);
            link.extend([1, 2, 3, 4]);
            house.with_section(".gnu_debuglink", &link);
            Some(house.symbolize("other"))
        },
    },
    Door {
        name: "a debug directory, by build ID",
        is_open: true,
        lead: |house, to| {
            let (first, rest) = house.build_id.split_at(2);
            house.link(&format!("debug/.build-id/{first}/{rest}.debug"), to);
            let mut args = house.symbolize("prog");
            args.extend(["--debug-dir".into(), house.text("debug")]);
            Some(args)
        },
    },
    Door {
        name: "a debug directory inside a root",
        is_open: true,
        lead: |house, to| {
            let (first, rest) = house.build_id.split_at(2);
            let inside = to.strip_prefix(house.dir.path());
            let inside = inside.map_or(to.to_owned(), |rest| Path::new("/").join(rest));
            house.link(&format!("d/.build-id/{first}/{rest}.debug"), &inside);
            let mut args = house.symbolize("prog");
            args.extend(["--root".into(), house.text(".")]);
            args.extend(["--debug-dir".into(), "/d".into()]);
            Some(args)
        },
    },
    Door {
        name: "an index in a directory",
        is_open: true,
        lead: |house, to| {
            // Links are not followed there, so the file itself must be there if possible.
            let name = format!("indexes/{}.index", house.build_id);
            drop(fs::remove_file(house.path(&name)));
            if fs::hard_link(to, house.path(&name)).is_err() {
                house.link(&name, to);
            }
            let mut args = house.symbolize("prog");
            args.extend(["--index-dir".into(), house.text("indexes")]);
            Some(args)
        },
    },
    Door {
        name: "a module of NDJSON, streamed",
        is_open: true,
        lead: |house, to| {
            house.capture("capture.ndjson", to);
            Some(strings(&["symbolize", "-i", &house.text("capture.ndjson")]))
        },
    },
    Door {
        name: "a module of NDJSON",
        is_open: true,
        lead: |house, to| {
            house.capture("capture.ndjson", to);
            Some(house.convert("capture.ndjson"))
        },
    },
    Door {
        name: "a mapping of pprof",
        is_open: true,
        lead: |house, to| house.convert_through("it.pb.gz", to),
    },
    Door {
        name: "a mapping of OTLP",
        is_open: true,
        lead: |house, to| house.convert_through("it.otlp", to),
    },
    Door {
        name: "a mapping of a recording",
        is_open: true,
        lead: |house, to| {
            // The mapped file was moved away, and replaced by another one.
            let data = house.path("perf.data");
            if !data.exists() {
                let program = house.path("recorded");
                testkit::copy(perf::program()?, &program).expect("ours");
                let way = ["-e", "cpu-clock", "-g", "-F", "500", "--no-buildid"];
                let program = program.to_str()?;
                let recording = perf::record(&way, &[program, "spin", "100000"]).ok()?;
                testkit::copy(&recording.data, &data).ok()?;
            }
            house.link("recorded", to);
            Some(house.convert("perf.data"))
        },
    },
];

/// The source, and the file that the compiler splits off.
const SOURCE: &str = "a-source-with-a-name-that-is-as-long-as-most-paths-of-things-in-here-are.c";
const DWO: &str =
    "prog-a-source-with-a-name-that-is-as-long-as-most-paths-of-things-in-here-are.dwo";

fn strings(args: &[&str]) -> Vec<String> {
    args.iter().map(|arg| (*arg).to_owned()).collect()
}

fn replace(bytes: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    assert_eq!(from.len(), to.len());
    let at = bytes.windows(from.len()).position(|part| part == from);
    let at = at.expect("it is there");
    [&bytes[..at], to, &bytes[at + from.len()..]].concat()
}

impl House {
    fn new() -> Option<Self> {
        testkit::tools::tool("objcopy")?;
        testkit::tools::tool("nm")?;
        let dir = tempfile::tempdir().expect("a folder");
        let house = Self {
            dir,
            build_id: "0123456789abcdef0123456789abcdef01234567".to_owned(),
        };
        for folder in ["debug", "d"] {
            let home = format!("{folder}/.build-id/{}", &house.build_id[..2]);
            fs::create_dir_all(house.path(&home)).expect("ours");
        }
        fs::create_dir(house.path("indexes")).expect("ours");
        fs::write(
            house.path(SOURCE),
            "int work(int n) { return n * 3; }\n\
             int main(int n, char **v) { (void)v; return work(n); }\n",
        )
        .expect("ours");
        let id = format!("-Wl,--build-id=0x{}", house.build_id);
        let split = ["-g", "-O0", "-gsplit-dwarf", &id, "-o", "prog", SOURCE];
        let compile = |args: &[&str]| {
            let status = Command::new("cc")
                .args(args)
                .current_dir(&house.dir)
                .status();
            status.is_ok_and(|status| status.success())
        };
        let whole = ["-g", "-O0", &id, "-o", "whole", SOURCE];
        (compile(&split) && compile(&whole)).then_some(house)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn text(&self, name: &str) -> String {
        self.path(name).to_str().expect("text").to_owned()
    }

    /// Replaces the file with this name by a link to `to`.
    fn link(&self, name: &str, to: &Path) {
        drop(fs::remove_file(self.path(name)));
        symlink(to, self.path(name)).expect("ours");
    }

    /// `other`: the program with an additional section.
    fn with_section(&self, name: &str, bytes: &[u8]) {
        fs::write(self.path("section"), bytes).expect("ours");
        let section = format!("{name}={}", self.text("section"));
        let made = Command::new("objcopy")
            .args(["--add-section", &section])
            .args([self.path("whole"), self.path("other")])
            .status();
        assert!(made.expect("objcopy").success());
    }

    fn symbolize(&self, elf: &str) -> Vec<String> {
        let start = self.start_of(elf);
        strings(&["symbolize", "-e", &self.text(elf), &start])
    }

    /// The address of the function according to `nm`, in hexadecimal.
    fn start_of(&self, elf: &str) -> String {
        let elf = self.path(elf);
        let listed = Command::new("nm").arg(&elf).output().expect("nm").stdout;
        let listed = String::from_utf8(listed).expect("text");
        let line = listed.lines().find(|line| line.ends_with(" T work"));
        let start = line.and_then(|line| line.split(' ').next());
        let start = start.expect("it is defined").trim_start_matches('0');
        format!("0x{start}")
    }

    fn convert(&self, input: &str) -> Vec<String> {
        let input = self.text(input);
        strings(&["convert", "-i", &input, "-o", "-", "--to", "folded"])
    }

    /// A capture of one address in a module with this path.
    fn capture(&self, name: &str, path: &Path) {
        let path = path.to_str().expect("text");
        let text = format!(
            r#"{{"type":"header","schema_version":1,"tool":"t"}}
{{"type":"module","index":0,"kind":"file","path":"{path}","device":"1:1","inode":1,"build_id":"{}"}}
{{"type":"address","index":0,"address":"0x401000","lookup":"exact","module":0,"file_offset":"{start}","virtual_offset":"{start}"}}
{{"type":"sample","stack":[0],"values":[1]}}
"#,
            self.build_id,
            start = self.start_of("whole"),
        );
        fs::write(self.path(name), text).expect("ours");
    }

    /// The same in another format.
    fn convert_through(&self, name: &str, to: &Path) -> Option<Vec<String>> {
        self.capture("capture.ndjson", to);
        let (from, into) = (self.text("capture.ndjson"), self.text(name));
        run(["convert", "-i", &from, "-o", &into, "--no-symbols"]).ok();
        Some(self.convert(name))
    }
}

#[test]
fn no_way_opens_a_file_with_side_effects() {
    let Some(house) = House::new() else {
        return testkit::skip("no C compiler, or no objcopy");
    };
    let traps = {
        let folder = house.path("t");
        fs::create_dir(&folder).expect("ours");
        traps(&folder)
    };
    let file = house.path("f");
    fs::write(&file, "a regular file").expect("ours");
    let mut openings = Openings::new();
    for path in traps.iter().chain([&file]) {
        openings.watch(path);
    }
    // A file that no other process reads.
    let kernels = PathBuf::from(format!("/proc/{}/personality", std::process::id()));
    openings.watch(&kernels);
    for Door {
        name,
        is_open,
        lead,
    } in DOORS
    {
        // A regular file is opened this way, which shows that the test works.
        let Some(args) = lead(&house, &file) else {
            testkit::skip(&format!("{name}: perf, or a path that is too long"));
            continue;
        };
        openings.opened();
        let ran = run(&args);
        assert_eq!(ran.code, Some(0), "{name}: {ran:?}");
        assert_eq!(
            openings.opened().contains(&file),
            *is_open,
            "{name}: {ran:?}"
        );
        for trap in traps.iter().chain([&kernels]) {
            let Some(args) = lead(&house, trap) else {
                // Only a short name fits.
                continue;
            };
            openings.opened();
            let ran = run(&args);
            assert_eq!(ran.code, Some(0), "{name}, {}: {ran:?}", trap.display());
            let opened = openings.opened();
            assert!(!opened.contains(trap), "{name}: {}", trap.display());
            assert!(opened.is_empty(), "{name}: {opened:?}");
        }
        for left in [DWO, "prog.dwp", "linked"] {
            drop(fs::remove_file(house.path(left)));
        }
    }
}

#[test]
fn without_proc_what_the_caller_names_is_read_and_nothing_else() {
    let Some(house) = House::new() else {
        return testkit::skip("no C compiler, or no objcopy");
    };
    let hidden = |args: &[String]| {
        // A mount namespace hides /proc only from the command.
        let script = "mount -t tmpfs none /proc && exec \"$0\" \"$@\"";
        let mut command = Command::new("unshare");
        command.args(["-m", "sh", "-c", script, env!("CARGO_BIN_EXE_backsight")]);
        command.args(args).output().expect("unshare")
    };
    let mut can = Command::new("unshare");
    can.args(["-m", "mount", "-t", "tmpfs", "none", "/proc"]);
    if !can.status().is_ok_and(|status| status.success()) {
        return testkit::skip("no mount namespaces");
    }
    let args = house.symbolize("whole");
    let want = run(&args).ok();
    assert!(want.contains(SOURCE));
    let found = hidden(&args);
    assert_eq!(String::from_utf8(found.stdout).expect("text"), want);
    // A file named by another file is not opened without a check.
    house.capture("capture.ndjson", &house.path("whole"));
    let args = [
        "symbolize",
        "-i",
        &house.text("capture.ndjson"),
        "--format",
        "json",
    ];
    let args = strings(&args);
    assert!(run(&args).ok().contains("work"));
    let found = hidden(&args);
    let found = String::from_utf8(found.stdout).expect("text");
    assert!(found.contains(r#""reason":"unreadable""#), "{found}");
}
