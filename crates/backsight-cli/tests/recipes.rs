//! Runs every block of `docs/recipes.md` unchanged.

mod common;
mod unprivileged;

use std::fs;
use std::path::Path;

use common::{json, of_type, run};
use serde_json::{Value, json};
use unprivileged::Shell;

const RECIPES: &str = include_str!("../../../docs/recipes.md");

/// Returns the blocks under each heading.
fn blocks() -> Vec<(&'static str, Vec<&'static str>)> {
    let sections = RECIPES.split("\n## ").skip(1);
    sections
        .map(|section| {
            let heading = section.lines().next().expect("a heading");
            let blocks = section.split("```sh\n").skip(1);
            let blocks = blocks.map(|block| block.split("```").next().expect("its end"));
            (heading, blocks.collect())
        })
        .collect()
}

/// Returns the stacks of a profile, without looking up functions.
fn stacks(profile: &Path) -> String {
    let args = ["convert", "--no-symbols", "-o", "-", "--to", "folded", "-i"];
    let args = args.map(Path::new);
    run(args
        .iter()
        .map(|arg| arg.as_os_str())
        .chain([profile.as_os_str()]))
    .ok()
}

#[test]
fn the_recipes_give_what_they_say() {
    let shell = Shell::new();
    let folder = shell.folder();
    let needs = "command -v cc && command -v objcopy
                 perf record -e cpu-clock -o try.data true && rm try.data";
    if let Err(words) = shell.run(needs) {
        return testkit::skip(&format!("no cc, objcopy or perf that may record: {words}"));
    }
    let program = RECIPES
        .split("```sh\n")
        .nth(1)
        .and_then(|rest| rest.split("```").next());
    shell.run(program.expect("a block")).expect("a program");
    let all = blocks();
    assert_eq!(all.len(), 11, "as many as are checked below");
    for (heading, blocks) in all {
        if heading == "Node, Java and Python" && shell.run("command -v node").is_err() {
            testkit::skip("there is no node");
            continue;
        }
        let count = blocks.len();
        for block in blocks {
            if let Err(words) = shell.run(block) {
                panic!("{heading}: {block}: {words}");
            }
        }
        let read = |name: &str| fs::read_to_string(folder.join(name)).expect(name);
        match heading {
            "From perf to a flame graph" => {
                for name in ["flame.svg", "only-main.svg"] {
                    assert!(read(name).contains("<title>aim ("), "{name}");
                }
                assert!(read("stacks.folded").contains("survey;"));
                assert!(read("only-main.folded").contains(";main;take_readings;aim "));
            }
            "From perf to pprof" => {
                let stacks = stacks(&folder.join("profile.pb.gz"));
                assert!(stacks.contains(";main;take_readings;aim "), "{stacks}");
            }
            "To the Firefox Profiler" => {
                let profile: Value = serde_json::from_str(&read("profile.json")).expect("JSON");
                let threads = profile["threads"].as_array().expect("threads");
                let survey = threads
                    .iter()
                    .find(|thread| thread["processName"] == "survey");
                assert!(survey.is_some(), "{threads:?}");
                let strings = &profile["shared"]["stringArray"];
                assert!(strings.as_array().expect("strings").contains(&json!("aim")));
            }
            "From a device to a server in two steps" => {
                let captured = json(&read("captured.ndjson"));
                let frames = of_type(&captured, "address");
                let named = |line: &&Value| line["frames"].to_string().contains("aim");
                assert_eq!(
                    frames.iter().find(named),
                    None,
                    "the device looks nothing up"
                );
                assert!(read("flame.svg").contains("<title>aim ("));
                assert!(!folder.join("device-survey").exists());
            }
            "Node, Java and Python" => {
                assert!(read("node.folded").contains(":*fib"));
            }
            "A program that was replaced or deleted" => {
                assert!(read("kept.folded").contains(";main;take_readings;aim "));
            }
            // What it does is the exit code, which was looked at.
            "Two commits in CI" => {}
            // They need a server, a container, or the network.
            "Installing"
            | "Go"
            | "A container"
            | "Recording without perf: Java, Node, Go, Python and containers" => {
                assert_eq!(count, 0, "{heading}");
            }
            other => panic!("{other}: what does it give?"),
        }
    }
}
