//! A maps text is refused, or is read as it would be read again.
#![no_main]

use libfuzzer_sys::fuzz_target;
use vma_query::Snapshot;

fuzz_target!(|text: &[u8]| {
    let Ok(once) = Snapshot::read(text, |_| true) else {
        return;
    };
    let again = Snapshot::read(text, |_| true).expect("it was read before");
    assert_eq!(format!("{once:?}"), format!("{again:?}"));
});
