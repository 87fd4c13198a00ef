//! Symbol files as `llvm-gsymutil` writes them: one address at a time, and all at once.
#![no_main]

use backsight_index::{IndexBuilder, IndexView, ViewOptions};
use backsight_sources::gsym::Gsym;
use backsight_types::VirtOffset;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Ok(gsym) = Gsym::open(bytes) else {
        return;
    };
    let mut index = IndexBuilder::default();
    let Ok(is_damaged) = gsym.list(bytes, &mut index) else {
        return;
    };
    let Ok(index) = index.finish() else {
        return;
    };
    let view = IndexView::new(index, ViewOptions::default());
    for addr in (0..64).chain((0..16).map(|at| 0x1000 + at * 7)) {
        let (found, _) = gsym.find(bytes, addr);
        let listed = view.look_up(VirtOffset(addr));
        assert!(
            is_damaged || found.is_some() == listed.is_some(),
            "{addr:#x}"
        );
    }
});
