//! Counts heap allocations, for row N9.

#![expect(unsafe_code, reason = "an allocator is an unsafe trait")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

#[global_allocator]
static COUNTING: Counting = Counting;

/// The system's allocator with a counter; the additional check does not affect measured times.
struct Counting;

static COUNTS: AtomicBool = AtomicBool::new(false);
static COUNT: AtomicU64 = AtomicU64::new(0);

/// Starts counting.
pub(crate) fn count() {
    COUNTS.store(true, Ordering::Relaxed);
}

/// Stops counting.
pub(crate) fn stop() {
    COUNTS.store(false, Ordering::Relaxed);
}

/// Returns the number of allocations counted.
pub(crate) fn counted() -> u64 {
    COUNT.load(Ordering::Relaxed)
}

#[inline]
fn note() {
    if COUNTS.load(Ordering::Relaxed) {
        COUNT.fetch_add(1, Ordering::Relaxed);
    }
}

// SAFETY: every call is passed on unchanged to the system's allocator, which fulfils the
// contract; counting allocates nothing.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        note();
        // SAFETY: the caller fulfils the trait's contract.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        note();
        // SAFETY: the caller fulfils the trait's contract.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, memory: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        note();
        // SAFETY: the caller fulfils the trait's contract; `memory` comes from the system's
        // allocator.
        unsafe { System.realloc(memory, layout, size) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        // SAFETY: the caller fulfils the trait's contract; `memory` comes from the system's
        // allocator.
        unsafe { System.dealloc(memory, layout) }
    }
}
