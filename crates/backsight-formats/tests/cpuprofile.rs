//! V8's JSON: a file in the documented shape, and one that Node.js wrote, compared with sums that
//! are made of the JSON here.

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::process::Command;

use backsight_formats::cpuprofile::{self, Limits};
use backsight_formats::folded;
use backsight_profile::Profile;
use serde_json::{Value, json};

fn read(text: &Value) -> (Profile, Vec<(&'static str, u64)>) {
    let text = text.to_string();
    assert!(cpuprofile::is_one(text.as_bytes()));
    let (profile, flaws) = cpuprofile::read(text.as_bytes(), &Limits::default()).expect("valid");
    let all = flaws.iter().chain(flaws.left_out()).chain(flaws.changed());
    (profile, all.collect())
}

fn folds(profile: &Profile, sample_type: usize) -> String {
    let mut out = Vec::new();
    let root = folded::RootFrame::None;
    folded::write(profile, sample_type, root, &mut out).expect("memory takes it");
    String::from_utf8(out).expect("text")
}

fn node(id: u64, name: &str, line: i64, hits: u64, children: &[u64]) -> Value {
    json!({"id": id, "callFrame": {"functionName": name, "scriptId": "1",
        "url": if line < 0 { "" } else { "file:///a%20b.js" },
        "lineNumber": line, "columnNumber": 4}, "hitCount": hits, "children": children})
}

#[test]
fn a_file_in_the_documented_shape_is_read() {
    let file = json!({
        "nodes": [node(1, "(root)", -1, 0, &[2, 5]), node(2, "", 0, 1, &[3]),
            node(3, "work", 6, 2, &[4]), node(4, "work", 6, 0, &[]), node(5, "(idle)", -1, 2, &[])],
        "startTime": 1000, "endTime": 2000,
        "samples": [3, 5, 3, 2, 5], "timeDeltas": [100, 10, 200, 30, 40],
    });
    let (profile, flaws) = read(&file);
    assert_eq!(flaws, []);
    assert_eq!(
        folds(&profile, 0),
        "(anonymous) 1\n(anonymous);work 2\n(idle) 2\n"
    );
    // Each sample lasts until the next one, the last until the end.
    assert_eq!(
        folds(&profile, 1),
        "(anonymous) 40000\n(anonymous);work 40000\n(idle) 820000\n"
    );
    let times: Vec<_> = (profile.samples.iter())
        .map(|(sample, ..)| sample.time_ns.expect("timed"))
        .collect();
    assert_eq!(
        times,
        [1_100_000, 1_110_000, 1_310_000, 1_340_000, 1_380_000]
    );
    let work = profile.strings.find("work").expect("there");
    let frame = profile
        .frames
        .iter()
        .find(|frame| frame.function == Some(work));
    let frame = frame.expect("there");
    assert_eq!(
        profile.strings.get(frame.file.expect("has one")),
        Some("/a b.js")
    );
    assert_eq!((frame.start_line, frame.line), (Some(7), None));
    assert_eq!(profile.duration_ns, Some(1_000_000));
    assert_eq!(profile.default_type, Some(1));

    // Without samples, the counts are what there is.
    let mut counted = file.clone();
    counted
        .as_object_mut()
        .expect("an object")
        .remove("samples");
    let (counted, _) = read(&counted);
    assert_eq!(folds(&counted, 0), folds(&profile, 0));
    // Samples are sorted by time.
    let mut turned = file;
    turned["timeDeltas"] = json!([110, -10, 210, 30, 40]);
    turned["samples"] = json!([5, 3, 3, 2, 5]);
    let (turned, flaws) = read(&turned);
    assert_eq!(folds(&turned, 1), folds(&profile, 1));
    assert_eq!(
        flaws,
        [("samples that were not in the order of their times", 1)]
    );
}

/// The samples of each function and line, 0 for none, innermost.
fn by_line(profile: &Profile) -> BTreeMap<(String, u32), i64> {
    let mut all = BTreeMap::new();
    for (sample, values, _) in profile.samples.iter() {
        let Some(innermost) = profile.stacks.iter(sample.stack).next() else {
            continue;
        };
        let frame = profile.frames_of(profile.location(innermost).expect("there"))[0];
        let name = profile.strings.get(frame.function.expect("named"));
        let key = (name.expect("there").to_owned(), frame.line.unwrap_or(0));
        *all.entry(key).or_default() += values[0];
    }
    all
}

#[test]
fn samples_have_the_lines_of_their_nodes() {
    let mut nodes = [
        node(1, "main", 0, 1, &[2, 3]),
        node(2, "work", 6, 4, &[]),
        node(3, "more", 9, 1, &[]),
    ];
    let ticks = |ticks: &[(i64, i64)]| {
        let ticks = ticks.iter();
        let ticks = ticks.map(|(line, ticks)| json!({"line": line, "ticks": ticks}));
        ticks.collect::<Vec<Value>>()
    };
    nodes[1]["positionTicks"] = json!(ticks(&[(8, 2), (0, 1), (7, 1)]));
    // More than there are: they are of no use.
    nodes[2]["positionTicks"] = json!(ticks(&[(11, 5)]));
    let mut file = json!({
        "nodes": nodes, "startTime": 0, "endTime": 70,
        "samples": [2, 2, 1, 2, 3, 2], "timeDeltas": [10, 10, 10, 10, 10, 10],
    });
    let wanted = [
        (("main", 0), 1),
        (("more", 0), 1),
        (("work", 0), 1),
        (("work", 7), 1),
        (("work", 8), 2),
    ];
    let wanted = wanted.map(|((name, line), count)| ((name.to_owned(), line), count));
    let (profile, flaws) = read(&file);
    assert_eq!(flaws, []);
    assert_eq!(by_line(&profile), BTreeMap::from(wanted.clone()));
    assert_eq!(folds(&profile, 0), "main 1\nmain;more 1\nmain;work 4\n");
    file.as_object_mut().expect("an object").remove("samples");
    let (counted, _) = read(&file);
    assert_eq!(by_line(&counted), BTreeMap::from(wanted));
    file["nodes"][1]["positionTicks"] = json!(ticks(&[(-1, 1), (1 << 32, 1)]));
    let (_, flaws) = read(&file);
    assert_eq!(
        flaws[0],
        ("counts of lines that are negative or too large", 2)
    );
}

/// V8 gives the lines of what it inlined in the file of that code, and not which file it is.
#[test]
fn lines_of_other_files_are_no_lines_of_a_function() {
    let mut nodes = [node(1, "main", 0, 1, &[2]), node(2, "work", 40, 4, &[])];
    // It begins in line 41: line 12 is of an inlined function of another file.
    nodes[1]["positionTicks"] =
        json!([{"line": 12, "ticks": 2}, {"line": 41, "ticks": 1}, {"line": 44, "ticks": 1}]);
    let mut file = json!({
        "nodes": nodes, "startTime": 0, "endTime": 70,
        "samples": [2, 2, 1, 2, 2], "timeDeltas": [10, 10, 10, 10, 10],
    });
    let wanted = [
        ("main", 0, 1),
        ("work", 0, 2),
        ("work", 41, 1),
        ("work", 44, 1),
    ];
    let wanted: BTreeMap<(String, u32), i64> = (wanted.into_iter())
        .map(|(name, line, count)| ((name.to_owned(), line), count))
        .collect();
    for has_samples in [true, false] {
        if !has_samples {
            file.as_object_mut().expect("an object").remove("samples");
        }
        let (profile, _) = read(&file);
        let found = by_line(&profile);
        assert_eq!(found.get(&("work".to_owned(), 12)), None, "{found:?}");
        assert_eq!(found.get(&("work".to_owned(), 0)), Some(&2), "{found:?}");
        assert_eq!(found, wanted);
        let text = file.to_string();
        let read = cpuprofile::read(text.as_bytes(), &Limits::default());
        let (_, flaws) = read.expect("it is one");
        let changed: Vec<_> = flaws.changed().collect();
        assert!(
            matches!(changed[..], [(what, 2)] if what.contains("before the begin")),
            "{changed:?}"
        );
    }
}

#[test]
fn malformed_parts_are_counted() {
    let (profile, flaws) = read(&json!({
        "nodes": [node(1, "a", 1, 0, &[2, 9]), node(2, "b", 2, 0, &[1]), node(3, "c", 3, 0, &[2]),
            node(3, "d", 3, 0, &[])],
        "samples": [2, 3, 77, 2], "timeDeltas": [1, 1, 1],
        "startTime": 0, "endTime": 5,
    }));
    assert_eq!(
        flaws,
        [
            ("nodes with the ID of another one", 1),
            ("children that the list of nodes does not have", 1),
            ("nodes with more than one parent", 1),
            ("nodes that are their own callers", 1),
            ("samples without a time", 1),
            ("samples of a node that the list of nodes does not have", 1),
        ]
    );
    assert_eq!(folds(&profile, 0), "b 2\nd 1\n");
}

#[test]
fn what_is_no_such_file_is_refused() {
    let small = Limits::default().with_memory(1 << 16);
    let nodes = vec![node(1, "a", 1, 0, &[]); 2000];
    let large = json!({ "nodes": nodes }).to_string();
    let few = Limits::default().with_memory(large.len() as u64 + 1000);
    for (text, limits, why) in [
        ("[]", &small, "not a JSON object"),
        ("{}", &small, "it has no `nodes`"),
        (
            r#"{"nodes": [{"id": 1}]}"#,
            &small,
            "another shape, at byte 20",
        ),
        (r#"{"nodes": ["#, &small, "cut off"),
        (&large, &small, "memory"),
        (&large, &few, "memory"),
    ] {
        let error = cpuprofile::read(text.as_bytes(), limits).expect_err(why);
        assert!(error.to_string().contains(why), "{error}");
    }
}

/// Sums the JSON without the reader: for each function, the samples in it, and the microseconds
/// until the next sample.
fn sums(file: &Value) -> BTreeMap<String, (i64, i64)> {
    let nodes = file["nodes"].as_array().expect("a list").iter();
    let names: HashMap<i64, &str> = nodes
        .map(|node| {
            let name = node["callFrame"]["functionName"].as_str().expect("a name");
            (node["id"].as_i64().expect("an ID"), name)
        })
        .collect();
    let list = |key: &str| -> Vec<i64> {
        let list = file[key].as_array().expect("a list").iter();
        list.map(|number| number.as_i64().expect("a number"))
            .collect()
    };
    let (samples, mut deltas) = (list("samples"), list("timeDeltas"));
    let number = |key: &str| file[key].as_i64().expect("a number");
    let passed: i64 = deltas.iter().sum();
    deltas.remove(0);
    deltas.push(number("endTime") - number("startTime") - passed);
    let mut sums = BTreeMap::<String, (i64, i64)>::new();
    for (id, lasts) in samples.iter().zip(deltas) {
        let name = match names[id] {
            "" => "(anonymous)",
            name => name,
        };
        let (count, time) = sums.entry(name.to_owned()).or_default();
        *count += 1;
        *time += lasts;
    }
    sums
}

#[test]
fn a_file_of_node_has_the_sums_of_its_json() {
    let dir = tempfile::tempdir().expect("a folder");
    let program = dir.path().join("work.js");
    fs::write(
        &program,
        "function fib(n) { return n < 2 ? n : fib(n - 1) + fib(n - 2); }\n\
         \n\
         function outer() { let s = 0; for (let i = 0; i < 8; i++) s += fib(24); return s; }\n\
         let s = 0; for (let i = 0; i < 20; i++) s += outer(); console.log(s);\n",
    )
    .expect("ours");
    let ran = Command::new("node")
        .args([
            "--cpu-prof",
            "--cpu-prof-name=a.cpuprofile",
            "--cpu-prof-dir",
        ])
        .arg(dir.path())
        .arg(&program)
        .output();
    let Some(_) = ran.ok().filter(|ran| ran.status.success()) else {
        testkit::skip("no node that profiles");
        return;
    };
    let text = fs::read(dir.path().join("a.cpuprofile")).expect("node wrote it");
    let file: Value = serde_json::from_slice(&text).expect("JSON");
    let (profile, flaws) = cpuprofile::read(&*text, &Limits::default()).expect("valid");
    assert_eq!(flaws.iter().count(), 0, "{flaws:?}");
    let text = |at| profile.strings.get(at).expect("there");
    let mut got = BTreeMap::<String, (i64, i64)>::new();
    let mut lines = BTreeMap::new();
    for (sample, values, _) in profile.samples.iter() {
        let innermost = profile.stacks.iter(sample.stack).next();
        let name = match innermost {
            Some(location) => {
                let location = profile.location(location).expect("there");
                let frame = profile.frames_of(location)[0];
                let name = text(frame.function.expect("named"));
                lines.insert(name, (frame.file.map(text), frame.start_line));
                name
            }
            None => "(root)",
        };
        let (count, time) = got.entry(name.to_owned()).or_default();
        *count += values[0];
        *time += values[1] / 1000;
    }
    assert!(got["fib"].0 > 0, "{got:?}");
    let found = by_line(&profile);
    for name in ["fib", "outer"] {
        let mut wanted: BTreeMap<(String, u32), i64> = BTreeMap::new();
        let nodes = file["nodes"].as_array().expect("a list").iter();
        for node in nodes.filter(|node| node["callFrame"]["functionName"] == name) {
            for tick in node["positionTicks"].as_array().into_iter().flatten() {
                let line = tick["line"].as_u64().expect("a line") as u32;
                *wanted.entry((name.to_owned(), line)).or_default() +=
                    tick["ticks"].as_i64().expect("a count");
            }
        }
        let found = found
            .iter()
            .filter(|((of, line), _)| of == name && *line > 0);
        let found: BTreeMap<_, _> = found.map(|(key, count)| (key.clone(), *count)).collect();
        assert_eq!(found, wanted);
    }
    let wanted: BTreeMap<_, _> = sums(&file).into_iter().collect();
    // Samples that are not in order are sorted by us, and have other neighbours then.
    if flaws.changed().count() == 0 {
        assert_eq!(got, wanted);
    }
    let counts = |sums: &BTreeMap<String, (i64, i64)>| -> BTreeMap<String, i64> {
        let sums = sums.iter();
        sums.map(|(name, (count, _))| (name.clone(), *count))
            .collect()
    };
    assert_eq!(counts(&got), counts(&wanted));
    let path = program.canonicalize().expect("there");
    assert_eq!(lines["fib"], (path.to_str(), Some(1)));
    // `outer` waits for `fib`.
    let fib = folds(&profile, 0);
    assert!(fib.contains("outer;fib;fib"), "{fib}");
}
