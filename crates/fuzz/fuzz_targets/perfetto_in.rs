//! A trace of Perfetto, and the symbols that are written for it.
#![no_main]

use backsight_formats::perfetto::{self, Limits};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|trace: &[u8]| {
    let _ = perfetto::is_one(trace);
    let limits = Limits::default().with_memory(64 << 20);
    if let Ok((profile, flaws)) = perfetto::read(trace, &limits) {
        let _ = format!("{profile:?} {flaws:?}");
    }
    if let Ok((profile, _, places)) = perfetto::read_for_symbols(trace, &limits) {
        let mut symbols = Vec::new();
        let _ = perfetto::write_symbols(&profile, &places, &mut symbols);
    }
});
