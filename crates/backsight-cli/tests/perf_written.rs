//! Handwritten recordings of features that no machine at hand can record, compared with `perf
//! script` on the same file.

mod common;

use std::fs;
use std::path::Path;

use common::{json, of_type, run, run_with};
use tempfile::TempDir;
use testkit::perf_file::{Event, PerfFile, USER, sample};
use testkit::{perf, skip};

const USER_MARK: u64 = -512_i64 as u64;

fn event(name: &'static str, config: u64, id: u64) -> Event {
    use sample::{CALLCHAIN, IDENTIFIER, IP, PERIOD, TID, TIME};
    Event {
        name,
        config,
        period: 1000,
        sample_type: IDENTIFIER | IP | TID | TIME | PERIOD | CALLCHAIN,
        ids: vec![id],
        ..Event::default()
    }
}

/// Writes a sample of a thread in user mode with one address.
fn hit(file: &mut PerfFile, id: u64, who: (u32, u32), time: u64, addr: u64) {
    file.record(9, USER, |at| {
        at.words(&[id, addr])
            .u32(who.0)
            .u32(who.1)
            .words(&[time, 1000]);
        at.words(&[2, USER_MARK, addr]);
    });
}

/// A file in a temporary directory.
fn put(bytes: &[u8]) -> (TempDir, String) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("perf.data");
    fs::write(&path, bytes).unwrap();
    let path = path.to_str().unwrap().to_owned();
    (dir, path)
}

fn of_perf(path: &str, args: &[&str]) -> Option<Vec<String>> {
    if testkit::tools::tool("perf").is_none() {
        skip("no perf");
        return None;
    }
    let text = perf::script(Path::new(path), args);
    let words = text
        .lines()
        .map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "));
    Some(words.filter(|line| !line.is_empty()).collect())
}

const FOLDED: [&str; 6] = ["convert", "-o", "-", "--to", "folded", "--no-symbols"];

/// Returns the sum of all lines of folded stacks.
fn total(folded: &str) -> i64 {
    let values = folded.lines().map(|line| line.rsplit_once(' ').unwrap().1);
    values.map(|value| value.parse::<i64>().unwrap()).sum()
}

/// A hybrid CPU, on one kind of whose cores nothing ran.
fn hybrid() -> PerfFile {
    let events = [
        event("cpu_atom/cycles/", 0, 1),
        event("cpu_core/cycles/", 0, 2),
        event("instructions:u", 1, 3),
        event("cpu_atom/branches/", 4, 4),
    ];
    let mut file = PerfFile::new(false, &events);
    file.comm(7, 7, "program", 1)
        .map(7, 0x40_0000, 0x1000, "/nowhere/program", 1);
    for time in 10..15 {
        hit(&mut file, 2, (7, 7), time, 0x40_0100);
    }
    for time in 20..22 {
        hit(&mut file, 3, (7, 7), time, 0x40_0200);
    }
    hit(&mut file, 4, (7, 7), 30, 0x40_0300);
    file
}

const SHOWN: &str = "samples shown: 5 of cpu_core/cycles/; \
                     left out: 2 of instructions:u, 1 of cpu_atom/branches/";

#[test]
fn the_event_with_the_most_samples_is_shown() {
    let file = hybrid();
    let (dir, path) = put(&file.file());
    if let Some(lines) = of_perf(&path, &["-G", "-F", "event"]) {
        let count = |name: &str| lines.iter().filter(|line| line.starts_with(name)).count();
        assert_eq!(
            (
                count("cpu_core/cycles/"),
                count("instructions:u"),
                count("cpu_atom/cycles/")
            ),
            (5, 2, 0)
        );
    }
    let shown = run([&FOLDED[..], &["-i", &path]].concat());
    assert_eq!(
        (shown.code, &*shown.stdout),
        (Some(0), "program;program+0x100 5\n")
    );
    assert!(shown.stderr.contains(SHOWN), "{shown:?}");
    // The same through a pipe.
    let piped = run_with([&FOLDED[..], &["-i", "-"]].concat(), &file.pipe());
    assert_eq!(piped.stdout, shown.stdout);
    assert!(piped.stderr.contains(SHOWN), "{piped:?}");
    // Formats with room for all values have all, and mark the default.
    let sent = dir.path().join("sent.ndjson");
    let sent = sent.to_str().unwrap();
    run(["normalize", "-i", &path, "-o", sent]).ok();
    let lines = json(&fs::read_to_string(sent).unwrap());
    assert_eq!(
        of_type(&lines, "profile").last().unwrap()["default_type"],
        2
    );
    assert_eq!(of_type(&lines, "sample").len(), 8);
    let later = run([&FOLDED[..], &["-i", sent]].concat());
    assert_eq!(later.stdout, shown.stdout);
    assert!(later.stderr.contains(SHOWN), "{later:?}");
    let pprof = dir.path().join("out.pb");
    let pprof = pprof.to_str().unwrap();
    run(["convert", "-i", &path, "-o", pprof, "--no-symbols"]).ok();
    let back = run([&FOLDED[..], &["-i", pprof]].concat());
    assert_eq!(total(&back.stdout), 5, "{back:?}");
    assert!(back.stderr.contains(SHOWN), "{back:?}");
    if cfg!(feature = "otlp") {
        let otlp = dir.path().join("out.otlp");
        let otlp = otlp.to_str().unwrap();
        run(["convert", "-i", &path, "-o", otlp, "--no-symbols"]).ok();
        let back = run([&FOLDED[..], &["-i", otlp]].concat());
        assert_eq!(total(&back.stdout), 5, "{back:?}");
        assert!(back.stderr.contains(SHOWN), "{back:?}");
    }
}

/// The text of perf for the same recording has the events with their counts, and is read the
/// same way.
#[test]
fn an_event_of_a_printed_text_is_chosen_alike() {
    let file = hybrid();
    let (dir, path) = put(&file.file());
    if testkit::tools::tool("perf").is_none() {
        return skip("no perf");
    }
    for fields in ["+period", "-period"] {
        let text = perf::script(Path::new(&path), &["-F", fields]);
        let printed = dir.path().join("printed.txt");
        fs::write(&printed, &text).unwrap();
        let printed = printed.to_str().unwrap();
        let shown = run([&FOLDED[..], &["-i", printed]].concat());
        assert_eq!(total(&shown.stdout), 5, "{fields}: {text}");
        assert!(shown.stderr.contains(SHOWN), "{fields}: {}", shown.stderr);
        for (name, want) in [
            ("instructions", 2),
            ("cpu_core/cycles/", 5),
            ("branches", 1),
        ] {
            let args = ["-i", printed, "--event", name];
            let chosen = run([&FOLDED[..], &args].concat());
            assert_eq!(total(&chosen.stdout), want, "{name}");
            assert!(
                chosen
                    .stderr
                    .contains("samples of events that are not chosen"),
                "{}",
                chosen.stderr
            );
            let lines = json(&run([&["normalize"][..], &args].concat()).stdout);
            let about = of_type(&lines, "profile").pop().unwrap();
            assert_eq!(about["sample_types"][1]["kind"], name);
            assert_eq!(of_type(&lines, "sample").len() as i64, want);
        }
        let none = ["-i", printed, "--event", "cache-misses"];
        let names = "the text has cpu_core/cycles/, instructions:u, cpu_atom/branches/";
        run([&FOLDED[..], &none].concat()).fails(1, &["--event cache-misses", names]);
    }
}

#[test]
fn an_event_is_chosen_by_its_name() {
    let (_dir, path) = put(&hybrid().file());
    for (name, want) in [
        ("instructions", "program;program+0x200 2\n"),
        ("instructions:u", "program;program+0x200 2\n"),
        ("cpu_core/cycles/", "program;program+0x100 5\n"),
        ("branches", "program;program+0x300 1\n"),
        // Both kinds of cores.
        ("cycles", "program;program+0x100 5\n"),
    ] {
        let args = ["-i", &path, "--event", name];
        let chosen = run([&FOLDED[..], &args].concat()).ok();
        assert_eq!(chosen, want, "{name}");
        let lines = json(&run([&["normalize"][..], &args].concat()).ok());
        let about = of_type(&lines, "profile").pop().unwrap();
        assert_eq!(
            about["sample_types"].as_array().unwrap().len(),
            2,
            "{about}"
        );
        assert_eq!(about["sample_types"][1]["kind"], name);
        assert_eq!(of_type(&lines, "sample").len() as i64, total(&chosen));
    }
    let none = ["-i", &path, "--event", "cache-misses"];
    let names = "cpu_atom/cycles/, cpu_core/cycles/, instructions:u, cpu_atom/branches/";
    run([&FOLDED[..], &none].concat()).fails(1, &["--event cache-misses", names]);
    run([&["normalize"][..], &none].concat()).fails(1, &[names]);
    let text = ["-i", "-", "--from", "folded", "--event", "cycles"];
    run_with([&FOLDED[..], &text].concat(), b"a;b 1\n").fails(2, &["--sample-type"]);
    let by_type = ["-i", &path, "--sample-type", "instructions:u-samples"];
    assert_eq!(
        run([&FOLDED[..], &by_type].concat()).ok(),
        "program;program+0x200 2\n"
    );
}

#[test]
fn samples_behind_the_end_keep_name_and_mappings() {
    let mut file = PerfFile::new(false, &[event("cycles", 0, 1)]);
    file.comm(7, 7, "program", 1)
        .map(7, 0x40_0000, 0x1000, "/nowhere/program", 1);
    let exit = |file: &mut PerfFile, pid: u32, time: u64| {
        file.record(4, 0, |at| {
            at.u32(pid)
                .u32(pid)
                .u32(pid)
                .u32(pid)
                .u64(time)
                .trailer(pid, pid, time, 1);
        });
    };
    exit(&mut file, 7, 20);
    hit(&mut file, 1, (7, 7), 30, 0x40_0123);
    // It was renamed after its exit, and is sampled again.
    file.record(3, 0, |at| {
        at.u32(7).u32(7).text("other").trailer(7, 7, 35, 1);
    });
    hit(&mut file, 1, (7, 7), 40, 0x40_0456);
    // Its ID is reused by a process that does not inherit anything.
    file.record(7, 0, |at| {
        at.u32(7).u32(9).u32(7).u32(9).u64(50).trailer(9, 9, 50, 1);
    });
    hit(&mut file, 1, (7, 7), 60, 0x40_0123);
    hit(&mut file, 1, (0, 0), 70, 0x40_0123);
    hit(&mut file, 1, (u32::MAX, u32::MAX), 80, 0x40_0123);
    let (_dir, path) = put(&file.file());
    let folded = run([&FOLDED[..], &["-i", &path, "--root-frame", "thread"]].concat()).ok();
    let want = [
        "[exited]-4294967295/4294967295;[unmapped] 1",
        // perf calls it swapper, which runs in the kernel alone.
        "[outside of the PID namespace]-0/0;[unmapped] 1",
        "other-7/7;program+0x456 1",
        "program-7/7;program+0x123 1",
    ];
    let mut lines: Vec<&str> = folded.lines().collect();
    lines.sort_unstable();
    let is_new = |line: &&str| !want.contains(line);
    let new: Vec<&str> = lines.iter().copied().filter(is_new).collect();
    assert_eq!(new.len(), 1, "{lines:#?}");
    assert!(new[0].ends_with("7/7;[unmapped] 1"), "{new:?}");
    assert_eq!(lines.len(), want.len() + 1, "{lines:#?}");
    let Some(lines) = of_perf(&path, &["-G", "-F", "comm,pid,time,dso,ip"]) else {
        return;
    };
    assert!(lines[0].starts_with("program 7 ") && lines[0].ends_with("(/nowhere/program)"));
    assert!(lines[1].starts_with("other 7 ") && lines[1].ends_with("(/nowhere/program)"));
    assert!(
        lines[2].contains(" 7 ") && lines[2].ends_with("([unknown])"),
        "{lines:#?}"
    );
    assert!(lines[3].starts_with("swapper 0 "), "{lines:#?}");
    assert!(lines[4].starts_with(":-1 -1 "), "{lines:#?}");
}

#[test]
fn stacks_that_a_processor_kept_are_told_apart() {
    let lbr = Event {
        branch_type: 1 | 1 << 11,
        sample_type: event("", 0, 1).sample_type | sample::BRANCH_STACK,
        ..event("cycles", 0, 1)
    };
    let plain = Event {
        branch_type: 1 | 1 << 3,
        ..lbr.clone()
    };
    let write = |event: &Event| {
        let mut file = PerfFile::new(false, std::slice::from_ref(event));
        file.comm(7, 7, "program", 1)
            .map(7, 0x40_0000, 0x1000, "/nowhere/program", 1);
        for (time, from) in [(10, 0x40_0200), (11, 0x40_0300), (12, 0x40_0200)] {
            file.record(9, USER, |at| {
                at.words(&[1, 0x40_0108]).u32(7).u32(7).words(&[time, 1000]);
                at.words(&[2, USER_MARK, 0x40_0108, 1, from, 0x40_0100, 0]);
            });
        }
        file.file()
    };
    let (_dir, path) = put(&write(&lbr));
    let folded = run([&FOLDED[..], &["-i", &path]].concat()).ok();
    let mut lines: Vec<&str> = folded.lines().collect();
    lines.sort_unstable();
    let want = [
        "program;program+0x200;program+0x100 2",
        "program;program+0x300;program+0x100 1",
    ];
    assert_eq!(lines, want);
    let (_dir, path) = put(&write(&plain));
    let branches = run([&FOLDED[..], &["-i", &path]].concat());
    assert_eq!(branches.stdout, "program;program+0x108 3\n");
    assert_eq!(
        branches
            .stderr
            .matches("left out besides samples: 3 branch stacks of samples")
            .count(),
        1
    );
}

#[test]
fn a_directory_that_is_no_recording_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().to_str().unwrap();
    let words = ["a directory that `perf record --threads` did not write"];
    run(["convert", "-i", path, "-o", "-", "--to", "folded"]).fails(1, &words);
    run(["normalize", "-i", path]).fails(1, &words);
    // Damage to a part of one is reported, and the others are read.
    fs::write(dir.path().join("data"), hybrid().file()).unwrap();
    fs::write(dir.path().join("data.0"), [0; 64]).unwrap();
    let damaged = run(["normalize", "-i", path]);
    assert_eq!(of_type(&json(&damaged.stdout), "sample").len(), 8);
    assert!(
        damaged.stderr.contains("a record smaller than its header"),
        "{damaged:?}"
    );
}

#[test]
fn a_recording_without_samples_is_said() {
    let events = [event("cycles", 0, 1), event("instructions", 1, 2)];
    let mut file = PerfFile::new(false, &events);
    file.comm(10, 10, "program", 1);
    let (dir, path) = put(&file.file());
    let output = |name: &str| dir.path().join(name).to_str().unwrap().to_owned();
    let line = format!(
        "backsight: {path}: no samples of cycles, instructions: what is written has none\n"
    );
    for name in ["a.folded", "a.pb.gz", "a.json", "a.ndjson"] {
        let ran = run(["convert", &path, &output(name)]);
        assert_eq!((ran.code, ran.stderr), (Some(0), line.clone()), "{name}");
    }
    assert_eq!(fs::read(output("a.folded")).unwrap(), b"");
    let svg = output("a.svg");
    let ran = run(["convert", &path, &svg]);
    let line = format!(
        "backsight: {svg}: no samples of cycles, instructions, so there is nothing to draw\n"
    );
    assert_eq!((ran.code, ran.stderr), (Some(1), line));
    assert!(fs::metadata(svg).is_err(), "nothing is left");
    // As perf, which says nothing at all.
    let theirs = of_perf(&path, &[]);
    assert_eq!(theirs.unwrap_or_default(), [""; 0]);
}
