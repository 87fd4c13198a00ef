//! Every block of `docs/recipes.md`, run as it stands there.

mod common;

use std::env;
use std::fs;
use std::path::Path;
use std::process::Command;

use common::{json, of_type, run};
use serde_json::{Value, json};

const RECIPES: &str = include_str!("../../../docs/recipes.md");

/// What the recipes look at: half a second of work in an inlined function.
const SURVEY: &str = "\
static volatile unsigned long sink;
static inline __attribute__((always_inline)) void aim(unsigned long n) {
    for (unsigned long i = 0; i < n; i++)
        sink += i * i;
}
__attribute__((noinline)) void note(void) {
    sink++;
}
__attribute__((noinline)) void take_readings(void) {
    for (int i = 0; i < 20; i++) {
        aim(10000000);
        note();
    }
}
int main(void) {
    take_readings();
    return sink == 1;
}
";

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

/// Runs a script in a folder, with our command first in the path.
fn sh(folder: &Path, script: &str) -> Result<(), String> {
    let command = Path::new(env!("CARGO_BIN_EXE_backsight"));
    let paths = env::var_os("PATH").unwrap_or_default();
    let ours = command.parent().expect("a folder").to_owned();
    let paths = env::join_paths(std::iter::once(ours).chain(env::split_paths(&paths)));
    let output = Command::new("sh")
        .args(["-euc", script])
        .current_dir(folder)
        .env("PATH", paths.expect("no colon in it"))
        .output()
        .expect("a shell");
    let words = String::from_utf8_lossy(&output.stderr).into_owned();
    output.status.success().then_some(()).ok_or(words)
}

/// Returns the stacks of a profile whose functions are known by now.
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
    let dir = tempfile::tempdir().expect("a folder");
    let folder = dir.path();
    fs::write(folder.join("survey.c"), SURVEY).expect("ours");
    let prepare = "cc -g -O1 -fno-omit-frame-pointer -o survey survey.c
                   perf record -e cpu-clock -o try.data true
                   command -v objcopy";
    if let Err(words) = sh(folder, prepare) {
        return testkit::skip(&format!("no cc, objcopy or perf that may record: {words}"));
    }
    let all = blocks();
    assert_eq!(all.len(), 4, "as many as are checked below");
    for (heading, blocks) in all {
        for block in blocks {
            if let Err(words) = sh(folder, block) {
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
                let strings = &survey.expect("the process")["stringArray"];
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
            other => panic!("{other}: what does it give?"),
        }
    }
}
