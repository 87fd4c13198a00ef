//! Every set of conditions selects the same VMAs by ioctl, by text, and with a simple
//! parser of the text.

mod common;

use common::{backends, covering, filters, first_reaching, line, nameless, open};
use testkit::child::Child;
use testkit::maps::Line;
use testkit::naive;
use vma_query::{AbsAddr, Query};

#[test]
fn every_set_of_conditions_passes_over_the_same_vmas() {
    let mut child = Child::spawn();
    for perms in [
        "r--p", "rw-p", "r-xp", "--xp", "---p", "r--s", "rw-s", "r-xs",
    ] {
        child.anon(perms, 0x1000);
    }
    for perms in ["r--p", "rw-p", "r-xp", "--xp", "---p", "r--s", "r-xs"] {
        child.map("/proc/self/exe", perms);
    }
    let lines: Vec<Line> = naive::lines(&naive::text_of(child.pid()).unwrap()).collect();
    for backend in backends() {
        let maps = open(child.pid(), backend);
        let snapshot = maps.snapshot().unwrap();
        for (filter, passes) in filters() {
            let walked: Vec<Line> = maps
                .vmas()
                .only(filter)
                .map(|vma| line(vma.unwrap(), b""))
                .collect();
            let passing = lines.iter().filter(|line| passes(line));
            let want: Vec<Line> = passing.map(nameless).collect();
            assert_eq!(walked, want, "{backend:?} {filter:?}");

            let mut cursor = maps.cursor().only(filter);
            for addr in common::telling_addresses(&lines) {
                let at = covering(&lines, addr).filter(|line| passes(line));
                let next = first_reaching(&lines, addr, &passes);
                for (query, want) in [
                    (Query::covering(addr), at),
                    (Query::covering_or_next(addr), next),
                ] {
                    let found = maps.query(query.only(filter)).unwrap();
                    let found = found.map(|vma| line(vma, b""));
                    assert_eq!(
                        found,
                        want.map(nameless),
                        "{backend:?} {query:?} {filter:?}"
                    );
                }
                let found = cursor.seek(addr).unwrap().map(|vma| line(vma, b""));
                assert_eq!(found, next.map(nameless), "{backend:?} {addr} {filter:?}");
                let found = snapshot.covering_or_next(addr, filter);
                let found = found.map(|found| line(found.vma, found.raw_name));
                assert_eq!(found.as_ref(), next, "snapshot {addr} {filter:?}");
            }
        }
    }
}

#[test]
fn an_address_above_all_memory_has_no_answer() {
    let child = Child::spawn();
    for backend in backends() {
        let maps = open(child.pid(), backend);
        for (filter, _) in filters() {
            for query in [Query::covering, Query::covering_or_next] {
                let above = query(AbsAddr(u64::MAX)).only(filter);
                assert_eq!(maps.query(above).unwrap(), None, "{backend:?} {above:?}");
            }
        }
    }
}
