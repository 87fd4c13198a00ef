//! Errors of inputs that cannot be read, or only in part: they have the cause with its errno, and
//! where it is, but no path. The caller has opened the file and names it.

use std::io::{self, BufRead, BufReader, Cursor, Read};

use backsight_formats::address_list::{self, LineContent};
use backsight_formats::jitdump::{self, Jitdump};
use backsight_formats::perf_data::{self, ReadEnd};
use backsight_formats::perf_map::{self, LastLine, PerfMap};
use backsight_formats::{
    cpuprofile, folded, legacy, ndjson, perf_script, perfetto, pprof, speedscope,
};
use testkit::perf_file::{self, PerfFile};

/// `EIO` and `EISDIR`.
const ERRNOS: [i32; 2] = [5, 21];

/// An input that fails after some bytes.
struct Failing {
    bytes: Cursor<Vec<u8>>,
    errno: i32,
}

impl Read for Failing {
    fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
        match self.bytes.read(room)? {
            0 => Err(io::Error::from_raw_os_error(self.errno)),
            count => Ok(count),
        }
    }
}

/// The text of an error, and its errno if a system call failed.
#[derive(Debug, PartialEq, Eq)]
struct Refusal {
    text: String,
    errno: Option<i32>,
}

fn refusal<T>(read: Result<T, io::Error>) -> Option<Refusal> {
    let error = read.err()?;
    Some(Refusal {
        text: error.to_string(),
        errno: error.raw_os_error(),
    })
}

fn other(error: &dyn std::error::Error) -> Option<Refusal> {
    Some(Refusal {
        text: error.to_string(),
        errno: None,
    })
}

type Reads = fn(Box<dyn BufRead>) -> Option<Refusal>;

fn pprof_error(error: pprof::Error) -> Option<Refusal> {
    match error {
        pprof::Error::Io(error) => refusal::<()>(Err(error)),
        error => other(&error),
    }
}

fn address_list(input: Box<dyn BufRead>) -> Option<Refusal> {
    let mut reader = address_list::Reader::new(input);
    let mut entries = Vec::new();
    loop {
        match reader.read_line(&mut entries) {
            Ok(LineContent::End) => return None,
            Ok(_) => {}
            Err(error) => return refusal::<()>(Err(error)),
        }
    }
}

fn ndjson(input: Box<dyn BufRead>) -> Option<Refusal> {
    let failed = ndjson::Reader::new(input).find_map(Result::err)?;
    match failed {
        ndjson::Error::Io(error) => refusal::<()>(Err(error)),
        error => other(&error),
    }
}

fn perf_data(input: Box<dyn BufRead>) -> Option<Refusal> {
    let mut reader = match perf_data::Reader::stream(input) {
        Ok(reader) => reader,
        Err(perf_data::Error::Io(error)) => return refusal::<()>(Err(error)),
        Err(error) => return other(&error),
    };
    while reader.next().is_some() {}
    let end = reader.into_problems().ends.pop()?;
    assert_eq!(end.file, 0);
    match end.reason {
        ReadEnd::Io(error) => refusal::<()>(Err(error)),
        error => other(&error),
    }
}

/// The reader of each format.
fn readers() -> Vec<(&'static str, Reads)> {
    vec![
        ("address list", address_list),
        ("ndjson", ndjson),
        ("perf.data", perf_data),
        ("folded", |input| refusal(folded::read(input, |_| ()))),
        ("perf script", |input| {
            refusal(perf_script::read(input, true, |_| ()))
        }),
        ("perf map", |input| {
            let limits = perf_map::Limits::default();
            refusal(PerfMap::default().read(input, LastLine::Whole, &limits))
        }),
        ("jitdump", |input| {
            match Jitdump::read(input, &jitdump::Limits::default()) {
                Ok(_) => None,
                Err(jitdump::Error::Io(error)) => refusal::<()>(Err(error)),
                Err(error) => other(&error),
            }
        }),
        ("legacy", |input| match legacy::read(input, |_| ()) {
            Ok(_) => None,
            Err(legacy::Error::Io(error)) => refusal::<()>(Err(error)),
            Err(error) => other(&error),
        }),
        ("pprof", |input| {
            pprof_error(pprof::read(input, &pprof::Limits::default()).err()?)
        }),
        ("speedscope", |input| {
            pprof_error(speedscope::read(input, &speedscope::Limits::default()).err()?)
        }),
        ("cpuprofile", |input| {
            pprof_error(cpuprofile::read(input, &cpuprofile::Limits::default()).err()?)
        }),
        ("perfetto", |input| {
            pprof_error(perfetto::read(input, &perfetto::Limits::default()).err()?)
        }),
        #[cfg(feature = "otlp")]
        ("otlp", |input| {
            use backsight_formats::otlp;
            pprof_error(otlp::read(input, &otlp::Limits::default()).err()?)
        }),
    ]
}

/// The start of a valid input of each format.
fn beginning(format: &str) -> Vec<u8> {
    match format {
        "address list" => b"10\n".to_vec(),
        "ndjson" => b"{\"type\":\"header\",\"schema_version\":1}\n".to_vec(),
        "perf.data" => recording(),
        "folded" => b"main;work 3\n".to_vec(),
        "perf script" => b"main 1 [000] 1.0: 1 cycles:\n\t 401000 work+0x1 (/bin/a)\n\n".to_vec(),
        "perf map" => b"3ef414c0 398 f\n".to_vec(),
        "jitdump" => {
            let mut bytes = perf_file::Bytes::new(false);
            bytes.u32(0x4a69_5444).u32(1).u32(40).u32(62).u32(0).u32(77);
            bytes.words(&[5, 0]);
            bytes.bytes
        }
        "legacy" => b"heap profile: 1: 64 [1: 64] @ heapprofile\n".to_vec(),
        // The start of a string table: the empty string.
        "pprof" => vec![0x32, 0],
        "speedscope" => b"{\"profiles\":[".to_vec(),
        "cpuprofile" => b"{\"nodes\":[".to_vec(),
        // A timestamp.
        "perfetto" => vec![0x0a, 2, 0x40, 1],
        "otlp" => vec![0x0a, 0],
        other => panic!("no input for {other}"),
    }
}

fn recording() -> Vec<u8> {
    let event = perf_file::Event {
        name: "cycles",
        sample_type: perf_file::sample::IDENTIFIER
            | perf_file::sample::TID
            | perf_file::sample::TIME,
        ids: vec![1],
        ..perf_file::Event::default()
    };
    PerfFile::new(false, &[event]).comm(7, 7, "main", 1).pipe()
}

#[test]
fn an_input_that_fails_gives_its_errno_once_and_no_path() {
    for (format, read) in readers() {
        for errno in ERRNOS {
            for bytes in [Vec::new(), beginning(format)] {
                let count = bytes.len();
                let bytes = Cursor::new(bytes);
                let input = BufReader::new(Failing { bytes, errno });
                let cause = io::Error::from_raw_os_error(errno).to_string();
                let want = Refusal {
                    text: cause,
                    errno: Some(errno),
                };
                let got = read(Box::new(input));
                assert_eq!(got, Some(want), "{format} after {count} bytes");
            }
        }
    }
}

/// If the contents are wrong, the error says where.
#[test]
fn a_damaged_or_cut_input_says_where() {
    let gzip = |bytes: &[u8]| {
        let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::none());
        io::Write::write_all(&mut packed, bytes).expect("memory");
        packed.finish().expect("memory")
    };
    let packed = gzip(&[&[0x32, 0, 0x32, 100][..], &[b'a'; 100]].concat());
    let recording = recording();
    let cases: [(&str, &[u8], &str); 9] = [
        (
            "ndjson",
            b"\n{\"type\":\"addr",
            "line 2: EOF while parsing a string, column 13",
        ),
        (
            "perf.data",
            b"PERFILE2",
            "a damaged perf.data file: it ends within its header",
        ),
        ("perf.data", b"PNG", "not a perf.data file"),
        (
            "perf.data",
            &recording[..recording.len() - 1],
            "the file is cut off; all before the cut was read",
        ),
        ("jitdump", b"DTi", "not a jitdump file"),
        (
            "legacy",
            b"profile",
            "not a profile of gperftools, tcmalloc, jemalloc or Go: its first line is not theirs",
        ),
        (
            "pprof",
            &[0x32, 0, 0x32, 9, b'a'],
            "damaged, or not a profile in this format: no complete field of a protobuf message, at \
             byte 2",
        ),
        (
            // Ten bytes of the gzip header, five of the block header, and 40 of its contents.
            "pprof",
            &packed[..55],
            "damaged, or not a profile in this format: its gzip stream is damaged or cut off, at \
             byte 40",
        ),
        (
            "pprof",
            b"",
            "damaged, or not a profile in this format: it has no string table that begins with \
             the empty string, at byte 0",
        ),
    ];
    for (format, bytes, want) in cases {
        let (_, read) = *readers()
            .iter()
            .find(|(name, _)| *name == format)
            .expect("a reader");
        let want = Refusal {
            text: want.to_owned(),
            errno: None,
        };
        let input = Cursor::new(bytes.to_vec());
        assert_eq!(read(Box::new(input)), Some(want), "{format}");
    }
}

/// Each file of a directory that `perf record --threads` wrote can be cut off.
#[test]
fn each_file_of_a_recording_that_was_cut_is_named_by_its_position() {
    let event = perf_file::Event {
        name: "cycles",
        sample_type: perf_file::sample::IDENTIFIER
            | perf_file::sample::TID
            | perf_file::sample::TIME,
        ids: vec![1],
        ..perf_file::Event::default()
    };
    let mut recording = PerfFile::new(false, &[event]);
    recording.comm(7, 7, "main", 1);
    let records = recording.records().to_vec();
    let cut = &records[..records.len() - 1];
    let files = [&records[..], cut, &records, cut].map(|file| Cursor::new(file.to_vec()));
    let main = Cursor::new(recording.file());
    let mut reader = perf_data::Reader::directory(main, files.into()).expect("a recording");
    let mut events = 0;
    while reader.next().is_some() {
        events += 1;
    }
    let problems = reader.into_problems();
    let ends: Vec<_> = problems.ends.iter().map(|end| end.file).collect();
    assert_eq!((events, ends), (3, vec![2, 4]));
    assert!(!problems.is_empty());
    for end in &problems.ends {
        assert!(matches!(end.reason, ReadEnd::Cut), "{end:?}");
    }
}
