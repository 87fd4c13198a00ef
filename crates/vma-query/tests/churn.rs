//! A process that changes its mappings all the time: walks end and ascend, and memory
//! that stays mapped is always found. Nothing here depends on timing.

mod common;

use common::{backends, open};
use testkit::child::Child;
use vma_query::{AbsAddr, Backend, Error, Filter, NameBuf, ProcMaps, Query, Vma};

const ROUNDS: usize = 300;

/// More VMAs than the child ever has: a walk that yields as many does not end.
const MANY: usize = 5000;

/// A child that changes its mappings all the time, and pages of a file that stay mapped
/// above and below them.
struct Churning {
    child: Child,
    stable: Vec<AbsAddr>,
}

fn churning() -> Churning {
    let mut child = Child::spawn();
    // The kernel places new mappings below the existing ones, so these pages are on both
    // sides of the changing ones.
    let above = child.gaps("/proc/self/exe", 40);
    child.churn();
    let below = child.gaps("/proc/self/exe", 40);
    let first_pages = |range: std::ops::Range<u64>| range.step_by(2 * 4096).map(AbsAddr);
    let mut stable: Vec<AbsAddr> = first_pages(below).chain(first_pages(above)).collect();
    stable.sort_unstable();
    Churning { child, stable }
}

/// Returns the result of reading a text while it changes; only `Torn` is allowed as an
/// error.
fn unless_torn<T>(maps: &ProcMaps, answer: vma_query::Result<T>) -> Option<T> {
    match answer {
        Ok(answer) => Some(answer),
        Err(Error::Torn) if maps.backend() == Backend::Text => None,
        Err(why) => panic!("{:?}: {why:?}", maps.backend()),
    }
}

fn is_page(vma: Option<Vma>, addr: AbsAddr) -> bool {
    vma.is_some_and(|vma| vma.start == addr && vma.is_executable() && vma.is_file_backed())
}

#[test]
fn walks_go_upward_and_meet_all_that_stays() {
    let Churning { child, stable } = churning();
    for backend in backends() {
        let maps = open(child.pid(), backend);
        let mut torn = 0;
        for round in 0..ROUNDS {
            let filter = if round % 2 == 0 {
                Filter::ANY
            } else {
                Filter::FILE_BACKED
            };
            let mut name = NameBuf::new();
            let mut vmas = maps.vmas().only(filter);
            let mut met: Vec<Vma> = Vec::new();
            let whole = loop {
                let Some(next) = vmas.next_named(&mut name) else {
                    break true;
                };
                let Some(vma) = unless_torn(&maps, next) else {
                    break false;
                };
                let floor = met.last().map_or(AbsAddr(0), |vma| vma.end);
                assert!(vma.start < vma.end && floor < vma.end, "{floor} {vma:?}");
                met.push(vma);
                assert!(met.len() < MANY, "{backend:?} does not end");
            };
            if !whole {
                torn += 1;
                continue;
            }
            for &addr in &stable {
                let found = met.iter().find(|vma| vma.contains(addr)).copied();
                assert!(is_page(found, addr), "{backend:?} lost {addr}");
            }
        }
        assert!(torn < ROUNDS / 2, "{backend:?}: {torn} of {ROUNDS} torn");
    }
}

#[test]
fn a_vma_merged_with_the_one_before_is_seen_as_it_is() {
    for backend in backends() {
        let mut child = Child::spawn();
        let both = child.anon("r--p", 0x2000);
        let (first, second) = (both.start, both.start + 0x1000);
        child.protect(&(second..both.end), "r-xp");
        let maps = open(child.pid(), backend);
        let mut vmas = maps.vmas().from(AbsAddr(first));
        assert_eq!(vmas.next().unwrap().unwrap().end.0, second);
        child.protect(&(second..both.end), "r--p");
        let next = vmas.next().unwrap().unwrap();
        // The text's line may have been read before the change; the ioctl queries when
        // the walk reaches it.
        let by_text = maps.backend() == Backend::Text;
        assert!(next.start.0 == first || by_text && next.start.0 == second);
        assert_eq!(next.end.0, both.end, "{backend:?}");
    }
}

#[test]
fn single_queries_find_all_that_stays() {
    let Churning { child, stable } = churning();
    for backend in backends() {
        let maps = open(child.pid(), backend);
        let mut torn = 0;
        for round in 0..ROUNDS {
            let addr = stable[round % stable.len()];
            for query in [Query::covering(addr), Query::covering_or_next(addr)] {
                match unless_torn(&maps, maps.query(query)) {
                    Some(found) => assert!(is_page(found, addr), "{backend:?} lost {addr}"),
                    None => torn += 1,
                }
            }
        }
        assert_eq!(
            torn, 0,
            "{backend:?}: a text is read again when it comes out torn"
        );
    }
}

#[test]
fn sorted_passes_and_snapshots_find_all_that_stays() {
    let Churning { child, stable } = churning();
    for backend in backends() {
        let maps = open(child.pid(), backend);
        for _ in 0..ROUNDS {
            let mut cursor = maps.cursor();
            for &addr in &stable {
                let Some(found) = unless_torn(&maps, cursor.seek(addr)) else {
                    break;
                };
                assert!(is_page(found, addr), "{backend:?} lost {addr}");
            }
        }
        for _ in 0..ROUNDS {
            let snapshot = match maps.snapshot() {
                Ok(snapshot) => snapshot,
                Err(Error::Torn) => continue,
                Err(why) => panic!("{why:?}"),
            };
            let ends = snapshot.iter().map(|it| (it.vma.start, it.vma.end));
            let ends: Vec<_> = ends.collect();
            assert!(ends.windows(2).all(|two| two[0].1 <= two[1].0));
            for &addr in &stable {
                let found = snapshot.covering(addr).map(|found| found.vma);
                assert!(is_page(found, addr), "lost {addr}");
            }
        }
    }
}

#[test]
fn two_passes_over_one_open_text_do_not_disturb_each_other() {
    for backend in backends() {
        let mut child = Child::spawn();
        let range = child.layout("/proc/self/exe", 1000);
        let page = |nth: u64| AbsAddr(range.start + nth * 4096);
        let maps = open(child.pid(), backend);
        let (mut first, mut second) = (maps.cursor(), maps.cursor());
        assert_eq!(first.seek(page(500)).unwrap().unwrap().start, page(500));
        // Both read the same open file. The text before the position shrinks, then the
        // first pass continues at its position.
        second.seek(page(0)).unwrap();
        child.unmap(page(100).0..page(400).0);
        for nth in 501..1000 {
            let found = first.seek(page(nth)).unwrap().unwrap();
            assert_eq!(
                found.start,
                page(nth),
                "{backend:?}: page {nth} was always mapped"
            );
        }
    }
}
