//! The directory of a zip archive.
#![no_main]

use std::fs::File;
use std::io::{Seek, SeekFrom, Write};
use std::sync::Mutex;

use backsight_files::ArchiveMember;
use libfuzzer_sys::fuzz_target;

/// One file for all inputs: to make one takes longer than all else.
static FILE: Mutex<Option<File>> = Mutex::new(None);

fuzz_target!(|bytes: &[u8]| {
    let mut file = FILE.lock().expect("one thread");
    let file = file.get_or_insert_with(|| tempfile::tempfile().expect("a file"));
    file.set_len(0).expect("ours");
    file.seek(SeekFrom::Start(0)).expect("ours");
    file.write_all(bytes).expect("room");
    let size = bytes.len() as u64;
    for offset in [0, 30, size / 2, size.saturating_sub(100), u64::MAX] {
        if let Ok(Some(member)) = ArchiveMember::at(file, offset) {
            assert!(member.range.contains(&offset));
            assert!(member.range.end <= size);
            // Its name leads back to it, also if others have the same.
            let named = ArchiveMember::named(file, &member.name).expect("it was read before");
            assert_eq!(named.as_ref(), Some(&member));
            assert!(ArchiveMember::is_archive(file).expect("it was read before"));
        }
    }
});
