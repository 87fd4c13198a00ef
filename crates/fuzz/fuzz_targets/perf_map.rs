//! A list of names of code that was made at run time, whole and as it grows.
#![no_main]

use backsight_formats::perf_map::{JitName, LastLine, Limits, PerfMap};
use backsight_types::AbsAddr;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &[u8]| {
    let limits = Limits::default();
    let mut whole = PerfMap::default();
    whole
        .read(text, LastLine::Whole, &limits)
        .expect("reading a slice does not fail");
    let mut grown = PerfMap::default();
    let mut read = 0;
    for until in [text.len() / 2, text.len()] {
        let new = text.get(read..until).unwrap_or_default();
        read += usize::try_from(grown.read(new, LastLine::Unfinished, &limits).unwrap()).unwrap();
    }
    let rest = text.get(read..).unwrap_or_default();
    grown.read(rest, LastLine::Whole, &limits).unwrap();
    // What is left of a line that is too long is another line the next time.
    if text.len() as u64 > limits.line {
        return;
    }
    assert_eq!(
        (whole.len(), whole.malformed()),
        (grown.len(), grown.malformed())
    );
    for addr in [0, 1, 0x1000, 0x7f00_0000_0000, u64::MAX] {
        let found = whole.at(AbsAddr(addr));
        assert_eq!(found, grown.at(AbsAddr(addr)));
        if let Some(code) = found {
            assert!(code.start.0 <= addr && addr - code.start.0 < code.size);
            let _ = JitName::of(&String::from_utf8_lossy(code.name));
        }
    }
});
