//! Recordings with each byte damaged, and cut at each byte: missing samples are reported, and
//! nothing is read after the end.

use testkit::perf_file::{Event, KERNEL, PerfFile, sample};

use super::{USUAL, cycles, read_file, read_pipe};

/// Records of all types that are merged, split or skipped.
fn recording() -> PerfFile {
    let event = Event {
        branch_type: 1 | 1 << 11 | 1 << 17,
        sample_type: USUAL | sample::BRANCH_STACK,
        ..cycles(&[1])
    };
    let mut file = PerfFile::new(false, &[event]);
    file.comm(7, 7, "program", 1);
    file.map(7, 0x40_0000, 0x1000, "/usr/bin/program", 1);
    for time in [10, 11] {
        file.record(9, KERNEL, |at| {
            at.words(&[1, 0xffff_ffff_8100_0000])
                .u32(7)
                .u32(7)
                .words(&[time, 1000]);
            at.words(&[
                4,
                -128_i64 as u64,
                0xffff_ffff_8100_0000,
                -640_i64 as u64,
                5,
            ]);
            at.words(&[1, 0, 0x40_0010, 0x40_0020, 0]);
        });
    }
    file.record(22, 0, |at| {
        at.words(&[5, 2, -512_i64 as u64, 0x40_0123])
            .trailer(7, 7, 12, 1);
    });
    file.record(66, 0, |at| {
        at.u32(16);
    });
    file.behind(&[0; 16]);
    file.record(14, 1 << 13, |at| {
        at.trailer(7, 7, 13, 1);
    });
    file.record(9, KERNEL, |at| {
        at.words(&[1, 0xffff_ffff_8100_0000])
            .u32(7)
            .u32(7)
            .words(&[14, 1000]);
        at.words(&[2, -128_i64 as u64, 0xffff_ffff_8100_0000, 0, 0]);
    });
    file
}

#[test]
fn a_sample_that_is_missing_is_said() {
    let file = recording();
    let whole = read_file(&file.file()).unwrap();
    assert_eq!((whole.0.len(), whole.1.is_empty()), (3, true), "{whole:?}");
    // The positions of types and sizes of records. A record with a damaged type, or one whose size
    // includes the next record, cannot be noticed.
    let mut types = Vec::new();
    let bytes = file.file();
    let start = u64::from_le_bytes(bytes[40..48].try_into().unwrap()) as usize;
    let mut at = start;
    let end = start + file.records().len();
    while at < end {
        types.extend(at..at + 8);
        let kind = u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap());
        at += usize::from(u16::from_le_bytes([bytes[at + 6], bytes[at + 7]]));
        at += if kind == 66 { 16 } else { 0 };
    }
    for place in (start..end).filter(|place| !types.contains(place)) {
        for bit in 0..8 {
            let mut damaged = bytes.clone();
            damaged[place] ^= 1 << bit;
            let (samples, problems) = read_file(&damaged).unwrap();
            let is_said = samples.len() == 3 || !problems.is_empty();
            assert!(is_said, "byte {place}, bit {bit}: {samples:?}");
        }
    }
}

#[test]
fn no_cut_and_no_flipped_bit_is_too_much() {
    let file = recording();
    for (is_file, bytes) in [(true, file.file()), (false, file.pipe())] {
        let step = if is_file { 1 } else { 13 };
        for cut in (0..bytes.len()).step_by(step) {
            for read in [read_file, read_pipe] {
                if let Ok((samples, problems)) = read(&bytes[..cut]) {
                    // A pipe may end after any record.
                    let all = samples.len() == 3 || !is_file;
                    assert!(all || !problems.is_empty(), "cut at {cut}: {samples:?}");
                }
            }
        }
        let read = if is_file { read_file } else { read_pipe };
        for place in (0..bytes.len()).step_by(step.min(3)) {
            let mut damaged = bytes.clone();
            damaged[place] ^= 1 << (place % 8);
            if let Ok((samples, _)) = read(&damaged) {
                assert!(samples.len() <= 8, "byte {place}");
            }
        }
    }
}
