//! An index file is refused, or answers without a word of what is not in it.
#![no_main]

use backsight_symbolize::{Options, Place, Request, SymbolIndex, Symbolizer};
use backsight_types::{Lookup, VirtOffset};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Ok(index) = SymbolIndex::from_bytes(bytes.into()) else {
        return;
    };
    let _ = index.verify();
    let symbolizer = Symbolizer::new(Options::default());
    let module = symbolizer.add_index(index, None);
    let request = |addr| Request::new(module, Place::Virt(VirtOffset(addr)), Lookup::Exact);
    let requests: Vec<Request> = (0..0x4000).step_by(0x40).map(request).collect();
    assert_eq!(symbolizer.symbolize(&requests).len(), requests.len());
    let _ = symbolizer.definitions(module);
});
