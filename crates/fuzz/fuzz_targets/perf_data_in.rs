//! A recording of perf, as a file, as a stream, and as two files of a directory.
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
    let (first, second) = bytes.split_at(bytes.len() / 2);
    let second = vec![Cursor::new(second)];
    if let Ok(mut reader) = Reader::directory(Cursor::new(first), second) {
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
