//! Converts between virtual offsets and code offsets.

use super::layout::Window;

/// Returns the code offset of the virtual offset `addr`; `None` if there is no code.
#[inline]
pub(crate) fn code_offset(windows: &[Window], addr: u64) -> Option<u32> {
    let window = windows.get(window_at(windows, addr)?)?;
    let into = u32::try_from(addr.checked_sub(window.start())?).ok()?;
    if into >= window.size() {
        return None;
    }
    window.first().checked_add(into)
}

/// Returns the virtual offset of a code offset.
#[inline]
pub(crate) fn virt_offset(windows: &[Window], at: u32) -> Option<u64> {
    let after = windows.partition_point(|window| window.first() <= at);
    let window = windows.get(after.checked_sub(1)?)?;
    let into = at.checked_sub(window.first())?;
    if into >= window.size() {
        return None;
    }
    window.start().checked_add(into.into())
}

/// Returns the last window that starts at or below `addr`.
#[inline]
pub(crate) fn window_at(windows: &[Window], addr: u64) -> Option<usize> {
    // There are at most a dozen windows, except in relocatable objects.
    let after = windows.partition_point(|window| window.start() <= addr);
    after.checked_sub(1)
}
