//! A shared directory of indexes: files that a hostile process has mapped do not affect answers
//! for other files, and failures to write are reported.

mod common;

use std::fs;
use std::os::unix::fs::chown;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use common::{Ran, run, run_with};
use testkit::child::KillOnDrop;

const NOBODY: u32 = 65534;

/// Programs with the same build ID and different function names: `good_work`, `evil_work`.
struct Pair {
    dir: tempfile::TempDir,
    addr: u64,
}

impl Pair {
    fn new() -> Option<Self> {
        testkit::tools::tool("nm")?;
        // Files that our group could write to would not be trusted.
        nix::sys::stat::umask(nix::sys::stat::Mode::from_bits_truncate(0o022));
        let dir = tempfile::tempdir().expect("a folder");
        for name in ["good", "evil"] {
            let source = format!(
                "#include <unistd.h>\nint {name}_work(int n) {{ return n * 3; }}\n\
                 int main(void) {{ write(1, \"x\", 1); for (;;) pause(); }}\n"
            );
            let file = format!("{name}.c");
            fs::write(dir.path().join(&file), source).expect("ours");
            let args = [
                "-g",
                "-O0",
                "-no-pie",
                "-Wl,--build-id=0x1234567812345678",
                "-o",
            ];
            let mut compiler = Command::new("cc");
            compiler.args(args).args([name, &file]).current_dir(&dir);
            if !compiler.status().is_ok_and(|status| status.success()) {
                return None;
            }
        }
        let mut pair = Self { dir, addr: 0 };
        pair.addr = pair.start_of("good");
        assert_eq!(pair.addr, pair.start_of("evil"));
        Some(pair)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn start_of(&self, name: &str) -> u64 {
        let listed = Command::new("nm")
            .arg(self.path(name))
            .output()
            .expect("nm");
        let listed = String::from_utf8(listed.stdout).expect("text");
        let line = listed
            .lines()
            .find(|line| line.ends_with(&format!("{name}_work")));
        let start = line
            .and_then(|line| line.split(' ').next())
            .expect("it is defined");
        u64::from_str_radix(start, 16).expect("hexadecimal")
    }

    /// Enough addresses for an index to be built.
    fn many(&self) -> Vec<u8> {
        let line = |n: u64| format!("{:#x}\n", self.addr + n % 16);
        (0..2000).map(line).collect::<String>().into_bytes()
    }

    fn ask(&self, args: &[&str], indexes: &Path) -> Ran {
        let indexes = indexes.to_str().expect("text");
        let flags = ["--index-dir", indexes, "--format", "json", "-"];
        run_with([&["symbolize"], args, &flags].concat(), &self.many())
    }
}

fn names(dir: &Path) -> Vec<String> {
    let Ok(entries) = fs::read_dir(dir) else {
        return Vec::new();
    };
    let names = entries.map(|entry| entry.expect("an entry").file_name());
    names
        .map(|name| name.into_string().expect("text"))
        .collect()
}

#[test]
fn a_mapped_file_names_no_other_file() {
    let Some(pair) = Pair::new() else {
        return testkit::skip("no C compiler, or no nm");
    };
    let evil = pair.path("evil");
    for owner in [None, Some(NOBODY)] {
        if owner.is_some() && chown(&evil, owner, None).is_err() {
            testkit::skip("root alone gives files away");
            continue;
        }
        let indexes = pair.path(&format!("indexes-{owner:?}"));
        let child = Command::new(&evil).stdout(Stdio::piped()).spawn();
        let mut child = KillOnDrop(child.expect("it runs"));
        let mut ready = [0];
        let out = child.0.stdout.as_mut().expect("a pipe");
        std::io::Read::read_exact(out, &mut ready).expect("it writes");
        let pid = child.0.id().to_string();
        let said = pair.ask(&["-p", &pid], &indexes).ok();
        assert!(said.contains("evil_work") && !said.contains("good_work"));
        // Files that others can change get no index.
        let left = names(&indexes)
            .into_iter()
            .filter(|name| name.starts_with("1234567812345678"));
        assert_eq!(left.count(), usize::from(owner.is_none()), "{owner:?}");
        let good = pair.path("good");
        let said = pair
            .ask(&["-e", good.to_str().expect("text")], &indexes)
            .ok();
        assert!(
            said.contains("good_work") && !said.contains("evil_work"),
            "{owner:?}"
        );
    }
}

#[test]
fn files_of_other_users_are_not_indexed_for_others() {
    let Some(pair) = Pair::new() else {
        return testkit::skip("no C compiler, or no nm");
    };
    let evil = pair.path("evil");
    if chown(&evil, Some(NOBODY), None).is_err() {
        return testkit::skip("root alone gives files away");
    }
    let (evil, out) = (evil.to_str().expect("text"), pair.path("indexes"));
    let out = out.to_str().expect("text");
    let ran = run(["index", "build", evil, "--index-dir", out]);
    ran.fails(
        1,
        &[
            "built from a file that others can change",
            "a separate file",
        ],
    );
    assert!(names(&pair.path("indexes")).is_empty());
    let alone = pair.path("evil.index");
    run(["index", "build", evil, "-o", alone.to_str().expect("text")]).ok();
}

#[test]
fn a_directory_that_others_can_change_is_named() {
    let Some(pair) = Pair::new() else {
        return testkit::skip("no C compiler, or no nm");
    };
    let good = pair.path("good");
    let indexes = pair.path("indexes");
    fs::create_dir(&indexes).expect("ours");
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o777);
    fs::set_permissions(&indexes, mode).expect("ours");
    let ran = pair.ask(&["-e", good.to_str().expect("text")], &indexes);
    ran.fails(
        1,
        &[
            "--index-dir",
            "not used: others can change it",
            "chmod go-w",
        ],
    );
    assert_eq!(ran.stderr.lines().count(), 1, "{}", ran.stderr);
    assert!(ran.stdout.contains("good_work"));
    assert!(names(&indexes).is_empty());
}

#[test]
fn a_directory_that_is_full_or_read_only_is_named() {
    let Some(pair) = Pair::new() else {
        return testkit::skip("no C compiler, or no nm");
    };
    let good = pair.path("good");
    let input = pair.path("addresses");
    fs::write(&input, pair.many()).expect("ours");
    fs::create_dir(pair.path("m")).expect("ours");
    for (options, cause) in [
        ("nr_inodes=1,mode=700", "space"),
        ("ro,mode=700", "ead-only"),
    ] {
        // A mount namespace that ends with the command.
        let script = format!(
            "mount -t tmpfs -o {options} none {m} && exec {it} symbolize -e {good} --index-dir {m} \
             --format json - < {input}",
            m = pair.path("m").display(),
            it = env!("CARGO_BIN_EXE_backsight"),
            good = good.display(),
            input = input.display(),
        );
        let ran = Command::new("unshare")
            .args(["-m", "sh", "-c", &script])
            .output();
        let ran: Ran = match ran {
            Ok(ran) if !String::from_utf8_lossy(&ran.stderr).contains("unshare:") => ran.into(),
            _ => return testkit::skip("no mount namespaces"),
        };
        for word in ["--index-dir", "1 index could not be written", cause] {
            assert!(ran.stderr.contains(word), "{options}: {}", ran.stderr);
        }
        assert!(ran.stdout.contains("good_work"), "{options}");
    }
}
