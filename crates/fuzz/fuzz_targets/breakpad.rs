//! Symbol files as `dump_syms` writes them: one address at a time, and all at once.
#![no_main]

use backsight_index::{IndexBuilder, IndexView, ViewOptions};
use backsight_sources::breakpad::Breakpad;
use backsight_types::VirtOffset;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    // Most of what a fuzzer makes up has no such first line.
    let first = b"MODULE Linux x86_64 00112233445566778899AABBCCDDEEFF0 a\n";
    let bytes: Vec<u8> = first.iter().chain(bytes).copied().collect();
    let Ok(breakpad) = Breakpad::open(&bytes) else {
        return;
    };
    let mut index = IndexBuilder::default();
    let Ok(is_damaged) = breakpad.list(&bytes, 0, &mut index) else {
        return;
    };
    for rows in breakpad.all_cfi(&bytes, 0) {
        let pairs = rows.rows.iter().zip(rows.rows.iter().skip(1));
        for (row, next) in pairs {
            assert!(row.range.end <= next.range.start);
        }
    }
    let Ok(index) = index.finish() else {
        return;
    };
    let view = IndexView::new(index, ViewOptions::default());
    for addr in (0..64).chain((0..16).map(|at| 0x1000 + at * 7)) {
        let (found, _) = breakpad.find(&bytes, 0, addr);
        let listed = view.look_up(VirtOffset(addr));
        assert!(
            is_damaged || found.is_some() == listed.is_some(),
            "{addr:#x}"
        );
    }
});
