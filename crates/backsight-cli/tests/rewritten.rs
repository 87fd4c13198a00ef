//! Files that are written to in place while a process has mapped them: device and inode stay the
//! same, and the code on the stacks is not that of the file any more.

mod common;
mod overwritten;

use std::fs;
use std::process::{Command, Stdio};
use std::time::{Duration, UNIX_EPOCH};

use common::{Ran, backsight, run, run_with, wait_until};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use overwritten::{Builds, Change, Process, check};
use testkit::child::KillOnDrop;
use testkit::skip;
use testkit::tools::compile;

#[test]
fn a_live_process_gets_no_names_of_what_was_written_over_its_file() {
    for build_id in ["none", "sha1"] {
        let builds = match Builds::new(build_id) {
            Ok(builds) => builds,
            Err(reason) => return skip(&reason),
        };
        for change in Change::ALL {
            let what = format!("{build_id} {change:?}");
            let mut process = Process::start(&builds, false);
            process.load();
            check(&process.stack(), true, &what);
            change.make(&process.library(), &builds.new);
            let text = process.stack();
            let is_named = change.is_of_the_mapped_file();
            check(&text, is_named, &what);
            assert_eq!(
                text.contains("identity-unproven"),
                !is_named,
                "{what}: {text}"
            );
            let frames = text.lines().filter(|line| line.contains("library.so"));
            let addresses: Vec<&str> = frames.filter_map(|it| it.split(' ').next()).collect();
            assert_eq!(addresses.len(), 2, "{text}");
            let mut ways = [String::new(), String::new()];
            let pid = process.pid();
            ways[0] = run([&["symbolize", "-p", &pid], &addresses[..]].concat()).stdout;
            let ndjson = [
                &["normalize", "--format", "json", "-p", &pid],
                &addresses[..],
            ];
            let normalized = run(ndjson.concat()).stdout;
            ways[1] = run_with(["symbolize", "-i", "-"], normalized.as_bytes()).stdout;
            if change == Change::Replaced {
                // Only the process has the old file.
                assert!(!ways[1].contains("another_one"), "{}", ways[1]);
                ways[1] = ways[0].clone();
            }
            for way in ways {
                check(&way, is_named, &format!("{what}\n{normalized}"));
            }
        }
    }
}

#[test]
fn a_file_that_was_written_before_it_was_loaded_is_named() {
    for build_id in ["none", "sha1"] {
        let builds = match Builds::new(build_id) {
            Ok(builds) => builds,
            Err(reason) => return skip(&reason),
        };
        for change in Change::ALL {
            let mut process = Process::start(&builds, false);
            change.make(&process.library(), &builds.new);
            process.load();
            let text = process.stack();
            let name = match change {
                Change::Touched => "old_outer",
                _ => "another_one",
            };
            assert!(text.contains(name), "{build_id} {change:?}: {text}");
        }
    }
}

/// The kernel lets nobody write to a program that runs, so its time says nothing.
#[test]
fn a_program_that_was_touched_is_named() {
    for link in ["-static", "-static-pie", "-no-pie", "-pie"] {
        for build_id in ["none", "sha1"] {
            let id = format!("-Wl,--build-id={build_id}");
            let source = "#include <unistd.h>\nint main(void) { return pause(); }";
            let program = match compile("waits.c", source, &["-O1", link, &id]) {
                Ok(program) => program,
                Err(reason) => return skip(&reason),
            };
            let dir = tempfile::tempdir().unwrap();
            let copy = dir.path().join("waits");
            testkit::copy(program, &copy).unwrap();
            let child = KillOnDrop(Command::new(&copy).spawn().unwrap());
            let pid = child.pid().to_string();
            let waits = || run(["stack", &pid]).stdout.contains("pause");
            wait_until("a process that waits", waits);
            let time = fs::metadata(&copy).unwrap().modified().unwrap();
            let later = time + Duration::from_secs(60);
            let later = later.duration_since(UNIX_EPOCH).unwrap().as_secs();
            let mut touch = Command::new("touch");
            let touched = touch.args(["-d", &format!("@{later}")]).arg(&copy).status();
            assert!(touched.is_ok_and(|status| status.success()));
            let text = run(["stack", &pid]).ok();
            assert!(text.contains("main+"), "{link} {build_id}: {text}");
        }
    }
}

/// Records a process. `during` is called when it is sampled.
fn record(process: &Process, during: impl FnOnce()) -> Result<(String, Ran), String> {
    let out = process.dir.path().join("out.folded");
    let mut command = backsight();
    command.args(["record", "-F", "499", "-p", &process.pid(), "--debug-dir"]);
    // Nothing else of the machine counts, such as perf's cache.
    command.env("HOME", process.dir.path());
    command
        .arg(process.dir.path())
        .arg("-o")
        .arg(&out)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command.spawn().map_err(|error| error.to_string())?;
    let files = format!("/proc/{}/fd", child.id());
    let is_open = |wanted: &str| {
        let files = fs::read_dir(&files).into_iter().flatten().flatten();
        let mut names = files.filter_map(|file| fs::read_link(file.path()).ok());
        names.any(|name| name.to_string_lossy().contains(wanted))
    };
    wait_until("events to sample", || {
        is_open("perf_event") || child.try_wait().is_ok_and(|ended| ended.is_some())
    });
    std::thread::sleep(Duration::from_millis(700));
    during();
    std::thread::sleep(Duration::from_millis(300));
    let pid = Pid::from_raw(i32::try_from(child.id()).unwrap());
    let _ = kill(pid, Signal::SIGTERM);
    let ran = Ran::from(
        child
            .wait_with_output()
            .map_err(|error| error.to_string())?,
    );
    let cannot = ["permission denied to sample", "no perf events"];
    match cannot.iter().any(|why| ran.stderr.contains(why)) {
        true => Err(ran.stderr),
        false => Ok((fs::read_to_string(out).unwrap_or_default(), ran)),
    }
}

#[test]
fn a_recorded_process_gets_no_names_of_what_was_written_over_its_file() {
    for build_id in ["none", "sha1"] {
        let builds = match Builds::new(build_id) {
            Ok(builds) => builds,
            Err(reason) => return skip(&reason),
        };
        for change in Change::ALL {
            for is_before in [true, false] {
                let what = format!("{build_id} {change:?} before: {is_before}");
                let mut process = Process::start(&builds, true);
                process.load();
                // By its build ID, the new library is at hand.
                builds.keep_new_one(process.dir.path());
                // What it calls once it cannot call later: the loader's table is overwritten, too.
                wait_until("a process that spins", || process.ticks() >= 10);
                let make = || process.change(change, &builds);
                if is_before {
                    make();
                }
                let recorded = record(&process, || {
                    if !is_before {
                        make();
                    }
                });
                let (folded, ran) = match recorded {
                    Ok(both) => both,
                    Err(reason) => return skip(&reason),
                };
                assert_eq!(ran.code, Some(0), "{ran:?}");
                let has = folded.contains("enter;") && folded.contains("spins");
                let is_named = change.is_of_the_mapped_file();
                assert_eq!(has, is_named, "{what}\n{folded}{ran:?}");
                assert!(!folded.contains("another_one"), "{what}\n{folded}");
                assert_eq!(
                    ran.stderr.contains("identity-unproven"),
                    !is_named,
                    "{what}\n{ran:?}"
                );
                let says = "written to while processes had them mapped";
                assert_eq!(ran.stderr.contains(says), !is_named, "{what}\n{ran:?}");
            }
        }
    }
}
