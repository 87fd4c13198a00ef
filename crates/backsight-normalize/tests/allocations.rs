//! A session that has cached its spans allocates nothing.

#![expect(unsafe_code, reason = "a counting allocator is an unsafe trait")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use backsight_normalize::{AbsAddr, BuildIds, Options, Session, Trust};
use testkit::child::Child;
use testkit::kernel::{Ioctl, ioctl};

thread_local! {
    /// Counted per thread, as other tests run in parallel.
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
}

#[global_allocator]
static COUNTING: Counting = Counting;

struct Counting;

fn note() {
    // In a thread that is ending, the counter may be destroyed already.
    let _ = ALLOCATIONS.try_with(|count| count.set(count.get() + 1));
}

// SAFETY: every call is forwarded unchanged to the system allocator, which fulfils the
// contract. Counting allocates nothing.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        note();
        // SAFETY: the caller fulfils the contract of the trait.
        unsafe { System.alloc(layout) }
    }

    unsafe fn realloc(&self, memory: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        note();
        // SAFETY: the caller fulfils the contract of the trait; `memory` is from the system allocator.
        unsafe { System.realloc(memory, layout, size) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        // SAFETY: the caller fulfils the contract of the trait; `memory` is from the system allocator.
        unsafe { System.dealloc(memory, layout) }
    }
}

/// Returns how often `work` allocates.
fn allocations_of(work: impl FnOnce()) -> u64 {
    let before = ALLOCATIONS.get();
    work();
    ALLOCATIONS.get() - before
}

/// Addresses in code, data and gaps, unsorted and sorted.
fn batches(child: &mut Child, count: u64, vmas: u64) -> [(&'static str, Vec<AbsAddr>); 2] {
    const PAGE: u64 = 4096;
    let layout = child.layout("/bin/true", vmas);
    let hole = vmas / 4;
    child.unmap(layout.start + hole * PAGE..layout.start + (hole + 1) * PAGE);
    let addr = |nth: u64| AbsAddr(layout.start + nth * 7919 % (vmas * PAGE));
    let jumping: Vec<AbsAddr> = (0..count).map(addr).collect();
    let mut sorted = jumping.clone();
    sorted.sort();
    [("unsorted", jumping), ("sorted", sorted)]
}

/// Combinations of options for modules.
fn wishes() -> [(&'static str, Options); 3] {
    let kernel = Options::bare().with_build_ids(BuildIds::Kernel);
    [
        ("names", Options::bare()),
        ("the kernel's build IDs", kernel),
        ("all", Options::default()),
    ]
}

/// The allocations of a call that reads the text: its buffer, and a name.
const BY_TEXT: u64 = 8;

/// Normalizes the same addresses again, and fails if that allocates. By text, a session
/// that checks its cache reads the text again, into a buffer of that call.
fn holds(trust: Trust, vmas: u64) {
    let by_text = matches!(ioctl(), Ioctl::Refused(_)) && trust == Trust::Recheck;
    let allowed = if by_text { 3 * BY_TEXT } else { 0 };
    for count in [5, 100, 10_000] {
        let mut child = Child::spawn();
        let batches = batches(&mut child, count, vmas);
        for (wish, options) in wishes() {
            let options = options.with_trust(trust);
            let mut session = Session::open(child.pid(), options).unwrap();
            let mut outcomes = Vec::new();
            for (order, batch) in &batches {
                // The first call fills the cache, the second builds the index.
                for _ in 0..2 {
                    session.normalize(batch, &mut outcomes).unwrap();
                }
                let warm = allocations_of(|| {
                    for _ in 0..3 {
                        session.normalize(batch, &mut outcomes).unwrap();
                    }
                });
                assert!(
                    warm <= allowed,
                    "{warm}: {count} {order} in {vmas} VMAs, {wish}"
                );
            }
        }
    }
}

#[test]
fn a_session_that_trusts_allocates_nothing() {
    for vmas in [10, 200] {
        holds(Trust::UntilInvalidated, vmas);
    }
}

#[test]
fn a_session_that_rechecks_allocates_nothing() {
    for vmas in [10, 200] {
        holds(Trust::Recheck, vmas);
    }
}

#[test]
fn the_count_sees_what_is_allocated() {
    let allocations = allocations_of(|| drop(std::hint::black_box(vec![0_u8; 100])));
    assert_eq!(allocations, 1);
    let mut child = Child::spawn();
    let [(_, batch), _] = batches(&mut child, 5, 200);
    let one_shot = allocations_of(|| {
        let mut session = Session::open(child.pid(), Options::bare()).unwrap();
        session.normalize(&batch, &mut Vec::new()).unwrap();
    });
    assert!(one_shot > 0);
}
