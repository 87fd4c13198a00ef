//! Where an error of a JSON text is.

/// Converts a line and column to an offset in a text.
pub(crate) fn offset_of(text: &[u8], line: usize, column: usize) -> u64 {
    let before = line.saturating_sub(1);
    let lines = text.split(|byte| *byte == b'\n').take(before);
    let start = lines.fold(0_usize, |sum, line| {
        sum.saturating_add(line.len()).saturating_add(1)
    });
    u64::try_from(start.saturating_add(column)).unwrap_or(u64::MAX)
}
