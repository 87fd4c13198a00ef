//! `--names`: the same names by every command, and no line.

mod common;

use common::{json, of_type, run};

#[test]
fn names_are_the_same_by_every_way_and_have_no_lines() {
    let dir = tempfile::tempdir().unwrap();
    let source = dir.path().join("a.c");
    let text = "int work(int x) { return x * 3; }\nint main(void) { return work(2); }\n";
    std::fs::write(&source, text).unwrap();
    let program = dir.path().join("a");
    let made = std::process::Command::new("cc")
        .args(["-g", "-O0", "-o"])
        .args([&program, &source])
        .status();
    if !made.is_ok_and(|status| status.success()) {
        return testkit::skip("no C compiler");
    }
    let path = program.to_str().unwrap();
    let listed = std::process::Command::new("nm").arg(path).output().unwrap();
    let listed = String::from_utf8(listed.stdout).unwrap();
    let start = listed
        .lines()
        .find(|line| line.ends_with(" T work"))
        .unwrap();
    let addr = format!(
        "0x{}",
        start.split(' ').next().unwrap().trim_start_matches('0')
    );
    let whole = run(["symbolize", "-e", path, &addr]).ok();
    assert!(whole.contains("work") && whole.contains("a.c:1"), "{whole}");
    let named = run(["symbolize", "-e", path, "--names", &addr]).ok();
    assert!(
        named.contains("work+0x0") && !named.contains("a.c"),
        "{named}"
    );
    // In a batch of any size.
    for count in [2, 64, 1_000] {
        let many = vec![&*addr; count];
        let many = run([&["symbolize", "-e", path, "--names"][..], &many].concat()).ok();
        assert!(many.lines().all(|line| line == named.trim_end()), "{count}");
    }
    let lines = run([
        "symbolize",
        "-e",
        path,
        "--names",
        "--format",
        "json",
        &addr,
    ])
    .ok();
    let frames = &of_type(&json(&lines), "address")[0]["frames"];
    assert_eq!(frames.as_array().map(Vec::len), Some(1), "{frames}");
    assert_eq!(frames[0]["function"], "work");
    assert!(
        frames[0].get("file").is_none_or(serde_json::Value::is_null),
        "{frames}"
    );
    let refused = run(["symbolize", "-e", path, "--names", "--no-inlines", &addr]);
    refused.fails(2, &["--names", "--no-inlines"]);
}
