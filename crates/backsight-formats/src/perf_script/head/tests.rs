//! First lines of every layout, and damaged ones.

use super::{FirstLine, SampleHead, Shape, parse};

fn any_shape(line: &str) -> Option<FirstLine<'_>> {
    Shape::ALL.into_iter().find_map(|shape| parse(line, shape))
}

#[test]
fn names_may_have_anything_in_them() {
    let head = |comm, pid, tid, period, event, rest| {
        Some(FirstLine::Sample(SampleHead {
            comm,
            ids: Some((pid, tid)),
            time_ns: Some(28_296_545_590_000),
            period,
            event: Some(event),
            rest,
        }))
    };
    let cases = [
        (
            "w  8137 28296.545590:     500000 cpu-clock: ",
            head("w", 8137, 8137, Some(500_000), "cpu-clock", " "),
        ),
        (
            "  two (2)  81/82 [001] 28296.545590:  1 cycles:u:  1146 f (/x)",
            head("two (2)", 81, 82, Some(1), "cycles:u", "  1146 f (/x)"),
        ),
        (
            "a 1 2.5: x   -1 [000] 28296.54559: sched:sched_switch: prev_comm=x",
            head(
                "a 1 2.5: x",
                u32::MAX,
                u32::MAX,
                None,
                "sched:sched_switch",
                " prev_comm=x",
            ),
        ),
        (
            "in  8288 U     28296.5455900001:    2000000 cpu-clock:   ",
            head("in", 8288, 8288, Some(2_000_000), "cpu-clock", "   "),
        ),
        (
            "sh  8288 28296.545590: PERF_RECORD_MMAP2 8288/8288: [0x1(0x2) @ 0]: r-xp /x",
            Some(FirstLine::Record),
        ),
    ];
    for (line, want) in cases {
        assert_eq!(any_shape(line), want, "{line}");
    }
}

#[test]
fn every_field_but_one_may_be_missing() {
    let head = |comm, ids, time_ns, period, event, rest| {
        Some(FirstLine::Sample(SampleHead {
            comm,
            ids,
            time_ns,
            period,
            event,
            rest,
        }))
    };
    let time = Some(2_500_000_000);
    let ids = |pid, tid| Some((pid, tid));
    let cases = [
        ("w 8137 ", head("w", ids(8137, 8137), None, None, None, "")),
        (
            "w (2) 81/82 [003] cycles: ",
            head("w (2)", ids(81, 82), None, None, Some("cycles"), " "),
        ),
        (
            "w 2.5: cycles: ",
            head("w", None, time, None, Some("cycles"), " "),
        ),
        (
            "w 81 2.5:    1001001 ",
            head("w", ids(81, 81), time, Some(1_001_001), None, " "),
        ),
        (
            "w 81/82    1001001 ",
            head("w", ids(81, 82), None, Some(1_001_001), None, " "),
        ),
        ("a 1 2 ", head("a 1", ids(2, 2), None, None, None, "")),
        (
            "  w   320      563628f8c140 leaf",
            head(
                "w",
                ids(320, 320),
                None,
                None,
                None,
                "      563628f8c140 leaf",
            ),
        ),
        (
            "   1001001      563628f8c140 leaf",
            head(
                "",
                None,
                None,
                Some(1_001_001),
                None,
                "      563628f8c140 leaf",
            ),
        ),
        (
            "cpu-clock:      563628f8c140 leaf",
            head(
                "",
                None,
                None,
                None,
                Some("cpu-clock"),
                "      563628f8c140 leaf",
            ),
        ),
    ];
    for (line, want) in cases {
        assert_eq!(any_shape(line), want, "{line}");
    }
}

#[test]
fn a_damaged_time_is_no_event() {
    let shape = Shape {
        ids: true,
        time: false,
        event: true,
    };
    for line in [
        "w  8137 2829x.545590:     500000 cpu-clock: ",
        "w  8137 28296.:     500000 cpu-clock: ",
    ] {
        assert_eq!(parse(line, shape), None, "{line}");
    }
}
