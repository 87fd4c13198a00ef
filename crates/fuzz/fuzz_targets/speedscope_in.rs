//! speedscope's JSON that was read is written, and what is written is read again.
#![no_main]

use backsight_formats::speedscope::{self, Limits};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &[u8]| {
    let _ = speedscope::is_one(text);
    let limits = Limits::default().with_memory(64 << 20);
    let Ok((profile, _)) = speedscope::read(text, &limits) else {
        return;
    };
    for sample_type in 0..profile.sample_types.len() {
        let mut written = Vec::new();
        speedscope::write(&profile, sample_type, &mut written).expect("memory takes all");
        speedscope::read(&*written, &Limits::default()).expect("what we write, we read");
    }
});
