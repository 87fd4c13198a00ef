//! A file that cannot be read is told apart from one that is no ELF file.

use std::fs::File;
use std::io::{self, Cursor, Read, Seek, SeekFrom};

use backsight_elf::{Error, Headers, ReadError};
use testkit::elf::{Elf, Note, Shape};

/// A file whose bytes from `limit` on cannot be read, as of a bad disk.
struct Broken {
    bytes: Cursor<Vec<u8>>,
    limit: u64,
}

impl Read for Broken {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        let end = self.bytes.position().saturating_add(to.len() as u64);
        match end > self.limit {
            true => Err(io::Error::from_raw_os_error(5)),
            false => self.bytes.read(to),
        }
    }
}

impl Seek for Broken {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.bytes.seek(to)
    }
}

fn elf() -> Vec<u8> {
    let id = Note::gnu_build_id(&[7; 20]);
    Elf::new(Shape::ELF64_LITTLE).note_segment(&[id], 4).build()
}

#[test]
fn a_directory_is_no_file_that_is_not_elf() {
    let directory = File::open("/").expect("the root can be opened");
    match Headers::read(&directory) {
        Err(ReadError::Io(error)) => assert_eq!(error.kind(), io::ErrorKind::IsADirectory),
        other => panic!("{other:?}"),
    }
}

/// Wherever the disk fails, also within the notes, whose damage alone is forgiven.
#[test]
fn each_read_that_fails_is_an_error_of_reading() {
    let bytes = elf();
    let whole = Headers::read(Cursor::new(&bytes)).expect("a sound file");
    assert!(whole.build_id.is_some());
    let len = bytes.len() as u64;
    let mut failures = 0;
    for limit in 0..=len {
        let file = Broken {
            bytes: Cursor::new(bytes.clone()),
            limit,
        };
        match Headers::read(file) {
            Ok(headers) => assert_eq!(headers, whole, "readable up to {limit} of {len}"),
            Err(ReadError::Io(error)) => {
                assert_eq!(error.raw_os_error(), Some(5));
                failures += 1;
            }
            Err(other) => panic!("readable up to {limit}: {other:?}"),
        }
    }
    assert!(failures > 64, "{failures}");
}

/// A cut file can be read: what is missing is not there.
#[test]
fn a_cut_file_is_malformed_and_can_be_read() {
    let bytes = elf();
    for len in 0..64 {
        match Headers::read(Cursor::new(&bytes[..len])) {
            Err(ReadError::Elf(_)) => {}
            other => panic!("{len} bytes: {other:?}"),
        }
    }
}

/// Offsets that no file has are damage of the file, whatever the system says of such a seek.
#[test]
fn an_impossible_offset_is_malformed() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("a");
    let mut bytes = elf();
    // e_phoff of a 64-bit file
    bytes[0x20..0x28].copy_from_slice(&u64::MAX.wrapping_sub(0xfff).to_le_bytes());
    std::fs::write(&path, &bytes).expect("a file is written");
    match Headers::read(File::open(&path).expect("it is there")) {
        Err(ReadError::Elf(Error::Malformed(_))) => {}
        other => panic!("{other:?}"),
    }
}
