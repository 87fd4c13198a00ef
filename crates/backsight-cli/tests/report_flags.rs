//! Each flag of `report` and `diff` has an effect on what is shown, or is refused with words; where
//! it has none by its meaning, that is listed here.

mod common;

use std::fs;
use std::path::Path;

use common::run;

/// Two processes of three threads, two events, an inlined function, a nameless one, the kernel.
const SCRIPT: &str = "\
# cmdline : perf record -g ./shop
shop 7/7 1.000001: 10 cycles: \n\tffffffff81000010 do_thing ([kernel.kallsyms])\n\t\
1146 leaf (/app)\n\t2000 [unknown] (/lib/liba.so)\n\t3000 main (/base)\n\n\
work 7/8 1.100000: 30 cycles: \n\t1150 inner (inlined)\n\t1150 other (/app)\n\t3000 main (/base)\n\n\
work 7/8 1.200000: 25 cycles: \n\t1146 leaf (/app)\n\t1150 other (/app)\n\t3000 main (/base)\n\n\
side 9/9 1.300000: 5 cycles: \n\t1146 leaf (/app)\n\t4000 start (/base)\n\n\
side 9/9 1.400000: 2 faults: \n\t1180 touch (/app)\n\t4000 start (/base)\n\n";

/// What the flags are tried with.
const REPORTS: [&[&str]; 10] = [
    &[],
    &["--by", "module"],
    &["--by", "line"],
    &["--by", "thread"],
    &["--by", "process"],
    &["--by", "event"],
    &["--tree"],
    &["--tree", "--reverse"],
    &["--callers", "leaf|inner"],
    &["--callees", "other|leaf|main"],
];

/// Flags that choose samples, frames and values.
const FILTERS: [&[&str]; 17] = [
    &["--pid", "7"],
    &["--tid", "8"],
    &["--comm", "work"],
    &["--time", "0.05,"],
    &["--module", "liba"],
    &["--function", "other"],
    &["--user"],
    &["--kernel"],
    &["--focus", "other"],
    &["--ignore", "other"],
    &["--hide", "do_thing|other|main"],
    &["--max-depth", "1"],
    &["--merge-threads"],
    &["--merge-inlines"],
    &["--event", "faults"],
    &["--sample-type", "cycles"],
    &["--sample-type", "faults"],
];

const OF_REPORT: [&[&str]; 6] = [
    &["-n", "1"],
    &["--sort", "total"],
    &["--fold", "60"],
    &["--reverse"],
    &["--by", "module"],
    &["--tree"],
];

/// Why a flag changes nothing, by its meaning; `None` if it has to.
fn unchanged_report(shown: &[&str], flags: &[&str]) -> Option<&'static str> {
    let by = |kind: &str| shown == ["--by", kind];
    let is_of_tasks = by("thread") || by("process");
    match flags {
        _ if flags[0] == shown.first().copied().unwrap_or_default() => Some("it is there already"),
        ["--merge-threads"] if !by("thread") => Some("no threads are shown"),
        ["--merge-inlines"] if is_of_tasks || by("event") => Some("no functions are shown"),
        ["--merge-inlines"] if by("module") => Some("an inlined function is in the same module"),
        ["--hide" | "--max-depth", _] if is_of_tasks || by("event") => {
            Some("stacks are not shown, and no sample is left out")
        }
        ["--user"] if is_of_tasks || by("event") => Some("all samples have frames of user space"),
        ["--sample-type", _] if by("event") => Some("all values are shown"),
        ["--user"] if shown.first() == Some(&"--callers") => Some("no caller is of the kernel"),
        _ => None,
    }
}

fn written(dir: &Path, name: &str, text: &str) -> String {
    let path = dir.join(name);
    fs::write(&path, text).unwrap();
    path.to_str().unwrap().to_owned()
}

/// The exit code, what is shown, and what is said.
type Outcome = (Option<i32>, Vec<u8>, String);

/// Collects what is wrong, so that one run tells all.
#[derive(Default)]
struct Faults(Vec<String>);

impl Faults {
    /// Checks a run with flags against the output of the one without.
    fn check(
        &mut self,
        args: &[&str],
        flags: &[&str],
        plain: &[u8],
        found: &mut dyn FnMut(&[&str]) -> Outcome,
        why_unchanged: Option<&str>,
    ) {
        let (code, shown, said) = found(&[args, flags].concat());
        let named = flags[0].trim_start_matches('-');
        let fault = match code {
            Some(0 | 4) if shown == plain => match why_unchanged {
                Some(_) => return,
                None => "has no effect, and that is not said",
            },
            Some(0 | 4) => return,
            Some(1 | 2) if said.contains(named) || said.contains("no samples") => return,
            Some(1) if said.contains("no function in the samples") => return,
            Some(1 | 2) => "is refused without being named",
            _ => "ends in another way",
        };
        self.0
            .push(format!("{args:?} {flags:?} {fault} ({code:?}): {said}"));
    }

    #[track_caller]
    fn none(self) {
        assert!(self.0.is_empty(), "{}", self.0.join("\n"));
    }
}

#[test]
fn flags_of_report_change_what_is_shown_or_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let input = written(dir.path(), "in.perf", SCRIPT);
    let mut faults = Faults::default();
    let mut found = |args: &[&str]| {
        let ran = run(args.iter().copied());
        (ran.code, ran.stdout.into_bytes(), ran.stderr)
    };
    for shown in REPORTS {
        for format in ["text", "json", "csv"] {
            let args = ["report", &input, "-q", "--format", format];
            let args = [&args[..], shown].concat();
            let (code, plain, said) = found(&args);
            assert_eq!(code, Some(0), "{args:?}: {said}");
            for flags in FILTERS.iter().chain(&OF_REPORT) {
                let why = unchanged_report(shown, flags);
                faults.check(&args, flags, &plain, &mut found, why);
            }
        }
    }
    faults.none();
}

/// Why a flag changes nothing in a difference, by its meaning.
fn unchanged_diff(shown: &[&str], flags: &[&str]) -> Option<&'static str> {
    let is_written = shown.first() == Some(&"-o");
    match flags {
        ["--merge-threads"] => Some("no threads are shown"),
        ["--merge-inlines"] if shown == ["--by", "module"] => {
            Some("an inlined function is in the same module")
        }
        ["--any-units"] => Some("both have the same unit"),
        ["--threshold", _] => Some("it is the exit code that changes"),
        ["--normalize", "total"] => Some("it is the default"),
        ["--merge-inlines"] if is_written => Some("stacks have all frames"),
        _ => None,
    }
}

#[test]
fn flags_of_diff_change_what_is_shown_or_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let before = written(dir.path(), "before.perf", SCRIPT);
    let after = SCRIPT.replace("30 cycles", "90 cycles");
    let after = after.replace("1.100000", "1.150000");
    let after = after.replace("2 faults", "7 faults");
    let more = "late 9/9 1.500000: 5 cycles: \n\t1150 inner (inlined)\n\t1150 other (/app)\n\t\
                ffffffff81000010 do_thing ([kernel.kallsyms])\n\n";
    let after = after + more;
    let after = written(dir.path(), "after.perf", &after);
    let mut faults = Faults::default();
    let of_diff: [&[&str]; 8] = [
        &["-n", "1"],
        &["--by", "module"],
        &["--by", "line"],
        &["--normalize", "total"],
        &["--normalize", "none"],
        &["--normalize", "time"],
        &["--threshold", "1"],
        &["--any-units"],
    ];
    for name in ["", "a.folded", "a.svg", "a.html", "a.pb.gz"] {
        let out = dir.path().join(name);
        let mut found = |args: &[&str]| {
            let _ = fs::remove_file(&out);
            let ran = run(args.iter().copied());
            let bytes = match name {
                "" => ran.stdout.into_bytes(),
                _ => fs::read(&out).unwrap_or_default(),
            };
            (ran.code, bytes, ran.stderr)
        };
        let shown = ["-o", out.to_str().unwrap()];
        let shown: Vec<Vec<&str>> = match name {
            "" => ["text", "json", "csv"]
                .map(|format| vec!["--format", format])
                .into(),
            _ => vec![shown.to_vec()],
        };
        for shown in shown {
            // Of counts as small as these, a part is rounded off.
            let args = ["diff", &before, &after, "-q", "--sample-type", "cycles"];
            let args = [&args[..], &shown].concat();
            let (code, plain, said) = found(&args);
            assert_eq!(code, Some(0), "{args:?}: {said}");
            let flags = FILTERS.iter().chain(&of_diff);
            for flags in flags.chain([&["--format", "csv"][..]].iter()) {
                if name.is_empty() && flags[0] == "--format" {
                    // Clap refuses a flag that is given twice.
                    continue;
                }
                let why = unchanged_diff(&shown, flags);
                faults.check(&args, flags, &plain, &mut found, why);
            }
        }
    }
    faults.none();
}
