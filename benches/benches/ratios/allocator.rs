//! Counts heap allocations, for the one row that asks.

#![expect(unsafe_code, reason = "an allocator is an unsafe trait")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

#[global_allocator]
static COUNTING: Counting = Counting;

/// The system's allocator; a contestant's time does not feel the one test more.
struct Counting;

static COUNTS: AtomicBool = AtomicBool::new(false);
static COUNT: AtomicU64 = AtomicU64::new(0);

/// Begins to count.
pub(crate) fn count() {
    COUNTS.store(true, Ordering::Relaxed);
}

/// Ends it.
pub(crate) fn stop() {
    COUNTS.store(false, Ordering::Relaxed);
}

/// Returns how many allocations there were while it counted.
pub(crate) fn counted() -> u64 {
    COUNT.load(Ordering::Relaxed)
}

#[inline]
fn note() {
    if COUNTS.load(Ordering::Relaxed) {
        COUNT.fetch_add(1, Ordering::Relaxed);
    }
}

// SAFETY: every call goes to the system's allocator as it came, which upholds what
// is asked of one; counting allocates nothing.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        note();
        // SAFETY: the caller keeps what the trait asks.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        note();
        // SAFETY: the caller keeps what the trait asks.
        unsafe { System.alloc_zeroed(layout) }
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
