//! Recordings that are cut off, damaged or forged: valid parts are read.

use std::io::Cursor;

use backsight_formats::perf_data::{Error, Reader};
use backsight_types::trace::Event;
use testkit::{perf, skip};

fn recording(args: &[&str], what: &str, turns: &str) -> Option<Vec<u8>> {
    let Some(program) = perf::program() else {
        skip("no C compiler");
        return None;
    };
    let args = [&["-F", "1000"], args].concat();
    match perf::record(&args, &[program.to_str().unwrap(), what, turns]) {
        Ok(recording) => Some(std::fs::read(&recording.data).unwrap()),
        Err(why) => {
            skip(&why);
            None
        }
    }
}

/// The number of events of each kind.
#[derive(Debug, Default, PartialEq, Eq)]
struct Counts {
    samples: usize,
    records: usize,
    threads: usize,
    others: usize,
}

/// Reads all events, from a file or a stream, and inspects all of their parts.
fn read(bytes: &[u8], as_file: bool) -> Result<(Counts, bool), Error> {
    fn all<R: std::io::Read>(mut reader: Reader<R>) -> (Counts, bool) {
        let mut counts = Counts::default();
        while let Some(event) = reader.next() {
            match event {
                Event::Sample(sample) => {
                    counts.samples += 1;
                    assert!(sample.chain().count() <= 1 << 13);
                    if let Some(user) = sample.user {
                        let taken = (0..64).filter_map(|number| user.register(number));
                        assert!(taken.count() <= 64);
                        assert_eq!(user.word(0, u64::MAX), None);
                    }
                }
                Event::Process(_) => counts.records += 1,
                Event::Thread(_) => counts.threads += 1,
                _ => counts.others += 1,
            }
        }
        assert!(reader.next().is_none());
        (counts, reader.problems().is_empty())
    }
    Ok(match as_file {
        true => all(Reader::open(Cursor::new(bytes))?),
        false => all(Reader::stream(bytes)?),
    })
}

/// Counts the samples of a file that end before `cut`, without the tested code.
fn samples_before(bytes: &[u8], cut: usize) -> usize {
    let word = |at: usize| u64::from_le_bytes(bytes[at..at + 8].try_into().unwrap());
    let (mut at, mut count) = (word(40) as usize, 0);
    let end = cut.min(at + word(48) as usize);
    while at + 8 <= end {
        let size = usize::from(u16::from_le_bytes([bytes[at + 6], bytes[at + 7]]));
        let kind = u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap());
        at += size;
        count += usize::from(kind == 9 && at <= end);
    }
    count
}

#[test]
fn a_file_cut_anywhere_gives_all_before_the_cut() {
    let args = ["-e", "cpu-clock,page-faults", "-g"];
    let Some(bytes) = recording(&args, "forks", "20000") else {
        return;
    };
    let (whole, is_well) = read(&bytes, true).unwrap();
    assert!(is_well && whole.samples > 50, "{whole:?}");
    assert_eq!(whole.samples, samples_before(&bytes, bytes.len()));
    let data = u64::from_le_bytes(bytes[40..48].try_into().unwrap()) as usize;
    for cut in (0..bytes.len()).step_by(61).chain([data, data + 1]) {
        for as_file in [true, false] {
            let read = read(&bytes[..cut], as_file);
            if cut < data {
                assert!(read.is_err(), "cut at {cut}: {read:?}");
                continue;
            }
            let (counts, is_well) = read.unwrap();
            assert_eq!(counts.samples, samples_before(&bytes, cut), "cut at {cut}");
            // A stream has no feature sections, so that none are missing.
            let in_features = counts.samples == whole.samples && !as_file;
            assert!(!is_well || in_features, "cut at {cut}");
        }
    }
}

#[test]
fn a_recording_that_perf_did_not_finish_is_read() {
    let Some(mut bytes) = recording(&["-e", "cpu-clock"], "spin", "20000") else {
        return;
    };
    let (whole, _) = read(&bytes, true).unwrap();
    let end = u64::from_le_bytes(bytes[40..48].try_into().unwrap())
        + u64::from_le_bytes(bytes[48..56].try_into().unwrap());
    bytes.truncate(end as usize);
    // perf writes the size and the features when it ends.
    bytes[48..56].fill(0);
    bytes[72..104].fill(0);
    let (counts, is_well) = read(&bytes, true).unwrap();
    assert_eq!((counts, is_well), (whole, false));
}

#[test]
fn a_pipe_cut_anywhere_gives_what_came_before() {
    for args in [
        &["-e", "cpu-clock", "-g", "-o", "-"][..],
        &["-e", "cpu-clock", "-g", "-z"],
    ] {
        let Some(bytes) = recording(args, "threads", "20000") else {
            return;
        };
        let (whole, is_well) = read(&bytes, false).unwrap();
        assert!(is_well && whole.samples > 20, "{whole:?}");
        let mut before = 0;
        for cut in (0..bytes.len()).step_by(67) {
            // The part has no event, so that no recording can be read.
            let Ok((counts, _)) = read(&bytes[..cut], false) else {
                continue;
            };
            assert!(counts.samples >= before, "cut at {cut}");
            before = counts.samples;
        }
        assert!(
            before * 10 > whole.samples * 8,
            "{before} of {}",
            whole.samples
        );
    }
}

#[test]
fn flipped_bits_are_survived() {
    let ways: [(&[&str], &str); 4] = [
        (&["-e", "cpu-clock,page-faults", "-g"], "forks"),
        (&["-e", "cpu-clock", "-g", "-z"], "threads"),
        (&["-e", "cpu-clock", "--call-graph", "dwarf,512"], "spin"),
        (
            &["-e", "cpu-clock", "-g", "-o", "-", "--buildid-mmap"],
            "forks",
        ),
    ];
    let mut seed = 7_u64;
    let mut below = |limit: usize| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (seed >> 33) as usize % limit
    };
    for (args, what) in ways {
        let Some(bytes) = recording(args, what, "10000") else {
            return;
        };
        let mut read_at_all = 0;
        for round in 0..250 {
            let mut damaged = bytes.clone();
            // A third of the rounds damages only the first bytes, which determine how the rest is
            // read.
            let span = if round % 3 == 0 { 600 } else { damaged.len() };
            for _ in 0..=round % 4 {
                damaged[below(span)] ^= 1 << below(8);
            }
            for as_file in [true, false] {
                read_at_all += usize::from(read(&damaged, as_file).is_ok());
            }
        }
        assert!(read_at_all > 200, "{read_at_all}");
    }
}

#[test]
fn other_files_are_refused() {
    let zeros = vec![0; 4096];
    let mut lying = b"PERFILE2".to_vec();
    lying.extend(104_u64.to_le_bytes());
    lying.extend([0xff; 88]);
    let cases: [(&str, &[u8]); 5] = [
        ("nothing", b""),
        (
            "a text",
            b"PERF record of a perfect day, in a perfect place",
        ),
        ("zeros", &zeros),
        ("the magic alone", b"PERFILE2"),
        ("sizes of 2^64", &lying),
    ];
    for (name, bytes) in cases {
        assert!(read(bytes, true).is_err(), "{name}");
        assert!(read(bytes, false).is_err(), "{name}");
    }
}
