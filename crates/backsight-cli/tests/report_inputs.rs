//! `report` and `diff` of one recording in several formats: with each flag, all show the same, or
//! the format cannot hold what the flag asks for, and that is said.

mod annotated;
mod common;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use annotated::Annotated;
use common::{json, of_type, run};
use testkit::skip;

/// Two processes of three threads, an inlined function, the kernel.
const SCRIPT: &str = "\
shop 7/7 1.000001: 10 cycles: \n\tffffffff81000010 do_thing ([kernel.kallsyms])\n\t\
1146 leaf (/app)\n\t2000 lib (/lib/liba.so)\n\t3000 main (/base)\n\n\
work 7/8 1.100000: 30 cycles: \n\t1150 inner (inlined)\n\t1150 other (/app)\n\t3000 main (/base)\n\n\
work 7/8 1.200000: 25 cycles: \n\t1146 leaf (/app)\n\t1150 other (/app)\n\t3000 main (/base)\n\n\
side 9/9 1.300000: 5 cycles: \n\t1146 leaf (/app)\n\t4000 start (/base)\n\n";

/// The formats that the recording is converted to.
const KINDS: [&str; 4] = ["pb.gz", "ndjson", "folded", "speedscope.json"];

const FLAGS: [&[&str]; 19] = [
    &[],
    &["--by", "thread"],
    &["--by", "process"],
    &["--by", "module"],
    &["--pid", "7"],
    &["--tid", "8"],
    &["--comm", "work"],
    &["--time", "0.05,"],
    &["--module", "liba"],
    &["--function", "other"],
    &["--user"],
    &["--kernel"],
    &["--focus", "other|inner"],
    &["--ignore", "other|inner"],
    &["--hide", "do_thing|other|main"],
    &["--max-depth", "1"],
    &["--merge-inlines"],
    &["--tree"],
    &["--callers", "leaf|inner"],
];

/// What a format has no place for, so that the answer may be another one.
fn cannot_hold(kind: &str, flags: &[&str]) -> Option<&'static str> {
    let is_plain = matches!(kind, "folded" | "speedscope.json");
    match flags {
        ["--by", "module"] if is_plain => Some("the files of code"),
        ["--by", "thread" | "process"] if kind == "folded" => Some("threads"),
        _ => None,
    }
}

/// The rows that are shown, and what is said; without rows, what is said alone.
fn rows(input: &Path, flags: &[&str]) -> Result<(BTreeSet<String>, String), String> {
    let input = input.to_str().unwrap();
    let ran = run([&["report", input, "-q", "--format", "json"], flags].concat());
    if ran.code != Some(0) {
        return Err(ran.stderr);
    }
    let kinds = ["row", "node", "call"];
    let records = json(&ran.stdout);
    let all = kinds.iter().flat_map(|kind| of_type(&records, kind));
    let all = all.map(|row| {
        let keys = [
            "name", "caller", "callee", "self", "total", "amount", "depth",
        ];
        let module = flags.contains(&"module").then(|| row["module"].to_string());
        let values = keys.iter().map(|key| row[*key].to_string());
        values.chain(module).collect::<Vec<_>>().join(" ")
    });
    let all: BTreeSet<String> = all.collect();
    match all.is_empty() {
        true => panic!("{input} {flags:?}: {}", ran.stdout),
        false => Ok((all, ran.stderr)),
    }
}

/// Returns what is wrong with the answers of all formats. One value is compared.
fn faults(dir: &Path, input: &Path, value: &str) -> Vec<String> {
    let converted = KINDS.map(|kind| -> (&str, PathBuf) {
        let to = dir.join(format!("converted.{kind}"));
        let [from, path] = [input, &to].map(|path| path.to_str().unwrap());
        let mut args = vec!["convert", from, path, "-q", "--sample-type", value];
        if kind == "folded" {
            args.extend(["--root-frame", "none"]);
        }
        let ran = run(args);
        assert_eq!(ran.code, Some(0), "{kind}: {ran:?}");
        (kind, to)
    });
    let mut faults = Vec::new();
    for flags in FLAGS {
        let named = ["--sample-type", value];
        let wanted = rows(input, &[flags, &named].concat());
        for (kind, path) in &converted {
            let has_one = matches!(*kind, "folded" | "speedscope.json");
            let named = if has_one { &[][..] } else { &named };
            let found = rows(path, &[flags, named].concat());
            let is_right = match (&found, &wanted) {
                _ if cannot_hold(kind, flags).is_some() => true,
                (Ok((found, said)), Ok((wanted, _))) => {
                    found == wanted || flags.first().is_some_and(|flag| said.contains(flag))
                }
                // Also where it is the same for all formats.
                (Err(said), _) => said.contains(flags.first().unwrap_or(&"no flag")),
                (Ok(_), Err(_)) => false,
            };
            if !is_right {
                faults.push(format!("{kind} {flags:?}:\n {found:?}\n {wanted:?}"));
            }
        }
    }
    // A recording does not differ from itself in another format.
    let filters = FLAGS
        .iter()
        .filter(|flags| !matches!(flags, ["--tree" | "--callers", ..]));
    let filters = filters.filter(|flags| !matches!(flags, ["--by", "thread" | "process"]));
    for flags in filters {
        for (kind, path) in converted
            .iter()
            .filter(|(kind, _)| matches!(*kind, "pb.gz" | "ndjson"))
        {
            let [from, to] = [input, path].map(|path| path.to_str().unwrap());
            let args = ["diff", from, to, "-q", "--sample-type", value];
            let ran = run([&args[..], flags].concat());
            let is_refused = || ran.code == Some(1) && ran.stderr.contains(flags[0]);
            if !ran.stdout.contains("nothing changed") && !is_refused() {
                faults.push(format!("{kind} {flags:?}: {ran:?}"));
            }
        }
    }
    faults
}

#[test]
fn all_formats_have_the_answers_of_the_text_of_perf() {
    let dir = tempfile::tempdir().unwrap();
    let input = dir.path().join("in.perf");
    fs::write(&input, SCRIPT).unwrap();
    let faults = faults(dir.path(), &input, "cycles");
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn all_formats_have_the_answers_of_a_recording() {
    let of = match Annotated::native() {
        Ok(made) => made,
        Err(why) => return skip(&why),
    };
    let dir = tempfile::tempdir().unwrap();
    let input = PathBuf::from(of.path("perf.data"));
    let faults = faults(dir.path(), &input, "samples");
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}
