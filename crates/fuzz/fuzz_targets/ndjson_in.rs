//! NDJSON as a profile.
#![no_main]

use backsight_formats::ndjson::read_profile;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &[u8]| {
    for summed in [false, true] {
        let _ = read_profile(text, summed, |_| {});
    }
});
