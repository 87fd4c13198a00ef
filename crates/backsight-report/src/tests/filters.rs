//! Which samples and frames filters take.

use backsight_profile::ProfileFrame;

use super::{profile, row, rows};
use crate::{CodeSpace, Inlines, NamePattern, RowKind, SampleFilter};

/// The stacks of a profile after a filter, and how many samples were left out.
fn filtered(filter: &SampleFilter) -> (Vec<String>, u64) {
    let mut profile = profile(&[
        ("main work+fast k:read", 0, 1_000, 3),
        ("main ?", 1, 2_000, 2),
        ("start", 2, 3_000, 1),
        ("k:idle", 2, 4_000, 1),
    ]);
    let left_out = filter.apply(&mut profile);
    let stacks = profile.samples.iter().map(|(sample, ..)| {
        let mut names: Vec<String> = Vec::new();
        for index in profile.stacks.iter(sample.stack) {
            let frames = profile.frames_of(profile.location(index).unwrap());
            let name = |frame: &ProfileFrame| profile.strings.get(frame.function.unwrap());
            names.extend(frames.iter().map(|frame| name(frame).unwrap().to_owned()));
            if frames.is_empty() {
                names.push("?".to_owned());
            }
        }
        names.reverse();
        names.join(" ")
    });
    (stacks.collect(), left_out)
}

#[test]
fn filters_take_samples_and_frames() {
    let regex = |text: &str| Some(NamePattern::new(text).unwrap());
    let none = SampleFilter::default;
    let all = ["main work fast read", "main ?", "start", "idle"];
    let cases: [(&str, SampleFilter, &[&str], u64); 16] = [
        ("nothing", none(), &all, 0),
        (
            "a process",
            SampleFilter {
                pids: vec![20],
                ..none()
            },
            &all[2..],
            5,
        ),
        (
            "a thread",
            SampleFilter {
                tids: vec![11],
                ..none()
            },
            &all[1..2],
            5,
        ),
        (
            "a name",
            SampleFilter {
                comms: vec!["app".to_owned()],
                ..none()
            },
            &all[..2],
            2,
        ),
        (
            "no such name",
            SampleFilter {
                comms: vec!["ap".to_owned()],
                ..none()
            },
            &[],
            7,
        ),
        (
            "a time",
            SampleFilter {
                from_ns: Some(1_000),
                to_ns: Some(2_000),
                ..none()
            },
            &all[1..2],
            5,
        ),
        (
            "a module",
            SampleFilter {
                module: regex("kernel"),
                ..none()
            },
            &["main work fast read", "idle"],
            3,
        ),
        (
            "an inlined function",
            SampleFilter {
                function: regex("^fast$"),
                ..none()
            },
            &all[..1],
            4,
        ),
        (
            "a reason",
            SampleFilter {
                function: regex("no-symbols"),
                ..none()
            },
            &all[1..2],
            5,
        ),
        (
            "the kernel",
            SampleFilter {
                space: Some(CodeSpace::Kernel),
                ..none()
            },
            &["read", "idle"],
            3,
        ),
        (
            "user space",
            SampleFilter {
                space: Some(CodeSpace::User),
                ..none()
            },
            &["main work fast", "main ?", "start"],
            1,
        ),
        (
            "a focus",
            SampleFilter {
                focus: regex("main"),
                ..none()
            },
            &all[..2],
            2,
        ),
        (
            "all but",
            SampleFilter {
                ignore: regex("main"),
                ..none()
            },
            &all[2..],
            5,
        ),
        (
            "hidden frames",
            SampleFilter {
                hide: regex("^(fast|start|read)$"),
                ..none()
            },
            &["main work", "main ?", "idle"],
            1,
        ),
        (
            "a hidden module",
            SampleFilter {
                hide: regex("kernel"),
                ..none()
            },
            &["main work fast", "main ?", "start"],
            1,
        ),
        (
            "a depth",
            SampleFilter {
                max_depth: Some(1),
                ..none()
            },
            &["main", "main", "start", "idle"],
            0,
        ),
    ];
    for (name, filter, want, left_out) in cases {
        let want: Vec<String> = want.iter().map(|stack| (*stack).to_owned()).collect();
        assert_eq!(filtered(&filter), (want, left_out), "{name}");
    }
}

#[test]
fn threads_of_a_process_can_be_one() {
    let mut profile = profile(&[("main", 0, 0, 1), ("main", 1, 1, 2), ("main", 2, 2, 4)]);
    let filter = SampleFilter {
        merge_threads: true,
        ..SampleFilter::default()
    };
    assert_eq!(filter.apply(&mut profile), 0);
    assert_eq!(
        rows(&profile, RowKind::Thread, Inlines::Apart),
        [row("other (20)", 4, 4), row("app (10)", 3, 3)]
    );
}

#[test]
fn threads_that_are_one_have_the_name_of_their_process() {
    // The worker was sampled first.
    let mut profile = profile(&[("main", 1, 0, 2), ("main", 0, 1, 1)]);
    profile.threads.swap(0, 1);
    let worker = profile.strings.intern("worker");
    profile.threads[0].name = Some(worker);
    let filter = SampleFilter {
        merge_threads: true,
        ..SampleFilter::default()
    };
    assert_eq!(filter.apply(&mut profile), 0);
    assert_eq!(
        rows(&profile, RowKind::Thread, Inlines::Apart),
        [row("app (10)", 3, 3)]
    );
}
