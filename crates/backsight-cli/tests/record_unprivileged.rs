//! `record` by a user who may not observe the kernel.

mod common;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;

use common::{Ran, backsight};
use testkit::busy::busy;
use testkit::skip;

const SYSCTL: &str = "/proc/sys/kernel/perf_event_paranoid";

/// Sets `kernel.perf_event_paranoid` to 2, and back when it is dropped.
struct Paranoid(Option<String>);

impl Paranoid {
    /// Says why it is not 2.
    fn set() -> Result<Self, String> {
        let before = fs::read_to_string(SYSCTL).map_err(|error| format!("{SYSCTL}: {error}"))?;
        if before.trim() == "2" {
            return Ok(Self(None));
        }
        fs::write(SYSCTL, "2")
            .map_err(|error| format!("{SYSCTL} is {}: {error}", before.trim()))?;
        Ok(Self(Some(before)))
    }
}

impl Drop for Paranoid {
    fn drop(&mut self) {
        if let Some(before) = &self.0 {
            fs::write(SYSCTL, before).unwrap();
        }
    }
}

/// A thread's wait has no stack then: it counts for the one before, and is named so.
#[test]
fn waits_without_stacks_count_for_the_last_stack() {
    let _paranoid = match Paranoid::set() {
        Ok(paranoid) => paranoid,
        Err(reason) => return skip(&reason),
    };
    let busy = match busy(true) {
        Ok(busy) => busy,
        Err(reason) => return skip(&reason),
    };
    let dir = tempfile::tempdir().unwrap();
    fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o777)).unwrap();
    let program = dir.path().join("program");
    testkit::copy(&busy, &program).unwrap();
    let mut command = backsight();
    command
        .current_dir(dir.path())
        .args(["record", "--off-cpu", "-F", "997"]);
    // Else the last stack before a wait may be one of the dynamic linker, which looks the
    // waiting function up when it is first called.
    command.env("LD_BIND_NOW", "1");
    command
        .args(["-o", "out.pb.gz", "--"])
        .arg(&program)
        .args(["both", "300", "4", "250"]);
    if testkit::user::is_root() {
        command.uid(65534).gid(65534);
    }
    let ran = match command.output() {
        Ok(ran) => Ran::from(ran),
        Err(error) => return skip(&format!("another user cannot run this program: {error}")),
    };
    if ran.code == Some(1) {
        return skip(&ran.stderr);
    }
    assert_eq!(ran.code, Some(0), "{ran:?}");
    for words in [
        "(off-cpu-last-stack)",
        "inside of the kernel is left out",
        "waited longest",
    ] {
        assert!(ran.stderr.contains(words), "{words}: {ran:?}");
    }
    let slept: u64 = ran.stdout.trim().parse().unwrap();
    let mut convert = backsight();
    convert
        .current_dir(dir.path())
        .args(["convert", "-q", "out.pb.gz", "out.folded"]);
    let converted = Ran::from(
        convert
            .args(["--sample-type", "off-cpu-last-stack"])
            .output()
            .unwrap(),
    );
    assert_eq!(converted.code, Some(0), "{converted:?}");
    let text = fs::read_to_string(dir.path().join("out.folded")).unwrap();
    // A sample may fall into a wait's begin or end: an interval that is nearly over when a
    // thread stops ends right after the thread goes on.
    let of_main = text
        .lines()
        .filter(|line| line.contains(";main;spin;work") || line.contains(";main;nap;"));
    let found: u64 = of_main
        .map(|line| line.rsplit(' ').next().unwrap().parse::<u64>().unwrap())
        .sum();
    // Other programs may have taken the processor from it, too.
    assert!(
        found * 100 >= slept * 95 && found < slept * 20,
        "{found} of {slept}: {text}"
    );
}
