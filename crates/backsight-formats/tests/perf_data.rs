//! Recordings made when the test runs, compared with `perf script`.

use std::fs::File;
use std::io::BufReader;
use std::path::Path;

use backsight_formats::perf_data::Reader;
use backsight_types::trace::Event;
use testkit::perf::{self, Recording};
use testkit::skip;

fn record(args: &[&str], what: &str) -> Option<Recording> {
    let Some(program) = perf::program() else {
        skip("no C compiler");
        return None;
    };
    let args = [&["-F", "2000"], args].concat();
    let command = [program.to_str().unwrap(), what, "100000"];
    match perf::record(&args, &command) {
        Ok(recording) => Some(recording),
        Err(why) => {
            skip(&why);
            None
        }
    }
}

/// Describes samples by what both sides know: pid, tid, time, period, event and call chain.
fn ours(recording: &Recording) -> Vec<String> {
    let open = |path: &Path| BufReader::new(File::open(path).unwrap());
    let mut reader = match recording.data.is_dir() {
        false => Reader::open(open(&recording.data)).unwrap(),
        true => {
            let others = (0..).map(|number| recording.data.join(format!("data.{number}")));
            let others = others.take_while(|path| path.exists());
            let others = others.map(|path| open(&path)).collect();
            Reader::directory(open(&recording.data.join("data")), others).unwrap()
        }
    };
    let mut samples = Vec::new();
    loop {
        let line = match reader.next() {
            None => break,
            Some(Event::Sample(sample)) => {
                let chain: Vec<String> = (sample.chain())
                    .map(|entry| format!("{:x}", entry.addr))
                    .collect();
                let time = sample.time_ns.unwrap();
                let line = format!(
                    "{}/{} {}.{:09} {} ",
                    sample.pid.cast_signed(),
                    sample.tid.cast_signed(),
                    time / 1_000_000_000,
                    time % 1_000_000_000,
                    sample.period
                );
                (sample.event, line, chain)
            }
            Some(_) => continue,
        };
        let (event, line, chain) = line;
        let event = &reader.facts().events[event].name;
        samples.push(format!("{line}{event}: {}", chain.join(" ")));
    }
    assert!(reader.problems().is_empty(), "{:?}", reader.problems());
    samples
}

/// The options with which `perf script` prints each sample on one line.
const FIELDS: [&str; 4] = ["-G", "--ns", "-F", "pid,tid,time,period,event"];

/// The same from `perf script`: the fields of its output, and call chains of its raw dump.
fn theirs(recording: &Recording) -> Vec<String> {
    let heads = recording.script(&FIELDS);
    let dump = recording.script(&["-D", "-G", "--no-inline"]);
    let mut chains: Vec<Vec<String>> = Vec::new();
    for line in dump.lines() {
        if let Some((_, ip)) = line.split_once("PERF_RECORD_SAMPLE(") {
            let ip = ip
                .split_whitespace()
                .nth(3)
                .unwrap()
                .trim_start_matches("0x");
            chains.push(vec![ip.to_owned()]);
        } else if let Some(rest) = line.strip_prefix(".....") {
            let Some((number, addr)) = rest.split_once(": ") else {
                continue;
            };
            let addr = u64::from_str_radix(addr.trim(), 16);
            let is_entry = number.trim().parse::<usize>().is_ok();
            if let Some(chain) = chains.last_mut().filter(|_| is_entry) {
                chain.push(format!("{:x}", addr.unwrap()));
            }
        }
    }
    let heads: Vec<&str> = heads.lines().filter(|line| !line.is_empty()).collect();
    assert_eq!(
        heads.len(),
        chains.len(),
        "{:?}",
        heads.iter().take(3).collect::<Vec<_>>()
    );
    let one = |(head, mut chain): (&&str, Vec<String>)| {
        if chain.len() > 1 {
            chain.remove(0);
        }
        // Values up to PERF_CONTEXT_MAX are addresses.
        chain.retain(|addr| u64::from_str_radix(addr, 16).unwrap() < -4095_i64 as u64);
        let head: Vec<&str> = head.split_whitespace().collect();
        let [who, time, period, event] = head[..] else {
            panic!("{head:?}");
        };
        let time = time.trim_end_matches(':');
        format!("{who} {time} {period} {event} {}", chain.join(" "))
    };
    heads.iter().zip(chains).map(one).collect()
}

#[test]
fn samples_are_those_that_perf_reads() {
    for (name, args, what) in perf::WAYS {
        let Some(recording) = record(args, what) else {
            return;
        };
        let (ours, theirs) = (ours(&recording), theirs(&recording));
        assert!(theirs.len() > 50, "{name}: {}", theirs.len());
        for (place, (ours, theirs)) in ours.iter().zip(&theirs).enumerate() {
            assert_eq!(ours, theirs, "{name}, sample {place}");
        }
        assert_eq!(ours.len(), theirs.len(), "{name}");
    }
}

#[test]
fn members_of_a_group_have_what_they_counted() {
    let Some(recording) = record(&["-e", "{cpu-clock,page-faults}:S"], "spin") else {
        return;
    };
    let words = |line: &str| {
        let words: Vec<&str> = line.split_whitespace().collect();
        words.join(" ").replace(": ", " ")
    };
    // Without the address, which follows the event.
    let ours = ours(&recording);
    let heads = ours.iter().map(|line| line.rsplit_once(": ").unwrap().0);
    let ours: Vec<String> = heads.map(words).collect();
    let theirs = recording.script(&FIELDS);
    let theirs: Vec<String> = theirs
        .lines()
        .map(|line| words(line.trim_end_matches(": ")))
        .collect();
    assert!(
        ours.iter().any(|line| line.contains("page-faults")),
        "{ours:?}"
    );
    assert!(ours.len() > 50, "{}", ours.len());
    assert_eq!(ours, theirs);
}
