//! Restrictions: few descriptors, processes hidden by `/proc`, deleted files.

mod common;

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::process::Command;

use common::{Ran, backends, code_of, json, of_type, public_copy, run, sleeping};
use testkit::child::Child;

/// Runs the command with this limit of open files.
fn with_descriptors(most: u32, args: &[&str]) -> Ran {
    // It may have inherited files from the parent of the tests.
    let close = "exec 3<&- 4<&- 5<&- 6<&- 7<&- 8<&- 9<&-";
    let script = format!("{close}; ulimit -n {most} && exec \"$0\" \"$@\"");
    let mut shell = Command::new("sh");
    shell.args(["-c", &script, env!("CARGO_BIN_EXE_backsight")]);
    shell.args(args).output().expect("it runs").into()
}

#[test]
fn too_few_descriptors_are_named_and_no_batch_is_lost() {
    let child = sleeping();
    let pid = child.0.id();
    let places = ["libc", "sleep", "[vdso]"].map(|name| format!("{:x}", code_of(pid, name) + 8));
    let pid = pid.to_string();
    // Standard input, output and error, and the copy of the output.
    for args in [
        &["maps", "-p", &pid][..],
        &["normalize", "-p", &pid, "10"],
        &["symbolize", "-p", &pid],
    ] {
        with_descriptors(4, args).fails(1, &[&pid, "Too many open files", "ulimit -n"]);
    }
    with_descriptors(4, &["buildid", "/bin/sh"])
        .fails(1, &["/bin/sh: Too many open files", "ulimit -n"]);
    // Each address has an answer with any limit, from too low to sufficient.
    for most in 6..16 {
        for command in ["normalize", "symbolize"] {
            let args = [
                command, "-p", &pid, "--format", "json", &places[0], &places[1], &places[2], "10",
            ];
            let ran = with_descriptors(most, &args);
            assert_eq!(ran.code, Some(0), "{most}: {}", ran.stderr);
            // A debug file that could not be opened may have had the names.
            let is_told = |line: &str| line.contains("Too many open files");
            assert!(ran.stderr.lines().all(is_told), "{most}: {}", ran.stderr);
            let lines = json(&ran.stdout);
            let answers = of_type(&lines, "address");
            assert_eq!(answers.len(), 4, "{most}, {command}");
            assert_eq!(answers[3]["reason"], "unmapped");
            for answer in &answers[..3] {
                assert!(answer["module"].is_number(), "{most}, {command}: {answer}");
            }
        }
    }
}

#[test]
fn processes_are_found_in_another_folder() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().join("host-proc");
    symlink("/proc", &root).unwrap();
    let root = root.to_str().unwrap();
    let child = sleeping();
    let pid = child.0.id();
    let place = format!("{:x}", code_of(pid, "libc") + 0x1234);
    let pid = pid.to_string();
    let cases: [&[&str]; 5] = [
        &["maps", "-p", &pid],
        &["normalize", "-p", &pid, &place, "10"],
        &["normalize", "-p", &pid, "--map-files=never", &place],
        &["symbolize", "-p", &pid, &place, "10"],
        &["symbolize", "-p", &pid],
    ];
    for args in cases {
        let here = run(args).ok();
        let there = run([args, &["--proc-root", root]].concat()).ok();
        assert_eq!(there, here, "{args:?}");
        // Nothing is looked for in /proc.
        let empty = dir.path().to_str().unwrap();
        run([args, &["--proc-root", empty]].concat()).fails(1, &[&format!("no process {pid}")]);
        let none = run([args, &["--proc-root", "/no/such"]].concat());
        none.fails(1, &["--proc-root /no/such: No such file"]);
        let file = run([args, &["--proc-root", "/dev/null"]].concat());
        file.fails(1, &["--proc-root /dev/null: not a directory"]);
    }
    for other in [["--maps", "x"], ["-e", "x"]] {
        let command = if other[0] == "-e" {
            "symbolize"
        } else {
            "normalize"
        };
        run([command, other[0], other[1], "--proc-root", root]).fails(2, &["--proc-root"]);
    }
}

/// A mount in which only root sees processes of other users.
#[test]
fn a_proc_that_hides_processes_is_named_as_a_cause() {
    for tool in ["unshare", "setpriv", "mount"] {
        if testkit::tools::tool(tool).is_none() {
            return testkit::skip(&format!("no {tool}"));
        }
    }
    let (_dir, program) = public_copy();
    let child = Child::spawn();
    let hidden = |args: &str, user: &str| -> Ran {
        let script = format!(
            "mount -t proc -o hidepid=2 proc /proc && exec {user} {} {args}",
            program.display()
        );
        let mut command = Command::new("unshare");
        command
            .args(["-m", "sh", "-c", &script])
            .output()
            .expect("it runs")
            .into()
    };
    let root = hidden("doctor --format json", "");
    if root.code != Some(0) {
        return testkit::skip(&format!("no /proc of our own: {}", root.stderr));
    }
    let state = |ran: Ran| {
        let lines = json(&ran.ok());
        let hidepid = lines
            .into_iter()
            .find(|line| line["name"] == "hidepid")
            .unwrap();
        (
            hidepid["state"].as_str().unwrap().to_owned(),
            hidepid["found"].as_str().unwrap().to_owned(),
        )
    };
    assert_eq!(state(root).0, "ok");
    let nobody = "setpriv --reuid=65534 --regid=65534 --clear-groups --inh-caps=-all";
    let (state, found) = state(hidden("doctor --format json", nobody));
    assert_eq!(state, "limited");
    assert!(
        found.contains("hidepid=invisible") || found.contains("hidepid=2"),
        "{found}"
    );
    let pid = child.pid();
    for command in ["maps", "normalize", "symbolize"] {
        let ran = hidden(&format!("{command} -p {pid}"), nobody);
        ran.fails(
            1,
            &[
                &format!("no process {pid}"),
                "hidepid",
                "as its user or as root",
            ],
        );
        assert_eq!(ran.stdout, "");
    }
    assert!(!hidden(&format!("maps -p {pid}"), "").ok().is_empty());
}

/// If permitted, a deleted file can still be read through `map_files`.
#[test]
fn map_files_is_the_file_itself_and_can_be_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("gone.so");
    testkit::copy(testkit::child::program(), &path).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    let mut child = Child::spawn();
    let code = child.map(&path, "r-xp");
    fs::remove_file(&path).unwrap();
    let doctor = json(&run(["doctor", "--format", "json"]).ok());
    let permitted = doctor
        .iter()
        .any(|line| line["name"] == "map-files" && line["state"] == "ok");
    let (pid, place) = (child.pid().to_string(), format!("{:x}", code.start));
    for backend in backends() {
        let module = |more: &[&str]| {
            let args = [
                "normalize",
                "-p",
                &pid,
                &place,
                "--format",
                "json",
                "--build-id",
                "file",
                "--backend",
                backend,
            ];
            let lines = json(&run([&args[..], more].concat()).ok());
            of_type(&lines, "module").remove(0)
        };
        let never = module(&["--map-files=never"]);
        assert_eq!(
            (&never["deleted"], &never["reason"]),
            (&true.into(), &"deleted".into())
        );
        assert!(never.get("build_id").is_none(), "{never}");
        for auto in [&[][..], &["--map-files"], &["--map-files=auto"]] {
            let auto = module(auto);
            assert_eq!(auto["segments"].is_array(), permitted, "{auto}");
            assert_eq!(auto["build_id"].is_string(), permitted, "{auto}");
        }
    }
    run(["normalize", "-p", &pid, "--map-files=always", "10"]).fails(2, &["--map-files"]);
}
