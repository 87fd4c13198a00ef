//! A warm session takes nothing from the heap.

#![expect(unsafe_code, reason = "a counting allocator is an unsafe trait")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use backsight_normalize::{AbsAddr, BuildIds, Options, Session, Trust};
use testkit::child::Child;
use testkit::kernel::{Ioctl, ioctl};

thread_local! {
    /// Of this thread alone: other tests run beside it.
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
}

#[global_allocator]
static COUNTING: Counting = Counting;

struct Counting;

fn note() {
    // A thread that ends has no count any more.
    let _ = ALLOCATIONS.try_with(|count| count.set(count.get() + 1));
}

// SAFETY: every call goes to the system's allocator as it came, which upholds what
// is asked of one; counting allocates nothing.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        note();
        // SAFETY: the caller keeps what the trait asks.
        unsafe { System.alloc(layout) }
    }

    unsafe fn realloc(&self, memory: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        note();
        // SAFETY: the caller keeps what the trait asks; `memory` is the system's.
        unsafe { System.realloc(memory, layout, size) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        // SAFETY: the caller keeps what the trait asks; `memory` is the system's.
        unsafe { System.dealloc(memory, layout) }
    }
}

/// Returns how often `work` allocates.
fn allocations_of(work: impl FnOnce()) -> u64 {
    let before = ALLOCATIONS.get();
    work();
    ALLOCATIONS.get() - before
}

/// Addresses in code, data and holes that jump about, and sorted.
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

/// What a caller may want to know of modules.
fn wishes() -> [(&'static str, Options); 3] {
    let kernel = Options::bare().with_build_ids(BuildIds::Kernel);
    [
        ("names", Options::bare()),
        ("the kernel's build IDs", kernel),
        ("all", Options::default()),
    ]
}

/// What a call that reads the text may take: its buffer, and a name.
const BY_TEXT: u64 = 8;

/// Normalizes the same again, and fails when that takes anything from the heap. By text
/// a session that asks again reads again, into a buffer of that call.
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
                // The first call learns, the second builds an index of it.
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
        holds(Trust::UntilTold, vmas);
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
