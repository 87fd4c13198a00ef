//! Tables, trees, callers and callees, differences.

use backsight_profile::{ProfileFrame, Sample, ValueType};

use super::{profile, row, rows};
use crate::{
    CallNeighbours, CallTree, Difference, Direction, Inlines, NamePattern, ReportTable, RowKind,
    events,
};

#[test]
fn a_function_counts_once_for_each_sample() {
    let profile = profile(&[
        ("main work work", 0, 0, 3),
        ("main work", 1, 1, 2),
        ("main", 0, 2, 1),
        ("main ?", 0, 3, 4),
    ]);
    let want = [
        row("work", 5, 5),
        row("[no-symbols]", 4, 4),
        row("main", 1, 10),
    ];
    assert_eq!(rows(&profile, RowKind::Function, Inlines::Apart), want);
    assert_eq!(
        rows(&profile, RowKind::Module, Inlines::Apart),
        [row("/bin/app", 10, 10)]
    );
    assert_eq!(
        rows(&profile, RowKind::Thread, Inlines::Apart),
        [row("app (10)", 8, 8), row("app (11)", 2, 2)]
    );
    assert_eq!(
        rows(&profile, RowKind::Process, Inlines::Apart),
        [row("app (10)", 10, 10)]
    );
}

#[test]
fn functions_of_modules_with_one_path_are_one() {
    // The longer name is in a module of its own with the same path.
    let profile = profile(&[("main", 0, 0, 1), ("main main+inner", 0, 0, 1)]);
    let want = [row("main", 1, 2), row("inner", 1, 1)];
    assert_eq!(rows(&profile, RowKind::Function, Inlines::Apart), want);
}

#[test]
fn inlined_functions_are_rows_or_merged() {
    let profile = profile(&[("main work+fast", 0, 0, 2), ("main work", 0, 1, 1)]);
    let apart = [row("fast", 2, 2), row("work", 1, 3), row("main", 0, 3)];
    assert_eq!(rows(&profile, RowKind::Function, Inlines::Apart), apart);
    let merged = [row("work", 3, 3), row("main", 0, 3)];
    assert_eq!(rows(&profile, RowKind::Function, Inlines::Merged), merged);
}

#[test]
fn shares_of_a_difference_are_of_all_amounts() {
    let profile = profile(&[("main a", 0, 0, 5), ("main b", 0, 1, -3)]);
    let table = ReportTable::of(&profile, 0, RowKind::Function, Inlines::Apart);
    assert_eq!(table.whole, 8);
    assert_eq!(
        rows(&profile, RowKind::Function, Inlines::Apart),
        [row("a", 5, 5), row("b", -3, -3), row("main", 0, 2)]
    );
}

#[test]
fn a_tree_has_all_that_it_folds() {
    let profile = profile(&[
        ("main a x", 0, 0, 6),
        ("main a", 0, 1, 1),
        ("main b", 0, 2, 2),
        ("main c", 0, 3, 1),
    ]);
    let tree = |direction, least: i64| {
        let by = RowKind::Function;
        let made = CallTree::of(&profile, 0, by, Inlines::Apart, direction, |_| least);
        let node = |node: &crate::CallTreeNode| {
            let name = node.entry.name(&profile, by).into_owned();
            (node.depth, name, node.own, node.total, node.folded)
        };
        made.nodes.iter().map(node).collect::<Vec<_>>()
    };
    let node = |depth, name: &str, own, total, folded| (depth, name.to_owned(), own, total, folded);
    assert_eq!(
        tree(Direction::Callees, 2),
        [
            node(0, "main", 0, 10, (1, 1)),
            node(1, "a", 1, 7, (0, 0)),
            node(2, "x", 6, 6, (0, 0)),
            node(1, "b", 2, 2, (0, 0)),
        ]
    );
    assert_eq!(
        tree(Direction::Callers, 2),
        [
            node(0, "x", 0, 6, (0, 0)),
            node(1, "a", 0, 6, (0, 0)),
            node(2, "main", 6, 6, (0, 0)),
            node(0, "b", 0, 2, (0, 0)),
            node(1, "main", 2, 2, (0, 0)),
        ]
    );
}

#[test]
fn calls_count_once_for_each_sample() {
    let profile = profile(&[
        ("main f f g", 0, 0, 3),
        ("main f", 0, 1, 2),
        ("f h", 0, 2, 1),
    ]);
    let regex = NamePattern::new("^f$").unwrap();
    let (whole, found) = CallNeighbours::of(&profile, 0, &regex, Inlines::Apart);
    assert_eq!((whole, found.len()), (6, 1));
    let edges = |edges: &[crate::Edge]| {
        let name = |edge: &crate::Edge| {
            let entry = edge.entry.as_ref();
            let name = entry.map(|entry| entry.name(&profile, RowKind::Function).into_owned());
            (name, edge.amount)
        };
        edges.iter().map(name).collect::<Vec<_>>()
    };
    let to = |name: &str, amount| (Some(name.to_owned()), amount);
    let found = &found[0];
    assert_eq!((found.own, found.total), (2, 6));
    assert_eq!(
        edges(&found.callers),
        [to("main", 5), to("f", 3), (None, 1)]
    );
    assert_eq!(edges(&found.callees), [to("f", 3), to("g", 3), to("h", 1)]);
}

#[test]
fn rows_of_two_profiles_are_compared_by_share() {
    let before = profile(&[("main a", 0, 0, 50), ("main b", 0, 1, 50)]);
    let after = profile(&[("main a", 0, 0, 10), ("main c", 0, 1, 10)]);
    let found = Difference::of((&before, 0), (&after, 0), RowKind::Function, Inlines::Apart);
    let rows: Vec<_> = found
        .rows
        .iter()
        .map(|row| (row.name.as_str(), row.own, row.total))
        .collect();
    assert_eq!(
        rows,
        [
            ("b", [50, 0], [50, 0]),
            ("c", [0, 10], [0, 10]),
            ("a", [50, 10], [50, 10]),
            ("main", [0, 0], [100, 20]),
        ]
    );
    assert_eq!(found.whole, [100, 20]);
    let shares = found.shares([50, 10]);
    assert!((shares[0] - shares[1]).abs() < f64::EPSILON);
}

#[test]
fn each_value_has_a_sum() {
    let mut profile = profile(&[("main", 0, 0, 5)]);
    let [kind, unit] = ["time", "nanoseconds"].map(|text| profile.strings.intern(text));
    profile.sample_types.push(ValueType { kind, unit });
    let sample = Sample {
        first_type: 1,
        ..Sample::default()
    };
    profile.samples.push(sample, &[70], &[]);
    let sums: Vec<_> = events(&profile).iter().map(|event| event.sum).collect();
    assert_eq!(sums, [5, 70]);
    // A value is that of its own samples alone.
    assert_eq!(
        ReportTable::of(&profile, 1, RowKind::Function, Inlines::Apart).whole,
        70
    );
}

/// `next` of two places and of one without, and a function without a name, by its line too.
#[test]
fn functions_of_one_name_and_several_places_are_apart() {
    let mut profile = profile(&[
        ("next", 0, 0, 8),
        ("next", 0, 1, 4),
        ("next", 0, 2, 2),
        ("none", 0, 3, 1),
        ("f", 0, 4, 16),
    ]);
    let names = [
        Some(("JS:*next", "JS:*next /a/b.js:1:2", "/a/b.js", 1)),
        Some(("JS:*next", "JS:*next /c/b.js:1:2", "/c/b.js", 1)),
        None,
        Some(("JS:*(anonymous) b.js:9:2", "JS:* /a/b.js:9:2", "/a/b.js", 9)),
        // The linkage name has no place in it.
        Some(("f", "_Z1/a/b.js", "/a/b.js", 3)),
    ];
    // One location was made for each.
    assert_eq!(profile.locations.len(), names.len());
    for (at, name) in names.iter().enumerate() {
        let Some((function, linkage_name, file, line)) = *name else {
            continue;
        };
        let mut intern = |text: &str| Some(profile.strings.intern(text));
        let frame = ProfileFrame {
            function: intern(function),
            linkage_name: intern(linkage_name),
            file: intern(file),
            start_line: Some(line),
            ..ProfileFrame::default()
        };
        profile.locations[at].frames = profile.add_frames([frame]).unwrap();
    }
    let want = [
        row("f", 16, 16),
        row("JS:*next b.js:1:2", 8, 8),
        row("JS:*next b.js:1:2", 4, 4),
        row("next", 2, 2),
        row("JS:*(anonymous) b.js:9:2", 1, 1),
    ];
    assert_eq!(rows(&profile, RowKind::Function, Inlines::Apart), want);
    let want = [
        row("/a/b.js, f from line 3", 16, 16),
        row("/a/b.js, JS:*next from line 1", 8, 8),
        row("/c/b.js, JS:*next from line 1", 4, 4),
        row("next, no line", 2, 2),
        row("/a/b.js, JS:*(anonymous) b.js:9:2 from line 9", 1, 1),
    ];
    assert_eq!(rows(&profile, RowKind::Line, Inlines::Apart), want);
    // By its own name and with its place.
    for (pattern, found) in [("next$", 3), ("next b.js", 2), (r"^JS:\*next", 2)] {
        let pattern = NamePattern::new(pattern).unwrap();
        let (_, all) = CallNeighbours::of(&profile, 0, &pattern, Inlines::Apart);
        assert_eq!(all.len(), found, "{pattern}");
    }
}

#[test]
fn threads_and_processes_of_two_runs_are_the_same_by_name() {
    let before = profile(&[("main", 0, 0, 1), ("main", 1, 0, 2), ("main", 2, 0, 4)]);
    let mut after = before.clone();
    for process in &mut after.processes {
        process.pid += 1000;
    }
    for thread in &mut after.threads {
        thread.tid = thread.tid.map(|tid| tid + 1000);
    }
    for by in [RowKind::Process, RowKind::Thread] {
        let found = Difference::of((&before, 0), (&after, 0), by, Inlines::Apart);
        let mut rows: Vec<_> = found.rows.into_iter().map(|it| (it.name, it.own)).collect();
        rows.sort();
        // Threads without names have that of their process.
        let want = [("app", [3, 3]), ("other", [4, 4])];
        assert_eq!(rows, want.map(|(name, own)| (name.to_owned(), own)));
    }
}

#[test]
fn samples_of_no_thread_are_of_no_process() {
    let mut profile = profile(&[("main", 0, 0, 1)]);
    profile.threads.clear();
    for (by, name) in [
        (RowKind::Process, "[no process]"),
        (RowKind::Thread, "[no thread]"),
    ] {
        assert_eq!(rows(&profile, by, Inlines::Apart), [row(name, 1, 1)]);
    }
}
