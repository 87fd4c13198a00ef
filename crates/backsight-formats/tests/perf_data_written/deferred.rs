//! Deferred user stacks, by the rules of Linux 6.19. What perf prints for them is written by hand,
//! because the installed perf does not know them.

use testkit::perf_file::{KERNEL, PerfFile};

use super::{cycles, every_way};

const KERNEL_MARK: u64 = -128_i64 as u64;
const USER_MARK: u64 = -512_i64 as u64;
const DEFERRED: u64 = -640_i64 as u64;

/// A record.
#[derive(Clone, Copy, Debug)]
enum Part {
    /// Thread, time, cookie.
    Sample(u32, u64, u64),
    /// Thread, time, cookie, and the addresses with or without their marker.
    Stack(u32, u64, u64, &'static [u64]),
    /// Thread, time.
    Exit(u32, u64),
}

use Part::{Exit, Sample, Stack};

const STACK: &[u64] = &[USER_MARK, 0x40_1000, 0x40_2000];

fn write(big: bool, parts: &[Part]) -> PerfFile {
    let mut file = PerfFile::new(big, &[cycles(&[1])]);
    for part in parts {
        match *part {
            Sample(tid, time, cookie) => file.record(9, KERNEL, |at| {
                at.words(&[1, 0xffff_ffff_8100_0000]).u32(7).u32(tid);
                at.words(&[time, 1000, 5]);
                at.words(&[KERNEL_MARK, 0xffff_ffff_8100_0000, 0xffff_ffff_8100_0100]);
                at.words(&[DEFERRED, cookie]);
            }),
            Stack(tid, time, cookie, addrs) => file.record(22, 0, |at| {
                at.words(&[cookie, addrs.len() as u64]).words(addrs);
                at.trailer(7, tid, time, 1);
            }),
            Exit(tid, time) => file.record(4, 0, |at| {
                at.u32(7).u32(7).u32(tid).u32(7).u64(time);
                at.trailer(7, tid, time, 1);
            }),
        };
    }
    file
}

fn line(tid: u32, time: u64, user: &str) -> String {
    let kernel = "ffffffff81000000k ffffffff81000100kr";
    let line = format!("7/{tid} Some({time}) 0: 1000 {kernel} {user}");
    line.trim_end().to_owned()
}

const WHOLE: &str = "401000u 402000ur";
const LOST: &str = "deferred user stacks that are missing";
const UNUSED: &str = "deferred user stacks without a sample";

/// The name, the records, the expected samples, and the expected problems.
type Case<'a> = (&'a str, &'a [Part], &'a [String], &'a [String]);

#[test]
fn they_are_joined_by_cookie_and_thread() {
    let cases: [Case<'_>; 9] = [
        (
            "two samples, and then their stack",
            &[Sample(7, 10, 5), Sample(7, 11, 5), Stack(7, 12, 5, STACK)],
            &[line(7, 10, WHOLE), line(7, 11, WHOLE)],
            &[],
        ),
        (
            "the stack stands before its sample",
            &[Stack(7, 10, 5, STACK), Sample(7, 11, 5)],
            &[line(7, 11, WHOLE)],
            &[],
        ),
        (
            "two threads, one within the other",
            &[
                Sample(7, 10, 5),
                Sample(8, 11, 6),
                Stack(8, 12, 6, STACK),
                Stack(7, 13, 5, &[USER_MARK, 0x50_0000]),
            ],
            &[line(8, 11, WHOLE), line(7, 10, "500000u")],
            &[],
        ),
        (
            "without a marker of their own they are the user's",
            &[Sample(7, 10, 5), Stack(7, 12, 5, &[0x40_1000, 0x40_2000])],
            &[line(7, 10, WHOLE)],
            &[],
        ),
        (
            "an empty stack",
            &[Sample(7, 10, 5), Stack(7, 12, 5, &[])],
            &[line(7, 10, "")],
            &[],
        ),
        (
            "none comes",
            &[Sample(7, 10, 5)],
            &[line(7, 10, "")],
            &[format!("1 {LOST}")],
        ),
        (
            "another of the same thread comes",
            &[Sample(7, 10, 5), Stack(7, 11, 6, STACK), Sample(7, 12, 6)],
            &[line(7, 10, ""), line(7, 12, WHOLE)],
            &[format!("1 {LOST}")],
        ),
        (
            "the same cookie of another thread",
            &[Sample(7, 10, 5), Stack(8, 11, 5, STACK)],
            &[line(7, 10, "")],
            &[format!("1 {LOST}"), format!("1 {UNUSED}")],
        ),
        (
            "the thread ends in the kernel, and its ID is another's",
            &[Sample(8, 10, 5), Exit(8, 11), Stack(8, 12, 5, STACK)],
            &[line(8, 10, "")],
            &[format!("1 {LOST}"), format!("1 {UNUSED}")],
        ),
    ];
    for (name, parts, want, want_said) in cases {
        let (samples, said) = every_way(|big| write(big, parts));
        assert_eq!(samples, want, "{name}");
        assert_eq!(said, want_said, "{name}");
    }
}

#[test]
fn a_cookie_is_no_address_even_of_a_damaged_record() {
    let (samples, said) = every_way(|big| {
        let mut file = write(big, &[Sample(7, 10, 0x40_5555)]);
        // A count of more addresses than it has.
        file.record(22, 0, |at| {
            at.words(&[0x40_5555, 1000, USER_MARK, 0x40_1000])
                .trailer(7, 7, 11, 1);
        });
        // A marker at the end, without a cookie.
        file.record(9, KERNEL, |at| {
            at.words(&[1, 0xffff_ffff_8100_0000]).u32(7).u32(7);
            at.words(&[12, 1000, 2, 0x1234, DEFERRED]);
        });
        file
    });
    assert_eq!(samples, ["7/7 Some(12) 0: 1000 1234k", &line(7, 10, "")]);
    let damaged = "wrong: 1 deferred user stacks that are too short";
    assert_eq!(said, [&format!("1 {LOST}"), damaged]);
}

#[test]
fn deferred_samples_are_bounded() {
    let file = {
        let mut file = PerfFile::new(false, &[cycles(&[1])]);
        for number in 0..3000_u64 {
            file.record(9, KERNEL, |at| {
                at.words(&[1, 0])
                    .u32(7)
                    .u32(number as u32)
                    .words(&[number + 1, 1000]);
                at.words(&[1002])
                    .words(&[0x1000; 1000])
                    .words(&[DEFERRED, number]);
            });
        }
        file
    };
    let (samples, problems) = super::read_file(&file.file()).unwrap();
    assert_eq!(samples.len(), 3000);
    let left_out: Vec<_> = problems.flaws.left_out().collect();
    assert_eq!(left_out, [(LOST, 3000)]);
}
