//! Runs the README's first minute exactly as printed: without privileges, in an empty directory.

mod common;
mod unprivileged;

use std::fs;

use unprivileged::Shell;

const README: &str = include_str!("../../../README.md");

/// Returns the blocks with commands of backsight in that section.
fn blocks() -> Vec<&'static str> {
    let first = README
        .split("\n## ")
        .find(|part| part.starts_with("The first minute"));
    let first = first.expect("the section");
    let blocks = first.split("```\n").skip(1).step_by(2);
    let ours = |block: &&str| block.lines().any(|line| line.starts_with("backsight "));
    blocks.filter(ours).collect()
}

#[test]
fn the_first_minute_does_what_it_says() {
    let blocks = blocks();
    assert_eq!(
        blocks.len(),
        5,
        "as many as are looked at below: {blocks:#?}"
    );
    let shell = Shell::new();
    if let Err(words) = shell.run("perf record -e cpu-clock -o try.data true && rm try.data") {
        return testkit::skip(&format!("no perf that may record: {words}"));
    }
    // The blocks depend on each other: one starts a process that the next one inspects.
    let script = format!("{}\nkill $!\n", blocks.concat());
    shell.run(&script).unwrap_or_else(|words| panic!("{words}"));
    let page = fs::read_to_string(shell.folder().join("listing.html")).expect("a page");
    assert!(page.contains("id=\"profile\""), "no profile in the page");
    let recorded = "backsight report listing.pb.gz --by process --format csv | grep -q '^ls '";
    let listed = shell.run(recorded);
    listed.unwrap_or_else(|words| panic!("no ls in the recording: {words}"));
    let flames = fs::read_to_string(shell.folder().join("flame.svg")).expect("a flame graph");
    for name in ["_start", "backsight::main"] {
        assert!(
            flames.contains(&format!("<title>{name}")),
            "no {name} in the flame graph"
        );
    }
    let report = "backsight report perf.data --format csv | grep -q '^[^,]*backsight::'";
    let listed = shell.run(report);
    listed.unwrap_or_else(|words| panic!("no function of ours in the report: {words}"));
    // Most stacks must be complete. Those of the main thread start at _start, and those of other
    // threads where threads start. A fifth of this build's, which is not optimized, is longer than
    // the 32 KiB of each stack that are recorded.
    let whole = "backsight convert --to folded perf.data - |
                 awk '{ total += $NF } /;_start;|;_*clone3?;|;start_thread;/ { whole += $NF }
                      END { print whole, total; exit !(total > 0 && whole >= 0.6 * total) }'";
    shell
        .run(whole)
        .unwrap_or_else(|words| panic!("many stacks begin in the middle of nowhere: {words}"));
}

#[test]
fn the_glossary_explains_every_reason() {
    let glossary = include_str!("../../../docs/GLOSSARY.md");
    for reason in backsight::types::Reason::ALL {
        let shown = format!("`[{reason}]`");
        assert!(glossary.contains(&shown), "{shown}");
    }
}
