//! Functions that were asked for, and that no sample has: what left them out, or which were meant.

mod common;

use common::run_with;

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
