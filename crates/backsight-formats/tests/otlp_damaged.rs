//! OTLP profiles that are damaged, forged or by other tools: valid parts are read, malformed parts
//! are counted, and memory is bounded.

#![cfg(feature = "otlp")]

mod damage;
mod message;
mod profiles;

use std::sync::LazyLock;

use backsight_formats::flaws::Flaws;
use backsight_formats::otlp::{self, Error, Limits, Options};
use backsight_profile::{LabelValue, LocationIdx, Profile};
use backsight_types::FileOffset;
use damage::{FILES, flipped, packed};
use message::Message;
use proptest::prelude::*;

/// A dictionary with the strings 1 to 6, one mapping, location, function and stack, and three
/// attributes: `thread.id` 7, `kind` "batch", and a list.
fn dictionary() -> Message {
    let texts = [
        "",
        "samples",
        "count",
        "/bin/sh",
        "main",
        "thread.id",
        "kind",
    ];
    let texts = texts
        .iter()
        .fold(Message::default(), |it, text| it.bytes(5, text));
    let zeros = [1, 2, 3, 4, 6, 7]
        .iter()
        .fold(texts, |it, field| it.bytes(*field, ""));
    let seven = Message::default().number(3, 7).0;
    let batch = Message::default().bytes(1, "batch").0;
    let list = Message::default().bytes(5, "").0;
    let attribute = |key, value: Vec<u8>| Message::default().number(1, key).bytes(2, value).0;
    zeros
        .message(1, &[(1, 0x5000), (2, 0x7000), (3, 0x1000), (4, 3)])
        .bytes(
            2,
            Message::default()
                .number(1, 1)
                .number(2, 0x5123)
                .message(3, &[(1, 1), (2, 12)])
                .0,
        )
        .message(3, &[(1, 4)])
        .message(7, &[(1, 1)])
        .bytes(6, attribute(5, seven))
        .bytes(6, attribute(6, batch))
        .bytes(6, attribute(6, list))
}

/// A file with these samples in a profile of one resource. If `pid`, the resource has the
/// `process.pid` 5.
fn file(dictionary: &Message, pid: bool, samples: &[Message]) -> Vec<u8> {
    let profile = Message::default().message(1, &[(1, 1), (2, 2)]);
    let profile = samples
        .iter()
        .fold(profile, |it, sample| it.bytes(2, &sample.0));
    let scope = Message::default().bytes(2, profile.0);
    let five = Message::default().number(3, 5).0;
    let attribute = Message::default().bytes(1, "process.pid").bytes(2, five).0;
    let resource = Message::default().bytes(1, attribute);
    let resource = if pid { resource.0 } else { Vec::new() };
    let resource = Message::default().bytes(1, resource).bytes(2, scope.0);
    Message::default()
        .bytes(2, &dictionary.0)
        .bytes(1, resource.0)
        .0
}

fn sample() -> Message {
    Message::default().number(1, 1).number(4, 3)
}

fn read(bytes: &[u8]) -> (Profile, Vec<(&'static str, u64)>) {
    let (profile, flaws) = otlp::read(bytes, &Limits::default()).unwrap();
    let flaws: Vec<_> = flaws
        .iter()
        .chain(flaws.left_out())
        .chain(flaws.changed())
        .collect();
    (profile, flaws)
}

#[test]
fn files_of_other_tools_are_read() {
    let with_attributes = sample().bytes(2, [1, 2]);
    let (profile, flaws) = read(&file(
        &dictionary(),
        true,
        std::slice::from_ref(&with_attributes),
    ));
    assert_eq!(flaws, []);
    let location = profile.location(LocationIdx(0)).unwrap();
    assert_eq!(location.file_offset, Some(FileOffset(0x1123)));
    assert_eq!((location.virt_offset, location.address), (None, None));
    assert_eq!(profile.frames_of(location)[0].line, Some(12));
    let (sample, values, labels) = profile.samples.get(0).unwrap();
    let thread = profile.thread(sample.thread.unwrap()).unwrap();
    assert_eq!(
        (profile.processes[0].pid, thread.tid, values),
        (5, Some(7), &[3][..])
    );
    assert!(matches!(labels[0].value, LabelValue::Text(text)
        if profile.strings.get(text) == Some("batch")));
    // Without a process, a thread ID is a label.
    let (profile, _) = read(&file(&dictionary(), false, &[with_attributes]));
    let (sample, _, labels) = profile.samples.get(0).unwrap();
    assert_eq!((sample.thread, labels.len()), (None, 2));
}

#[test]
fn times_without_values_count_one_each() {
    let mut times = Vec::new();
    for time in [10_u64, 20] {
        times.extend(time.to_le_bytes());
    }
    let sample = Message::default().number(1, 1).bytes(5, times);
    let (profile, flaws) = read(&file(&dictionary(), true, &[sample]));
    assert_eq!(flaws, []);
    let samples: Vec<_> = (profile.samples.iter())
        .map(|(sample, values, _)| (sample.time_ns, values.to_vec()))
        .collect();
    assert_eq!(samples, [(Some(10), vec![1]), (Some(20), vec![1])]);
}

#[test]
fn wrong_fields_are_counted_and_the_rest_is_read() {
    let dangling = |field| dictionary().message(7, &[(1, 2)]).message(2, &[(field, 9)]);
    let in_stack_2 = Message::default().number(1, 2).number(4, 1);
    let cases = [
        (
            "a stack past the table",
            dictionary(),
            sample().number(1, 9),
            "references beyond the end of a table",
        ),
        (
            "a stack before the table",
            dictionary(),
            sample().number(1, u64::MAX),
            "references beyond the end of a table",
        ),
        (
            "an attribute past the table",
            dictionary(),
            sample().bytes(2, [9]),
            "references beyond the end of a table",
        ),
        (
            "a mapping past the table",
            dangling(1),
            in_stack_2.clone(),
            "references beyond the end of a table",
        ),
        (
            "an attribute of a location",
            dangling(4),
            in_stack_2,
            "references beyond the end of a table",
        ),
        (
            "a list as a label",
            dictionary(),
            sample().bytes(2, [3]),
            "attributes that are neither texts nor numbers: read as JSON texts",
        ),
        (
            "a link",
            dictionary(),
            sample().number(3, 1),
            "links to spans, which cannot be represented",
        ),
        (
            "nothing counted",
            dictionary(),
            Message::default().number(1, 1),
            "samples with neither a value nor a time",
        ),
        (
            "noise",
            dictionary(),
            Message(vec![0xff; 3]),
            "samples that cannot be decoded",
        ),
        (
            "three values of one time",
            dictionary(),
            sample().bytes(4, [1, 2]).bytes(5, [0; 8]),
            "samples whose numbers of values and times differ",
        ),
    ];
    for (name, dictionary, wrong, want) in cases {
        let (profile, flaws) = read(&file(&dictionary, true, &[wrong, sample()]));
        assert_eq!(flaws, [(want, 1)], "{name}");
        let (last, values, _) = profile.samples.iter().last().unwrap();
        let depth = profile.stacks.iter(last.stack).count();
        assert!(depth == 1 && values[0] >= 3, "{name}: {depth}, {values:?}");
    }
}

#[test]
fn other_messages_are_refused() {
    let cases: [(&str, &[u8]); 5] = [
        ("nothing", b""),
        ("text", b"main;read 12\nmain 3\n"),
        ("zeros", &[0; 100]),
        ("no dictionary", &[0x0a, 0]),
        ("an empty dictionary", &[0x12, 0]),
    ];
    for (name, bytes) in cases {
        let got = otlp::read(bytes, &Limits::default());
        assert!(
            matches!(got, Err(Error::Malformed { .. })),
            "{name}: {got:?}"
        );
    }
    // An endless input is rejected by its start.
    let got = otlp::read(std::io::repeat(0), &Limits::default());
    assert!(matches!(got, Err(Error::Malformed { .. })), "{got:?}");
}

#[test]
fn a_bomb_is_refused_at_the_limit() {
    let many = |part: &[u8]| Message(part.repeat((1 << 20) / part.len()));
    // Each element of a decoded list takes the memory of the largest type.
    let list = Message::default().bytes(1, many(&[0x0a, 0]).0).0;
    let attribute = Message::default()
        .number(1, 6)
        .bytes(2, Message::default().bytes(5, list).0);
    let bombs = [
        ("strings", packed(&file(&many(&[0x2a, 0]), true, &[]))),
        ("locations", packed(&file(&many(&[0x12, 0]), true, &[]))),
        (
            "times",
            packed(&file(
                &dictionary(),
                true,
                &[Message::default().bytes(5, many(&[0; 8]).0)],
            )),
        ),
        (
            "a list",
            packed(&file(
                &dictionary().bytes(6, attribute.0),
                true,
                &[sample().bytes(2, [4])],
            )),
        ),
    ];
    for (name, bomb) in bombs {
        assert!(bomb.len() < 100_000, "{name}: {}", bomb.len());
        let got = otlp::read(&*bomb, &Limits::default().with_memory(2 << 20));
        assert!(
            matches!(got, Err(Error::TooLarge { .. })),
            "{name}: {:?}",
            got.err()
        );
    }
}

#[test]
fn one_long_name_for_many_files_is_counted_for_each() {
    // Each of 4,096 modules has a copy of a path of 64 KiB.
    let name = "n".repeat(1 << 16);
    let mut dictionary = dictionary().bytes(5, name);
    let mut stack = Vec::new();
    for at in 0..4096_u64 {
        let id = format!("{at:016x}");
        let value = Message::default().bytes(1, id).0;
        dictionary = dictionary
            .bytes(6, Message::default().number(1, 8).bytes(2, value).0)
            .message(1, &[(4, 7), (5, 4 + at)])
            .message(2, &[(1, 2 + at)]);
        let at = Message::default().number(1, 2 + at).0;
        stack.extend_from_slice(&at[1..]);
    }
    let dictionary = dictionary
        .bytes(5, "process.executable.build_id.gnu")
        .bytes(7, Message::default().bytes(1, stack).0);
    let bytes = file(
        &dictionary,
        true,
        &[Message::default().number(1, 2).number(4, 1)],
    );
    let got = otlp::read(&*bytes, &Limits::default().with_memory(64 << 20));
    assert!(
        matches!(got, Err(Error::TooLarge { .. })),
        "{:?}",
        got.err()
    );
    let got = otlp::read(&*bytes, &Limits::default().with_memory(1 << 30));
    assert_eq!(got.unwrap().0.modules.len(), 4096);
}

/// Some files written by backsight, gzipped and not.
static OURS: LazyLock<[Vec<u8>; FILES]> = LazyLock::new(|| {
    damage::files(|nth, profile| {
        let mut bytes = Vec::new();
        let options = Options::default().with_gzip(nth == 0).with_times(nth < 2);
        otlp::write(profile, &mut bytes, &options).unwrap();
        bytes
    })
});

#[test]
fn files_cut_off_anywhere_are_refused() {
    for bytes in OURS.iter() {
        let whole = otlp::read(&**bytes, &Limits::default());
        assert_eq!(whole.unwrap().1, Flaws::default());
        for end in 0..bytes.len() {
            let cut = otlp::read(&bytes[..end], &Limits::default());
            assert!(
                matches!(cut, Err(Error::Malformed { .. })),
                "{end} of {}",
                bytes.len()
            );
        }
    }
}

proptest! {
    #[test]
    fn flipped_bits_cost_neither_panic_nor_memory(bytes in flipped(&*OURS)) {
        if let Ok((profile, _)) = otlp::read(&*bytes, &Limits::default().with_memory(1 << 22)) {
            // What was read can be written, and read back without flaws.
            let mut again = Vec::new();
            otlp::write(&profile, &mut again, &Options::default()).unwrap();
            otlp::read(&*again, &Limits::default()).unwrap();
        }
    }
}
