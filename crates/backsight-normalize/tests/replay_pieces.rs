//! Traces that are fed in pieces, and mappings of the kernel.

mod trace;

use backsight_normalize::{
    AbsAddr, AbsRange, CapturedAddrs, CodeMapping, FileOffset, Mmap, ModuleIdx, Outcome,
    ProcessChange, ProcessRecord, Reason, Replay, replay,
};
use backsight_types::trace::KERNEL_PID;
use backsight_types::{ModuleKind, Perms};
use proptest::prelude::*;
use trace::{PAGE, at, pages, sample};

/// The address of the kernel image on x86-64.
const TEXT: u64 = 0xffff_ffff_8100_0000;

fn code(start: u64, pages: u64, name: &str) -> ProcessChange {
    ProcessChange::Mmap(Mmap {
        range: AbsRange {
            start: AbsAddr(start),
            end: AbsAddr(start + pages * PAGE),
        },
        offset: FileOffset(start),
        perms: Perms::READ | Perms::EXECUTE,
        name: name.into(),
        ..Mmap::default()
    })
}

#[test]
fn kernel_addresses_lie_in_what_the_kernel_has_mapped_by_then() {
    let module = TEXT + 0x4000_0000;
    let records = [
        at(0, KERNEL_PID, code(TEXT, 4, "[kernel.kallsyms]")),
        at(0, 1, code(PAGE, 1, "/a")),
        at(20, KERNEL_PID, code(module, 1, "[veth]")),
        at(40, 1, ProcessChange::Exit),
    ];
    let addrs = [TEXT + 0x10, PAGE + 4, module + 8, u64::MAX];
    let samples = [10, 30, 50].map(|time| sample(time, 1, &addrs));
    let replayed = replay(&records, &samples);
    let located = |module, offset| Outcome::Located {
        module: ModuleIdx(module),
        file_offset: FileOffset(offset),
    };
    let kernel = Outcome::Unresolved(Reason::Kernel);
    let gone = Outcome::Unresolved(Reason::ProcessGone);
    let image = located(0, 0x10);
    let program = located(1, PAGE + 4);
    assert_eq!(
        replayed.outcomes,
        [
            [image, program, kernel, kernel],
            [image, program, located(2, 8), kernel],
            [image, gone, located(2, 8), kernel],
        ]
    );
    let kinds: Vec<ModuleKind> = replayed.modules.iter().map(|m| m.module.kind).collect();
    assert_eq!(
        kinds,
        [ModuleKind::Kernel, ModuleKind::File, ModuleKind::Kernel]
    );
}

#[test]
fn code_is_what_is_mapped_at_the_end_of_a_piece() {
    let mut replay = Replay::new();
    let data = ProcessChange::Mmap(Mmap {
        range: pages(8, 9),
        perms: Perms::READ,
        name: b"/data".to_vec(),
        ..Mmap::default()
    });
    replay.feed(&[at(1, 1, code(2 * PAGE, 2, "/a")), at(2, 1, data)], &[]);
    replay.feed(&[at(3, 2, ProcessChange::Fork { parent: 1 })], &[]);
    let facts = |it: CodeMapping| (it.range, it.offset, it.module);
    let code = |pid| replay.code_of(pid).map(facts).collect::<Vec<_>>();
    let whole = (pages(2, 4), FileOffset(2 * PAGE), Some(ModuleIdx(0)));
    assert_eq!(code(1), [whole]);
    assert_eq!(code(2), [whole]);
    assert_eq!(code(3), []);
}

fn change() -> impl Strategy<Value = ProcessChange> {
    let range = (0_u64..20, 1_u64..6).prop_map(|(start, count)| pages(start, start + count));
    prop_oneof![
        6 => (0_u64..20, 1_u64..6, 0_usize..3)
            .prop_map(|(start, pages, name)| code(start * PAGE, pages, ["/a", "/b", "/c"][name])),
        2 => (0_u64..8, 1_u64..3).prop_map(|(start, pages)| code(TEXT + start * PAGE, pages, "[k]")),
        2 => range.clone().prop_map(ProcessChange::Munmap),
        1 => range.prop_map(|range| ProcessChange::Mprotect(range, Perms::READ)),
        2 => (0_u32..4).prop_map(|parent| ProcessChange::Fork { parent }),
        1 => Just(ProcessChange::Exec),
        1 => Just(ProcessChange::Exit),
    ]
}

proptest! {
    /// A trace gives the same result with any division into pieces.
    #[test]
    fn pieces_give_what_the_whole_gives(
        changes in prop::collection::vec((0_u32..5, change()), 1..60),
        addrs in prop::collection::vec((0_u32..5, prop::collection::vec(0_u64..26 * PAGE, 0..6)), 60),
        cuts in prop::collection::btree_set(0_usize..60, 0..8),
    ) {
        // The last process is the kernel.
        let pid = |pid| if pid == 4 { KERNEL_PID } else { pid };
        let records: Vec<ProcessRecord> = (0_u64..)
            .zip(changes)
            .map(|(time, (of, change))| at(2 * time, pid(of), change))
            .collect();
        let samples: Vec<CapturedAddrs> = (0_u64..)
            .zip(addrs)
            .take(records.len())
            .map(|(time, (of, addrs))| {
                // Every second address in the kernel half.
                let halves = addrs.iter().zip([0, TEXT].into_iter().cycle());
                let addrs: Vec<u64> = halves.map(|(addr, half)| addr + half).collect();
                sample(2 * time + 1, pid(of), &addrs)
            })
            .collect();
        let whole = replay(&records, &samples);
        let mut pieces = Replay::new();
        let mut outcomes = Vec::new();
        let mut from = 0;
        for cut in cuts.into_iter().filter(|cut| *cut < records.len()).chain([records.len()]) {
            outcomes.extend(pieces.feed(&records[from..cut], &samples[from..cut]));
            from = cut;
        }
        prop_assert_eq!(outcomes, whole.outcomes);
        let names = |modules: &[backsight_normalize::NormalizedModule]| {
            modules.iter().map(|m| m.module.clone()).collect::<Vec<_>>()
        };
        prop_assert_eq!(names(pieces.modules()), names(&whole.modules));
    }
}
