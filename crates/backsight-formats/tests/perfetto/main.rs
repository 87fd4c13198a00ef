//! Traces of Perfetto, made by hand.

mod damaged;

use std::io::Write as _;

use backsight_formats::folded;
use backsight_formats::perfetto::{self, Limits};
use backsight_profile::{Profile, ProfileFrame};
use testkit::perfetto::{Message, callstack, frame, mapping, packet, perf_sample, text, trace};

const BUILD_ID: [u8; 20] = *b"\x01\xff23456789abcdefghi\0";

type Counts = Vec<(&'static str, u64)>;

fn read(trace: &[u8]) -> (Profile, Counts) {
    assert!(perfetto::is_one(trace));
    let (profile, flaws) = perfetto::read(trace, &Limits::default()).expect("a trace");
    let all = flaws.iter().chain(flaws.left_out()).chain(flaws.changed());
    (profile, all.collect())
}

fn folds(profile: &Profile, sample_type: usize) -> String {
    let mut out = Vec::new();
    let root = folded::RootFrame::None;
    folded::write(profile, sample_type, root, &mut out).expect("memory takes it");
    String::from_utf8(out).expect("text")
}

/// Introduces `main` and `work` in `/data/a.so`, a function of the kernel, and two stacks.
fn interned() -> Message {
    let data = Message::default()
        .bytes(16, text(1, BUILD_ID))
        .bytes(17, text(1, "data"))
        .bytes(17, text(2, "a.so"))
        .bytes(17, text(3, "kernel"))
        .bytes(5, text(1, "main"))
        .bytes(5, text(2, "work"))
        .bytes(5, text(3, "do_syscall"))
        .bytes(19, mapping(1, 1, &[1, 2]))
        .bytes(19, mapping(2, 0, &[3]))
        .bytes(6, frame(1, 1, 1, 0x1100))
        .bytes(6, frame(2, 2, 1, 0x1200))
        .bytes(6, frame(3, 3, 2, 0))
        .bytes(6, frame(4, 0, 1, 0x1300));
    data.bytes(7, callstack(1, &[1, 2], true))
        .bytes(7, callstack(2, &[1, 4, 3], false))
}

fn samples() -> Vec<Message> {
    let tree = Message::default()
        .bytes(1, Message::default().number(1, 7).bytes(3, "/bin/tool"))
        .bytes(
            2,
            Message::default().number(1, 8).number(3, 7).bytes(2, "io"),
        );
    vec![
        packet(1, 100)
            .number(13, 1)
            .number(42, 1)
            .bytes(12, interned()),
        packet(1, 110).bytes(66, perf_sample(7, 8, 1)),
        packet(1, 120).bytes(66, perf_sample(7, 7, 2)),
        packet(1, 130).bytes(66, perf_sample(7, 8, 1).number(16, 1)),
        packet(2, 0).bytes(2, tree),
    ]
}

#[test]
fn samples_of_linux_perf_are_read() {
    let (profile, counts) = read(&trace(&samples()));
    assert_eq!(counts, []);
    assert_eq!(
        folds(&profile, 0),
        "main;a.so+0x1300;do_syscall 1\nmain;work 2\n"
    );
    let times: Vec<_> = profile.samples.iter().map(|it| it.0.time_ns).collect();
    assert_eq!(times, [Some(110), Some(120), Some(130)]);
    let name = |id| profile.strings.get(id).expect("there");
    let tasks: Vec<_> = (profile.threads.iter())
        .map(|thread| {
            let process = profile.process(thread.process).expect("there");
            let thread_name = thread.name.map(name);
            (process.pid, process.name.map(name), thread.tid, thread_name)
        })
        .collect();
    assert_eq!(
        tasks,
        [
            (7, Some("tool"), Some(8), Some("io")),
            (7, Some("tool"), Some(7), None)
        ]
    );
    let module = &profile.modules[0];
    assert_eq!(module.path, b"/data/a.so");
    assert_eq!(module.build_id.expect("there").as_bytes(), BUILD_ID);
    let offsets: Vec<_> = (profile.locations.iter())
        .map(|location| location.virt_offset.map(|offset| offset.0))
        .collect();
    assert_eq!(offsets, [Some(0x1100), Some(0x1200), Some(0x1300), None]);
}

#[test]
fn compressed_traces_say_the_same() {
    let (plain, _) = read(&trace(&samples()));
    let zstd = zstd_packet(&samples());
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(&trace(&samples()))
        .expect("memory takes all");
    let gzip = gzip.finish().expect("memory takes all");
    for (name, bytes) in [
        ("zlib", trace(&[compressed(&samples())])),
        ("zstd", trace(&[zstd])),
    ] {
        let (packed, counts) = read(&bytes);
        assert_eq!((packed, counts), (plain.clone(), vec![]), "{name}");
    }
    let (packed, flaws) = perfetto::read(&gzip[..], &Limits::default()).expect("a trace");
    assert!(flaws.is_empty());
    assert_eq!(packed, plain);
    // Damage is said, wherever it is.
    for cut in [gzip.len() - 1, gzip.len() - 9, gzip.len() / 2] {
        match perfetto::read(&gzip[..cut], &Limits::default()) {
            Ok((_, flaws)) => assert!(flaws.iter().count() > 0, "{cut}"),
            Err(error) => assert!(error.to_string().contains("gzip"), "{error}"),
        }
    }
}

/// Returns a packet with others inside, compressed by zlib.
fn compressed(packets: &[Message]) -> Message {
    let mut packed = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::fast());
    packed.write_all(&trace(packets)).expect("memory takes all");
    Message::default().bytes(50, packed.finish().expect("memory takes all"))
}

fn zstd_packet(packets: &[Message]) -> Message {
    // A frame of one raw block: what zstd writes of data that it cannot compress.
    let data = trace(packets);
    let size = u32::try_from(data.len()).expect("small");
    let mut packed = vec![0x28, 0xb5, 0x2f, 0xfd, 0xa0];
    packed.extend(size.to_le_bytes());
    packed.extend(&(size << 3 | 1).to_le_bytes()[..3]);
    packed.extend(data);
    Message::default().bytes(133, packed)
}

#[test]
fn what_the_recorder_lost_is_counted_and_sequences_are_apart() {
    let skipped = |reason| perf_sample_without_stack().number(18, reason);
    let mut packets = samples();
    packets.extend([
        packet(1, 140).bytes(66, perf_sample(7, 8, 1).number(16, 3)),
        packet(1, 150).bytes(66, skipped(2)),
        packet(1, 160).bytes(66, skipped(4)),
        packet(1, 170).bytes(66, Message::default().number(17, 5)),
        // Another writer has not introduced it, and neither has this one after packets were lost.
        packet(3, 180).bytes(66, perf_sample(9, 9, 1)),
        packet(1, 190).number(42, 1).bytes(66, perf_sample(7, 8, 1)),
    ]);
    let (profile, counts) = read(&trace(&packets));
    assert_eq!(
        counts,
        [
            ("stacks that are not in the trace", 2),
            ("samples whose stack the recorder could not take", 1),
            (
                "samples of processes that the recorder was not asked for",
                1
            ),
            ("stacks that the recorder could not unwind to their end", 1),
            (
                "records that the kernel lost while the trace was recorded",
                5
            ),
        ]
    );
    assert_eq!(profile.samples.len(), 6);
    let bare = profile.samples.iter().filter(|it| it.0.stack.is_none());
    assert_eq!(bare.count(), 2);
}

fn perf_sample_without_stack() -> Message {
    Message::default().number(2, 7).number(3, 8)
}

fn heap_row(callstack: u64, bytes: u64, freed: u64, objects: u64, freed_objects: u64) -> Message {
    Message::default()
        .number(1, callstack)
        .number(2, bytes)
        .number(3, freed)
        .number(5, objects)
        .number(6, freed_objects)
}

fn dump(pid: u64, rows: &[Message]) -> Message {
    let dump = Message::default().number(1, pid).bytes(11, "libc.malloc");
    rows.iter().fold(dump, |dump, row| dump.bytes(2, row))
}

#[test]
fn the_last_dump_of_a_heap_counts() {
    let profile_packet = |index, is_continued, rows: &[Message]| {
        Message::default()
            .number(7, index)
            .number(6, is_continued)
            .bytes(5, dump(7, rows))
    };
    let first = [heap_row(1, 100, 40, 10, 4)];
    let second = [heap_row(1, 300, 100, 30, 10)];
    let other = [heap_row(2, 50, 0, 5, 0)];
    // The rows of a dump may come before what they refer to.
    let packets = [
        packet(4, 1)
            .number(13, 1)
            .bytes(37, profile_packet(0, 1, &first)),
        packet(4, 2)
            .bytes(12, interned())
            .bytes(37, profile_packet(1, 0, &[])),
        packet(4, 3).bytes(37, profile_packet(2, 1, &second)),
        packet(4, 4).bytes(37, profile_packet(4, 0, &other)),
    ];
    let (profile, counts) = read(&trace(&packets));
    assert_eq!(
        counts,
        [
            ("rows of heap profiles that a later dump continues", 1),
            ("packets of heap profiles that are missing in the trace", 1),
        ]
    );
    let types: Vec<_> = (profile.sample_types.iter())
        .map(|kind| profile.strings.get(kind.kind).expect("there"))
        .collect();
    assert_eq!(
        types,
        [
            "alloc_objects",
            "alloc_space",
            "inuse_objects",
            "inuse_space"
        ]
    );
    assert_eq!(profile.default_type, Some(3));
    let values: Vec<_> = profile.samples.iter().map(|it| it.1.to_vec()).collect();
    assert_eq!(values, [vec![30, 300, 20, 200], vec![5, 50, 5, 50]]);
    assert_eq!(
        folds(&profile, 3),
        "main;a.so+0x1300;do_syscall 50\nmain;work 200\n"
    );
}

#[test]
fn tables_inside_of_a_heap_profile_have_file_offsets() {
    let profile_packet = Message::default()
        .bytes(1, text(1, BUILD_ID))
        .bytes(1, text(2, "a.so"))
        .bytes(1, text(3, "main"))
        .bytes(4, mapping(1, 1, &[2]).number(6, 0x1000))
        .bytes(2, frame(1, 3, 1, 0x2100))
        .bytes(3, callstack(9, &[1], true))
        .bytes(5, dump(7, &[heap_row(9, 8, 0, 1, 0).number(8, 6)]));
    let (profile, counts) = read(&trace(&[packet(1, 1).bytes(37, profile_packet)]));
    assert_eq!(counts, []);
    let location = profile.locations[0];
    assert_eq!(location.file_offset.map(|offset| offset.0), Some(0x1100));
    assert_eq!(location.virt_offset, None);
    // What was in use at the maximum is a value of its own.
    assert_eq!(profile.samples.len(), 2);
    assert_eq!(folds(&profile, 1), "main 6\n");
}

#[test]
fn chromes_samples_and_weighted_ones_are_read() {
    let thread = Message::default().number(1, 7).number(2, 9).number(6, 5);
    let times = Message::default()
        .number(1, 1)
        .number(1, 2)
        .number(2, 10)
        .number(2, 3);
    let counter = Message::default().number(1, 1).bytes(2, "wall");
    let counter = counter.number(3, 1).number(5, 1000);
    let weighted = Message::default()
        .number(2, 1)
        .bytes(5, callstack(0, &[1], true))
        .number(10, 1)
        .number(11, 4);
    let tasks = Message::default()
        .bytes(
            48,
            Message::default().number(1, 1).number(2, 7).number(3, 7),
        )
        .bytes(50, counter);
    let packets = [
        packet(1, 1)
            .number(13, 1)
            .bytes(12, interned())
            .bytes(44, thread),
        packet(1, 1).bytes(54, times),
        packet(1, 20).bytes(12, tasks).bytes(135, weighted),
    ];
    let (profile, counts) = read(&trace(&packets));
    let other_clock = "times on another clock than that of the first sample, left out";
    assert_eq!(counts, [(other_clock, 1)]);
    let rows: Vec<_> = (profile.samples.iter())
        .map(|(sample, values, _)| {
            let thread = profile.thread(sample.thread.expect("one")).expect("one");
            (
                thread.tid,
                sample.time_ns,
                sample.first_type,
                values.to_vec(),
            )
        })
        .collect();
    assert_eq!(
        rows,
        [
            (Some(9), Some(15_000), 0, vec![1]),
            (Some(9), Some(18_000), 0, vec![1]),
            (Some(7), None, 1, vec![1, 4000])
        ]
    );
    assert_eq!(folds(&profile, 2), "main 4000\n");
}

fn line(function: &str, file: &str, line: u64) -> Message {
    let row = Message::default().bytes(1, function).bytes(2, file);
    row.number(3, line)
}

#[test]
fn symbols_of_the_trace_take_the_place_of_names() {
    let address = Message::default()
        .number(1, 0x1200)
        .bytes(2, line("inner", "/a.c", 3))
        .bytes(2, line("outer", "/a.c", 9));
    let symbols = Message::default()
        .bytes(1, "/data/a.so")
        .bytes(2, BUILD_ID)
        .bytes(3, address);
    // Of another build.
    let other = Message::default().bytes(1, "/data/a.so").bytes(
        3,
        Message::default()
            .number(1, 0x1100)
            .bytes(2, line("wrong", "", 0)),
    );
    let mut packets = samples();
    packets.extend([
        Message::default().bytes(61, symbols),
        Message::default().bytes(61, other),
    ]);
    let (profile, counts) = read(&trace(&packets));
    assert_eq!(counts, []);
    assert_eq!(
        folds(&profile, 0),
        "main;a.so+0x1300;do_syscall 1\nmain;outer;inner 2\n"
    );
}

#[test]
fn written_symbols_are_those_of_the_trace_that_they_are_appended_to() {
    let bytes = trace(&samples());
    let limits = Limits::default();
    let (mut profile, _, places) = perfetto::read_for_symbols(&bytes[..], &limits).expect("valid");
    // Names of the recorder are left out where files have better ones.
    assert_eq!(places.len(), 3);
    assert_eq!(
        folds(&profile, 0),
        "a.so+0x1100;a.so+0x1200 2\na.so+0x1100;a.so+0x1300;do_syscall 1\n"
    );
    let [inner, outer] = ["inner", "outer"].map(|name| ProfileFrame {
        function: Some(profile.strings.intern(name)),
        line: Some(4),
        inlined: name == "inner",
        ..ProfileFrame::default()
    });
    let frames = profile.add_frames([inner, outer]).expect("few");
    let at = places.locations().nth(1).expect("three");
    profile.locations[at.as_usize()].frames = frames;
    let mut symbols = Vec::new();
    let count = perfetto::write_symbols(&profile, &places, &mut symbols).expect("memory");
    assert_eq!(count, 1);
    assert!(perfetto::is_one(&symbols));
    let (profile, counts) = read(&[bytes.clone(), symbols.clone()].concat());
    assert_eq!(counts, []);
    // The others keep their names.
    assert_eq!(
        folds(&profile, 0),
        "main;a.so+0x1300;do_syscall 1\nmain;outer;inner 2\n"
    );
    let both = [bytes, symbols].concat();
    let (_, _, places) = perfetto::read_for_symbols(&both[..], &limits).expect("valid");
    assert_eq!(places.len(), 2, "what has symbols is kept");
}
