//! Functions that were asked for, and that no sample has: what left them out, or which were meant.

mod annotated;
mod common;

use annotated::Annotated;
use common::{run, run_with};
use testkit::skip;

const FOLDED: &[u8] = b"main;work 3\nmain;other 2\nmain;worker 1\n";

/// A text of `perf script` with two threads of different names.
const SCRIPT: &[u8] = b"\
app 7/7 1.000000: 1 cycles:
\t            1000 work+0x1 (/bin/app)

other 8/8 1.500000: 1 cycles:
\t            2000 rest+0x1 (/bin/app)

";

/// Two profiles of different units.
const TWO_UNITS: &[u8] = br#"{"$schema":"https://www.speedscope.app/file-format-schema.json",
"shared":{"frames":[{"name":"main"},{"name":"timed"},{"name":"grown"}]},
"profiles":[
{"type":"sampled","name":"time","unit":"nanoseconds","startValue":0,"endValue":5,
 "samples":[[0,1]],"weights":[5]},
{"type":"sampled","name":"space","unit":"bytes","startValue":0,"endValue":7,
 "samples":[[0,2]],"weights":[7]}]}"#;

/// The ways to ask for a function.
fn asked(name: &str) -> [Vec<String>; 4] {
    let of = |args: &[&str]| args.iter().map(|arg| (*arg).to_owned()).collect();
    [
        of(&["annotate", "-", name]),
        of(&["report", "-", "--callers", name]),
        of(&["report", "-", "--callees", name]),
        of(&["report", "-", "--function", name]),
    ]
}

fn fails(args: &[String], more: &[&str], input: &[u8], texts: &[&str]) {
    let args = args.iter().map(String::as_str);
    let args: Vec<&str> = args.chain(more.iter().copied()).collect();
    run_with(args, input).fails(1, texts);
}

#[test]
fn similar_names_are_said() {
    for args in asked("wrok") {
        let meant = ["wrok", "did you mean work or worker?"];
        fails(&args, &["--from", "folded"], FOLDED, &meant);
    }
    // Nothing is like it.
    let ran = run_with(["annotate", "-", "zzz", "--from", "folded"], FOLDED);
    ran.fails(1, &["zzz"]);
    assert!(!ran.stderr.contains("did you mean"), "{ran:?}");
}

#[test]
fn filters_that_make_no_difference_are_not_blamed() {
    let hidden = "it is in the input, but --hide leaves its samples out";
    for args in asked("^work$").iter().take(3) {
        let flags = [
            "--from", "folded", "--user", "--hide", "work", "--focus", "main",
        ];
        fails(args, &flags, FOLDED, &[hidden]);
    }
    // Of the samples with `work` only frames of others are left, and those are hidden.
    let flags = [
        "--function",
        "work",
        "--hide",
        "main|work",
        "--from",
        "folded",
    ];
    for command in [
        &["report", "-"][..],
        &["convert", "-", "-o", "-", "--to", "folded"],
    ] {
        let args = [command, &flags, &["--max-depth", "9"]].concat();
        let ran = run_with(args, FOLDED);
        ran.fails(1, &["--hide"]);
        assert!(!ran.stderr.contains("--max-depth"), "{ran:?}");
    }
    let cases: [(&[&str], &str); 4] = [
        (&["--user", "--hide", "."], "no samples: --hide leaves none"),
        (
            &["--kernel", "--hide", "nothing"],
            "no samples: --kernel leaves none",
        ),
        (
            &["--focus", "other", "--ignore", "other"],
            "no samples: --focus and --ignore together leave none",
        ),
        (
            &["--focus", "zzz", "--ignore", "main"],
            "no samples: each of --focus and --ignore leaves none",
        ),
    ];
    for (flags, want) in cases {
        for command in [
            &["report", "-"][..],
            &["convert", "-", "-o", "-", "--to", "folded"],
        ] {
            let ran = run_with([command, flags, &["--from", "folded"]].concat(), FOLDED);
            ran.fails(1, &[want]);
        }
    }
    // Of threads and names together.
    let flags = [
        "--comm",
        "other",
        "--focus",
        "work",
        "--user",
        "--no-symbols",
    ];
    let ran = run_with(
        [&["report", "-", "--from", "perf-script"][..], &flags].concat(),
        SCRIPT,
    );
    ran.fails(1, &["no samples: --comm and --focus together leave none"]);
}

#[test]
fn the_filter_that_left_a_function_out_is_said() {
    for args in asked("^work$") {
        for filter in [
            &["--ignore", "work"][..],
            &["--hide", "work"],
            &["--focus", "other"],
            &["--max-depth", "1"],
        ] {
            let flags = [filter, &["--from", "folded"]].concat();
            let is_function = args.contains(&"--function".to_owned());
            // --function is asked first, and frames are taken out afterwards.
            if is_function && matches!(filter[0], "--max-depth" | "--hide") {
                continue;
            }
            fails(
                &args,
                &flags,
                FOLDED,
                &["work", "it is in the input", filter[0]],
            );
        }
        for filter in [
            &["--comm", "other"][..],
            &["--tid", "8"],
            &["--time", "0.2,"],
        ] {
            let flags = [filter, &["--from", "perf-script"]].concat();
            fails(
                &args,
                &flags,
                SCRIPT,
                &["work", "it is in the input", filter[0]],
            );
        }
    }
}

#[test]
fn samples_of_another_value_are_said() {
    for args in asked("grown").into_iter().take(3) {
        let texts = ["none of time in nanoseconds", "--sample-type"];
        fails(&args, &["--from", "speedscope"], TWO_UNITS, &texts);
    }
}

#[test]
fn filters_that_take_nothing_are_named() {
    let args = ["report", "-", "--from", "folded", "--focus", "zzz"];
    run_with(args, FOLDED).fails(1, &["no samples", "--focus"]);
}

#[test]
fn flags_that_look_up_less_are_said() {
    let of = match Annotated::native() {
        Ok(made) => made,
        Err(why) => return skip(&why),
    };
    let data = of.path("perf.data");
    let cases = [
        ("--no-inlines", "inner"),
        ("--names", "inner"),
        ("--no-symbols", "work"),
    ];
    for (flag, name) in cases {
        let what = format!("with {flag}, ");
        for args in [
            &["annotate", &*data, name][..],
            &["report", &data, "--callers", name],
            &["report", &data, "--callees", name],
            &["report", &data, "--function", name],
        ] {
            let ran = run([args, &[flag]].concat());
            ran.fails(1, &[name, &what]);
            let ran = run(args);
            assert!(!ran.stderr.contains(&what), "{ran:?}");
        }
    }
}

#[test]
fn what_is_no_regular_expression_is_said() {
    let of = match Annotated::native() {
        Ok(made) => made,
        Err(why) => return skip(&why),
    };
    let ran = run(["annotate", &of.path("perf.data"), "wrok("]);
    ran.fails(
        1,
        &["is called wrok(, and it is no regular expression (unclosed group)"],
    );
    ran.fails(1, &["did you mean work?"]);
}
