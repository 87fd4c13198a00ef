//! OTLP files by other tools: attributes of all levels, both layouts of samples, length prefixes,
//! JSON.

#![cfg(feature = "otlp")]

mod json;
#[path = "../message/mod.rs"]
mod message;
#[path = "../profiles/mod.rs"]
mod profiles;
#[path = "../said/mod.rs"]
mod said;

use backsight_formats::flaws::Flaws;
use backsight_formats::otlp::{self, Error, Limits, Options};
use backsight_formats::{ndjson, pprof};
use backsight_profile::{LabelValue, Profile};
use json::python;
use message::Message;
use said::said;

const TEXTS: [&str; 14] = [
    "",
    "samples",
    "count",
    "/bin/sh",
    "main",
    "thread.id",
    "kind",
    "process.executable.build_id.go",
    "profile.frame.type",
    "note",
    "sh",
    "list",
    "ns",
    "wait",
];

/// Attributes 1 to 6: `thread.id` 7, `kind` "batch", a Go build ID, a frame type, a list,
/// and `wait` 5 ns.
fn dictionary() -> Message {
    let texts = TEXTS
        .iter()
        .fold(Message::default(), |it, text| it.bytes(5, text));
    let zeros = [1, 2, 3, 4, 6, 7]
        .iter()
        .fold(texts, |it, field| it.bytes(*field, ""));
    let attribute = |key, value: Message| Message::default().number(1, key).bytes(2, value.0);
    let text = |text: &str| Message::default().bytes(1, text);
    let list = Message::default()
        .bytes(1, text("a").0)
        .bytes(1, text("b").0);
    zeros
        .bytes(
            1,
            Message::default()
                .number(1, 0x5000)
                .number(2, 0x7000)
                .number(3, 0x1000)
                .number(4, 3)
                .bytes(5, [3])
                .0,
        )
        .bytes(
            2,
            Message::default()
                .number(1, 1)
                .number(2, 0x5123)
                .message(3, &[(1, 1), (2, 12)])
                .bytes(4, [4])
                .0,
        )
        .message(3, &[(1, 4)])
        .bytes(7, Message::default().bytes(1, [1]).0)
        .bytes(6, attribute(5, Message::default().number(3, 7)).0)
        .bytes(6, attribute(6, text("batch")).0)
        .bytes(6, attribute(7, text("go-id")).0)
        .bytes(6, attribute(8, text("jvm")).0)
        .bytes(6, attribute(11, Message::default().bytes(5, list.0)).0)
        .bytes(
            6,
            attribute(13, Message::default().number(3, 5))
                .number(3, 12)
                .0,
        )
}

fn key_value(key: &str, text: &str) -> Vec<u8> {
    let value = Message::default().bytes(1, text);
    Message::default().bytes(1, key).bytes(2, value.0).0
}

/// A message with these samples, and attributes of the resource and scope.
fn message(samples: &[Message]) -> Vec<u8> {
    let profile = Message::default().message(1, &[(1, 1), (2, 2)]);
    let profile = samples
        .iter()
        .fold(profile, |it, sample| it.bytes(2, &sample.0));
    let scope = Message::default()
        .bytes(1, "ebpf")
        .bytes(2, "1.2")
        .bytes(3, key_value("team", "perf"));
    let scope = Message::default().bytes(1, scope.0).bytes(2, profile.0);
    let resource = Message::default()
        .bytes(1, key_value("service.name", "shop"))
        .bytes(1, key_value("container.id", "c0ffee"))
        .bytes(1, key_value("k8s.pod.name", "shop-1"))
        .bytes(1, key_value("custom", "x"));
    let resource = Message::default().bytes(1, resource.0).bytes(2, scope.0);
    Message::default()
        .bytes(1, resource.0)
        .bytes(2, dictionary().0)
        .0
}

fn new_sample() -> Message {
    Message::default()
        .number(1, 1)
        .bytes(2, [1, 2, 5, 6])
        .bytes(4, [3])
}

fn old_sample() -> Message {
    Message::default()
        .number(1, 1)
        .bytes(2, [3])
        .bytes(3, [1, 2, 5, 6])
}

fn read(bytes: &[u8]) -> (Profile, Flaws) {
    otlp::read(bytes, &Limits::default()).unwrap()
}

fn labels(profile: &Profile) -> Vec<(String, String)> {
    let (_, _, labels) = profile.samples.get(0).unwrap();
    let text = |index| profile.strings.get(index).unwrap().to_owned();
    let of = |value| match value {
        LabelValue::Text(index) => text(index),
        LabelValue::Number(number, unit) => {
            format!("{number} {}", unit.map_or_else(String::new, text))
        }
    };
    labels
        .iter()
        .map(|label| (text(label.key), of(label.value)))
        .collect()
}

fn attributes(profile: &Profile) -> Vec<String> {
    let rows = profile.attributes.iter();
    let text = |index| profile.strings.get(index).unwrap();
    rows.map(|row| {
        format!(
            "{:?} {} {:?}",
            row.of,
            text(row.label.key),
            match row.label.value {
                LabelValue::Text(index) => text(index),
                LabelValue::Number(..) => "",
            }
        )
    })
    .collect()
}

#[test]
fn attributes_of_every_level_are_carried() {
    let (profile, flaws) = read(&message(&[new_sample()]));
    assert_eq!(
        (flaws.iter().count(), flaws.left_out().count()),
        (0, 0),
        "{flaws:?}"
    );
    let of_lists = flaws.changed().map(|(_, count)| count);
    assert_eq!(of_lists.collect::<Vec<_>>(), [1]);
    let want = [
        ("thread.id", "7 "),
        ("kind", "batch"),
        ("list", r#"["a","b"]"#),
        ("wait", "5 ns"),
        ("service.name", "shop"),
        ("container.id", "c0ffee"),
        ("k8s.pod.name", "shop-1"),
        ("custom", "x"),
        ("otel.scope.team", "perf"),
        ("otel.scope.name", "ebpf"),
        ("otel.scope.version", "1.2"),
    ];
    let mut want: Vec<_> = want
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .to_vec();
    let mut got = labels(&profile);
    want.sort();
    got.sort();
    assert_eq!(got, want);
    let of_rows = [
        "Module(ModuleIdx(0)) process.executable.build_id.go \"go-id\"",
        "Location(LocationIdx(0)) profile.frame.type \"jvm\"",
    ];
    assert_eq!(attributes(&profile), of_rows);

    // NDJSON loses nothing.
    let mut lines = Vec::new();
    ndjson::write_profile(&ndjson::HeaderLine::new("test"), &profile, &mut lines).unwrap();
    let again = ndjson::read_profile(&lines[..], false, |error| panic!("{error}")).unwrap();
    assert_eq!(said(&again, true), said(&profile, true));
    assert_eq!(attributes(&again), of_rows);

    // In OTLP, each attribute is written back to where it was read from.
    let mut bytes = Vec::new();
    let flaws = otlp::write(&again, &mut bytes, &Options::default()).unwrap();
    assert!(flaws.is_empty(), "{flaws:?}");
    let (third, _) = read(&bytes);
    let mut got = labels(&third);
    got.sort();
    assert_eq!(got, want);
    assert_eq!(attributes(&third), of_rows);
    if let Some(said) = python(
        &bytes,
        "r = data.resource_profiles[0]\nprint(sorted(a.key for a in r.resource.attributes), \
         r.scope_profiles[0].scope.name, [a.key for a in r.scope_profiles[0].scope.attributes])",
    ) {
        let want = "['container.id', 'k8s.pod.name', 'service.name'] ebpf ['team']\n";
        assert_eq!(said, want);
    }

    // In pprof, attributes of samples are labels. Others cannot be represented, which is counted.
    let mut bytes = Vec::new();
    let flaws = pprof::write(&profile, &mut bytes, &pprof::Options::default()).unwrap();
    assert_eq!(
        flaws.left_out().map(|(_, count)| count).collect::<Vec<_>>(),
        [2]
    );
    let (fourth, _) = pprof::read(&bytes[..], &Limits::default()).unwrap();
    assert_eq!(labels(&fourth).len(), want.len());
}

#[test]
fn both_numberings_of_samples_say_the_same() {
    let (new, _) = read(&message(&[new_sample()]));
    let (old, _) = read(&message(&[old_sample()]));
    assert_eq!(said(&old, true), said(&new, true));
    // A sample whose layout is ambiguous; that of the first sample is used.
    let silent = Message::default()
        .number(1, 1)
        .bytes(2, [1])
        .bytes(5, 9_u64.to_le_bytes());
    let time = |samples: &[Message]| {
        let (profile, flaws) = read(&message(samples));
        let (_, values, _) = profile.samples.get(samples.len() - 1).unwrap();
        let said: Vec<u64> = flaws.changed().map(|(_, count)| count).collect();
        (values.to_vec(), labels(&profile).len(), said)
    };
    assert_eq!(time(&[old_sample(), silent.clone()]).0, [1]);
    // If no sample determines the layout, the newer one is used, and that is counted.
    let (values, count, said) = time(std::slice::from_ref(&silent));
    assert_eq!((values, count, said), (vec![1], 8, vec![1]));
    // If layouts are mixed, each sample is read in its own, and that is counted.
    let (_, flaws) = read(&message(&[old_sample(), new_sample(), new_sample()]));
    assert!(
        flaws
            .changed()
            .any(|(what, count)| what.contains("another") && count == 1)
    );
}

#[test]
fn layouts_before_stacks_are_refused_by_name() {
    let profile = Message::default()
        .message(1, &[(1, 1), (2, 2)])
        .bytes(3, [1, 2]);
    let scope = Message::default().bytes(2, profile.0);
    let resource = Message::default().bytes(2, scope.0);
    let bytes = Message::default()
        .bytes(2, dictionary().0)
        .bytes(1, resource.0)
        .0;
    let error = otlp::read(&bytes[..], &Limits::default()).unwrap_err();
    assert!(error.to_string().contains("before 1.8"), "{error}");
}

fn prefixed(messages: &[Vec<u8>]) -> Vec<u8> {
    let with_length = |it: &Vec<u8>| {
        let length = u32::try_from(it.len()).unwrap().to_be_bytes();
        [&length[..], it].concat()
    };
    messages.iter().flat_map(with_length).collect()
}

#[test]
fn messages_behind_their_lengths_are_all_read() {
    let one = message(&[new_sample()]);
    let two = message(&[old_sample(), old_sample()]);
    let bytes = prefixed(&[one.clone(), two.clone()]);
    let (profile, flaws) = read(&bytes);
    assert_eq!(flaws.iter().count(), 0, "{flaws:?}");
    let values = profile.samples.iter().map(|(_, values, _)| values[0]);
    assert_eq!(values.sum::<i64>(), 9);
    // A file is one module, even if several messages refer to it.
    assert_eq!((profile.modules.len(), profile.attributes.len()), (1, 3));
    // A message that is cut off, or that is invalid, is counted; the others are read.
    for cut in [1, 3, 4, 20, two.len()] {
        let (profile, flaws) = read(&bytes[..bytes.len() - cut]);
        assert!(
            flaws.iter().any(|(what, _)| what.contains("cut off")),
            "{cut}: {flaws:?}"
        );
        assert!(!profile.samples.is_empty(), "{cut}");
    }
    let none = prefixed(&[one, b"\x0a\xff".to_vec(), two]);
    let (profile, flaws) = read(&none);
    let counted: Vec<_> = flaws.iter().collect();
    assert_eq!(counted, [("messages that cannot be read", 1)]);
    assert_eq!(
        profile
            .samples
            .iter()
            .map(|(_, values, _)| values[0])
            .sum::<i64>(),
        9
    );
    for bad in [&b"\0\0\0\x05hello"[..], b"\0\0", b"\0", b""] {
        let error = otlp::read(bad, &Limits::default()).unwrap_err();
        assert!(matches!(error, Error::Malformed { .. }), "{bad:?}: {error}");
    }
}
