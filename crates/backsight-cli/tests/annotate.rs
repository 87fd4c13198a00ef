//! `annotate`, compared with `go tool pprof`, `addr2line`, `objdump`, and samples that were written
//! by hand, at known addresses.

mod annotated;
mod common;

use std::collections::BTreeMap;
use std::fs;
use std::time::{Duration, SystemTime};

use annotated::records::{address_of, annotate, by_address, by_line};
use annotated::{Annotated, LISTED, SOURCE, listing};
use common::{json, of_type, run, run_with};
use testkit::http::{Reply, Stub};
use testkit::skip;

#[test]
fn instructions_and_lines_have_the_samples_that_were_taken_there() {
    let of = match Annotated::native() {
        Ok(made) => made,
        Err(why) => return skip(&why),
    };
    let records = annotate(&of, "perf.data", "work", &[]);
    let listed = listing(&of, "objdump", "work").unwrap();
    let found: Vec<(u64, u64)> = of_type(&records, "instruction")
        .iter()
        .map(|it| (address_of(it).unwrap(), it["size"].as_u64().unwrap()))
        .collect();
    assert_eq!(found, listed, "as objdump lists them");
    assert_eq!(by_address(&records), of.samples_of("work"));
    // A sample counts for the innermost function that `addr2line -i` names.
    let mut wanted: BTreeMap<u64, (i64, i64)> = BTreeMap::new();
    for (address, (own, _)) in of.samples_of("work") {
        for (depth, (function, line)) in of.addr2line(address).iter().enumerate() {
            if function == "work" {
                let sum = wanted.entry(*line).or_default();
                sum.0 += if depth == 0 { own } else { 0 };
                sum.1 += own;
            }
        }
    }
    assert_eq!(by_line(&records), wanted);
    let function = &of_type(&records, "function")[0];
    let own: i64 = by_line(&records).values().map(|(own, _)| own).sum();
    assert_eq!(function["self"], own);
    let text = of_type(&records, "line");
    let text = text.iter().find(|it| it["line"] == 9).unwrap();
    assert_eq!(text["text"], SOURCE.lines().nth(8).unwrap());
    // The inlined function has its own lines, and the instructions of the one around it.
    let inner = annotate(&of, "perf.data", "inner", &[]);
    assert_eq!(of_type(&inner, "code")[0]["function"], "work");
    let own: i64 = by_line(&inner).values().map(|(own, _)| own).sum();
    assert_eq!(of_type(&inner, "function")[0]["self"], own);
    assert!(own > 0, "{inner:?}");
    let args = [
        "annotate",
        &of.path("perf.data"),
        "inner",
        "--merge-inlines",
    ];
    run(args).fails(1, &["it was inlined", "--merge-inlines"]);
    // Nothing was taken in `main`, which called all of it from one line and instruction.
    let all: i64 = of.samples_of("work").values().map(|(own, _)| own).sum();
    let outer = annotate(&of, "perf.data", "main", &[]);
    assert_eq!(
        by_address(&outer).into_values().collect::<Vec<_>>(),
        [(0, all)]
    );
    let line = u64::try_from(
        1 + SOURCE
            .lines()
            .position(|it| it.contains("work(argc"))
            .unwrap(),
    );
    assert_eq!(by_line(&outer), BTreeMap::from([(line.unwrap(), (0, all))]));
    // Without a name, the hottest function.
    let args = ["annotate", &of.path("perf.data"), "--format", "json"];
    let hottest = json(&run(args).ok());
    assert_eq!(of_type(&hottest, "function")[0]["function"], "work");
}

#[test]
fn go_tool_pprof_has_the_same_figures() {
    let of = match Annotated::native() {
        Ok(made) => made,
        Err(why) => return skip(&why),
    };
    let (data, profile) = (of.path("perf.data"), of.path("profile.pb.gz"));
    run(["convert", &data, &profile]).ok();
    for function in ["work", "inner", "main"] {
        let pattern = format!("^{function}$");
        let list = match of.pprof(&["-list", &pattern]) {
            Ok(list) => list,
            Err(why) => return skip(&why),
        };
        let records = annotate(&of, "profile.pb.gz", function, &["--source"]);
        assert_eq!(by_line(&records), LISTED.lines(&list), "{function}\n{list}");
        assert!(of_type(&records, "instruction").is_empty());
        let same = annotate(&of, "perf.data", function, &["--source"]);
        assert_eq!(by_line(&same), by_line(&records));
    }
    // It matches addresses and lines with the name: an anchored pattern finds nothing.
    let disasm = of.pprof(&["-disasm", "work"]).unwrap();
    let records = annotate(&of, "profile.pb.gz", "work", &["--asm"]);
    // It ends one byte before the end of the symbol, without the last instruction.
    let mut found = by_address(&records);
    let (last, _) = *listing(&of, "objdump", "work").unwrap().last().unwrap();
    found.remove(&last);
    assert_eq!(found, LISTED.addresses(&disasm), "{disasm}");
    assert!(of_type(&records, "line").is_empty());
}

#[test]
fn other_machines_have_their_instructions() {
    let cases = [
        (
            "aarch64-linux-gnu-gcc",
            "aarch64-linux-gnu-objdump",
            &[][..],
        ),
        ("gcc", "objdump", &["-m32", "-fno-pic", "-no-pie"]),
    ];
    for (compiler, objdump, flags) in cases {
        let flags = [flags, &["-nostdlib", "-static", "-Wl,-e,main"]].concat();
        let of = match Annotated::of(compiler, objdump, &flags) {
            Ok(made) => made,
            Err(why) => return skip(&why),
        };
        let records = annotate(&of, "perf.data", "work", &["--asm"]);
        let listed = listing(&of, objdump, "work").unwrap();
        let found = of_type(&records, "instruction");
        let found = found.iter().map(|it| address_of(it).unwrap());
        let listed = listed.iter().map(|(address, _)| *address);
        assert_eq!(found.collect::<Vec<_>>(), listed.collect::<Vec<_>>());
        assert_eq!(by_address(&records), of.samples_of("work"), "{compiler}");
    }
}

#[test]
fn what_has_no_address_or_no_proven_file_is_said() {
    let folded = run_with(
        ["annotate", "-", "work", "--from", "folded"],
        b"main;work 3\n",
    );
    folded.fails(0, &["the input has no addresses"]);
    assert!(
        folded
            .stdout
            .contains("100.00% of all samples in its own code")
    );
    assert!(
        folded.stdout.contains("samples without a line"),
        "{folded:?}"
    );
    let missing = run_with(
        ["annotate", "-", "other", "--from", "folded"],
        b"main;work 3\n",
    );
    missing.fails(
        1,
        &[
            "no function in the samples is called other",
            "backsight report",
        ],
    );
    let of = match Annotated::native() {
        Ok(made) => made,
        Err(why) => return skip(&why),
    };
    let (data, profile) = (of.path("perf.data"), of.path("profile.pb.gz"));
    run(["convert", &data, &profile]).ok();
    let source = annotate(&of, "profile.pb.gz", "work", &["--source"]);
    // A program of another build is at the same path.
    testkit::copy("/bin/true", of.path("app")).unwrap();
    let args = ["annotate", &profile, "work", "--format", "json"];
    let ran = run([&args[..], &["--sample-type", "samples"]].concat());
    ran.fails(
        0,
        &[
            "no instructions: the file at",
            "is of another build",
            "put the file with build ID",
        ],
    );
    let records = json(&ran.stdout);
    assert_eq!(by_line(&records), by_line(&source));
    assert!(of_type(&records, "instruction").is_empty());
    let own: i64 = of.samples_of("work").values().map(|(own, _)| own).sum();
    assert_eq!(of_type(&records, "unplaced")[0]["self"], own);
}

#[test]
fn hostile_and_newer_sources_are_shown_safely() {
    let of = match Annotated::native() {
        Ok(made) => made,
        Err(why) => return skip(&why),
    };
    let lines = SOURCE
        .lines()
        .map(|line| format!("{line} // \u{1b}[31m\u{7}\0"));
    let text = lines.collect::<Vec<_>>().join("\r\n");
    let mut bytes = text.into_bytes();
    bytes.extend(b"\xff\xfe");
    let newer = SystemTime::now() + Duration::from_secs(3600);
    fs::write(of.path("app.c"), bytes).unwrap();
    let file = fs::File::options()
        .write(true)
        .open(of.path("app.c"))
        .unwrap();
    file.set_modified(newer).unwrap();
    let ran = run(["annotate", &of.path("perf.data"), "work"]);
    ran.fails(0, &["changed after the program was built"]);
    assert!(!ran.stdout.contains(['\u{1b}', '\u{7}', '\0']), "{ran:?}");
    assert!(ran.stdout.contains("\\x1b[31m"), "{ran:?}");
    // Lines alone: the same is said.
    let alone = run(["annotate", &of.path("perf.data"), "work", "--source"]);
    alone.fails(0, &["changed after the program was built"]);
    // Elsewhere, by the end of its path; and nowhere, by number alone.
    fs::create_dir(of.path("moved")).unwrap();
    fs::rename(of.path("app.c"), of.path("moved/app.c")).unwrap();
    let data = of.path("perf.data");
    let gone = run(["annotate", &data, "work", "--source"]);
    gone.fails(0, &["no source text: ", "--source-dir"]);
    let of_line = |text: &str| text.lines().filter(|line| line.contains(" 9  ")).count();
    assert_eq!(of_line(&gone.stdout), 1, "{gone:?}");
    let found = run(["annotate", &data, "work", "--source-dir", &of.path("moved")]);
    assert!(found.stdout.contains("moved/app.c"), "{found:?}");
    assert!(found.stdout.contains("\\x1b[31m"), "{found:?}");
}

#[test]
fn sources_that_are_too_short_are_said() {
    let of = match Annotated::native() {
        Ok(made) => made,
        Err(why) => return skip(&why),
    };
    let lines: Vec<&str> = SOURCE.lines().take(8).collect();
    fs::write(of.path("app.c"), lines.join("\n")).unwrap();
    for flags in [&["--source"][..], &[]] {
        let args = ["annotate", &of.path("perf.data"), "work"];
        let ran = run([&args[..], flags].concat());
        ran.fails(
            0,
            &["app.c: is too short: it has no line", "another version"],
        );
    }
}

#[test]
fn a_long_function_is_cut_and_all_samples_are_accounted_for() {
    let of = match Annotated::huge(900_000) {
        Ok(made) => made,
        Err(why) => return skip(&why),
    };
    let args = [
        "annotate",
        &of.path("perf.data"),
        "work",
        "--asm",
        "-n",
        "100",
    ];
    let ran = run([&args[..], &["--format", "json", "--sample-type", "samples"]].concat());
    ran.fails(0, &["longer than 4 MiB", "after the first 4 MiB"]);
    let records = json(&ran.stdout);
    assert_eq!(of_type(&records, "code")[0]["cut"], true);
    // The bytes before the cut are no instruction of their own.
    let whole = run([&args[..4], &["--whole", "-q"]].concat()).stdout;
    assert!(
        !whole.contains("(bad)"),
        "{}",
        whole.lines().last().unwrap()
    );
    assert!(whole.contains("the function goes on: it is cut after 4 MiB"));
    let amounts = by_address(&records);
    let (first, last) = (amounts.keys().min().unwrap(), amounts.keys().max().unwrap());
    assert!(last - first < 4 << 20, "{first:#x} {last:#x}");
    let left = of_type(&records, "unplaced");
    let reason = left[0]["reason"].as_str().unwrap();
    assert!(reason.contains("after the first 4 MiB"), "{reason}");
    let rest = left[0]["self"].as_i64().unwrap();
    let shown: i64 = by_address(&records).values().map(|(own, _)| own).sum();
    let all: i64 = of.samples_of("work").values().map(|(own, _)| own).sum();
    assert!(rest > 0 && shown > 0, "{rest} {shown}");
    assert_eq!(rest + shown, all);
}

#[test]
fn samples_without_a_name_are_no_function() {
    let of = match Annotated::native() {
        Ok(made) => made,
        Err(why) => return skip(&why),
    };
    let data = of.path("perf.data");
    let args = ["annotate", &data, "--no-symbols"];
    // All samples have no name then. A name in brackets would match as a set of letters.
    run(args).fails(1, &["100.00% of all samples", "without a name"]);
    for (name, share) in [("[unknown]", "100.00%"), ("[unmapped]", "0.00%")] {
        let ran = run([&args[..], &[name]].concat());
        ran.fails(1, &[name, "is no function", share]);
    }
    let named = run(["annotate", &data, "[unmapped]"]);
    named.fails(1, &["[unmapped] is no function", "0.00%"]);
}

#[test]
fn rows_are_the_hottest_and_the_rest_is_counted() {
    let of = match Annotated::native() {
        Ok(made) => made,
        Err(why) => return skip(&why),
    };
    let all = by_address(&annotate(&of, "perf.data", "work", &["--asm"]));
    let two = annotate(&of, "perf.data", "work", &["--asm", "-n", "2"]);
    let mut hottest: Vec<i64> = all.values().map(|(own, _)| *own).collect();
    hottest.sort_unstable_by_key(|own| -own);
    let found: i64 = by_address(&two).values().map(|(own, _)| own).sum();
    assert_eq!(found, hottest.iter().take(2).sum::<i64>());
    let data = of.path("perf.data");
    let text = run(["annotate", &data, "work", "--asm", "-n", "2"]).ok();
    // The shares of all rows are that of the function.
    let share = |line: &str| {
        let (number, _) = line.trim_start().split_once('%')?;
        number.parse::<f64>().ok().filter(|_| line.starts_with(' '))
    };
    let sum: f64 = text.lines().filter_map(share).sum();
    assert!((sum - 100.0).abs() < 0.2, "{sum}: {text}");
    let whole = run(["annotate", &data, "work", "--asm", "--whole"]).ok();
    let rows = whole.lines().filter(|line| line.contains("  ret")).count();
    assert!(rows > 0, "{whole}");
}

#[test]
fn sources_that_are_nowhere_come_from_servers_that_were_named() {
    let of = match Annotated::native() {
        Ok(made) => made,
        Err(why) => return skip(&why),
    };
    let (source, data) = (of.path("app.c"), of.path("perf.data"));
    let text = fs::read(&source).unwrap();
    fs::remove_file(&source).unwrap();
    let wanted = format!("/source{source}");
    let server = Stub::new(move |request| match request.path.ends_with(&wanted) {
        true => Reply::Content(text.clone()),
        false => Reply::Status(404),
    });
    let flags = ["--cache-dir", &of.path("cache"), "--min-share", "0"];
    let args = ["annotate", &data, "work", "--source", "--whole"];
    let args = [&args[..], &flags].concat();
    let named = format!("--debuginfod={}", server.url());
    // Twice: from the server, then from the cache.
    for round in 0..2 {
        let ran = run([&args[..], &[&named]].concat());
        let loop_line = SOURCE.lines().nth(8).unwrap();
        assert!(ran.stdout.contains(loop_line), "{ran:?}");
        assert!(!ran.stderr.contains("no source text"), "{ran:?}");
        assert!(!ran.stderr.contains("changed after"), "{ran:?}");
        let asked = server.requests();
        let asked = asked.iter().filter(|it| it.path.ends_with("/app.c"));
        assert_eq!(asked.count(), 1, "round {round}");
    }
    // No server is asked that was not named.
    let before = server.requests().len();
    let args = ["annotate", &data, "work", "--source"];
    run(args).fails(0, &["no source text", "--debuginfod"]);
    assert_eq!(server.requests().len(), before);
}
