//! The kernel's list of its symbols.
#![no_main]

use std::io::BufReader;

use backsight_sources::kallsyms::Kallsyms;
use backsight_types::AbsAddr;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &[u8]| {
    let Ok(kernel) = Kallsyms::read(text) else {
        return;
    };
    for addr in [0, 1, 0xffff_ffff_8100_0000, u64::MAX] {
        let found = kernel.at(AbsAddr(addr));
        assert!(found.is_none_or(|found| found.start.0 <= addr));
    }
    // The pieces in which it is read change nothing.
    let pieces = BufReader::with_capacity(7, text);
    let again = Kallsyms::read(pieces).expect("it was read before");
    assert!(kernel.functions().eq(again.functions()));
    let mut last = None;
    for function in kernel.functions() {
        assert!(
            last < Some(function.start),
            "ascending, one for each address"
        );
        last = Some(function.start);
        assert_eq!(kernel.at(function.start), Some(function));
    }
});
