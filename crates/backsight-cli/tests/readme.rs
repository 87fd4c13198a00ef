//! The README's first minute, run as it is printed: without privileges, in an empty folder.

mod common;
mod unprivileged;

use std::fs;

use unprivileged::Shell;

const README: &str = include_str!("../../../README.md");

/// Returns the blocks from where the command is built to where the tests are.
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
        3,
        "as many as are looked at below: {blocks:#?}"
    );
    let shell = Shell::new();
    if let Err(words) = shell.run("perf record -e cpu-clock -o try.data true && rm try.data") {
        return testkit::skip(&format!("no perf that may record: {words}"));
    }
    // They go on from each other: what one starts, the next looks at.
    let script = format!("{}\nkill $!\n", blocks.concat());
    shell.run(&script).unwrap_or_else(|words| panic!("{words}"));
    let flames = fs::read_to_string(shell.folder().join("flame.svg")).expect("a flame graph");
    for name in ["_start", "backsight::main"] {
        assert!(
            flames.contains(&format!("<title>{name}")),
            "no {name} in the flame graph"
        );
    }
    // Whole stacks, not pieces that begin in the middle of nowhere.
    // Those of the main thread begin at _start, and those of others where threads do.
    let whole = "backsight convert --to folded perf.data - |
                 awk '{ total += $NF } /;_start;|;_*clone3?;|;start_thread;/ { whole += $NF }
                      END { exit !(total > 0 && whole >= 0.8 * total) }'";
    shell
        .run(whole)
        .unwrap_or_else(|words| panic!("many stacks begin in the middle of nowhere: {words}"));
}
