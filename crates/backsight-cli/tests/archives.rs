//! Libraries that are mapped from inside an archive: live, captured, and recorded by `perf`.

mod common;

use common::{backends, json, of_type, run};
use serde_json::Value;
use testkit::archived::{ArchiveShape, Archived, LIBRARIES, archived, archived_as, member};
use testkit::child::Child;
use testkit::skip;
use testkit::tools::readelf_segments;

fn made() -> Option<Archived> {
    let made = archived();
    if made.is_none() {
        skip("no compiler, or none for this machine");
    }
    made
}

/// What a library of its own is answered with, at the entry of its function.
fn of_library(archived: &Archived, number: usize) -> (String, String) {
    let name = LIBRARIES[number];
    let path = archived.dir().join(format!("lib{name}.so"));
    let path = path.display().to_string();
    let offset = format!("{:#x}", archived.functions[number]);
    let shown = run(["symbolize", "-e", &path, "--addr-kind", "offset", &offset]).ok();
    let id = run(["buildid", &path]).ok().trim().to_owned();
    (shown, id)
}

#[test]
fn a_live_process_has_the_members_as_modules() {
    let Some(archived) = made() else { return };
    let (process, functions) = archived.mapped();
    let pid = process.0.id().to_string();
    let addresses: Vec<String> = functions.iter().map(|at| format!("{at:#x}")).collect();
    for backend in backends() {
        let args = [
            "normalize",
            "-p",
            &pid,
            "--backend",
            backend,
            "--format",
            "json",
        ];
        let lines = run([&args[..], &[&addresses[0], &addresses[1]]].concat());
        let capture = lines.ok();
        let lines = json(&capture);
        let (modules, answers) = (of_type(&lines, "module"), of_type(&lines, "address"));
        for (number, name) in LIBRARIES.iter().enumerate() {
            let (_, id) = of_library(&archived, number);
            let path = format!("{}!/{}", archived.archive().display(), member(name));
            let of_path = |it: &&Value| it["path"] == path.as_str();
            let module = modules.iter().find(of_path);
            let module = module.unwrap_or_else(|| panic!("no {path} by {backend}: {capture}"));
            assert_eq!(module["build_id"], id.as_str(), "{backend}");
            let answer = &answers[number];
            assert_eq!(answer["module"], module["index"], "{backend}");
            let offset = format!("{:#x}", archived.functions[number]);
            assert_eq!(answer["file_offset"], offset.as_str(), "{backend}");
        }
        // Elsewhere: from the archive, or with the libraries alone.
        let input = archived.dir().join("capture.ndjson");
        std::fs::write(&input, &capture).expect("written");
        let shown = run(["symbolize", "-i", &input.display().to_string()]).ok();
        for name in LIBRARIES {
            assert!(
                shown.contains(&format!("spin_{name}")),
                "{backend}: {shown}"
            );
        }
    }
    let live = run(["symbolize", "-p", &pid, &addresses[0], &addresses[1]]).ok();
    for (number, name) in LIBRARIES.iter().enumerate() {
        let (shown, _) = of_library(&archived, number);
        assert!(shown.contains(&format!("spin_{name}")), "{shown}");
        assert!(live.contains(&format!("spin_{name}")), "{live}");
        assert!(live.contains("a.c:7"), "{live}");
    }
}

/// As many addresses as use the index over pages, and again in one session.
#[test]
fn many_addresses_are_in_the_same_members_as_few() {
    let Some(archived) = made() else { return };
    let (process, functions) = archived.mapped();
    let pid = process.0.id().to_string();
    let of = |count: u64| {
        let addresses = (0..count).flat_map(|nth| functions.iter().map(move |at| at + nth % 8));
        let mut args = vec!["normalize".to_owned(), "-p".to_owned(), pid.clone()];
        args.extend(["--format", "json"].map(str::to_owned));
        args.extend(addresses.map(|at| format!("{at:#x}")));
        let lines = json(&run(args).ok());
        let key = |it: &Value| format!("{} {} {}", it["address"], it["module"], it["file_offset"]);
        let mut answers: Vec<String> = of_type(&lines, "address").iter().map(key).collect();
        answers.sort();
        answers.dedup();
        (of_type(&lines, "module").len(), answers)
    };
    let few = of(8);
    assert_eq!(few.1.len(), 16);
    assert_eq!(of(1000), few);
}

#[test]
fn every_command_takes_the_path_of_a_member() {
    let Some(archived) = made() else { return };
    for (number, name) in LIBRARIES.iter().enumerate() {
        let path = format!("{}!/{}", archived.archive().display(), member(name));
        let (shown, id) = of_library(&archived, number);
        let offset = format!("{:#x}", archived.functions[number]);
        let answer = run(["symbolize", "-e", &path, "--addr-kind", "offset", &offset]).ok();
        let library = archived.dir().join(format!("lib{name}.so"));
        let library = library.display().to_string();
        assert_eq!(answer.replace(&path, &library), shown);
        assert_eq!(run(["buildid", &path]).ok().trim(), id);
        let inspected = run(["inspect", &path]).ok();
        assert!(inspected.contains(&format!("leaf_{name}")), "{inspected}");
    }
    // A file that is no archive has no members.
    let library = archived.dir().join("libone.so");
    let inside = format!("{}!/anything", library.display());
    run(["buildid", &inside]).fails(1, &["No such file", &inside]);
    let none = format!("{}!/lib/x86_64/libnone.so", archived.archive().display());
    let manifest = format!("{}!/AndroidManifest.xml", archived.archive().display());
    for path in [none, manifest] {
        for command in [&["buildid"][..], &["inspect"], &["symbolize", "0x0", "-e"]] {
            let ran = run([command, &[&path]].concat());
            ran.fails(1, &["no uncompressed member", &path]);
        }
    }
}

#[test]
fn a_recording_has_the_members_as_modules() {
    for shape in [ArchiveShape::Plain, ArchiveShape::BehindProgram] {
        // The build ID of a program in front is in a list, or in the record of each mapping.
        for flags in [
            &["-e", "cpu-clock", "-g"][..],
            &["-e", "cpu-clock", "-g", "--buildid-mmap"],
        ] {
            recording_has_the_members(shape, flags);
        }
    }
}

fn recording_has_the_members(shape: ArchiveShape, flags: &[&str]) {
    let Some(archived) = archived_as(shape) else {
        return skip("no compiler, or none for this machine");
    };
    let command = archived.command(50_000);
    let command: Vec<&str> = command.iter().map(String::as_str).collect();
    let recording = match testkit::perf::record(flags, &command) {
        Ok(recording) => recording,
        Err(why) => return skip(&why),
    };
    let data = recording.data.display().to_string();
    let out = recording.dir().join("out.folded").display().to_string();
    run(["convert", "--quiet", &data, "-o", &out]).ok();
    let folded = std::fs::read_to_string(&out).expect("converted");
    let count = |name: &str| -> u64 {
        let lines = folded.lines().filter(|line| line.contains(name));
        let count = |line: &str| line.rsplit(' ').next()?.parse::<u64>().ok();
        lines.filter_map(count).sum()
    };
    let all = count("");
    for name in LIBRARIES {
        let stack = format!("main;call_all;spin_{name};leaf_{name}");
        let named = count(&stack);
        let case = format!("{shape:?} {flags:?}");
        assert!(
            named * 3 > all,
            "{case}: {named} of {all} have {stack}: {folded}"
        );
    }
}

/// Whatever is around the archive, a live process, its capture and the path of a member lead to
/// the same answers.
#[test]
fn archives_of_other_shapes_are_answered_as_the_libraries_are() {
    for shape in [
        ArchiveShape::BehindProgram,
        ArchiveShape::SignatureInComment,
        ArchiveShape::SameNames,
    ] {
        let Some(archived) = archived_as(shape) else {
            return skip("no compiler, or none for this machine");
        };
        let (process, functions) = archived.mapped();
        let pid = process.0.id().to_string();
        let addresses: Vec<String> = functions.iter().map(|at| format!("{at:#x}")).collect();
        let live = run(["symbolize", "-p", &pid, &addresses[0], &addresses[1]]);
        let args = ["normalize", "-p", &pid, "--format", "json"];
        let capture = run([&args[..], &[&addresses[0], &addresses[1]]].concat());
        assert_eq!((&*live.stderr, &*capture.stderr), ("", ""), "{shape:?}");
        let capture = capture.ok();
        let input = archived.dir().join("capture.ndjson");
        std::fs::write(&input, &capture).expect("written");
        let elsewhere = run(["symbolize", "-i", &input.display().to_string()]).ok();
        let live = live.ok();
        let lines = json(&capture);
        for (number, name) in LIBRARIES.iter().enumerate() {
            let (_, id) = of_library(&archived, number);
            let function = format!("spin_{name}");
            assert!(live.contains(&function), "{shape:?}: {live}");
            assert!(elsewhere.contains(&function), "{shape:?}: {elsewhere}");
            let modules = of_type(&lines, "module");
            let module = modules.iter().find(|it| it["build_id"] == id.as_str());
            let module = module.unwrap_or_else(|| panic!("{shape:?}: no {id}: {capture}"));
            // Its path leads to it in every command.
            let path = module["path"].as_str().expect("a path");
            assert_eq!(run(["buildid", path]).ok().trim(), id, "{shape:?}: {path}");
        }
    }
}

#[test]
fn a_name_of_several_members_is_ambiguous() {
    let Some(archived) = archived_as(ArchiveShape::SameNames) else {
        return skip("no compiler, or none for this machine");
    };
    let path = format!("{}!/{}", archived.archive().display(), member(LIBRARIES[0]));
    for command in [&["buildid"][..], &["inspect"], &["symbolize", "0x0", "-e"]] {
        let ran = run([command, &[&path]].concat());
        let words = "several members of the archive have this name: choose one by the offset";
        ran.fails(1, &[words, &path, "@0x1000"]);
    }
}

#[test]
fn an_archive_that_cannot_be_read_is_said_of_a_live_process() {
    let Some(archived) = archived_as(ArchiveShape::WithoutEnd) else {
        return skip("no compiler, or none for this machine");
    };
    let (process, functions) = archived.mapped();
    let pid = process.0.id().to_string();
    let addresses: Vec<String> = functions.iter().map(|at| format!("{at:#x}")).collect();
    let archive = archived.archive().display().to_string();
    for command in ["normalize", "symbolize"] {
        let ran = run([command, "-p", &pid, &addresses[0], &addresses[1]]);
        let words = "a damaged zip archive: its directory cannot be read; `unzip -t`";
        ran.fails(0, &[&format!("{archive}: {words}")]);
        assert_eq!(ran.stderr.matches(words).count(), 1, "{command}: {ran:?}");
    }
}

/// As a loader maps them: all of each, at the addresses of its program headers. Who may not use
/// `map_files` has the build IDs from the process's memory.
#[test]
fn the_members_of_a_deleted_archive_have_their_build_ids() {
    let Some(archived) = made() else { return };
    let archive = std::fs::read(archived.archive()).expect("readable");
    let mut child = Child::spawn();
    let mut addresses = Vec::new();
    for (number, name) in LIBRARIES.iter().enumerate() {
        let library = archived.dir().join(format!("lib{name}.so"));
        let bytes = std::fs::read(&library).expect("readable");
        let found = archive.windows(bytes.len()).position(|it| it == bytes);
        let start = u64::try_from(found.expect("it is stored")).expect("64 bits");
        let segments = readelf_segments(&library).expect("readelf");
        let end = segments.iter().map(|it| it.virt + it.memory_size).max();
        let pages = end.expect("segments").next_multiple_of(0x1000);
        let base = child.anon("---p", pages).start;
        for it in &segments {
            let (page, into) = (it.virt & !0xfff, it.virt & 0xfff);
            let perms = if it.flags.contains('E') {
                "r-xp"
            } else {
                "r--p"
            };
            let from = start + it.offset - into;
            let size = it.file_size + into;
            child.map_at(base + page, archived.archive(), perms, from..from + size);
        }
        let code = segments.iter().find(|it| it.flags.contains('E'));
        let code = code.expect("it has code");
        let function = archived.functions[number] - code.offset + code.virt;
        addresses.push(format!("{:#x}", base + function));
    }
    std::fs::remove_file(archived.archive()).expect("ours");
    let pid = child.pid().to_string();
    let mut shown = Vec::new();
    for backend in backends() {
        let args = [
            "normalize",
            "-p",
            &pid,
            "--map-files=never",
            "--format",
            "json",
        ];
        let more = ["--backend", backend, &addresses[0], &addresses[1]];
        let capture = run([&args[..], &more].concat()).stdout;
        let lines = json(&capture);
        let (modules, answers) = (of_type(&lines, "module"), of_type(&lines, "address"));
        for (number, answer) in answers.iter().enumerate() {
            let (_, id) = of_library(&archived, number);
            let module = modules.iter().find(|it| it["index"] == answer["module"]);
            let module = module.unwrap_or_else(|| panic!("{backend}: {capture}"));
            assert_eq!(module["build_id"], id.as_str(), "{backend}: {capture}");
            assert_eq!(module["from_memory"], true, "{backend}: {capture}");
            assert_eq!(module["deleted"], true, "{backend}: {capture}");
            let offset = format!("{:#x}", archived.functions[number]);
            assert_eq!(
                answer["file_offset"],
                offset.as_str(),
                "{backend}: {capture}"
            );
        }
        shown.push((modules.len(), answers.len()));
        // With the libraries in a directory, by build ID, the names are there.
        let input = archived.dir().join("deleted.ndjson");
        std::fs::write(&input, &capture).expect("written");
        let store = archived.dir().join("store");
        for name in LIBRARIES {
            let library = archived.dir().join(format!("lib{name}.so"));
            let library = library.display().to_string();
            run([
                "store",
                "add",
                "--store",
                &store.display().to_string(),
                &library,
            ])
            .ok();
        }
        let (input, store) = (input.display().to_string(), store.display().to_string());
        let named = run(["symbolize", "-i", &input, "--debug-dir", &store]).stdout;
        for name in LIBRARIES {
            assert!(
                named.contains(&format!("spin_{name}")),
                "{backend}: {named}"
            );
        }
    }
    assert!(shown.iter().all(|it| *it == (2, 2)), "{shown:?}");
}
