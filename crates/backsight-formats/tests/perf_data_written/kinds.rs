//! Records of all types are skipped by their size and that of the data after them.

use testkit::perf_file::{PerfFile, USER};

use super::{cycles, every_way, of_perf};

fn sample(file: &mut PerfFile, time: u64) {
    file.record(9, USER, |at| {
        at.words(&[1, 0x40_0123]).u32(7).u32(7).words(&[time, 1000]);
        at.words(&[2, -512_i64 as u64, 0x40_0123]);
    });
}

/// What `perf` writes about tracing if it is not used: no formats and no names. Source:
/// `tools/perf/util/trace-event-info.c`.
fn tracing_data() -> Vec<u8> {
    let mut data = vec![23, 8, 68];
    data.extend(b"tracing0.6\0");
    data.extend([0, 8]);
    data.extend(4096_u32.to_le_bytes());
    let page = "\tfield: u64 timestamp;\toffset:0;\tsize:8;\tsigned:0;\n\
                \tfield: local_t commit;\toffset:8;\tsize:8;\tsigned:1;\n\
                \tfield: int overwrite;\toffset:8;\tsize:1;\tsigned:1;\n\
                \tfield: char data;\toffset:16;\tsize:4080;\tsigned:1;\n";
    for (name, text) in [("header_page\0", page), ("header_event\0", "# none\n")] {
        data.extend(name.as_bytes());
        data.extend((text.len() as u64).to_le_bytes());
        data.extend(text.as_bytes());
    }
    // Formats of ftrace and of systems, kallsyms, formats of printk; all empty.
    data.extend([0; 16]);
    data.extend(0_u64.to_le_bytes());
    data
}

/// A sample, a record of this type, and another sample.
fn around(big: bool, kind: u32) -> PerfFile {
    let mut file = PerfFile::new(big, &[cycles(&[1])]);
    sample(&mut file, 100);
    let payload = match kind {
        66 => {
            let mut data = tracing_data();
            data.resize(data.len().next_multiple_of(8), 0);
            data
        }
        // Data that would end the reading if it were parsed as a record.
        71 => vec![0; 1000],
        _ => Vec::new(),
    };
    file.record(kind, 0, |at| {
        match kind {
            66 => at.u32(payload.len() as u32),
            68 | 82 => at,
            71 => at.u64(payload.len() as u64).zeros(32),
            81 => at,
            83 => at.u64(0),
            80 => at.u64(1000).zeros(8),
            _ => at.zeros(64),
        };
        if kind < 64 {
            at.trailer(7, 7, 150, 1);
        }
    });
    file.behind(&payload);
    sample(&mut file, 200);
    file
}

#[test]
fn every_type_is_passed_by_its_length() {
    // Without attributes (64), because they change how samples are read; each pipe starts with
    // some.
    for kind in (1..=40).chain(65..=120) {
        let (samples, said) = every_way(|big| around(big, kind));
        let want = if kind == 9 { 3 } else { 2 };
        assert_eq!(samples.len(), want, "type {kind}: {samples:?}, {said:?}");
        let newer = matches!(kind, 23..64 | 87..);
        let want: &[&str] = match kind {
            9 => &[],
            22 => &["1 deferred user stacks without a sample"],
            71 => &["1 buffers of hardware traces"],
            _ if newer => &["1 records of unknown types"],
            _ => &[],
        };
        assert_eq!(said, want, "type {kind}");
    }
}

/// The mapping of a guest is in the address space of another machine.
#[test]
fn mappings_of_guests_are_left_out_and_counted() {
    const GUEST_KERNEL: u16 = 4;
    const GUEST_USER: u16 = 5;
    for kind in [1, 10] {
        let (samples, said) = every_way(|big| {
            let mut file = PerfFile::new(big, &[cycles(&[1])]);
            for mode in [GUEST_KERNEL, GUEST_USER] {
                file.record(kind, mode, |at| {
                    at.u32(7).u32(7).words(&[0x40_0000, 0x1000, 0]);
                    if kind == 10 {
                        at.zeros(32);
                    }
                    at.text("/bin/guest").trailer(7, 7, 50, 1);
                });
            }
            sample(&mut file, 100);
            file
        });
        assert_eq!(samples.len(), 1, "{samples:?}");
        assert_eq!(said, ["2 mappings of guests"], "type {kind}");
    }
}

#[test]
fn perf_reads_on_behind_them_too() {
    // The types that perf 6.1 reads without other records. Hardware traces are not among them,
    // because they need a decoder.
    for kind in [1, 3, 66, 68, 69, 73, 74, 82] {
        let file = around(false, kind);
        // In a file, perf expects the tracing data at the start.
        let in_file = Some(file.file()).filter(|_| kind != 66);
        for bytes in in_file.into_iter().chain([file.pipe()]) {
            let Some(lines) = of_perf(&bytes, &["-G", "-F", "pid,time"]) else {
                return;
            };
            assert_eq!(lines.len(), 2, "type {kind}: {lines:?}");
        }
    }
}

#[test]
fn missing_sections_are_said() {
    let cases = [
        (66, 0, "without the size of the data"),
        (71, 4, "without the size of the data"),
    ];
    for (kind, size, want) in cases {
        let (samples, said) = every_way(|big| {
            let mut file = PerfFile::new(big, &[cycles(&[1])]);
            sample(&mut file, 100);
            file.record(kind, 0, |at| {
                at.zeros(size);
            });
            sample(&mut file, 200);
            file
        });
        assert_eq!(samples.len(), 1, "type {kind}");
        assert!(said.iter().any(|end| end.contains(want)), "{said:?}");
    }
    for kind in [66, 71] {
        let (samples, said) = every_way(|big| {
            let mut file = PerfFile::new(big, &[cycles(&[1])]);
            sample(&mut file, 100);
            file.record(kind, 0, |at| {
                at.u32(1 << 20).u32(1 << 20);
            });
            sample(&mut file, 200);
            file
        });
        assert_eq!(samples.len(), 1, "type {kind}");
        assert!(said.iter().any(|end| end.contains("cut off")), "{said:?}");
    }
}

#[test]
fn compressed_records_are_one_stream_with_padding_or_without() {
    for kind in [81, 83] {
        let (samples, said) = every_way(|big| {
            let mut inner = PerfFile::new(big, &[cycles(&[1])]);
            for time in 0..50 {
                sample(&mut inner, 100 + time);
            }
            let packed = zstd::stream::encode_all(inner.records(), 3).unwrap();
            let mut file = PerfFile::new(big, &[cycles(&[1])]);
            // Cut within a record, and followed by padding that is not valid zstd.
            for part in packed.chunks(packed.len() / 2 + 1) {
                let padding = part.len().next_multiple_of(8) - part.len();
                file.record(kind, 0, |at| {
                    if kind == 83 {
                        at.u64(part.len() as u64);
                    }
                    at.raw(part);
                    if kind == 83 {
                        at.raw(&[0xff; 8][..padding]);
                    }
                });
            }
            sample(&mut file, 200);
            file
        });
        if cfg!(feature = "zstd") {
            assert_eq!((samples.len(), said), (51, Vec::new()), "type {kind}");
        } else {
            let [only] = said.as_slice() else {
                panic!("type {kind}: {said:?}");
            };
            assert!(
                samples.is_empty() && only.contains("feature `zstd`"),
                "{only}"
            );
        }
    }
}
