//! The behaviour on a kernel without the ioctl, for each errno that it may refuse with.
//!
//! A refusal is remembered for the whole process, so these tests run in their own
//! process.

mod common;

use std::fs::File;
use std::os::fd::OwnedFd;

use common::{FIRST, ask_all, open};
use nix::errno::Errno;
use testkit::child::Child;
use testkit::kernel::{Ioctl, ioctl};
use testkit::old_kernel::{ERRNOS, filter_this_thread};
use vma_query::{AbsAddr, Backend, Error, OpenOptions, Probe, ProcMaps, Query, probe};

/// Runs on threads that see an old kernel, one for each errno that it may return.
fn on_old_kernels(see: impl Fn() + Sync) {
    on_kernels_that_say(|_| see());
}

fn on_kernels_that_say(see: impl Fn(Errno) + Sync) {
    for errno in ERRNOS {
        let filtered = || {
            filter_this_thread(errno);
            see(errno);
        };
        std::thread::scope(|scope| scope.spawn(filtered).join())
            .unwrap_or_else(|_| panic!("fails on a kernel that says {errno}"));
    }
}

#[test]
fn an_old_kernel_is_read_by_text_unless_the_ioctl_is_forced() {
    let mut child = Child::spawn();
    let code = child.map("/proc/self/exe", "r-xp");
    on_old_kernels(|| {
        let maps = ProcMaps::open(child.pid()).unwrap();
        assert_eq!(maps.backend(), Backend::Auto);
        let found = maps.query(Query::covering(AbsAddr(code.start))).unwrap();
        assert_eq!(found.unwrap().start, AbsAddr(code.start));
        assert_eq!(maps.backend(), Backend::Text);

        let forced = open(child.pid(), Backend::Ioctl);
        for (question, answer) in ask_all(&forced) {
            match question {
                "snapshot" => assert!(answer.is_ok(), "{answer:?}"),
                _ => assert!(matches!(answer, Err(Error::Unsupported)), "{question}"),
            }
        }
    });
}

#[test]
fn build_ids_are_unsupported_by_text() {
    let child = Child::spawn();
    let text = open(child.pid(), Backend::Text);
    let answer = text.query_build_id(FIRST);
    assert!(matches!(answer, Err(Error::Unsupported)), "{answer:?}");
    on_old_kernels(|| {
        for backend in [Backend::Auto, Backend::Ioctl] {
            let maps = open(child.pid(), backend);
            let answer = maps.query_build_id(FIRST);
            assert!(matches!(answer, Err(Error::Unsupported)), "{answer:?}");
            let after = maps.query(FIRST);
            let by_text = backend == Backend::Auto;
            assert_eq!(after.is_ok(), by_text, "{backend:?} {after:?}");
        }
    });
}

#[test]
fn a_filter_that_comes_later_is_noticed() {
    let child = Child::spawn();
    let maps = ProcMaps::open(child.pid()).unwrap();
    let first = maps.query(FIRST).unwrap();
    // A first query, so that this process remembers that the ioctl works.
    let null = OwnedFd::from(File::open("/dev/null").unwrap());
    let refused = OpenOptions::new().from_fd(null).query(FIRST);
    assert!(refused.is_err());
    on_old_kernels(|| {
        assert_eq!(
            ProcMaps::open(child.pid()).unwrap().query(FIRST).unwrap(),
            first
        );
        assert_eq!(maps.query(FIRST).unwrap(), first);
        assert_eq!(maps.backend(), Backend::Text);
    });
}

#[test]
fn a_probe_says_with_which_errno() {
    match (ioctl(), probe().unwrap()) {
        (Ioctl::Answers, Probe::Answers) => {}
        (Ioctl::Refused(errno), Probe::Refused(error)) => {
            assert_eq!(error.raw_os_error(), Some(errno as i32));
        }
        (fact, said) => panic!("{fact:?}: {said:?}"),
    }
    on_kernels_that_say(|errno| match probe().unwrap() {
        Probe::Refused(error) => assert_eq!(error.raw_os_error(), Some(errno as i32)),
        said => panic!("{errno}: {said:?}"),
    });
}
