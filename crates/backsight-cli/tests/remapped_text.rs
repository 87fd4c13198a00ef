//! `symbolize -p` and `normalize -p` of a program that moved its own text to anonymous memory.

mod common;

use common::{json, of_type, run};
use testkit::child::{Child, program};
use testkit::perf_file::{Event, PerfFile, USER, sample};

/// Returns the executable VMA of the child's program, and addresses in two of its functions.
fn text_and_functions(child: &Child) -> (std::ops::Range<u64>, Vec<String>) {
    let name = program().to_str().expect("text").to_owned();
    let maps = std::fs::read_to_string(format!("/proc/{}/maps", child.pid())).expect("ours");
    let its = maps.lines().filter(|line| line.ends_with(&name));
    let hex = |digits: &str| u64::from_str_radix(digits, 16).expect("an address");
    let range = |line: &str| {
        let (start, end) = line.split(' ').next()?.split_once('-')?;
        Some(hex(start)..hex(end))
    };
    let base = its.clone().find_map(range).expect("it is mapped").start;
    let text = its.filter(|line| line.contains(" r-xp "));
    let text = text.clone().find_map(range).expect("it runs");
    let found = run(["inspect", &name, "main", "obey"]).ok();
    let words = found.split_whitespace();
    let offsets = words.filter_map(|word| word.strip_prefix("0x"));
    let addrs: Vec<String> = offsets
        .map(|digits| format!("{:#x}", base + hex(digits) + 4))
        .collect();
    assert_eq!(addrs.len(), 2, "{found}");
    (text, addrs)
}

#[test]
fn moved_text_keeps_its_names_and_is_marked() {
    let mut child = Child::spawn();
    let (text, addrs) = text_and_functions(&child);
    let pid = child.pid().to_string();
    let try_to_ask = |command: &str, more: &[&str]| {
        let addrs = addrs.iter().map(|addr| &**addr);
        let args = [command, "-p", &pid]
            .into_iter()
            .chain(more.iter().copied());
        run(args.chain(addrs))
    };
    let ask = |command: &str, more: &[&str]| try_to_ask(command, more).ok();
    let before = ["symbolize", "normalize"].map(|command| ask(command, &[]));
    let frames = |text: &str| -> Vec<_> {
        let lines = of_type(&json(text), "address");
        lines.iter().map(|line| line["frames"].clone()).collect()
    };
    let frames_before = frames(&ask("symbolize", &["--format", "json"]));
    assert_eq!(frames_before[0][0]["function"], "main");
    child.remap(&text);
    for (command, before) in ["symbolize", "normalize"].into_iter().zip(before) {
        let after = ask(command, &[]);
        assert_eq!(
            after.matches("  [inferred]\n").count(),
            addrs.len(),
            "{after}"
        );
        assert_eq!(after.replace("  [inferred]", ""), before);
        let json_text = ask(command, &["--format", "json"]);
        let modules = of_type(&json(&json_text), "module");
        assert_eq!(
            (modules.len(), &modules[0]["inferred"]),
            (1, &true.into()),
            "{json_text}"
        );
        // Another host has the mark, and the names.
        let capture = common::run_with(
            ["symbolize", "-i", "-", "--format", "json"],
            json_text.as_bytes(),
        );
        let capture = capture.ok();
        assert!(capture.contains("\"inferred\":true"), "{capture}");
        assert_eq!(frames(&capture), frames_before);
        // What would name code that was made at run time is said then.
        let off = try_to_ask(command, &["--remapped-text", "never"]).stdout;
        assert_eq!(off.matches("[anonymous]").count(), addrs.len(), "{off}");
    }
}

/// The middle of the text is moved: what is around it is at one distance from the file, whatever
/// the linker.
#[test]
fn saved_maps_tell_of_moved_text_as_the_process_does() {
    let mut child = Child::spawn();
    let (text, _) = text_and_functions(&child);
    child.remap(&(text.start + 4096..text.end - 4096));
    let pid = child.pid().to_string();
    let dir = tempfile::tempdir().expect("a folder");
    let saved = dir.path().join("maps");
    std::fs::write(
        &saved,
        std::fs::read(format!("/proc/{pid}/maps")).expect("ours"),
    )
    .expect("written");
    let saved = saved.to_str().expect("text");
    let addr = format!("{:#x}", text.start + 4096 + 8);
    let ask = |source: [&str; 2]| {
        let json_text = run(["normalize", source[0], source[1], "--format", "json", &addr]).ok();
        let lines = json(&json_text);
        let module = of_type(&lines, "module").remove(0);
        let address = of_type(&lines, "address").remove(0);
        (
            module["path"].clone(),
            module["inferred"].clone(),
            address["file_offset"].clone(),
        )
    };
    let live = ask(["-p", &pid]);
    assert_eq!(live.1, true, "{live:?}");
    assert_eq!(ask(["--maps", saved]), live);
    // Addresses that are not known when the text is read.
    let piped = common::run_with(
        ["normalize", "--maps", saved, "-"],
        format!("{addr}\n").as_bytes(),
    )
    .ok();
    assert!(piped.contains("  [inferred]\n"), "{piped}");
}

/// Another anonymous mapping over the text is recorded. Between two parts of the file it is its
/// text; behind it, its code may be any.
#[test]
fn recorded_samples_in_moved_text_are_named_and_counted() {
    let path = program();
    let Some(Some(id)) = testkit::tools::readelf_build_id(&path) else {
        return testkit::skip("readelf, or the linker writes no build ID");
    };
    let name = path.to_str().expect("text");
    let found = run(["inspect", name, "main"]).ok();
    let offset = found
        .split_whitespace()
        .find_map(|word| word.strip_prefix("0x"));
    let offset = u64::from_str_radix(offset.expect("an offset"), 16).expect("digits");
    let (base, page) = (0x5555_0000_0000_u64, 0x1000);
    let event = Event {
        name: "cycles",
        sample_type: sample::IDENTIFIER | sample::IP | sample::TID | sample::TIME,
        ids: vec![1],
        ..Event::default()
    };
    let mut file = PerfFile::new(false, &[event]);
    let mut bytes: Vec<u8> = (0..id.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&id[at..at + 2], 16).expect("digits"))
        .collect();
    bytes.resize(24, 0);
    file.record(67, USER, |at| {
        at.u32(7).raw(&bytes).text(name);
    });
    file.comm(7, 7, "moves", 1);
    let sample_at = |file: &mut PerfFile, time: u64| {
        file.record(9, USER, |at| {
            at.words(&[1, base + offset + 4]).u32(7).u32(7).u64(time);
        });
    };
    let end = base + 0x10 * page;
    file.map(7, base, 0x10 * page, name, 1);
    for time in [1, 2] {
        sample_at(&mut file, time);
    }
    let text = base + offset / page * page;
    file.record(1, USER, |at| {
        at.u32(7).u32(7).words(&[text, page, 0]).text("//anon");
        at.trailer(7, 7, 3, 1);
    });
    for time in [4, 5, 6] {
        sample_at(&mut file, time);
    }
    file.record(1, USER, |at| {
        at.u32(7).u32(7).words(&[end, page, 0]).text("//anon");
        at.trailer(7, 7, 7, 1);
    });
    file.record(9, USER, |at| {
        at.words(&[1, end + 4]).u32(7).u32(7).u64(8);
    });
    let dir = tempfile::tempdir().expect("a folder");
    let data = dir.path().join("perf.data");
    std::fs::write(&data, file.file()).expect("written");
    let data = data.to_str().expect("text");
    let ran = run(["convert", data, "-", "--to", "folded", "--account", "json"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert!(ran.stdout.contains("moves;main 5\n"), "{ran:?}");
    let account = ran.stderr.lines().find(|line| line.starts_with('{'));
    let account: serde_json::Value = serde_json::from_str(account.expect("one")).expect("JSON");
    assert_eq!(account["samples_read"], 6, "{account}");
    assert_eq!(account["frames_with_name"], 5, "{account}");
    assert_eq!(account["frames_inferred"], 3, "{account}");
    let without = serde_json::json!({ "anonymous": 1 });
    assert_eq!(account["frames_without_name"], without, "{account}");
}
