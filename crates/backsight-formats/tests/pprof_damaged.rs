//! pprof files that are damaged, forged or by other tools: valid parts are read, malformed parts
//! are counted, and memory is bounded.

mod damage;
mod message;
mod profiles;

use std::sync::LazyLock;

use backsight_formats::flaws::Flaws;
use backsight_formats::pprof::{self, Error, Limits, Options};
use backsight_profile::{LocationIdx, Profile};
use backsight_types::{AbsAddr, FileOffset, VirtOffset};
use damage::{FILES, flipped, packed};
use message::Message;
use proptest::prelude::*;

fn read(message: &Message) -> (Profile, Vec<(&'static str, u64)>) {
    let (profile, flaws) = pprof::read(&*message.0, &Limits::default()).unwrap();
    let flaws: Vec<_> = flaws.iter().chain(flaws.left_out()).collect();
    (profile, flaws)
}

/// The strings 1 to 6, one sample type, and a mapping with a location.
fn small() -> Message {
    let texts = [
        "",
        "samples",
        "count",
        "/bin/sh",
        "main",
        "main.c",
        "\u{1b}[31m",
    ];
    let message = texts
        .iter()
        .fold(Message::default(), |it, text| it.bytes(6, text));
    message
        .message(1, &[(1, 1), (2, 2)])
        .message(3, &[(1, 9), (2, 0x5000), (3, 0x7000), (4, 0x1000), (5, 3)])
        .message(5, &[(1, 70), (2, 4), (3, 4), (4, 5)])
        .bytes(
            4,
            Message::default()
                .number(1, 50)
                .number(2, 9)
                .number(3, 0x5123)
                .message(4, &[(1, 70), (2, 12)])
                .0,
        )
}

#[test]
fn addresses_of_a_process_become_file_offsets() {
    let (profile, flaws) = read(&small().message(2, &[(1, 50), (2, 3)]));
    assert_eq!(flaws, []);
    let location = profile.location(LocationIdx(0)).unwrap();
    assert_eq!(location.file_offset, Some(FileOffset(0x1123)));
    assert_eq!((location.virt_offset, location.address), (None, None));
    let frame = profile.frames_of(location)[0];
    assert_eq!(frame.line, Some(12));
    assert_eq!(frame.linkage_name, None);
    let (sample, values, _) = profile.samples.get(0).unwrap();
    assert_eq!(values, [3]);
    assert_eq!(profile.stacks.iter(sample.stack).count(), 1);
}

#[test]
fn virtual_offsets_are_those_that_a_comment_tells_of() {
    // Merged with a profile whose addresses are those of a process, and not virtual offsets.
    let message = small()
        .bytes(6, pprof::VIRTUAL_OFFSETS)
        .number(13, 7)
        .message(
            3,
            &[
                (1, 10),
                (2, 0x7f00_0000_0000),
                (3, 0x7f00_0000_1000),
                (5, 3),
            ],
        )
        .message(4, &[(1, 51), (2, 10), (3, 0x7f00_0000_0010)]);
    let (profile, flaws) = read(&message);
    assert_eq!((flaws, profile.comments.len()), (vec![], 0));
    let places: Vec<_> = (profile.locations.iter())
        .map(|it| (it.file_offset.unwrap().0, it.virt_offset))
        .collect();
    assert_eq!(places, [(0x1123, Some(VirtOffset(0x5123))), (0x10, None)]);
    let excepted = format!("{}/bin/sh", pprof::FILE_OFFSETS);
    let (profile, _) = read(&message.bytes(6, excepted).number(13, 8));
    assert!(profile.locations.iter().all(|it| it.virt_offset.is_none()));
}

#[test]
fn wrong_fields_are_counted_and_the_rest_is_read() {
    let sample = |message: Message| message.message(2, &[(1, 50), (2, 3)]);
    let cases: [(&str, Message, &str); 18] = [
        (
            "sample in nothing",
            small().message(2, &[(1, 51), (2, 1)]),
            "stacks that refer to a missing location",
        ),
        (
            "no value",
            small().message(2, &[(1, 50)]),
            "samples that do not have one value for each sample type",
        ),
        (
            "two values",
            small().message(2, &[(1, 50), (2, 1), (2, 1)]),
            "samples that do not have one value for each sample type",
        ),
        (
            "a sample of noise",
            small().bytes(2, [0xff; 3]),
            "samples that cannot be decoded",
        ),
        (
            "a location of noise",
            small().bytes(4, [0xff; 3]),
            "locations that cannot be decoded",
        ),
        (
            "location 0",
            small().message(4, &[(3, 7)]),
            "locations without an ID",
        ),
        (
            "location twice",
            small().message(4, &[(1, 50), (3, 7)]),
            "locations with the ID of another one",
        ),
        (
            "location nowhere",
            small().message(4, &[(1, 51), (2, 8)]),
            "locations that refer to a missing mapping",
        ),
        (
            "location outside",
            small().message(4, &[(1, 51), (2, 9), (3, 0x7000)]),
            "locations outside their mappings",
        ),
        (
            "folded",
            small().message(4, &[(1, 51), (5, 1)]),
            "locations of functions that the linker folded (is_folded)",
        ),
        (
            "mapping 0",
            small().message(3, &[(2, 7)]),
            "mappings without an ID",
        ),
        (
            "mapping twice",
            small().message(3, &[(1, 9)]),
            "mappings with the ID of another one",
        ),
        (
            "mapping backwards",
            small().message(3, &[(1, 8), (2, 9), (3, 8)]),
            "mappings whose end precedes their start",
        ),
        (
            "function twice",
            small().message(5, &[(1, 70)]),
            "functions with the ID of another one",
        ),
        (
            "a build ID of letters",
            small().message(3, &[(1, 8), (6, 4)]),
            "build IDs that are not hexadecimal digits",
        ),
        (
            "a name past the table",
            small().message(3, &[(1, 8), (5, 77)]),
            "references beyond the end of the string table",
        ),
        (
            "a name before the table",
            small().message(3, &[(1, 8), (5, u64::MAX)]),
            "references beyond the end of the string table",
        ),
        (
            "another default",
            small().number(14, 4),
            "default sample types that are not among the sample types",
        ),
    ];
    for (name, message, want) in cases {
        let (profile, flaws) = read(&sample(message));
        assert_eq!(flaws, [(want, 1)], "{name}");
        let (last, values, _) = profile.samples.iter().last().unwrap();
        assert_eq!(
            (profile.stacks.iter(last.stack).count(), values),
            (1, &[3][..]),
            "{name}"
        );
    }
}

#[test]
fn texts_that_are_not_utf_8_cost_their_bytes_alone() {
    let message = small()
        .bytes(6, b"a\xffb")
        .message(5, &[(1, 71), (2, 7), (3, 6)])
        .bytes(4, Message::default().number(1, 51).message(4, &[(1, 71)]).0);
    let (profile, flaws) = read(&message.message(3, &[(1, 8), (5, 7)]));
    assert_eq!(flaws, [("names that are not UTF-8", 1)]);
    let frame = profile.frames_of(profile.location(LocationIdx(1)).unwrap())[0];
    let text = |index: Option<_>| profile.strings.get(index.unwrap()).unwrap();
    assert_eq!(
        (text(frame.function), text(frame.linkage_name)),
        ("a\u{fffd}b", "\u{1b}[31m")
    );
    assert_eq!(profile.modules[1].path, b"a\xffb");
    // Written as text, the two paths remain different.
    let mut bytes = Vec::new();
    pprof::write(
        &profile,
        &mut bytes,
        &Options::default().with_gzip(false).with_times(false),
    )
    .unwrap();
    assert!(bytes.windows(6).all(|it| it != b"a\xffb"));
}

#[test]
fn regular_expressions_and_the_last_type_stay() {
    let message = small()
        .bytes(6, "runtime\\..*")
        .number(7, 7)
        .message(1, &[(1, 4), (2, 2)]);
    let (profile, flaws) = read(&message.message(2, &[(1, 50), (2, 1), (2, 2)]));
    assert_eq!((flaws, profile.default_type), (vec![], Some(1)));
    let comment = profile.strings.get(profile.comments[0]);
    assert_eq!(comment, Some("pprof drop_frames: runtime\\..*"));
    let mut bytes = Vec::new();
    pprof::write(&profile, &mut bytes, &Options::default()).unwrap();
    let again = pprof::read(&*bytes, &Limits::default()).unwrap().0;
    assert_eq!(again.default_type, Some(1));
    let comment = again.strings.get(again.comments[0]);
    assert_eq!(comment, Some("pprof drop_frames: runtime\\..*"));
}

#[test]
fn addresses_without_a_mapping_stay_as_they_are() {
    let message = small().message(4, &[(1, 51), (3, 0xffff_ffff_ffff_fff0)]);
    let (profile, flaws) = read(&message);
    assert_eq!(flaws, []);
    let location = profile.location(LocationIdx(1)).unwrap();
    assert_eq!(location.address, Some(AbsAddr(0xffff_ffff_ffff_fff0)));
    assert_eq!((location.module, location.reason), (None, None));
}

#[test]
fn other_messages_are_refused() {
    let cases: [(&str, &[u8]); 6] = [
        ("nothing", b""),
        ("text", b"main;read 12\nmain 3\n"),
        ("zeros", &[0; 100]),
        ("JSON", b"{\"type\":\"header\"}\n"),
        ("half a gzip header", &[0x1f, 0x8b, 8]),
        ("fields, but no strings", &[0x0a, 0]),
    ];
    for (name, bytes) in cases {
        let got = pprof::read(bytes, &Limits::default());
        assert!(
            matches!(got, Err(Error::Malformed { .. })),
            "{name}: {got:?}"
        );
    }
    // An endless input is rejected by its start.
    let got = pprof::read(std::io::repeat(0), &Limits::default());
    assert!(matches!(got, Err(Error::Malformed { .. })), "{got:?}");
}

#[test]
fn a_bomb_is_refused_at_the_limit() {
    let many = |part: &[u8]| part.repeat((4 << 20) / part.len());
    let sample = Message::default().message(2, &[(1, 1)]).0;
    let labels = [0x1a, 0].repeat(1 << 19);
    let labels = small().message(1, &[]).bytes(2, labels);
    let bombs = [
        ("empty strings", packed(&many(&[0x32, 0]))),
        ("small samples", packed(&many(&sample))),
        ("one sample of small labels", packed(&labels.0)),
    ];
    for (name, bomb) in bombs {
        assert!(bomb.len() < 100_000, "{name}: {}", bomb.len());
        let got = pprof::read(&*bomb, &Limits::default().with_memory(2 << 20));
        assert!(
            matches!(got, Err(Error::TooLarge { .. })),
            "{name}: {:?}",
            got.err()
        );
    }
}

/// Some files written by backsight, gzipped and not.
static OURS: LazyLock<[Vec<u8>; FILES]> = LazyLock::new(|| {
    damage::files(|nth, profile| {
        let mut bytes = Vec::new();
        let options = Options::default().with_gzip(nth == 0).with_times(true);
        pprof::write(profile, &mut bytes, &options).unwrap();
        bytes
    })
});

#[test]
fn files_cut_off_anywhere_are_refused_or_read() {
    for bytes in OURS.iter() {
        let whole = pprof::read(&**bytes, &Limits::default());
        assert_eq!(whole.unwrap().1, Flaws::default());
        for end in 0..bytes.len() {
            let cut = pprof::read(&bytes[..end], &Limits::default());
            // A message may end after any field. Then names are missing, which is counted.
            let is_said = cut.as_ref().map_or(true, |(_, flaws)| !flaws.is_empty());
            let is_bare = cut.is_ok_and(|(profile, _)| profile.samples.is_empty());
            assert!(is_said || is_bare, "{end} of {}", bytes.len());
        }
    }
}

proptest! {
    #[test]
    fn flipped_bits_cost_neither_panic_nor_memory(bytes in flipped(&*OURS)) {
        if let Ok((profile, _)) = pprof::read(&*bytes, &Limits::default().with_memory(1 << 22)) {
            // What was read can be written, and read back without flaws.
            let mut again = Vec::new();
            pprof::write(&profile, &mut again, &Options::default()).unwrap();
            pprof::read(&*again, &Limits::default()).unwrap();
        }
    }
}
