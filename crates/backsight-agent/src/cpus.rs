//! The processors that are online.

use std::fs;
use std::ops::RangeInclusive;

/// Returns the numbers of the processors that are online; only the first one if that cannot be
/// read.
pub(crate) fn online() -> Vec<u32> {
    let list = fs::read_to_string("/sys/devices/system/cpu/online").unwrap_or_default();
    let cpus = parse(list.trim());
    match cpus.is_empty() {
        true => vec![0],
        false => cpus,
    }
}

/// The most processors that Linux can be built for, and a bound for a damaged list.
const MAX_CPUS: usize = 1 << 13;

/// Parses a list such as `0-3,8`.
fn parse(list: &str) -> Vec<u32> {
    let ranges = list.split(',').filter_map(range);
    ranges.flatten().take(MAX_CPUS).collect()
}

fn range(text: &str) -> Option<RangeInclusive<u32>> {
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    Some(first.parse().ok()?..=last.parse().ok()?)
}

#[cfg(test)]
mod tests {
    use super::{online, parse};

    #[test]
    fn a_list_has_numbers_and_ranges() {
        assert_eq!(parse("0"), [0]);
        assert_eq!(parse("0-3,8,10-11"), [0, 1, 2, 3, 8, 10, 11]);
        assert_eq!(parse(""), [0_u32; 0]);
        assert_eq!(parse("x,1"), [1]);
        assert_eq!(parse("0-4294967295").len(), super::MAX_CPUS);
        assert!(!online().is_empty());
    }
}
