//! A place to record in, whose programs each user may run.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use testkit::busy::busy;
use testkit::child::KillOnDrop;
use testkit::user::is_root;

use super::{Ran, backsight, wait_until};

/// A directory that each user may write to, and the program to sample.
pub(crate) struct Place {
    pub(crate) dir: tempfile::TempDir,
    pub(crate) busy: PathBuf,
}

impl Place {
    pub(crate) fn new() -> Result<Self, String> {
        let busy = busy(true)?;
        let dir = tempfile::tempdir().map_err(|error| error.to_string())?;
        fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o777)).expect("ours");
        Ok(Self { dir, busy })
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub(crate) fn copy(&self, name: &str) -> PathBuf {
        let path = self.path(name);
        testkit::copy(&self.busy, &path).expect("it is copied");
        path
    }

    /// Runs `record` with these arguments; `Err` if nothing can be sampled here.
    pub(crate) fn record(&self, user: Option<u32>, args: &[&str]) -> Result<Ran, String> {
        let mut command = backsight();
        command.current_dir(self.dir.path()).arg("record");
        command
            .args(["-F", "499", "--account", "always"])
            .args(args);
        if let Some(user) = user {
            command.uid(user).gid(user);
        }
        let ran = Ran::from(command.output().map_err(|error| error.to_string())?);
        let cannot = ["permission denied to sample", "no perf events"];
        match cannot.iter().any(|why| ran.stderr.contains(why)) {
            true => Err(ran.stderr),
            false => Ok(ran),
        }
    }

    /// Checks that nearly all samples of the program have its functions.
    pub(crate) fn is_named(&self, file: &str, ran: &Ran) {
        assert_eq!(ran.code, Some(0), "{ran:?}");
        let text = fs::read_to_string(self.path(file)).expect("it was written");
        let (mut named, mut all) = (0_u64, 0_u64);
        for line in text.lines() {
            let (stack, count) = line.rsplit_once(' ').expect("a value");
            let count: u64 = count.parse().expect("a number");
            all += count;
            let is_named = stack.contains(";hot") || stack.contains(";warm");
            named += if is_named { count } else { 0 };
        }
        assert!(all > 10 && named * 10 >= all * 6, "{text}\n{ran:?}");
        for reason in ["[deleted]", "[unreadable]", "[identity-unproven]"] {
            assert!(!text.contains(reason), "{text}\n{ran:?}");
        }
    }
}

/// Root, and an ordinary user; or who runs the tests.
pub(crate) fn users() -> Vec<Option<u32>> {
    match is_root() {
        true => vec![None, Some(65534)],
        false => vec![None],
    }
}

pub(crate) fn start(command: &mut Command, user: Option<u32>) -> KillOnDrop {
    command.stdin(Stdio::null()).stdout(Stdio::null());
    if let Some(user) = user {
        command.uid(user).gid(user);
    }
    KillOnDrop(command.spawn().expect("it starts"))
}

/// Waits until a process runs the program with this name; `false` if it ends instead.
pub(crate) fn runs(process: &mut KillOnDrop, name: &str) -> bool {
    let comm = format!("/proc/{}/comm", process.pid());
    let is_it = || fs::read(&comm).is_ok_and(|it| it.trim_ascii() == name.as_bytes());
    let mut has_ended = false;
    wait_until(name, || {
        has_ended = process.0.try_wait().is_ok_and(|ended| ended.is_some());
        has_ended || is_it()
    });
    !has_ended
}
