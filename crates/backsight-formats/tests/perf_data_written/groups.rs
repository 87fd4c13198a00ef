//! Event groups, of which one event is sampled, compared with `perf script`.

use testkit::perf_file::{Event, PerfFile, USER, sample};

use super::{cycles, every_way, of_perf};

const TIMES: u64 = 3;
const ID: u64 = 1 << 2;
const GROUP: u64 = 1 << 3;
const LOST: u64 = 1 << 4;
const INHERIT: u64 = 1 << 1;

const TYPE: u64 =
    sample::IDENTIFIER | sample::IP | sample::TID | sample::TIME | sample::READ | sample::PERIOD;

fn events(read_format: u64, flags: u64) -> [Event; 2] {
    let leader = Event {
        sample_type: TYPE,
        read_format,
        flags,
        ..cycles(&[11, 12])
    };
    let member = Event {
        name: "instructions",
        config: 1,
        period: 0,
        ids: vec![21, 22],
        ..leader.clone()
    };
    [leader, member]
}

/// A recording with samples of these threads, each with the values of counters by ID.
fn write(big: bool, read_format: u64, flags: u64, samples: &[(u32, &[(u64, u64)])]) -> PerfFile {
    let mut file = PerfFile::new(big, &events(read_format, flags));
    for (at, (tid, values)) in samples.iter().enumerate() {
        file.record(9, USER, |bytes| {
            bytes.words(&[values[0].0, 0x40_0123]).u32(7).u32(*tid);
            bytes.words(&[at as u64 + 10, 1000]);
            let times = (read_format & TIMES).count_ones() as usize;
            if read_format & GROUP != 0 {
                bytes.u64(values.len() as u64).words(&vec![9; times]);
            }
            for (id, value) in *values {
                bytes.u64(*value);
                if read_format & GROUP == 0 {
                    bytes.words(&vec![9; times]);
                }
                if read_format & ID != 0 {
                    bytes.u64(*id);
                }
                if read_format & LOST != 0 {
                    bytes.u64(0);
                }
            }
        });
    }
    file
}

/// Returns time, event and period of each sample, as printed by perf.
fn theirs(file: &PerfFile) -> Option<Vec<String>> {
    let lines = of_perf(&file.file(), &["--ns", "-F", "tid,time,period,event"])?;
    let one = |line: &String| {
        let words: Vec<&str> = line.split_whitespace().collect();
        let [tid, time, period, event] = words[..] else {
            panic!("{line}");
        };
        let time = time.trim_start_matches("0.").trim_end_matches(':');
        let time: u64 = time.parse().unwrap();
        let event = usize::from(event.starts_with("instructions"));
        format!("7/{tid} Some({time}) {event}: {period} 400123u")
    };
    Some(lines.iter().map(one).collect())
}

#[test]
fn each_member_has_a_sample_of_what_it_counted() {
    let samples: &[(u32, &[(u64, u64)])] = &[
        (7, &[(11, 1000), (21, 700)]),
        (7, &[(12, 1000), (22, 5)]),
        (7, &[(11, 2500), (21, 700)]),
        (7, &[(11, 3500), (21, 1700)]),
    ];
    let of =
        |time: u64, event: u64, period: u64| format!("7/7 Some({time}) {event}: {period} 400123u");
    let want = [
        of(10, 0, 1000),
        of(10, 1, 700),
        of(11, 0, 1000),
        of(11, 1, 5),
        of(12, 0, 1500),
        of(13, 0, 1000),
        of(13, 1, 1000),
    ];
    for more in [0, TIMES, LOST, TIMES | LOST] {
        let format = GROUP | ID | more;
        let (ours, said) = every_way(|big| write(big, format, 0, samples));
        assert_eq!(ours, want, "{format:#x}");
        assert_eq!(said, [""; 0]);
        if let Some(theirs) = theirs(&write(false, format, 0, samples)) {
            assert_eq!(ours, theirs, "{format:#x}");
        }
    }
}

#[test]
fn a_counter_by_itself_says_its_period_too() {
    let samples: &[(u32, &[(u64, u64)])] = &[(7, &[(11, 1000)]), (7, &[(11, 2500)])];
    for more in [0, TIMES, LOST] {
        let (ours, _) = every_way(|big| write(big, ID | more, 0, samples));
        assert!(ours[1].contains(" 0: 1500 "), "{ours:?}");
        if let Some(theirs) = theirs(&write(false, ID | more, 0, samples)) {
            assert_eq!(ours, theirs);
        }
    }
    // Without IDs of values, the period of the sample is used.
    let (ours, said) = every_way(|big| write(big, 0, 0, samples));
    assert!(
        ours.iter().all(|line| line.contains(" 0: 1000 ")),
        "{ours:?}"
    );
    assert_eq!((ours.len(), said.len()), (2, 0));
}

#[test]
fn inherited_counters_are_each_thread_s() {
    let samples: &[(u32, &[(u64, u64)])] = &[
        (7, &[(11, 1000), (21, 10)]),
        (8, &[(11, 400), (21, 4)]),
        (7, &[(11, 1500), (21, 12)]),
    ];
    // Since Linux 6.12; an older perf does not separate the threads.
    let (ours, said) = every_way(|big| write(big, GROUP | ID, INHERIT, samples));
    let periods: Vec<&str> = ours
        .iter()
        .map(|line| line.split(' ').nth(3).unwrap())
        .collect();
    assert_eq!(periods, ["1000", "10", "400", "4", "500", "2"]);
    assert_eq!(said, [""; 0]);
}

#[test]
fn values_that_cannot_be_are_counted() {
    let samples: &[(u32, &[(u64, u64)])] = &[
        (7, &[(11, 1000), (21, 700)]),
        // A value of an unknown event, and one that decreased.
        (7, &[(11, 1500), (99, 5)]),
        (7, &[(11, 2500), (21, 600)]),
        // No value has changed.
        (7, &[(11, 2500), (21, 600)]),
    ];
    let (ours, said) = every_way(|big| write(big, GROUP | ID, 0, samples));
    assert_eq!(ours.len(), 4, "{ours:?}");
    assert_eq!(
        said,
        [
            "1 samples in which no counter changed",
            "wrong: 1 values of counters that belong to no event",
            "wrong: 1 values of counters that decreased",
        ]
    );
}

#[test]
fn a_sample_of_no_event_is_counted() {
    let samples: &[(u32, &[(u64, u64)])] = &[(7, &[(11, 1000)]), (7, &[(77, 1000)])];
    let (ours, said) = every_way(|big| write(big, GROUP | ID, 0, samples));
    assert_eq!(ours.len(), 1, "{ours:?}");
    assert_eq!(said, ["wrong: 1 samples of events that are not described"]);
}
