//! Off-CPU time, compared with the context switches of `perf script`.

mod common;

use std::collections::HashMap;
use std::fs;

use common::{json, of_type, run};
use testkit::perf::{self, Recording};
use testkit::perf_file::{Event, PerfFile, USER, sample};
use testkit::skip;

const USER_MARK: u64 = -512_i64 as u64;

fn switches(name: &'static str, kind: u32, config: u64) -> Event {
    use sample::{CALLCHAIN, IDENTIFIER, IP, PERIOD, TID, TIME};
    Event {
        name,
        kind,
        config,
        period: 1,
        sample_type: IDENTIFIER | IP | TID | TIME | PERIOD | CALLCHAIN,
        ids: vec![1],
        ..Event::default()
    }
}

fn hit(file: &mut PerfFile, tid: u32, time: u64, raw: &[u32]) {
    file.record(9, USER, |at| {
        at.words(&[1, 0x40_0100]).u32(7).u32(tid).words(&[time, 1]);
        at.words(&[2, USER_MARK, 0x40_0100]);
        if !raw.is_empty() {
            at.u32(raw.len() as u32 * 4);
            for word in raw {
                at.u32(*word);
            }
            at.zeros((raw.len() * 4 + 4).next_multiple_of(8) - raw.len() * 4 - 4);
        }
    });
}

fn switch_in(file: &mut PerfFile, tid: u32, time: u64) {
    file.record(14, 0, |at| {
        at.trailer(7, tid, time, 1);
    });
}

/// The value of each sample, by its time.
fn times(file: &PerfFile) -> Vec<(u64, i64)> {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("perf.data");
    fs::write(&path, file.file()).unwrap();
    let path = path.to_str().unwrap();
    let lines = json(&run(["normalize", "-i", path]).ok());
    let about = of_type(&lines, "profile").pop().unwrap();
    assert_eq!(about["sample_types"][1]["unit"], "nanoseconds", "{about}");
    assert_eq!(about["default_type"], 1);
    let one = |sample: &serde_json::Value| {
        assert_eq!(sample["values"][0], 1);
        let time = sample["time_ns"].as_u64().unwrap_or_default();
        (time, sample["values"][1].as_i64().unwrap())
    };
    let mut times: Vec<_> = of_type(&lines, "sample").iter().map(one).collect();
    times.sort_unstable();
    // Without times, samples are summed to the same total.
    let args = [
        "convert",
        "-i",
        path,
        "-o",
        "-",
        "--to",
        "folded",
        "--no-symbols",
    ];
    let folded = run(args).ok();
    let values = folded.lines().map(|line| line.rsplit_once(' ').unwrap().1);
    let total: i64 = values.map(|value| value.parse::<i64>().unwrap()).sum();
    assert_eq!(total, times.iter().map(|(_, time)| time).sum::<i64>());
    times
}

#[test]
fn a_switch_weighs_the_time_until_its_thread_runs_again() {
    let mut file = PerfFile::new(false, &[switches("context-switches", 1, 3)]);
    // It runs again according to a switch record.
    hit(&mut file, 7, 1_000, &[]);
    switch_in(&mut file, 7, 5_000);
    // According to its next sample.
    hit(&mut file, 7, 6_000, &[]);
    hit(&mut file, 7, 9_000, &[]);
    // Another thread does not run again.
    hit(&mut file, 8, 9_500, &[]);
    // According to a new name.
    file.record(3, 0, |at| {
        at.u32(7).u32(7).text("other").trailer(7, 7, 9_900, 1);
    });
    // According to its exit, after which it is switched out for good.
    hit(&mut file, 7, 10_000, &[]);
    file.record(4, 0, |at| {
        at.u32(7)
            .u32(7)
            .u32(7)
            .u32(7)
            .u64(10_100)
            .trailer(7, 7, 10_100, 1);
    });
    hit(&mut file, 7, 20_000, &[]);
    let want = [
        (1_000, 4_000),
        (6_000, 3_000),
        (9_000, 900),
        (9_500, 10_500),
        (10_000, 100),
        (20_000, 0),
    ];
    assert_eq!(times(&file), want);
}

#[test]
fn a_time_that_cannot_be_is_no_duration() {
    let mut file = PerfFile::new(false, &[switches("cs", 1, 3)]);
    hit(&mut file, 7, 1_000, &[]);
    hit(&mut file, 8, 0xffff_ffff_0000_0000, &[]);
    hit(&mut file, 7, 3_000, &[]);
    assert_eq!(times(&file), [(0, 0), (1_000, 2_000), (3_000, 0)]);
}

#[test]
fn a_tracepoint_of_switches_says_who_runs_next() {
    let event = switches("sched:sched_switch", 2, 300);
    let event = Event {
        sample_type: event.sample_type | sample::RAW,
        ..event
    };
    let fields = |prev: u32, next: u32| {
        let mut raw = [0_u32; 17];
        (raw[6], raw[14]) = (prev, next);
        raw
    };
    let mut file = PerfFile::new(
        false,
        &[Event {
            // The chain precedes the raw data.
            ..event
        }],
    );
    hit(&mut file, 7, 1_000, &fields(7, 8));
    hit(&mut file, 8, 4_000, &fields(8, 7));
    hit(&mut file, 7, 9_000, &fields(7, 0));
    // Another layout: the next thread is unknown.
    hit(&mut file, 9, 9_500, &fields(1, 7));
    let want = [(1_000, 3_000), (4_000, 5_500), (9_000, 500), (9_500, 0)];
    assert_eq!(times(&file), want);
}

#[test]
fn values_measured_by_bpf_are_times() {
    let clock = Event {
        period: 1000,
        ids: vec![1],
        ..switches("cpu-clock", 1, 0)
    };
    let off = Event {
        period: 1,
        ids: vec![2],
        ..switches("offcpu-time", 1, 10)
    };
    let mut file = PerfFile::new(false, &[clock, off]);
    hit(&mut file, 7, 1_000, &[]);
    hit(&mut file, 7, 5_000, &[]);
    file.record(9, USER, |at| {
        at.words(&[2, 0x40_0100])
            .u32(7)
            .u32(7)
            .words(&[0xffff_ffff_0000_0000, 2_000_000]);
        at.words(&[2, USER_MARK, 0x40_0100]);
    });
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("perf.data");
    fs::write(&path, file.file()).unwrap();
    let path = path.to_str().unwrap();
    let args = [
        "convert",
        "-i",
        path,
        "-o",
        "-",
        "--to",
        "folded",
        "--no-symbols",
    ];
    let folded = run([&args[..], &["--event", "offcpu-time"]].concat()).ok();
    assert!(folded.ends_with(" 2000000\n"), "{folded}");
    let lines = json(&run(["normalize", "-i", path]).ok());
    let about = of_type(&lines, "profile").pop().unwrap();
    // Not the 584 years up to the invalid time.
    assert_eq!(about["duration_ns"], 4_000, "{about}");
    assert_eq!(about["sample_types"][3]["unit"], "nanoseconds");
}

fn record(args: &[&str]) -> Option<Recording> {
    let script = "for i in 1 2 3 4 5 6; do sleep 0.02; done";
    match perf::record(args, &["sh", "-c", script]) {
        Ok(recording) => Some(recording),
        Err(why) => {
            skip(&why);
            None
        }
    }
}

#[test]
fn switches_recorded_here_weigh_what_perf_says() {
    let args = ["-e", "context-switches", "-c", "1", "-g", "--switch-events"];
    let Some(recording) = record(&args) else {
        return;
    };
    let fields = ["-G", "--ns", "--show-switch-events", "-F", "tid,time,event"];
    let text = recording.script(&fields);
    let (mut since, mut want) = (HashMap::new(), HashMap::<u64, u64>::new());
    for line in text.lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        let [tid, time, what, ..] = words[..] else {
            continue;
        };
        let tid = tid.rsplit('/').next().unwrap().parse::<u64>().unwrap();
        let time: u64 = time.replace(['.', ':'], "").parse().unwrap();
        if what.starts_with("context-switches") {
            since.insert(tid, time);
        } else if words.contains(&"IN")
            && let Some(since) = since.remove(&tid)
        {
            *want.entry(tid).or_default() += time - since;
        }
    }
    let data = recording.data.to_str().unwrap();
    let lines = json(&run(["normalize", "-q", "-i", data]).ok());
    let mut ours = HashMap::<u64, u64>::new();
    for sample in of_type(&lines, "sample") {
        let time = sample["values"][1].as_u64().unwrap();
        *ours.entry(sample["tid"].as_u64().unwrap()).or_default() += time;
    }
    ours.retain(|_, time| *time > 0);
    let slept: u64 = want.values().sum();
    assert!(slept > 100_000_000, "{want:?}");
    assert_eq!(ours, want);
}
