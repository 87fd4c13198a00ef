//! Text that a program moved to anonymous memory: located as before, and marked; and memory that
//! only looks like it.

use std::path::PathBuf;

use backsight_normalize::{
    AbsAddr, Backend, Module, Normalized, Options, Outcome, Reason, Session, normalize,
};
use testkit::child::{Child, program};
use testkit::kernel::{Ioctl, ioctl};
use testkit::tools::{readelf_segments, tool};

const PAGE: u64 = 4096;

/// The backends that this kernel supports.
fn backends() -> Vec<Backend> {
    match ioctl() {
        Ioctl::Answers => vec![Backend::Text, Backend::Ioctl],
        Ioctl::Refused(_) => vec![Backend::Text],
    }
}

fn by(child: &Child, addrs: &[AbsAddr], backend: Backend) -> Normalized {
    let options = Options::default().with_backend(backend);
    normalize(child.pid(), addrs, options).unwrap()
}

/// The module and the offset of an outcome.
fn located(of: &Normalized, nth: usize) -> (Module, u64) {
    let Outcome::Located {
        module,
        file_offset,
    } = of.outcomes[nth]
    else {
        panic!("address {nth}: {:?}", of.outcomes[nth]);
    };
    (of.modules[module.as_usize()].module.clone(), file_offset.0)
}

/// The child's own text in its memory.
fn own_text(child: &Child) -> std::ops::Range<u64> {
    let maps = std::fs::read_to_string(format!("/proc/{}/maps", child.pid())).unwrap();
    let name = program().to_str().unwrap().to_owned();
    let line = maps
        .lines()
        .find(|line| line.contains(" r-xp ") && line.ends_with(&name));
    let range = line.unwrap().split(' ').next().unwrap();
    let (start, end) = range.split_once('-').unwrap();
    let hex = |digits: &str| u64::from_str_radix(digits, 16).unwrap();
    hex(start)..hex(end)
}

/// A file with at least eight pages of text, whose code is as far into memory as into the file;
/// and the offset of the first whole page of its text.
fn library() -> Option<(PathBuf, u64)> {
    tool("readelf")?;
    let path = ["/bin/bash", "/bin/ls"].map(PathBuf::from);
    path.into_iter().find_map(|path| {
        let code = readelf_segments(&path)?;
        let code = code.iter().find(|load| load.flags.contains('E'))?;
        let first = code.offset.next_multiple_of(PAGE);
        let enough = code.offset + code.file_size >= first + 8 * PAGE;
        (code.offset == code.virt && enough).then_some((path, first))
    })
}

#[test]
fn a_program_that_moves_its_own_text_is_located_as_before() {
    for backend in backends() {
        // The middle, the beginning and the end of the text, and all of it.
        for (from, to) in [(1, 1), (0, 1), (1, 0), (0, 0)] {
            let mut child = Child::spawn();
            let text = own_text(&child);
            assert!(text.end - text.start >= 3 * PAGE, "{text:x?}");
            let addrs: Vec<_> = text.clone().step_by(64).map(AbsAddr).collect();
            let before = by(&child, &addrs, backend);
            let moved = text.start + from * PAGE..text.end - to * PAGE;
            child.remap(&moved);
            // It still runs.
            child.stack();
            let after = by(&child, &addrs, backend);
            let mut inferred = 0;
            for (nth, addr) in addrs.iter().enumerate() {
                let (old, now) = (located(&before, nth), located(&after, nth));
                assert!(!old.0.inferred);
                assert_eq!(now.0.inferred, moved.contains(&addr.0), "{addr}");
                inferred += usize::from(now.0.inferred);
                assert_eq!((now.0.with_inferred(false), now.1), old, "{addr}");
            }
            assert!(inferred as u64 == (moved.end - moved.start) / 64);
        }
    }
}

#[test]
fn a_session_follows_text_that_moves() {
    for backend in backends() {
        let mut child = Child::spawn();
        let text = own_text(&child);
        let moved = text.start + PAGE..text.end - PAGE;
        let addr = AbsAddr(moved.start + 8);
        let options = Options::default().with_backend(backend).with_images(true);
        let mut session = Session::open(child.pid(), options).unwrap();
        let mut outcomes = Vec::new();
        let mut seen = Vec::new();
        for step in 0..4 {
            match step {
                2 => child.remap(&moved),
                3 => child.unmap(text.end - PAGE..text.end),
                _ => {}
            }
            session.normalize(&[addr], &mut outcomes).unwrap();
            seen.push(match outcomes[0] {
                Outcome::Located { module, .. } => {
                    let known = &session.modules()[module.as_usize()];
                    assert!(known.image.is_some());
                    Ok((module.0, known.module.inferred))
                }
                Outcome::Unresolved(reason) => Err(reason),
                other => panic!("{other:?}"),
            });
        }
        let want = [
            Ok((0, false)),
            Ok((0, false)),
            Ok((1, true)),
            // Nothing above says any more whose text it is.
            Err(Reason::Anonymous),
        ];
        assert_eq!(seen, want, "{backend:?}");
    }
}

#[test]
fn neighbours_that_disagree_name_nothing() {
    let Some((file, first)) = library() else {
        return testkit::skip("no readelf, or no program with the usual layout");
    };
    let other = program();
    // What is below, what is above, and how much of the range is moved.
    let part = |pages: std::ops::Range<u64>| first + pages.start * PAGE..first + pages.end * PAGE;
    for backend in backends() {
        for case in [
            "the same file",
            "in several pieces",
            "another file above",
            "another file below",
            "another place of the file above",
            "nothing above",
            "nothing below",
            "other code",
            "patched code",
        ] {
            let mut child = Child::spawn();
            let area = child.anon("---p", 8 * PAGE).start;
            let page = |nth: u64| area + nth * PAGE;
            child.map_at(page(1), &file, "r-xp", part(1..5));
            match case {
                "another file above" => drop(child.map_at(page(4), &other, "r-xp", 0..PAGE)),
                "another file below" => drop(child.map_at(page(1), &other, "r-xp", 0..PAGE)),
                "another place of the file above" => {
                    child.map_at(page(4), &file, "r-xp", part(5..6));
                }
                "nothing above" => child.unmap(page(4)..page(5)),
                "nothing below" => child.unmap(page(1)..page(2)),
                // The same pages of the file are copied, but from another place.
                "other code" => drop(child.map_at(page(2), &file, "r-xp", part(5..7))),
                _ => {}
            }
            match case {
                "in several pieces" => {
                    child.remap(&(page(2)..page(3)));
                    child.remap(&(page(3)..page(4)));
                    // Two VMAs, as they differ in permissions.
                    child.protect(&(page(3)..page(4)), "rwxp");
                }
                _ => child.remap(&(page(2)..page(4))),
            }
            if case == "patched code" {
                child.poke(page(2)..page(2) + 100);
            }
            let got = by(
                &child,
                &[AbsAddr(page(2) + 8), AbsAddr(page(3) + 8)],
                backend,
            );
            match case {
                "the same file" | "in several pieces" | "patched code" => {
                    for (nth, at) in [(0, 2), (1, 3)] {
                        let (module, offset) = located(&got, nth);
                        assert!(module.inferred, "{case} {backend:?}");
                        assert_eq!(offset, first + at * PAGE + 8, "{case} {backend:?}");
                    }
                    assert_eq!(got.modules.len(), 1, "{case} {backend:?}");
                }
                _ => {
                    let none = Outcome::Unresolved(Reason::Anonymous);
                    assert_eq!(got.outcomes, [none, none], "{case} {backend:?}");
                    assert!(got.modules.is_empty(), "{case} {backend:?}");
                }
            }
        }
    }
}

#[test]
fn it_can_be_turned_off_and_needs_program_headers() {
    let mut child = Child::spawn();
    let text = own_text(&child);
    child.remap(&(text.start + PAGE..text.end - PAGE));
    let addr = AbsAddr(text.start + PAGE);
    for options in [
        Options::default().with_remapped_text(false),
        Options::default().with_segments(false),
        Options::bare(),
    ] {
        let got = normalize(child.pid(), &[addr], options).unwrap();
        assert_eq!(got.outcomes, [Outcome::Unresolved(Reason::Anonymous)]);
    }
}

/// A saved text has no program headers: it answers as the process does where the VMAs around the
/// text are at one distance from the file, and else says nothing.
#[test]
fn a_saved_text_answers_as_the_process_does() {
    let Some(segments) = readelf_segments(&program()) else {
        return testkit::skip("readelf");
    };
    let distance = |load: &testkit::tools::Load| load.virt.wrapping_sub(load.offset);
    let code = segments.iter().position(|load| load.flags.contains('E'));
    let code = code.expect("a program has code");
    let is_as_far = |other: Option<usize>| {
        let other = other.and_then(|at| segments.get(at));
        other.is_some_and(|other| distance(other) == distance(&segments[code]))
    };
    let (as_below, as_above) = (is_as_far(code.checked_sub(1)), is_as_far(Some(code + 1)));
    let mut answered = 0;
    for (from, to) in [(1, 1), (0, 1), (1, 0), (0, 0)] {
        let mut child = Child::spawn();
        let text = own_text(&child);
        let moved = text.start + from * PAGE..text.end - to * PAGE;
        child.remap(&moved);
        // Unsorted, and not of every piece.
        let at = |page: u64| AbsAddr(moved.start + page * PAGE + 8);
        let last = (moved.end - moved.start) / PAGE - 1;
        let addrs = [at(last), at(0), AbsAddr(8), at(last / 2)];
        let live = by(&child, &addrs, Backend::Text);
        let saved = std::fs::read(format!("/proc/{}/maps", child.pid())).unwrap();
        let all = vma_query::Snapshot::parse(&saved).unwrap();
        let answers = [
            backsight_normalize::normalize_snapshot(&all, &addrs).unwrap(),
            backsight_normalize::normalize_text(&saved[..], &addrs).unwrap(),
            backsight_normalize::normalize_text(&saved[..], &addrs[..1]).unwrap(),
        ];
        let is_known = (from > 0 || as_below) && (to > 0 || as_above);
        for (nth, saved) in answers.iter().enumerate() {
            for at in [0, 1, 3]
                .into_iter()
                .filter(|at| *at < saved.outcomes.len())
            {
                if !is_known {
                    let anonymous = Outcome::Unresolved(Reason::Anonymous);
                    assert_eq!(saved.outcomes[at], anonymous, "{from} {to} {nth}");
                    continue;
                }
                let ((old, offset), (now, same)) = (located(&live, at), located(saved, at));
                assert_eq!(offset, same, "{from} {to} {nth}");
                assert!(now.inferred && old.inferred, "{from} {to} {nth}");
                let identity = |it: Module| (it.path, it.device, it.inode, it.deleted);
                assert_eq!(identity(now), identity(old), "{from} {to} {nth}");
                answered += 1;
            }
        }
        if (from, to) == (1, 1) {
            // Nothing above says any more whose text it is.
            child.unmap(text.end - PAGE..text.end);
            let saved = std::fs::read(format!("/proc/{}/maps", child.pid())).unwrap();
            let found = backsight_normalize::normalize_text(&saved[..], &addrs).unwrap();
            let anonymous = Outcome::Unresolved(Reason::Anonymous);
            assert_eq!(found.outcomes[0], anonymous);
        }
    }
    assert!(answered >= 7, "{answered}");
}
