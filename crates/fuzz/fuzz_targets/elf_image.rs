//! Lookups in any bytes: unit by unit and in an index, which agree that an address is
//! known or a limit was reached; and all that the bytes define.
#![no_main]

use backsight_symbolize::{ModuleInput, Options, Place, Request, Symbolizer, Tier};
use backsight_types::{Lookup, VirtOffset};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    for tier in [Tier::Lazy, Tier::Flat] {
        let mut options = Options::default()
            .with_debug_dirs(Vec::new())
            .with_named_files(false)
            .with_tier(tier);
        // What a run of the fuzzer may take.
        options.limits.unpacked_bytes = 16 << 20;
        options.limits.mini_debug_bytes = 16 << 20;
        let symbolizer = Symbolizer::new(options);
        let module = symbolizer.add(ModuleInput::Bytes(bytes.into()), None, None);
        // Small programs begin low; forged tables may lie anywhere.
        let low = (0..0x2000).step_by(0x80);
        let addrs = low.chain([0, u64::MAX, 1 << 63, 0x40_1000]);
        let request = |addr| Request::new(module, Place::Virt(VirtOffset(addr)), Lookup::Exact);
        let requests: Vec<Request> = addrs.map(request).collect();
        let answers = symbolizer.symbolize(&requests);
        assert_eq!(answers.len(), requests.len());
        let _ = symbolizer.definitions(module);
    }
});
