//! Processes in which a thread ends: the first one, or the one that was opened.

mod common;

use std::fs;
use std::os::fd::OwnedFd;
use std::process;
use std::time::Duration;

use common::{FIRST, ask_all, backends, ioctl_answers, open, walk};
use testkit::child::Child;
use testkit::maps::Line;
use testkit::naive;
use vma_query::{AbsAddr, Backend, Error, OpenOptions, ProcMaps, Query};

/// Returns the only remaining thread, and its text.
fn survivor(child: &Child) -> (u32, Vec<Line>) {
    let pid = child.pid();
    let tasks = fs::read_dir(format!("/proc/{pid}/task")).unwrap();
    let tids = tasks.map(|task| task.unwrap().file_name().into_string().unwrap());
    let mut others = tids
        .map(|tid| tid.parse().unwrap())
        .filter(|tid| *tid != pid);
    let tid: u32 = others.next().unwrap();
    (tid, naive::lines(&naive::text_of(tid).unwrap()).collect())
}

/// Waits until the threads are older than the unit of start times, a hundredth of a
/// second.
fn let_threads_age() {
    std::thread::sleep(Duration::from_millis(50));
}

#[test]
fn a_process_whose_first_thread_ended_is_asked_through_another() {
    let mut child = Child::spawn();
    let code = child.map("/proc/self/exe", "r-xp");
    let pid = child.pid();
    let before: Vec<ProcMaps> = backends().into_iter().map(|it| open(pid, it)).collect();
    child.end_leader();
    let_threads_age();
    let (other, want) = survivor(&child);
    assert!(want.len() > 5);
    assert_eq!(naive::text_of(pid).unwrap(), b"", "the first has no text");

    for (backend, before) in backends().into_iter().zip(before) {
        assert_eq!(walk(&before).unwrap(), want, "{backend:?}: opened before");
        for directory in [true, false] {
            let options = OpenOptions::new().backend(backend).directory(directory);
            let by_task = options.open_task(pid, other).unwrap();
            assert_eq!(walk(&by_task).unwrap(), want, "{backend:?}: by task");
            let by_pid = options.open(pid).unwrap();
            assert_eq!(walk(&by_pid).unwrap(), want, "{backend:?}: by pid");
            for (question, answer) in ask_all(&options.open(pid).unwrap()) {
                assert!(answer.is_ok(), "{backend:?} {question}: {answer:?}");
            }
            if !directory {
                continue;
            }
            let process = fs::File::open(format!("/proc/{pid}")).unwrap();
            let by_directory = options.open_dir(OwnedFd::from(process)).unwrap();
            assert_eq!(
                walk(&by_directory).unwrap(),
                want,
                "{backend:?}: by directory"
            );
            // The directory of the ended thread has no root.
            let files = by_pid.directory().unwrap();
            let root = nix::sys::stat::fstatat(files, "root/", nix::fcntl::AtFlags::empty());
            assert!(root.is_ok(), "{backend:?}: {root:?}");
        }
    }
    if ioctl_answers() {
        let code = Query::covering(AbsAddr(code.start));
        let by_pid = ProcMaps::open(pid).unwrap().query_build_id(code).unwrap();
        let by_task = OpenOptions::new().open_task(pid, other).unwrap();
        assert_eq!(by_pid, by_task.query_build_id(code).unwrap());
        assert!(by_pid.is_some());
    }
}

#[test]
fn no_thread_of_a_later_program_stands_in() {
    let mut child = Child::spawn();
    let pid = child.pid();
    let_threads_age();
    let never_asked = || backends().into_iter().map(|it| open(pid, it));
    let before: Vec<ProcMaps> = never_asked().collect();
    let assert_gone = |when: &str| {
        for maps in &before {
            for (question, answer) in ask_all(maps) {
                let gone = matches!(answer, Err(Error::ProcessGone));
                assert!(gone, "{when}: {:?} {question}: {answer:?}", maps.backend());
            }
        }
    };
    child.exec_itself();
    assert_gone("its first thread is as old as the process");
    child.end_leader();
    let_threads_age();
    assert_gone("its second is younger than the open");
    let (_, want) = survivor(&child);
    for maps in never_asked() {
        assert_eq!(walk(&maps).unwrap(), want, "opened since");
    }
}

#[test]
fn a_process_whose_last_thread_ended_is_gone() {
    let mut child = Child::spawn();
    child.end_leader();
    let_threads_age();
    let opened: Vec<ProcMaps> = backends().iter().map(|it| open(child.pid(), *it)).collect();
    for maps in &opened {
        maps.query(FIRST).unwrap().expect("the process runs");
    }
    let asked_first_now: Vec<ProcMaps> =
        backends().iter().map(|it| open(child.pid(), *it)).collect();
    child.kill();
    for maps in opened.iter().chain(&asked_first_now) {
        for (question, answer) in ask_all(maps) {
            let gone = matches!(answer, Err(Error::ProcessGone));
            assert!(gone, "{:?} {question}: {answer:?}", maps.backend());
        }
    }
}

#[test]
fn a_thread_that_ended_takes_the_text_with_it() {
    let opened = std::thread::spawn(|| {
        let tid = nix::unistd::gettid().as_raw().unsigned_abs();
        let by_task = |it| OpenOptions::new().backend(it).open_task(process::id(), tid);
        backends().into_iter().map(by_task).collect::<Vec<_>>()
    });
    let opened = opened.join().unwrap();
    let this_process = ProcMaps::open_self().unwrap().query(FIRST).unwrap();
    // A joined thread may still be exiting; until it is gone, both answer.
    for maps in opened.into_iter().map(Result::unwrap) {
        match (maps.query(FIRST), maps.backend()) {
            (Ok(found), _) => assert_eq!(found, this_process),
            (Err(Error::ProcessGone), Backend::Text) => {}
            (Err(why), backend) => panic!("{backend:?}: {why:?}"),
        }
    }
}
