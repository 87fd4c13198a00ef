//! The text of perf script.
#![no_main]

use backsight_formats::perf_script;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &[u8]| {
    let _ = perf_script::is_one(text);
    let (profile, _) =
        perf_script::read(text, true, |_| {}).expect("reading a slice does not fail");
    let _ = format!("{profile:?}");
});
