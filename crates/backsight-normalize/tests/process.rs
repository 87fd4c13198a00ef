//! Processes that cannot be queried, or that end meanwhile.

use backsight_normalize::{
    AbsAddr, Backend, Error, ModuleIdx, Options, Outcome, Reason, Session, normalize,
};
use testkit::child::Child;
use testkit::kernel::{Ioctl, ioctl};

/// The backends that this kernel supports.
fn backends() -> Vec<Backend> {
    match ioctl() {
        Ioctl::Answers => vec![Backend::Auto, Backend::Text, Backend::Ioctl],
        Ioctl::Refused(_) => vec![Backend::Auto, Backend::Text],
    }
}

fn options(backend: Backend) -> Options {
    Options::default().with_backend(backend)
}

const SOME: &[AbsAddr] = &[AbsAddr(0x1000)];

#[test]
fn a_pid_that_nobody_has_is_said() {
    for backend in backends() {
        // Above the largest pid of Linux (2^22).
        let missing = normalize(0x7fff_ffff, SOME, options(backend));
        assert!(matches!(missing, Err(Error::NoSuchProcess)), "{backend:?}");
    }
}

#[test]
fn another_users_process_is_denied() {
    let child = Child::spawn();
    let pid = if testkit::is_root() { child.pid() } else { 1 };
    for backend in backends() {
        let denied = testkit::user::unprivileged(|| normalize(pid, SOME, options(backend)));
        assert!(
            matches!(denied, Err(Error::Denied(_) | Error::NoSuchProcess)),
            "{backend:?}"
        );
    }
}

#[test]
fn a_zombie_and_a_kernel_thread_have_no_memory() {
    let mut child = Child::spawn();
    child.exit();
    for backend in backends() {
        let zombie = normalize(child.pid(), SOME, options(backend));
        // An unprivileged user may not even open a zombie's maps.
        assert!(
            matches!(zombie, Err(Error::ProcessGone | Error::Denied(_))),
            "{backend:?}"
        );
        if testkit::is_root() {
            // kthreadd. In a container, pid 2 may be another process or not exist.
            if std::fs::read_to_string("/proc/2/comm").is_ok_and(|comm| comm == "kthreadd\n") {
                let thread = normalize(2, SOME, options(backend));
                assert!(matches!(thread, Err(Error::ProcessGone)), "{backend:?}");
            }
        }
    }
}

#[test]
fn a_session_never_answers_for_what_came_after_exec_or_exit() {
    for backend in backends() {
        for leave in [Child::exec_itself, Child::exit, Child::kill] {
            let mut child = Child::spawn();
            let code = AbsAddr(child.map("/bin/cat", "r-xp").start);
            let mut session = Session::open(child.pid(), options(backend)).unwrap();
            let mut outcomes = Vec::new();
            session.normalize(&[code], &mut outcomes).unwrap();
            assert!(
                matches!(outcomes[0], Outcome::Located { .. }),
                "{backend:?}"
            );
            leave(&mut child);
            let gone = session.normalize(&[code], &mut outcomes);
            assert!(
                matches!(gone, Err(Error::ProcessGone)),
                "{backend:?}: {gone:?}"
            );
        }
    }
}

#[test]
fn an_empty_batch_is_answered_with_nothing() {
    for backend in backends() {
        let got = normalize(std::process::id(), &[], options(backend)).unwrap();
        assert!(
            got.outcomes.is_empty() && got.modules.is_empty(),
            "{backend:?}"
        );
    }
}

#[test]
fn the_ends_of_the_address_space_have_their_reasons() {
    for backend in backends() {
        let addrs = [
            AbsAddr(0),
            AbsAddr(u64::MAX),
            AbsAddr(0x00ff_ffff_ffff_ffff),
        ];
        let got = normalize(std::process::id(), &addrs, options(backend)).unwrap();
        let want = [Reason::Unmapped, Reason::Kernel, Reason::Unmapped].map(Outcome::Unresolved);
        assert_eq!(got.outcomes, want, "{backend:?}");
    }
}

#[test]
fn known_vmas_stay_until_they_are_unmapped() {
    for backend in backends() {
        let mut child = Child::spawn();
        let cat = child.map("/bin/cat", "r-xp");
        let mut session = Session::open(child.pid(), options(backend)).unwrap();
        let mut outcomes = Vec::new();
        for _ in 0..3 {
            session
                .normalize(&[AbsAddr(cat.start)], &mut outcomes)
                .unwrap();
            assert!(matches!(
                outcomes[0],
                Outcome::Located {
                    module: ModuleIdx(0),
                    ..
                }
            ));
        }
        let (start, end) = (cat.start, cat.end);
        child.unmap(cat);
        session.normalize(&[AbsAddr(start)], &mut outcomes).unwrap();
        assert_eq!(
            outcomes,
            [Outcome::Unresolved(Reason::Unmapped)],
            "{backend:?}"
        );
        // Another file at the same address.
        child.map_at(start, "/bin/ls", "r-xp", 0..end - start);
        session.normalize(&[AbsAddr(start)], &mut outcomes).unwrap();
        assert!(matches!(
            outcomes[0],
            Outcome::Located {
                module: ModuleIdx(1),
                ..
            }
        ));
        let modules = session.modules();
        let paths: Vec<_> = modules.iter().map(|m| m.module.path_lossy()).collect();
        assert!(
            paths[0].ends_with("/cat") && paths[1].ends_with("/ls"),
            "{paths:?}"
        );
    }
}

#[test]
fn a_session_may_move_to_another_thread() {
    fn is_send<T: Send + Sync>() {}
    is_send::<Session>();
}

#[test]
fn descriptors_are_given_back() {
    let open = || std::fs::read_dir("/proc/self/fd").unwrap().count();
    let mut child = Child::spawn();
    let code = AbsAddr(child.map("/bin/cat", "r-xp").start);
    let run = |images| {
        let options = Options::default().with_images(images);
        normalize(child.pid(), &[code], options).unwrap()
    };
    // Other tests of this binary open and close files meanwhile. With many runs, a leak
    // of one descriptor per run exceeds their number.
    let before = open();
    for _ in 0..200 {
        drop(run(true));
    }
    assert!(open() < before + 100);
}
