//! Whether a record of a mapping has a build ID or a device and an inode: its flag may lie.
//!
//! While another recorder asks for build IDs, Linux 6.18 sets the flag in the records of all, and
//! leaves device and inode in those of recorders that do not ask.

use std::io::Cursor;

use backsight_formats::perf_data::Reader;
use backsight_types::trace::{Event as Told, Mmap, ProcessChange};
use testkit::perf_file::{Event, PerfFile, USER, sample};

const MMAP2: u32 = 10;
const HAS_BUILD_ID: u16 = 1 << 14;
/// `build_id` of `struct perf_event_attr`.
const ASKED: u64 = 1 << 34;

/// What stands in the 24 bytes.
#[derive(Clone, Copy)]
enum Of<'b> {
    File { major: u32, generation: u64 },
    BuildId(&'b [u8]),
}

/// Reads the mapping of a recording with one.
fn mapping(big: bool, flags: u64, misc: u16, of: Of<'_>) -> Mmap {
    let event = Event {
        name: "cpu-clock",
        kind: 1,
        period: 1,
        sample_type: sample::IP | sample::TID | sample::TIME | sample::IDENTIFIER,
        flags,
        ids: vec![3],
        ..Event::default()
    };
    let mut file = PerfFile::new(big, &[event]);
    file.record(MMAP2, USER | misc, |body| {
        body.u32(7).u32(7).words(&[0x1000, 0x2000, 0x3000]);
        match of {
            Of::File { major, generation } => {
                body.u32(major).u32(1).u64(4711).u64(generation);
            }
            Of::BuildId(id) => {
                body.raw(&[u8::try_from(id.len()).unwrap(), 0, 0, 0]);
                body.raw(id).zeros(20 - id.len());
            }
        }
        body.u32(5).u32(2).text("/lib/liba.so").trailer(7, 7, 10, 3);
    });
    let mut reader = Reader::open(Cursor::new(file.file())).expect("a recording");
    let mut found = Vec::new();
    while let Some(told) = reader.next() {
        if let Told::Process(record) = told
            && let ProcessChange::Mmap(mapping) = record.change
        {
            found.push(mapping);
        }
    }
    assert_eq!(found.len(), 1, "{:?}", reader.problems());
    found.remove(0)
}

#[test]
fn device_and_inode_are_read_though_the_flag_says_build_id() {
    // 8 is SCSI disks, 254 virtual ones, 259 NVMe, 0 overlayfs. File systems have a generation or
    // none.
    for major in [0, 7, 8, 9, 254, 259] {
        for generation in [0, 0x1234_5678] {
            for big in [false, true] {
                let of = Of::File { major, generation };
                for misc in [0, HAS_BUILD_ID] {
                    let read = mapping(big, 0, misc, of);
                    let device = (read.device.major, read.device.minor, read.inode);
                    assert_eq!(
                        device,
                        (major, 1, 4711),
                        "{major} {generation} {big} {misc}"
                    );
                    assert_eq!(read.build_id, None);
                    assert_eq!(read.name, b"/lib/liba.so");
                }
            }
        }
    }
}

#[test]
fn build_ids_are_read_with_the_flag_alone() {
    let long = [0xab; 20];
    for big in [false, true] {
        for flags in [0, ASKED] {
            for length in [8, 16, 20] {
                let id = &long[..length];
                let read = mapping(big, flags, HAS_BUILD_ID, Of::BuildId(id));
                // `perf inject` adds build IDs that were not asked for; a short one could be a
                // device.
                let is_read = flags == ASKED || length >= 16;
                let read = read.build_id.map(|id| id.as_bytes().to_vec());
                assert_eq!(
                    read.as_deref(),
                    is_read.then_some(id),
                    "{big} {flags} {length}"
                );
            }
        }
    }
    let unflagged = mapping(false, ASKED, 0, Of::BuildId(&long));
    assert_eq!(unflagged.build_id, None);
}
