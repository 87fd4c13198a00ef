//! Profiles from before profile.proto.
#![no_main]

use backsight_formats::legacy;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let is_one = legacy::is_one(bytes);
    let read = legacy::read(bytes, |_| {});
    assert!(is_one || read.is_err());
    if let Ok((profile, _)) = read {
        let _ = format!("{profile:?}");
    }
});
