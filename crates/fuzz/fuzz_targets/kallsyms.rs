//! The kernel's list of its symbols.
#![no_main]

use backsight_symbolize::Kallsyms;
use backsight_types::AbsAddr;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &[u8]| {
    let kernel = Kallsyms::read(text).expect("reading a slice does not fail");
    for addr in [0, 1, 0xffff_ffff_8100_0000, u64::MAX] {
        let found = kernel.at(AbsAddr(addr));
        assert!(found.is_none_or(|found| found.start.0 <= addr));
    }
});
