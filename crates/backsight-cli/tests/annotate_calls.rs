//! `annotate` of functions that call: themselves, with each sample once, and others, by name.

mod annotated;
mod common;

use std::collections::BTreeMap;
use std::process::Command;

use annotated::records::{address_of, annotate, by_address, by_line};
use annotated::{Annotated, LISTED, listing};
use common::{of_type, run};
use testkit::tools::compile;
use testkit::{perf, skip};

#[test]
fn a_function_that_calls_itself_has_each_sample_once() {
    let of = match Annotated::recursive() {
        Ok(made) => made,
        Err(why) => return skip(&why),
    };
    let records = annotate(&of, "perf.data", "work", &[]);
    let function = &of_type(&records, "function")[0];
    let all = function["total"].as_i64().unwrap();
    let found = by_address(&records);
    let wanted = of.scanned(&listing(&of, "objdump", "work").unwrap());
    assert_eq!(found, wanted);
    let most = found.values().map(|(_, total)| *total).max();
    assert!(most < Some(all), "{all}: {found:?}");
    // Rows that stand for several have each sample once, too.
    let args = ["annotate", &of.path("perf.data"), "work", "-n", "1"];
    let text = run([&args[..], &["--sample-type", "samples"]].concat()).ok();
    let sum: i64 = found.values().map(|(_, total)| *total).sum();
    assert!(sum > all, "{found:?}");
    let gaps = text.lines().filter(|line| line.contains("see -n"));
    let shares = gaps.map(|line| {
        let share = line.split_whitespace().rfind(|word| word.ends_with('%'));
        share.unwrap().trim_end_matches('%').parse::<f64>().unwrap()
    });
    let shares: Vec<f64> = shares.collect();
    assert!(shares.len() > 2, "{text}");
    assert!(shares.iter().all(|share| *share <= 100.0), "{text}");
    let data = of.path("perf.data");
    run(["convert", &data, &of.path("profile.pb.gz")]).ok();
    let list = match of.pprof(&["-list", "^work$"]) {
        Ok(list) => list,
        Err(why) => return skip(&why),
    };
    for input in ["perf.data", "profile.pb.gz"] {
        let records = annotate(&of, input, "work", &["--source"]);
        assert_eq!(by_line(&records), LISTED.lines(&list), "{list}");
    }
}

#[test]
fn jumps_and_calls_have_the_names_that_objdump_gives_them() {
    let of = match Annotated::calling() {
        Ok(made) => made,
        Err(why) => return skip(&why),
    };
    let wanted = of.named_targets("work").unwrap();
    let names: Vec<&str> = wanted.values().map(String::as_str).collect();
    assert!(names.contains(&"work"), "{names:?}");
    assert!(names.contains(&"puts@plt"), "{names:?}");
    assert!(
        names.iter().any(|name| name.starts_with("work+0x")),
        "{names:?}"
    );
    let records = annotate(&of, "perf.data", "work", &["--asm"]);
    let mut found = BTreeMap::new();
    for record in of_type(&records, "instruction") {
        let target = &record["target"];
        if let Some(name) = target["function"].as_str() {
            let name = match target["offset"].as_u64().unwrap() {
                0 => name.to_owned(),
                offset => format!("{name}+{offset:#x}"),
            };
            found.insert(address_of(&record).unwrap(), name);
        }
    }
    assert_eq!(found, wanted);
    let text = run([
        "annotate",
        &of.path("perf.data"),
        "work",
        "--asm",
        "--whole",
    ])
    .ok();
    for name in names {
        assert!(text.contains(&format!(" <{name}>")), "{name}: {text}");
    }
}

#[test]
fn callers_whose_callees_are_hidden_have_their_samples_on_the_calls() {
    let of = match Annotated::recursive() {
        Ok(made) => made,
        Err(why) => return skip(&why),
    };
    let data = of.path("perf.data");
    let hidden: [&[&str]; 2] = [&["--hide", "^work$"], &["--max-depth", "1"]];
    for args in hidden {
        let all = ["annotate", &data, "main", "--sample-type", "samples"];
        let ran = run([&all[..], args].concat());
        let text = format!("{}{}", ran.stdout, ran.stderr);
        assert!(!text.contains("within instructions"), "{args:?}: {text}");
        let records = annotate(&of, "perf.data", "main", args);
        let own: i64 = by_address(&records).values().map(|(own, _)| own).sum();
        let function = &of_type(&records, "function")[0];
        assert_eq!(function["self"], own, "{args:?}: {text}");
        assert!(own > 0, "{args:?}: {text}");
    }
}

#[test]
fn source_alone_ends_where_the_function_does() {
    let of = match Annotated::recursive() {
        Ok(made) => made,
        Err(why) => return skip(&why),
    };
    let lines = |args: &[&str]| -> Vec<u64> {
        let records = annotate(&of, "perf.data", "main", args);
        let lines = of_type(&records, "line");
        lines.iter().filter_map(|it| it["line"].as_u64()).collect()
    };
    let [both, alone] = [&["--whole"][..], &["--whole", "--source"]].map(lines);
    assert_eq!(alone, both);
    // The brace behind the last statement.
    assert_eq!(both.last(), Some(&13), "{both:?}");
}

/// Compilers move code that is seldom run away from its function, mostly before it.
#[test]
fn a_jump_into_a_part_elsewhere_is_not_one_to_the_begin() {
    const SOURCE: &str = r#"
        #include <stdio.h>
        #include <stdlib.h>
        volatile long sink;
        __attribute__((cold, noinline)) void seldom(long n) { printf("%ld\n", n); }
        __attribute__((noinline)) void often(long turns) {
            for (long i = 0; i < turns; i++) {
                sink += i;
                if (__builtin_expect(sink < 0, 0)) { seldom(i); seldom(sink); exit(3); }
            }
        }
        int main(void) { for (int i = 0; i < 400; i++) often(300000); return 0; }
    "#;
    let args = ["-g", "-O2", "-freorder-blocks-and-partition"];
    let made = compile("parts.c", SOURCE, &args).and_then(|program| {
        let program = program.to_str().expect("UTF-8").to_owned();
        let recorded = perf::record(&["-e", "cpu-clock", "-F", "997"], &[&program]);
        recorded.map(|recorded| (program, recorded))
    });
    let (program, recorded) = match made {
        Ok(made) => made,
        Err(why) => return skip(&why),
    };
    let mut listed = Command::new("objdump");
    listed.args(["-d", "--no-show-raw-insn", &program]);
    let listed = String::from_utf8(listed.output().expect("objdump").stdout).unwrap();
    if !listed.contains("<often.cold>") {
        return skip("this compiler moves nothing");
    }
    let data = recorded.data.to_str().expect("UTF-8");
    let text = run(["annotate", "--asm", data, "often"]).ok();
    assert!(text.contains("often"), "{text}");
    assert!(!text.contains("<often>"), "{text}");
}
