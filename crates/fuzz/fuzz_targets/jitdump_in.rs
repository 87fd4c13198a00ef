//! What a just-in-time compiler tells of its code, in time.
#![no_main]

use backsight_formats::jitdump::{Jitdump, Limits, Timeline};
use backsight_types::AbsAddr;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Ok(dump) = Jitdump::read(bytes, &Limits::default()) else {
        return;
    };
    let mut timeline = Timeline::default();
    for time in [0, 1, 1 << 20, u64::MAX] {
        timeline.advance(&dump, time);
        for addr in [0, 1, 0x1000, 0x7f00_0000_0000, u64::MAX] {
            if let Some((number, offset)) = timeline.at(AbsAddr(addr)) {
                let code = dump.code(number).expect("it was loaded");
                assert!(offset < code.size);
                let _ = dump.line(number, offset);
            }
        }
    }
});
