//! Recordings with features that no machine here can record, written by hand: in both byte orders,
//! as files and pipes, and compared with `perf script` if that supports them.

mod branches;
mod damage;
mod deferred;
mod groups;
mod kinds;
mod times;

use std::io::Cursor;
use std::io::Read;

use backsight_formats::perf_data::{Error, Problems, Reader};
use backsight_types::trace::Event;
use testkit::perf_file::{Event as Attr, PerfFile, sample};
use testkit::{perf, skip};

/// The fields of samples in most recordings here, in this order: identifier, address, thread, time,
/// period, and the call chain.
const USUAL: u64 = sample::IDENTIFIER
    | sample::IP
    | sample::TID
    | sample::TIME
    | sample::PERIOD
    | sample::CALLCHAIN;

/// The event of most recordings here: a hardware counter.
fn cycles(ids: &[u64]) -> Attr {
    Attr {
        name: "cycles",
        period: 1000,
        sample_type: USUAL,
        ids: ids.to_vec(),
        ..Attr::default()
    }
}

/// Returns each sample as a line, and the problems.
fn samples<R: Read>(mut reader: Reader<R>) -> (Vec<String>, Problems) {
    let mut seen = Vec::new();
    while let Some(event) = reader.next() {
        if let Event::Sample(sample) = event {
            let chain: Vec<String> = (sample.chain())
                .map(|entry| format!("{:x}{:?}{:?}", entry.addr, entry.context, entry.lookup))
                .collect();
            let chain = chain.join(" ").replace("User", "u").replace("Kernel", "k");
            let chain = chain.replace("Exact", "").replace("Return", "r");
            seen.push(format!(
                "{}/{} {:?} {}: {} {chain}",
                sample.pid.cast_signed(),
                sample.tid.cast_signed(),
                sample.time_ns,
                sample.event,
                sample.period
            ));
        }
    }
    (seen, reader.into_problems())
}

fn read_file(bytes: &[u8]) -> Result<(Vec<String>, Problems), Error> {
    Ok(samples(Reader::open(Cursor::new(bytes))?))
}

fn read_pipe(bytes: &[u8]) -> Result<(Vec<String>, Problems), Error> {
    Ok(samples(Reader::stream(bytes)?))
}

/// Reads the recording by `write` in each byte order, as a file and as a pipe. All must give the
/// same samples and problems, which are returned.
fn every_way(write: impl Fn(bool) -> PerfFile) -> (Vec<String>, Vec<String>) {
    let said = |problems: &Problems| -> Vec<String> {
        let left_out = problems
            .flaws
            .left_out()
            .map(|(what, n)| format!("{n} {what}"));
        let wrong = problems
            .flaws
            .iter()
            .map(|(what, n)| format!("wrong: {n} {what}"));
        // Offsets differ, because the records of a pipe include attributes.
        let end = problems.ends.iter().map(|end| {
            let text = end.reason.to_string();
            text.replace(|c: char| c.is_ascii_digit(), "")
        });
        left_out.chain(wrong).chain(end).collect()
    };
    let ways = [false, true].map(|big| {
        let recording = write(big);
        let (file, problems) = read_file(&recording.file()).expect("a recording");
        let (pipe, of_pipe) = read_pipe(&recording.pipe()).expect("a recording");
        assert_eq!(file, pipe, "as a file, and through a pipe");
        assert_eq!(said(&problems), said(&of_pipe));
        (file, said(&problems))
    });
    let [little, big] = ways;
    assert_eq!(little, big, "in either byte order");
    little
}

/// Returns the lines that `perf script` prints for these bytes, trimmed; `None` without perf.
fn of_perf(bytes: &[u8], args: &[&str]) -> Option<Vec<String>> {
    if testkit::tools::tool("perf").is_none() {
        skip("no perf");
        return None;
    }
    let dir = tempfile::tempdir().expect("a directory");
    let data = dir.path().join("perf.data");
    std::fs::write(&data, bytes).expect("room");
    let text = perf::script(&data, args);
    let lines = text.lines().map(|line| line.trim().to_owned());
    Some(lines.filter(|line| !line.is_empty()).collect())
}
