//! Every failure of a query has its error type, the same with both backends.

mod common;

use std::fs::File;
use std::os::fd::OwnedFd;

use common::{FIRST, ask_all, backends, ioctl_answers, open};
use nix::unistd::{dup, pipe};
use testkit::child::Child;
use testkit::user::unprivileged;
use testkit::{is_root, skip};
use vma_query::{Backend, Error, OpenOptions, ProcMaps};

fn assert_all_gone(maps: &ProcMaps, why: &str) {
    for (question, answer) in ask_all(maps) {
        let gone = matches!(answer, Err(Error::ProcessGone));
        assert!(
            gone,
            "{why}: {question} by {:?}: {answer:?}",
            maps.backend()
        );
    }
}

#[test]
fn a_process_that_ended_or_execd_since_it_was_opened_is_gone() {
    type End = fn(&mut Child);
    let ways: [(&str, End); 4] = [
        ("zombie", Child::exit),
        ("reaped", Child::kill),
        ("exec of another program", Child::exec_cat),
        ("exec of the same program", Child::exec_itself),
    ];
    for (why, end) in ways {
        let mut child = Child::spawn();
        let opened: Vec<ProcMaps> = backends().iter().map(|it| open(child.pid(), *it)).collect();
        for maps in &opened {
            maps.query(FIRST).unwrap().expect("the process runs");
        }
        end(&mut child);
        for maps in &opened {
            assert_all_gone(maps, why);
        }
    }
}

#[test]
fn a_walk_through_a_process_that_ends_says_so() {
    for backend in backends() {
        let mut child = Child::spawn();
        child.layout("/proc/self/exe", 500);
        let maps = open(child.pid(), backend);
        let mut vmas = maps.vmas();
        vmas.next().expect("a first VMA").unwrap();
        child.kill();
        let last = vmas.by_ref().last().expect("the walk ends with an error");
        assert!(
            matches!(last, Err(Error::ProcessGone)),
            "{backend:?} {last:?}"
        );
        assert!(vmas.next().is_none(), "an error ends the walk");
    }
}

#[test]
fn an_execd_process_answers_when_opened_again() {
    let mut child = Child::spawn();
    child.exec_itself();
    for backend in backends() {
        let maps = open(child.pid(), backend);
        assert!(maps.query(FIRST).unwrap().is_some(), "{backend:?}");
    }
}

#[test]
fn zombies_and_kernel_threads_have_no_memory() {
    let mut zombie = Child::spawn();
    zombie.exit();
    let mut pids = vec![zombie.pid()];
    match std::fs::read_to_string("/proc/2/comm").as_deref() {
        Ok("kthreadd\n") => pids.push(2),
        _ => skip("no kernel thread is visible"),
    }
    for pid in pids {
        for backend in backends() {
            // Kernels differ in whether the open already fails.
            match OpenOptions::new().backend(backend).open(pid) {
                Ok(maps) => assert_all_gone(&maps, "no memory"),
                Err(Error::ProcessGone) => {}
                Err(Error::Denied(_)) if pid == 2 && !is_root() => {}
                Err(why) => panic!("{pid}: {why:?}"),
            }
        }
    }
}

#[test]
fn a_pid_that_nobody_has_is_no_process() {
    for directory in [true, false] {
        let options = OpenOptions::new().directory(directory);
        for pid in [0, u32::MAX, 1 << 22] {
            let opened = options.open(pid);
            assert!(matches!(opened, Err(Error::NoSuchProcess)), "{opened:?}");
        }
        let opened = options.open_task(std::process::id(), u32::MAX);
        assert!(matches!(opened, Err(Error::NoSuchProcess)), "{opened:?}");
    }
}

#[test]
fn another_users_process_is_denied() {
    let child = Child::spawn();
    let pid = if is_root() { child.pid() } else { 1 };
    for directory in [true, false] {
        let opened = unprivileged(|| OpenOptions::new().directory(directory).open(pid));
        // Where `/proc` is mounted with hidepid it is invisible instead.
        let refused = matches!(opened, Err(Error::Denied(_) | Error::NoSuchProcess));
        assert!(refused, "{opened:?}");
    }
}

#[test]
fn access_is_checked_at_the_open_alone() {
    let child = Child::spawn();
    for backend in backends() {
        let maps = open(child.pid(), backend);
        unprivileged(|| {
            for (question, answer) in ask_all(&maps) {
                assert!(answer.is_ok(), "{question}: {answer:?}");
            }
        });
    }
}

#[test]
fn a_descriptor_of_another_kind_is_refused_by_both() {
    let regular = |content: &str| {
        let mut file = tempfile::tempfile().unwrap();
        std::io::Write::write_all(&mut file, content.as_bytes()).unwrap();
        OwnedFd::from(file)
    };
    // Its write end stays open: a blocking read would never return.
    let (read_end, _write_end) = pipe().unwrap();
    let device = |path| OwnedFd::from(File::open(path).unwrap());
    let kinds = [
        ("null", device("/dev/null")),
        ("zero", device("/dev/zero")),
        ("folder", device("/")),
        ("another file of /proc", device("/proc/self/status")),
        ("pipe", read_end),
        ("empty file", regular("")),
        ("text without a line", regular("no newline")),
        ("text of other lines", regular("one\ntwo\n")),
    ];
    for (kind, fd) in kinds {
        for backend in [Backend::Auto, Backend::Ioctl, Backend::Text] {
            let maps = OpenOptions::new()
                .backend(backend)
                .from_fd(dup(&fd).unwrap());
            for (question, answer) in ask_all(&maps) {
                assert!(
                    answer.is_err(),
                    "{kind}: {question} by {backend:?} succeeds"
                );
                if ioctl_answers() && backend != Backend::Text && question != "snapshot" {
                    let typed = matches!(answer, Err(Error::NotMaps));
                    assert!(typed, "{kind}: {question} by {backend:?}: {answer:?}");
                }
            }
        }
    }
}

#[test]
fn a_text_that_stays_torn_or_is_malformed_is_said_with_its_line() {
    let line = |start: u32, end: u32| format!("{start:08x}-{end:08x} r-xp 00000000 00:00 0 \n");
    let upward: String = (1..200)
        .map(|nth| line(nth << 12, (nth + 1) << 12))
        .collect();
    let torn = |text: &str| matches!(ask_text(text), Err(Error::Torn));
    assert!(torn(&[&upward, line(1 << 12, 2 << 12).as_str()].concat()));
    assert!(torn(
        &[&upward, line(199 << 12, 201 << 12).as_str()].concat()
    ));
    assert!(!torn(
        &[&upward, line(200 << 12, 201 << 12).as_str()].concat()
    ));
    for (text, want) in [("x\n", 1), (&[&upward, "\n"].concat(), 200)] {
        let answer = ask_text(text);
        let there = matches!(answer, Err(Error::Malformed { line, .. }) if line == want);
        assert!(there, "line {want}: {answer:?}");
    }
}

/// Walks over a text and takes a snapshot of it; both succeed, or both fail with the same
/// error.
fn ask_text(text: &str) -> vma_query::Result<()> {
    let mut file = tempfile::tempfile().unwrap();
    std::io::Write::write_all(&mut file, text.as_bytes()).unwrap();
    let options = OpenOptions::new().backend(Backend::Text);
    let maps = options.from_fd(OwnedFd::from(file));
    let walked = maps.vmas().try_for_each(|vma| vma.map(drop));
    let read = maps.snapshot().map(drop);
    assert_eq!(format!("{walked:?}"), format!("{read:?}"));
    walked
}
