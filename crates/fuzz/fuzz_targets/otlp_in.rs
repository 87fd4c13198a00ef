//! An OTLP file that was read is written, and what is written is read again.
#![no_main]

use backsight_formats::otlp::{self, Limits};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let limits = Limits::default().with_memory(64 << 20);
    let Ok((profile, _)) = otlp::read(bytes, &limits) else {
        return;
    };
    let mut written = Vec::new();
    otlp::write(&profile, &mut written, &otlp::Options::default()).expect("memory takes all");
    otlp::read(&*written, &Limits::default()).expect("what we write, we read");
});
