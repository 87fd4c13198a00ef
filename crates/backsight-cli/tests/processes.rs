//! Several processes at once.

mod common;

use common::{json, of_type, run, sleeping};

#[test]
fn each_process_is_shown_with_its_threads() {
    let (first, second) = (sleeping(), sleeping());
    let (a, b) = (first.0.id().to_string(), second.0.id().to_string());
    let list = format!("{a},{b}");
    let blanks = format!("{a} {b}\n");
    let want = run(["symbolize", "-p", &list]).ok();
    for pid in [&a, &b] {
        assert!(
            want.contains(&format!("process {pid}\nthread {pid} sleep\n")),
            "{want}"
        );
    }
    assert_eq!(run(["symbolize", "-p", &blanks]).ok(), want);
    assert_eq!(run(["symbolize", "-p", &a, "-p", &b]).ok(), want);
    // As a shell expands `-p $(pidof sleep)`.
    let ran = run(["symbolize", "-p", &a, &b]);
    ran.fails(0, &["taken as process IDs", &format!("0x{b}")]);
    assert_eq!(ran.stdout, want);
    assert_eq!(
        run(["symbolize", "-p", &a, &format!("0x{b}")])
            .ok()
            .lines()
            .count(),
        1
    );
}

#[test]
fn lines_of_several_processes_name_their_own_modules() {
    let (first, second) = (sleeping(), sleeping());
    let list = format!("{},{}", first.0.id(), second.0.id());
    let ran = run(["symbolize", "-p", &list, "--format", "json"]).ok();
    let lines = json(&ran);
    assert_eq!(of_type(&lines, "header").len(), 2);
    assert_eq!(
        of_type(&lines, "module").len(),
        2,
        "one behind each header: {ran}"
    );
    let stacks: Vec<u64> = of_type(&lines, "sample")
        .iter()
        .filter_map(|sample| sample["stack"][0].as_u64())
        .collect();
    assert_eq!(
        stacks,
        [0, 1],
        "address lines are counted from the first on"
    );
}

#[test]
fn a_process_that_is_gone_does_not_take_the_others_along() {
    let child = sleeping();
    let pid = child.0.id().to_string();
    let list = format!("{pid},{}", i32::MAX);
    for command in ["symbolize", "maps"] {
        let alone = run([command, "-p", &pid]).ok();
        let ran = run([command, "-p", &list]);
        ran.fails(1, &["no process 2147483647"]);
        assert!(ran.stdout.contains(&alone), "{command}: {ran:?}");
    }
    let maps = run(["maps", "-p", &pid, &pid]).ok();
    assert_eq!(maps, run(["maps", "-p", &pid]).ok(), "each once");
    run(["symbolize", "-p", &list, "0x10"])
        .fails(2, &["addresses can be given only with one process"]);
    run(["symbolize", "-p", "1,x"]).fails(2, &["a process ID is a number"]);
}
