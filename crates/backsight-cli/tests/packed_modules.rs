//! Compressed kernel modules, through every command.

mod common;

use std::path::Path;
use std::process::Command;

use common::run;

const SOURCE: &str =
    "volatile int sink;\nint served(int x) {\n    sink = x;\n    return sink;\n}\n";

/// Reports a skip if the tool is missing or fails.
fn did(dir: &Path, tool: &str, args: &[&str]) -> bool {
    let done = Command::new(tool).args(args).current_dir(dir).output();
    let done = done.is_ok_and(|done| done.status.success());
    if !done {
        testkit::skip(&format!("{tool} {args:?}"));
    }
    done
}

#[test]
fn packed_modules_are_read_as_the_others_are() {
    let dir = tempfile::tempdir().expect("a folder");
    std::fs::write(dir.path().join("a.c"), SOURCE).expect("written");
    let id = "0123456789abcdef";
    let linked = did(
        dir.path(),
        "gcc",
        &["-c", "-g", "-O1", "-ffreestanding", "a.c"],
    ) && did(
        dir.path(),
        "ld",
        &["-r", &format!("--build-id=0x{id}"), "-o", "m.ko", "a.o"],
    );
    if !linked {
        return;
    }
    let path = |end: &str| dir.path().join(format!("m.ko{end}")).display().to_string();
    let plain = path("");
    let symbolized = |path: &str| {
        let shown = run(["symbolize", "-e", path, "0x0", "0x4"]).ok();
        shown.replace(path, "MODULE")
    };
    let captured = |path: &str| {
        let capture = format!(
            "{{\"type\":\"header\",\"schema_version\":1,\"tool\":\"test\"}}\n\
             {{\"type\":\"module\",\"index\":0,\"path\":\"{path}\",\"deleted\":false,\
             \"device\":\"00:00\",\"inode\":0,\"build_id_kind\":\"gnu\",\"build_id\":\"{id}\",\
             \"arch\":\"x86_64\",\"segments\":[]}}\n\
             {{\"type\":\"address\",\"address\":\"0x1000\",\"module\":0,\
             \"file_offset\":\"0x0\",\"virtual_offset\":\"0x0\",\"kind\":\"file\",\
             \"lookup\":\"exact\"}}\n"
        );
        let input = dir.path().join("capture");
        std::fs::write(&input, capture).expect("written");
        let input = input.display().to_string();
        run(["symbolize", "-i", &input])
            .ok()
            .replace(path, "MODULE")
    };
    let want = symbolized(&plain);
    assert!(want.contains("served") && want.contains("a.c:3"), "{want}");
    for (end, tool, args) in [
        (".xz", "xz", ["-k", "m.ko"].as_slice()),
        (".zst", "zstd", &["-q", "m.ko"]),
        (".gz", "gzip", &["-k", "m.ko"]),
    ] {
        if !did(dir.path(), tool, args) {
            continue;
        }
        let packed = path(end);
        assert_eq!(run(["buildid", &packed]).ok().trim(), id, "{end}");
        assert_eq!(symbolized(&packed), want, "{end}");
        assert_eq!(captured(&packed), captured(&plain), "{end}");
        assert!(captured(&packed).contains("served"), "{end}");
        let inspected = |path: &str| run(["inspect", path]).ok();
        assert_eq!(inspected(&packed), inspected(&plain), "{end}");
        let index = dir.path().join("m.index").display().to_string();
        let built = run(["index", "build", "-o", &index, &packed]);
        assert!(built.ok().contains(id), "{end}");
        std::fs::write(&packed, &std::fs::read(&packed).expect("readable")[..40]).expect("cut");
        run(["buildid", &packed]).fails(1, &["does not unpack"]);
        run(["symbolize", "-e", &packed, "0x0"]).fails(1, &["does not unpack"]);
    }
}
