//! A recording of perf, as a file and as a stream.
#![no_main]

use std::io::Cursor;

use backsight_formats::perf_data::Reader;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(mut reader) = Reader::open(Cursor::new(bytes)) {
        while let Some(event) = reader.next() {
            let _ = format!("{event:?}");
        }
    }
    if let Ok(mut reader) = Reader::stream(bytes) {
        while let Some(event) = reader.next() {
            let _ = format!("{event:?}");
        }
    }
});
