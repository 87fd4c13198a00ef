//! Writes fuzzing seeds into a directory: perf recordings of features that no machine at hand
//! can record.

use std::path::Path;

use testkit::perf_file::{Event, KERNEL, PerfFile, USER, sample};

const USUAL: u64 = sample::IDENTIFIER
    | sample::IP
    | sample::TID
    | sample::TIME
    | sample::PERIOD
    | sample::CALLCHAIN;
const KERNEL_MARK: u64 = -128_i64 as u64;
const USER_MARK: u64 = -512_i64 as u64;
const DEFERRED: u64 = -640_i64 as u64;

fn event(sample_type: u64) -> Event {
    Event {
        name: "cycles",
        period: 1000,
        sample_type,
        ids: vec![1],
        ..Event::default()
    }
}

/// Deferred user stacks.
fn deferred() -> PerfFile {
    let mut file = PerfFile::new(false, &[event(USUAL)]);
    for time in [10, 11] {
        file.record(9, KERNEL, |at| {
            at.words(&[1, 0])
                .u32(7)
                .u32(7)
                .words(&[time, 1000, 4, KERNEL_MARK, 0]);
            at.words(&[DEFERRED, 5]);
        });
    }
    file.record(22, 0, |at| {
        at.words(&[5, 2, USER_MARK, 0x40_0123]).trailer(7, 7, 12, 1);
    });
    file
}

/// LBR call stacks.
fn branches() -> PerfFile {
    let event = Event {
        branch_type: 1 | 1 << 11 | 1 << 17 | 1 << 19,
        ..event(USUAL | sample::BRANCH_STACK)
    };
    let mut file = PerfFile::new(true, &[event]);
    file.record(9, USER, |at| {
        at.words(&[1, 0])
            .u32(7)
            .u32(7)
            .words(&[10, 1000, 2, USER_MARK, 0x40_0123]);
        at.words(&[1, 0, 0x40_0010, 0x40_0020, 0, 3]);
    });
    file
}

/// A group of counters, and data after a record.
fn group() -> PerfFile {
    let leader = Event {
        read_format: 1 << 2 | 1 << 3,
        ..event(USUAL | sample::READ)
    };
    let member = Event {
        name: "instructions",
        ids: vec![2],
        ..leader.clone()
    };
    let mut file = PerfFile::new(false, &[leader, member]);
    file.record(66, 0, |at| {
        at.u32(16);
    });
    file.behind(&[0; 16]);
    for time in [10, 11] {
        file.record(9, USER, |at| {
            at.words(&[1, 0]).u32(7).u32(7).words(&[time, 1000]);
            at.words(&[2, time * 100, 1, time * 30, 2, 2, USER_MARK, 0x40_0123]);
        });
    }
    file
}

/// An off-CPU sample of BPF, with an invalid time.
fn off_cpu() -> PerfFile {
    let event = Event {
        name: "offcpu-time",
        ..event(USUAL & !sample::CALLCHAIN | sample::RAW)
    };
    let mut file = PerfFile::new(false, &[event]);
    file.record(9, USER, |at| {
        at.words(&[1, 0])
            .u32(7)
            .u32(7)
            .words(&[0xffff_ffff_0000_0000, 1]);
        at.u32(44)
            .u32(7)
            .u32(7)
            .words(&[2_000_000, 2, USER_MARK, 0x40_0123])
            .u64(0);
    });
    file
}

fn main() -> std::io::Result<()> {
    let dir = std::env::args().nth(1).expect("a directory");
    let seeds = [
        ("deferred", deferred()),
        ("branches", branches()),
        ("group", group()),
        ("off_cpu", off_cpu()),
    ];
    for (name, seed) in seeds {
        std::fs::write(Path::new(&dir).join(name), seed.file())?;
        std::fs::write(Path::new(&dir).join(format!("{name}_pipe")), seed.pipe())?;
    }
    Ok(())
}
