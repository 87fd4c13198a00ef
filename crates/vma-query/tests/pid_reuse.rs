//! A reused pid never causes a wrong answer.
//!
//! The test runs itself again in a new pid namespace, where it can choose the next pid
//! and no other process takes it.

mod common;

use std::ffi::OsStr;
use std::fs;
use std::os::fd::OwnedFd;
use std::process::{Command, Output};

use common::{backends, open};
use testkit::child::Child;
use testkit::{is_root, skip};
use vma_query::{AbsAddr, Error, OpenOptions, ProcMaps, Query};

const INSIDE: &str = "VMA_QUERY_IN_A_PID_NAMESPACE";
const NEXT_PID: &str = "/proc/sys/kernel/ns_last_pid";

#[test]
fn a_reused_pid_is_another_process() {
    if std::env::var_os(INSIDE).is_some() {
        return reuse_a_pid();
    }
    if !in_a_pid_namespace("true").is_some_and(|done| done.status.success()) {
        return skip("pid namespaces are not available");
    }
    let done =
        in_a_pid_namespace(std::env::current_exe().unwrap()).expect("namespaces are available");
    let said = String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success(), "{said}");
}

/// Runs a program with this test's name as argument, as process 1 of a new namespace.
fn in_a_pid_namespace(program: impl AsRef<OsStr>) -> Option<Output> {
    let mut unshare = Command::new("unshare");
    unshare.args(["--pid", "--fork", "--mount-proc"]);
    if !is_root() {
        unshare.args(["--user", "--map-root-user"]);
    }
    let test = ["--exact", "a_reused_pid_is_another_process", "--nocapture"];
    unshare
        .arg(program)
        .args(test)
        .env(INSIDE, "1")
        .output()
        .ok()
}

fn reuse_a_pid() {
    let mut first = Child::spawn();
    let pid = first.pid();
    let opened: Vec<ProcMaps> = backends().into_iter().map(|it| open(pid, it)).collect();
    let directories: Vec<OwnedFd> = opened
        .iter()
        .map(|maps| maps.directory().unwrap().try_clone_to_owned().unwrap())
        .collect();
    first.kill();
    fs::write(NEXT_PID, (pid - 1).to_string()).unwrap();
    let second = Child::spawn();
    assert_eq!(second.pid(), pid, "the pid is used again");

    let query = Query::covering_or_next(AbsAddr(0));
    for maps in &opened {
        let answer = maps.query(query);
        assert!(matches!(answer, Err(Error::ProcessGone)), "{answer:?}");
        let read = maps.snapshot();
        assert!(matches!(read, Err(Error::ProcessGone)), "{read:?}");
    }
    for directory in directories {
        let again = OpenOptions::new().open_dir(directory);
        let gone = matches!(again, Err(Error::NoSuchProcess | Error::ProcessGone));
        assert!(gone, "{again:?}");
    }
    for backend in backends() {
        assert!(open(pid, backend).query(query).unwrap().is_some());
    }
}
