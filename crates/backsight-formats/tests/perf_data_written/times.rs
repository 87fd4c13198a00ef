//! Invalid times, and samples written by perf's BPF program.

use testkit::perf_file::{Event, PerfFile, USER, sample};

use super::{USUAL, cycles, every_way, of_perf};

/// The time that perf writes if it knows none.
const NO_TIME: u64 = 0xffff_ffff_0000_0000;

const USER_MARK: u64 = -512_i64 as u64;

fn sample(file: &mut PerfFile, id: u64, time: u64, period: u64) {
    file.record(9, USER, |at| {
        at.words(&[id, 0x40_0123])
            .u32(7)
            .u32(7)
            .words(&[time, period]);
        at.words(&[2, USER_MARK, 0x40_0123]);
    });
}

#[test]
fn a_time_that_no_clock_shows_is_none() {
    let (samples, said) = every_way(|big| {
        let mut file = PerfFile::new(big, &[cycles(&[1])]);
        for time in [10, NO_TIME, 1 << 63, 20] {
            sample(&mut file, 1, time, 1000);
        }
        file
    });
    let times: Vec<&str> = samples
        .iter()
        .map(|line| line.split(' ').nth(1).unwrap())
        .collect();
    assert_eq!(times, ["Some(10)", "None", "None", "Some(20)"]);
    assert_eq!(said, ["wrong: 1 records with an invalid time"]);
}

/// `perf record --off-cpu` up to perf 6.15: ordinary samples, after all others.
fn off_cpu(big: bool) -> PerfFile {
    let off = Event {
        name: "offcpu-time",
        kind: 1,
        config: 10,
        ..cycles(&[2])
    };
    let mut file = PerfFile::new(big, &[cycles(&[1]), off]);
    sample(&mut file, 1, 10, 1000);
    sample(&mut file, 2, NO_TIME, 2_000_000);
    file
}

/// Since perf 6.16: samples in the raw data of other samples.
fn off_cpu_embedded(big: bool) -> PerfFile {
    let off = Event {
        name: "offcpu-time",
        kind: 1,
        config: 10,
        sample_type: USUAL & !sample::CALLCHAIN | sample::RAW,
        ..cycles(&[2])
    };
    let mut file = PerfFile::new(big, &[cycles(&[1]), off]);
    sample(&mut file, 1, 10, 1000);
    file.record(9, USER, |at| {
        at.words(&[2, 0]).u32(99).u32(99).words(&[NO_TIME, 1]);
        at.u32(4 + 7 * 8)
            .u32(7)
            .u32(7)
            .words(&[2_000_000, 3, USER_MARK, 0x40_0123, 0x40_0456]);
        at.u64(1).u32(0);
    });
    file
}

#[test]
fn time_off_the_processor_is_what_bpf_measured() {
    let (plain, said) = every_way(off_cpu);
    let on = "7/7 Some(10) 0: 1000 400123u";
    assert_eq!(plain, [on, "7/7 None 1: 2000000 400123u"]);
    assert_eq!(said, [""; 0]);
    let (embedded, said) = every_way(off_cpu_embedded);
    assert_eq!(embedded, [on, "7/7 None 1: 2000000 400123u 400456ur"]);
    assert_eq!(said, [""; 0]);
    let fields = ["-G", "-F", "tid,period,event"];
    if let Some(lines) = of_perf(&off_cpu(false).file(), &fields) {
        let last = lines.last().unwrap();
        let words: Vec<&str> = last.split_whitespace().collect();
        assert_eq!(words, ["7", "2000000", "offcpu-time:"], "{lines:?}");
    }
}

#[test]
fn one_that_is_cut_is_counted() {
    let (samples, said) = every_way(|big| {
        let mut file = off_cpu_embedded(big);
        file.record(9, USER, |at| {
            at.words(&[2, 0]).u32(99).u32(99).words(&[NO_TIME, 1]);
            at.u32(28).u32(7).u32(7).words(&[2_000_000, 3]).u32(0);
        });
        file
    });
    assert_eq!(samples.len(), 2);
    assert_eq!(
        said,
        ["wrong: 1 samples that do not fit the attribute of their event"]
    );
}
