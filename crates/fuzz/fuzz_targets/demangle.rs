//! Names: within the limit, or none.
#![no_main]

use backsight_symbolize::demangle;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|name: &str| {
    const LIMIT: usize = 64 << 10;
    for scheme in ["", "_Z", "_R", "_D"] {
        let name = &format!("{scheme}{name}");
        if let Some(text) = demangle(name, LIMIT) {
            assert!(text.len() <= LIMIT);
        }
    }
});
