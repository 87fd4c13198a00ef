//! A process in namespaces of its own, whose libraries are replaced and deleted: the right
//! names, or the reason why there are none, and never a name of another file.

mod common;
mod container;

use std::fs;
use std::process::Command;

use backsight::Live;
use backsight_types::AbsAddr;
use common::{Ran, json, of_type};
use container::Container;
use serde_json::Value;
use testkit::skip;
use testkit::tools::tool;

/// What is left of root's rights when `/proc/PID/map_files` may not be opened: it needs one of
/// these two capabilities.
const WITHOUT_MAP_FILES: [&str; 3] = [
    "setpriv",
    "--bounding-set=-sys_admin,-checkpoint_restore",
    "--inh-caps=-all",
];

/// How the files of the process are reached.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Rights {
    MapFiles,
    PathsOnly,
}

fn backsight(container: &Container, rights: Rights, args: &[&str]) -> Ran {
    let mut command = match rights {
        Rights::MapFiles => common::backsight(),
        Rights::PathsOnly => {
            let mut command = Command::new(WITHOUT_MAP_FILES[0]);
            command.args(&WITHOUT_MAP_FILES[1..]);
            command.arg(env!("CARGO_BIN_EXE_backsight"));
            command
        }
    };
    // Nothing beside the paths leads to a file.
    command.env("HOME", container.dir.path().join("store"));
    command.args(args).output().expect("it runs").into()
}

fn addrs(container: &Container) -> Vec<String> {
    let addrs = container.libraries.iter().map(|library| library.addr);
    addrs.map(|addr| format!("{addr:#x}")).collect()
}

/// Returns the function or the reason of each library's address.
fn answers(ran: &Ran) -> Vec<String> {
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert!(!ran.stdout.contains("wrong_"), "{}", ran.stdout);
    let lines = of_type(&json(&ran.stdout), "address");
    let answer = |line: &Value| {
        let name = line["frames"][0]["function"].as_str();
        name.or(line["reason"].as_str()).unwrap_or("?").to_owned()
    };
    lines.iter().map(answer).collect()
}

fn names(container: &Container) -> Vec<String> {
    let names = container.libraries.iter();
    names.map(|library| library.function.clone()).collect()
}

/// `symbolize -p`.
fn live(container: &Container, rights: Rights) -> Vec<String> {
    let pid = container.pid.to_string();
    let addrs = addrs(container);
    let args = ["symbolize", "-p", &pid, "--format", "json"];
    let args: Vec<&str> = args
        .into_iter()
        .chain(addrs.iter().map(|it| &**it))
        .collect();
    answers(&backsight(container, rights, &args))
}

/// `normalize -p`; returns the path of the capture.
fn captured(container: &Container, rights: Rights, more: &[&str]) -> String {
    let pid = container.pid.to_string();
    let addrs = addrs(container);
    let args = [&["normalize", "-p", &pid, "--format", "json"], more].concat();
    let args: Vec<&str> = args
        .into_iter()
        .chain(addrs.iter().map(|it| &**it))
        .collect();
    let ran = backsight(container, rights, &args);
    assert_eq!((ran.code, &*ran.stderr), (Some(0), ""), "{ran:?}");
    let path = container.dir.path().join("capture.ndjson");
    fs::write(&path, ran.stdout).expect("ours");
    path.to_str().expect("text").to_owned()
}

/// `symbolize -i`, on this host with its other files at the same paths.
fn elsewhere(container: &Container, capture: &str, more: &[&str]) -> Vec<String> {
    let args = [&["symbolize", "-i", capture, "--format", "json"], more].concat();
    answers(&backsight(container, Rights::MapFiles, &args))
}

/// The library, in this process.
fn in_library(container: &Container) -> Vec<String> {
    let mut live = Live::open(container.pid).expect("root may");
    let addrs: Vec<AbsAddr> = container
        .libraries
        .iter()
        .map(|it| AbsAddr(it.addr))
        .collect();
    let mut names = Vec::new();
    let lookups = addrs
        .into_iter()
        .map(|addr| (addr, backsight_types::Lookup::Exact));
    let begun = live.begin(lookups).expect("it runs");
    let found = begun.look_up(live.symbolizer()).each(|answer| {
        let name = answer
            .frames
            .first()
            .and_then(|frame| frame.function.as_deref());
        let reason = answer.reason.map(|reason| reason.as_str());
        names.push(name.or(reason).unwrap_or("?").to_owned());
        Ok::<(), std::convert::Infallible>(())
    });
    let Ok(()) = found;
    names
}

/// Records the process for a second, and returns the functions of the samples.
fn recorded(container: &Container, root: &str, way: &[&str]) -> String {
    let data = container.dir.path().join("perf.data");
    let pid = container.pid.to_string();
    let mut perf = Command::new("perf");
    perf.env("HOME", container.dir.path().join("store"));
    perf.args(["record", "-N", "-B", "-e", "cpu-clock", "-p", &pid, "-o"])
        .arg(&data);
    let made = perf
        .args(way)
        .args(["--", "sleep", "1"])
        .output()
        .expect("perf");
    assert!(
        made.status.success(),
        "{}",
        String::from_utf8_lossy(&made.stderr)
    );
    let data = data.to_str().expect("text");
    let args = ["convert", data, "-o", "-", "--to", "folded", "--root", root];
    let ran = backsight(container, Rights::MapFiles, &args);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert!(!ran.stdout.contains("wrong_"), "{way:?}: {}", ran.stdout);
    ran.stdout
}

#[test]
fn libraries_of_every_mount_keep_their_names_when_replaced_and_deleted() {
    let container = match Container::start(skip) {
        Ok(container) => container,
        Err(why) => return skip(&why),
    };
    if tool("setpriv").is_none() {
        return skip("there is no setpriv");
    }
    let names = names(&container);
    let all = |answer: &str| vec![answer.to_owned(); names.len()];
    let root = container.root();
    let root = root.to_str().expect("text");
    let store = container.dir.path().join("store");
    let by_build_id = ["--debug-dir", store.to_str().expect("text")];
    for stage in ["intact", "replaced", "deleted"] {
        match stage {
            "replaced" => container.replace_libraries(),
            "deleted" => container.delete_libraries(),
            _ => {}
        }
        let is_intact = stage == "intact";
        assert_eq!(live(&container, Rights::MapFiles), names, "{stage}");
        assert_eq!(in_library(&container), names, "{stage}");
        let by_path = if is_intact {
            names.clone()
        } else {
            all("deleted")
        };
        assert_eq!(live(&container, Rights::PathsOnly), by_path, "{stage}");
        for backend in common::backends() {
            for rights in [Rights::MapFiles, Rights::PathsOnly] {
                let which = format!("{stage}, {backend}, {rights:?}");
                let capture = captured(&container, rights, &["--backend", backend]);
                // Where no file can be opened, the process's memory has the headers.
                let from_memory = !is_intact && rights == Rights::PathsOnly;
                let text = fs::read_to_string(&capture).expect("ours");
                let modules = of_type(&json(&text), "module");
                assert_eq!(modules.len(), names.len(), "{which}");
                for module in modules {
                    let is_said = module["from_memory"] == true;
                    assert_eq!(is_said, from_memory, "{which}: {module}");
                    let by_file = module["reason"] != "deleted";
                    assert_eq!(by_file, !from_memory, "{which}: {module}");
                    assert!(module["segments"].is_array(), "{which}: {module}");
                }
                // Other files are at these paths of this host.
                assert_eq!(
                    elsewhere(&container, &capture, &[]),
                    all("identity-unproven"),
                    "{which}"
                );
                assert_eq!(
                    elsewhere(&container, &capture, &by_build_id),
                    names,
                    "{which}"
                );
                let in_root = elsewhere(&container, &capture, &["--root", root]);
                let want = if is_intact {
                    names.clone()
                } else {
                    all("identity-unproven")
                };
                assert_eq!(in_root, want, "{which}");
            }
        }
        if tool("perf").is_none() {
            skip("recordings: there is no perf");
            continue;
        }
        // Without build IDs in the recording, only device and inode could prove a file, and the
        // device numbers of overlayfs and btrfs prove nothing.
        let way = if stage == "replaced" {
            "-g"
        } else {
            "--buildid-mmap"
        };
        let stacks = recorded(&container, root, &[way]);
        for name in &names {
            assert_eq!(stacks.contains(&**name), is_intact, "{stage}: {stacks}");
            let library = name.replace("work_", "lib");
            assert!(is_intact || stacks.contains(&library), "{stage}: {stacks}");
        }
    }
}
