//! What a session caches, and how it reacts to reported changes.

use std::fs;

use backsight_normalize::{
    AbsAddr, AbsRange, Backend, Error, Mmap, Options, Outcome, Reason, Session, SharedModules,
    Trust,
};
use testkit::child::Child;
use testkit::kernel::{Ioctl, ioctl};

fn backends() -> Vec<Backend> {
    match ioctl() {
        Ioctl::Answers => vec![Backend::Ioctl, Backend::Text],
        Ioctl::Refused(_) => vec![Backend::Text],
    }
}

fn session(child: &Child, backend: Backend, trust: Trust) -> Session {
    Session::open(
        child.pid(),
        Options::default().with_backend(backend).with_trust(trust),
    )
    .unwrap()
}

fn ask(session: &mut Session, addr: u64) -> Outcome {
    let mut outcomes = Vec::new();
    session.normalize(&[AbsAddr(addr)], &mut outcomes).unwrap();
    outcomes[0]
}

/// Returns the path of an outcome's module, or its reason.
fn shown(session: &Session, outcome: Outcome) -> String {
    match outcome {
        Outcome::Located { module, .. } => {
            let path = session.modules()[module.as_usize()]
                .module
                .path_lossy()
                .into_owned();
            path.rsplit('/').next().unwrap_or_default().to_owned()
        }
        Outcome::Unresolved(reason) => reason.to_string(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_trusting_session_believes_until_it_is_told() {
    for backend in backends() {
        let mut child = Child::spawn();
        let code = child.map("/bin/cat", "r-xp");
        let (start, range) = (
            code.start,
            AbsRange {
                start: AbsAddr(code.start),
                end: AbsAddr(code.end),
            },
        );
        let mut trusting = session(&child, backend, Trust::UntilInvalidated);
        let mut checking = session(&child, backend, Trust::Recheck);
        let see = |session: &mut Session| {
            let outcome = ask(session, start);
            shown(session, outcome)
        };
        assert_eq!(
            [see(&mut trusting), see(&mut checking)],
            ["cat", "cat"],
            "{backend:?}"
        );
        child.unmap(code.clone());
        assert_eq!(
            [see(&mut trusting), see(&mut checking)],
            ["cat", "unmapped"],
            "{backend:?}"
        );
        trusting.on_munmap(range);
        assert_eq!(see(&mut trusting), "unmapped", "{backend:?}");
        child.map_at(start, "/bin/ls", "r-xp", 0..0x1000);
        assert_eq!(
            [see(&mut trusting), see(&mut checking)],
            ["unmapped", "ls"],
            "{backend:?}"
        );
        trusting.on_mmap(&Mmap {
            range,
            ..Mmap::default()
        });
        assert_eq!(see(&mut trusting), "ls", "{backend:?}");
        child.protect(&(start..start + 0x1000), "r--p");
        assert_eq!(see(&mut checking), "not-executable", "{backend:?}");
        trusting.invalidate(AbsRange {
            start: AbsAddr(start + 0xfff),
            end: AbsAddr(start + 0x1000),
        });
        assert_eq!(see(&mut trusting), "not-executable", "{backend:?}");
    }
}

#[test]
fn after_exec_a_session_goes_on_with_the_new_program() {
    for backend in backends() {
        let mut child = Child::spawn();
        let code = child.map("/bin/cat", "r-xp");
        let mut told = session(&child, backend, Trust::UntilInvalidated);
        assert!(matches!(
            ask(&mut told, code.start),
            Outcome::Located { .. }
        ));
        child.exec_itself();
        told.on_exec().unwrap();
        let stack = child.stack();
        assert_eq!(
            ask(&mut told, stack.start),
            Outcome::Unresolved(Reason::NotExecutable)
        );
        let again = child.map("/bin/cat", "r-xp");
        told.invalidate(AbsRange {
            start: AbsAddr(again.start),
            end: AbsAddr(again.end),
        });
        let outcome = ask(&mut told, again.start);
        assert_eq!(shown(&told, outcome), "cat", "{backend:?}");
        assert_eq!(
            told.modules().len(),
            1,
            "the same file is the same module, {backend:?}"
        );
        told.on_exit();
        let outcome = ask(&mut told, again.start);
        assert_eq!(shown(&told, outcome), "cat", "what was found, {backend:?}");
        assert_eq!(
            ask(&mut told, 0x1000),
            Outcome::Unresolved(Reason::ProcessGone)
        );
    }
}

#[test]
fn exec_without_the_directory_ends_a_session() {
    let mut child = Child::spawn();
    let mut bare = Session::open(child.pid(), Options::bare()).unwrap();
    child.exec_itself();
    assert!(matches!(bare.on_exec(), Err(Error::ProcessGone)));
}

#[test]
fn an_inode_given_to_another_file_is_another_module() {
    // A new file often gets the inode number of the file deleted last.
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("lib.so");
    for backend in backends() {
        let mut child = Child::spawn();
        let mut kept = session(&child, backend, Trust::Recheck);
        let mut ids = Vec::new();
        for program in ["/bin/cat", "/bin/ls", "/bin/cat"] {
            testkit::copy(program, &path).unwrap();
            let code = child.map(&path, "r-xp");
            let Outcome::Located { module, .. } = ask(&mut kept, code.start) else {
                panic!()
            };
            let mapped = kept.modules()[module.as_usize()].module.build_id;
            let bytes = fs::read(program).unwrap();
            let want = backsight_elf::Headers::parse(bytes.as_slice())
                .unwrap()
                .build_id;
            assert_eq!(mapped, want, "{program} {backend:?}");
            ids.push(module);
            child.unmap(code);
            fs::remove_file(&path).unwrap();
        }
        assert_ne!(ids[0], ids[1], "{backend:?}");
    }
}

#[test]
fn sessions_that_share_modules_number_them_alike() {
    for backend in backends() {
        let shared = SharedModules::new();
        let mut children = [Child::spawn(), Child::spawn()];
        let mut found = Vec::new();
        for child in &mut children {
            let code = child.map("/bin/cat", "r-xp");
            let mut session = session(child, backend, Trust::UntilInvalidated).sharing(&shared);
            for _ in 0..2 {
                found.push(ask(&mut session, code.start));
            }
        }
        assert!(
            found.iter().all(|outcome| *outcome == found[0]),
            "{backend:?}: {found:?}"
        );
        assert_eq!(shared.read().len(), 1, "{backend:?}");
        assert!(shared.read()[0].module.build_id.is_some(), "{backend:?}");
    }
}

#[test]
fn many_spans_in_any_order_are_found_again() {
    let mut child = Child::spawn();
    let range = child.gaps("/bin/cat", 600);
    let pages: Vec<u64> = (range.start..range.end).step_by(0x1000).collect();
    // Adjacent spans are looked up at different times, so that spans are not found in
    // order.
    let mut addrs: Vec<AbsAddr> = pages.iter().map(|page| AbsAddr(page + 0x10)).collect();
    let count = addrs.len();
    for nth in 0..count {
        addrs.swap(nth, (nth * 7919) % count);
    }
    let text = testkit::naive::text_of(child.pid()).unwrap();
    let mapped = |addr: &AbsAddr| {
        matches!(
            testkit::naive::find(&text, addr.0),
            testkit::naive::Found::Located { .. }
        )
    };
    let want: Vec<bool> = addrs.iter().map(mapped).collect();
    for backend in backends() {
        for trust in [Trust::Recheck, Trust::UntilInvalidated] {
            let mut session = session(&child, backend, trust);
            let mut outcomes = Vec::new();
            for round in 0..4 {
                session.normalize(&addrs, &mut outcomes).unwrap();
                let got: Vec<bool> = outcomes
                    .iter()
                    .map(|o| matches!(o, Outcome::Located { .. }))
                    .collect();
                assert_eq!(got, want, "{backend:?} {trust:?} round {round}");
            }
        }
    }
}
