//! Files that are not at the recorded path: those of a container seen from the host, and those
//! in perf's cache of a container that no longer exists.

mod common;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use common::{Ran, backsight};
use testkit::{perf, tools};

/// A process in its own mount namespace, with its program on an overlay there: the host has
/// nothing at its path.
struct Container {
    dir: tempfile::TempDir,
    child: Option<Child>,
}

impl Container {
    fn new() -> Result<Self, String> {
        let program = perf::program().ok_or("no C compiler")?;
        tools::tool("perf").ok_or("no perf")?;
        let dir = tempfile::tempdir().expect("a folder");
        for folder in ["image", "space", "merged", "cache"] {
            fs::create_dir(dir.path().join(folder)).expect("ours");
        }
        testkit::copy(program, dir.path().join("image/it")).expect("ours");
        let script = "mount -t tmpfs none space && mkdir space/upper space/work && \
                      mount -t overlay -o lowerdir=image,upperdir=space/upper,workdir=space/work \
                      none merged && exec \"$PWD\"/merged/it spin 100000000";
        let child = Command::new("unshare")
            .args(["-m", "sh", "-c", script])
            .current_dir(dir.path())
            .stderr(Stdio::null())
            .spawn();
        let mut child = child.map_err(|error| error.to_string())?;
        // It has started once its executable is the program.
        let exe = format!("/proc/{}/exe", child.id());
        for _ in 0..500 {
            let is_it = fs::read_link(&exe).is_ok_and(|path| path.ends_with("merged/it"));
            if is_it || child.try_wait().is_ok_and(|ended| ended.is_some()) {
                break;
            }
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
        if !fs::read_link(&exe).is_ok_and(|path| path.ends_with("merged/it")) {
            drop(child.kill());
            return Err("no mount namespaces, or no overlays".into());
        }
        Ok(Self {
            dir,
            child: Some(child),
        })
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn pid(&self) -> String {
        self.child.as_ref().expect("it runs").id().to_string()
    }

    fn perf(&self) -> Command {
        let mut perf = Command::new("perf");
        perf.env("LC_ALL", "C")
            .arg("--buildid-dir")
            .arg(self.path("cache"));
        perf
    }

    /// Records it for a second; perf copies its files into the cache.
    fn record(&self, name: &str, way: &[&str]) -> Result<PathBuf, String> {
        let data = self.path(name);
        let mut record = self.perf();
        record
            .args(["record", "-e", "cpu-clock", "-p", &self.pid(), "-o"])
            .arg(&data);
        let made = record.args(way).args(["--", "sleep", "1"]).output();
        let made = made.map_err(|error| error.to_string())?;
        match made.status.success() {
            true => Ok(data),
            false => Err(String::from_utf8_lossy(&made.stderr).into_owned()),
        }
    }

    fn ends(&mut self) {
        if let Some(mut child) = self.child.take() {
            drop(child.kill());
            drop(child.wait());
        }
    }

    /// Returns the innermost functions of the program with their counts, according to perf.
    fn by_perf(&self, data: &Path) -> BTreeMap<String, usize> {
        let mut script = self.perf();
        script
            .arg("script")
            .arg("-i")
            .arg(data)
            .args(["-G", "-F", "ip,sym,dso"]);
        let done = script.output().expect("perf runs");
        let text = String::from_utf8_lossy(&done.stdout).into_owned();
        let mut counted = BTreeMap::new();
        for line in text.lines().filter(|line| line.contains("merged/it")) {
            let name = line.split_whitespace().nth(1).expect("a name").to_owned();
            *counted.entry(name).or_default() += 1;
        }
        counted
    }

    /// The same according to backsight.
    fn by_us(&self, data: &Path, args: &[&str], cache: &str) -> BTreeMap<String, usize> {
        let ran = self.convert(data, args, cache);
        assert_eq!(ran.code, Some(0), "{}", ran.stderr);
        let mut counted = BTreeMap::new();
        for line in ran.stdout.lines() {
            let (stack, count) = line.rsplit_once(' ').expect("a value");
            let leaf = stack.rsplit(';').next().expect("a frame").to_owned();
            if !leaf.contains("[k]") {
                *counted.entry(leaf).or_default() += count.parse::<usize>().expect("a number");
            }
        }
        counted
    }

    fn convert(&self, data: &Path, args: &[&str], cache: &str) -> Ran {
        let mut command = backsight();
        command.env("PERF_BUILDID_DIR", self.path(cache));
        command.env("HOME", self.path("image"));
        command
            .arg("convert")
            .arg("-i")
            .arg(data)
            .args(["-o", "-", "--to", "folded"]);
        command.args(["--sample-type", "samples"]).args(args);
        command.output().expect("it runs").into()
    }
}

impl Drop for Container {
    fn drop(&mut self) {
        self.ends();
    }
}

/// Compares the functions only; the offset in a function may differ.
fn covers(ours: &BTreeMap<String, usize>, perf: &BTreeMap<String, usize>, what: &str) {
    assert!(perf.values().sum::<usize>() > 4, "{what}: {perf:?}");
    for (name, count) in perf {
        assert_eq!(
            ours.get(name),
            Some(count),
            "{what}: {ours:?}, by perf {perf:?}"
        );
    }
}

#[test]
fn a_container_s_program_is_found_while_it_lives_and_afterwards() {
    let mut container = match Container::new() {
        Ok(container) => container,
        Err(why) => return testkit::skip(&why),
    };
    let ways: [(&str, &[&str]); 3] = [
        ("plain", &[]),
        ("stacks", &["--call-graph", "dwarf,4096", "-F", "200"]),
        ("mapped", &["--buildid-mmap"]),
    ];
    let mut recorded = Vec::new();
    for (name, way) in ways {
        match container.record(name, way) {
            Ok(data) => recorded.push((name, data)),
            Err(why) => return testkit::skip(&why),
        }
    }
    let root = format!("/proc/{}/root", container.pid());
    let mut alive = Vec::new();
    for (name, data) in &recorded {
        // Neither the path nor the cache leads to the file.
        let lost = container.by_us(data, &[], "image");
        assert!(
            !lost.contains_key("leaf") && !lost.is_empty(),
            "{name}: {lost:?}"
        );
        let found = container.by_us(data, &["--root", &root], "image");
        covers(&found, &container.by_perf(data), name);
        alive.push(container.convert(data, &["--root", &root], "image").stdout);
    }
    container.ends();
    for ((name, data), alive) in recorded.iter().zip(alive) {
        // With perf's cache, whichever way it is set, whole stacks are unwound, too.
        let found = container.by_us(data, &[], "cache");
        covers(&found, &container.by_perf(data), name);
        assert_eq!(
            container.convert(data, &[], "cache").stdout,
            alive,
            "{name}"
        );
        let cache = container.path("cache");
        let flag = ["--debug-dir", cache.to_str().expect("text")];
        assert_eq!(
            container.convert(data, &flag, "image").stdout,
            alive,
            "{name}"
        );
        // A capture gives the same later; one normalized with the files gives more.
        let capture = container.path("capture.ndjson");
        let mut normalize = backsight();
        normalize
            .env("PERF_BUILDID_DIR", &cache)
            .arg("normalize")
            .arg("-i")
            .arg(data);
        let normalized: Ran = normalize
            .arg("-o")
            .arg(&capture)
            .output()
            .expect("it runs")
            .into();
        assert_eq!(normalized.code, Some(0), "{normalized:?}");
        let later = container.by_us(&capture, &flag, "image");
        assert_eq!(later, found, "{name}: normalized first");
    }
}
