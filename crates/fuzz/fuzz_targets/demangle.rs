//! Names: within the limit, or none.
#![no_main]

use backsight_symbolize::demangle;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|name: &str| {
    const LIMIT: usize = 64 << 10;
    for name in [name, &format!("_Z{name}"), &format!("_R{name}")] {
        if let Some(text) = demangle(name, LIMIT) {
            assert!(text.len() <= LIMIT);
        }
    }
});
