//! A profile of V8.
#![no_main]

use backsight_formats::cpuprofile::{self, Limits};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &[u8]| {
    let _ = cpuprofile::is_one(text);
    let limits = Limits::default().with_memory(64 << 20);
    if let Ok((profile, flaws)) = cpuprofile::read(text, &limits) {
        let _ = format!("{profile:?} {flaws:?}");
    }
});
