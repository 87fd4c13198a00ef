//! Lines and addresses of functions.

use backsight_profile::{Location, LocationIdx, Profile, ProfileFrame, Sample, ValueType};

use crate::{FunctionShares, Inlines};

/// Builds a profile of stacks: `name:line` from the outermost to the innermost location, inlined
/// ones behind `+`. Equal ones are one location.
fn profile(stacks: &[(&str, i64)]) -> Profile {
    let mut profile = Profile::default();
    let [kind, unit] = ["samples", "count"].map(|text| profile.strings.intern(text));
    profile.sample_types.push(ValueType { kind, unit });
    let mut known: Vec<String> = Vec::new();
    for (stack, value) in stacks {
        let mut locations: Vec<LocationIdx> = Vec::new();
        for names in stack.split_whitespace() {
            if let Some(at) = known.iter().position(|it| it == names) {
                locations.push(LocationIdx(u32::try_from(at).unwrap()));
                continue;
            }
            known.push(names.to_owned());
            let frames = names.rsplit('+').map(|frame| {
                let (name, line) = frame.split_once(':').unwrap_or((frame, ""));
                ProfileFrame {
                    function: Some(profile.strings.intern(name)),
                    file: Some(profile.strings.intern("a.c")),
                    line: line.parse().ok(),
                    start_line: Some(3),
                    ..ProfileFrame::default()
                }
            });
            let frames: Vec<ProfileFrame> = frames.collect();
            let location = Location {
                frames: profile.add_frames(frames).unwrap(),
                ..Location::default()
            };
            locations.push(profile.add_location(location).unwrap());
        }
        let sample = Sample {
            stack: profile.stacks.intern(locations),
            ..Sample::default()
        };
        profile.samples.push(sample, &[*value], &[]);
    }
    profile
}

type Pair = (i64, i64);

/// Pair by line, or by location.
type Rows = Vec<(u32, Pair)>;

/// Returns the amounts of a function, of its lines (0 for none) and of its locations.
fn shares(profile: &Profile, name: &str, inlines: Inlines) -> (Pair, Rows, Rows) {
    let name = profile.strings.find(name);
    let (_, found) = FunctionShares::of(profile, 0, inlines, |entry| entry.function == name);
    let [of] = &found[..] else {
        panic!("{found:?}")
    };
    let lines = of.lines.iter();
    let lines = lines.map(|it| (it.line.unwrap_or_default(), (it.own, it.total)));
    let places = of.places.iter();
    let places = places.map(|it| (it.location.0, (it.own, it.total)));
    ((of.own, of.total), lines.collect(), places.collect())
}

#[test]
fn a_sample_counts_where_it_stands() {
    let profile = profile(&[
        ("main:1 work:5", 10),
        ("main:1 work:6+inner:20", 3),
        ("main:1 work:5 leaf:30", 4),
        ("main:1 work", 2),
    ]);
    let (all, lines, places) = shares(&profile, "work", Inlines::Apart);
    assert_eq!(all, (12, 19));
    assert_eq!(lines, [(5, (10, 14)), (6, (0, 3)), (0, (2, 2))]);
    // The instruction has the samples of what was inlined there.
    assert_eq!(places, [(1, (10, 14)), (2, (3, 3)), (4, (2, 2))]);
    let (all, lines, _) = shares(&profile, "work", Inlines::Merged);
    assert_eq!(all, (15, 19));
    assert_eq!(lines, [(5, (10, 14)), (6, (3, 3)), (0, (2, 2))]);
    let (all, lines, places) = shares(&profile, "inner", Inlines::Apart);
    assert_eq!((all, lines), ((3, 3), vec![(20, (3, 3))]));
    assert_eq!(places, [(2, (3, 3))]);
}

#[test]
fn a_function_that_calls_itself_counts_once_for_each_line() {
    let profile = profile(&[("work:5 work:6 work:5", 7), ("work:8+work:9", 2)]);
    let (all, lines, places) = shares(&profile, "work", Inlines::Apart);
    assert_eq!(all, (9, 9));
    let wanted = [(5, (7, 7)), (6, (0, 7)), (8, (0, 2)), (9, (2, 2))];
    assert_eq!(lines, wanted);
    assert_eq!(places, [(0, (7, 7)), (1, (0, 7)), (2, (2, 2))]);
}

#[test]
fn groups_of_lines_and_addresses_have_each_sample_once() {
    let profile = profile(&[
        ("work:5 work:6 main:1 work:5", 7),
        ("work:6 work:5", 3),
        ("work:8+work:9", 2),
        ("work:6 work", 1),
        ("main:1", 100),
    ]);
    let name = profile.strings.find("work");
    let (_, found) = FunctionShares::of(&profile, 0, Inlines::Apart, |of| of.function == name);
    let [of] = &found[..] else {
        panic!("{found:?}")
    };
    let all = of.line_totals(|_| Some(()));
    assert_eq!(all[&()], of.total);
    // From 5 to 8: not the sample that has no line innermost, nor that of line 9 alone.
    let low = of.line_totals(|it| it.line.map(|line| line < 9));
    assert_eq!((low[&true], low[&false]), (13, 2));
    let all = of.place_totals(|_| Some(()));
    assert_eq!(all[&()], of.total);
    let apart = of.place_totals(|at| Some(at.0));
    let places = of.places.iter();
    assert!(places.clone().all(|it| apart[&it.location.0] == it.total));
    assert!(of.place_totals(|_| None::<u8>).is_empty());
}

#[test]
fn functions_are_in_the_order_of_their_own_amounts() {
    let profile = profile(&[("main:1 b:5", 1), ("main:1 a:5", 3), ("main:1 c:5", -3)]);
    let (whole, found) = FunctionShares::of(&profile, 0, Inlines::Apart, |_| true);
    let names = found.iter().map(|of| {
        let name = of.entry.function.and_then(|at| profile.strings.get(at));
        (name.unwrap(), of.own)
    });
    let wanted = [("a", 3), ("c", -3), ("b", 1), ("main", 0)];
    assert_eq!((whole, names.collect::<Vec<_>>()), (7, wanted.to_vec()));
    let start = found[0].start.map(|(_, line)| line);
    assert_eq!(start, Some(3));
}
