//! `record`: programs that no path of the recorder leads to: deleted, replaced, without a file
//! name, in another mount namespace or root, and the vDSO.

mod common;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use common::recorded_place::{Place, runs, start, users};
use common::{Ran, backsight};
use testkit::skip;
use testkit::tools::compile;

#[test]
fn a_program_that_was_deleted_or_replaced_has_names() {
    let place = match Place::new() {
        Ok(place) => place,
        Err(reason) => return skip(&reason),
    };
    for user in users() {
        for is_replaced in [false, true] {
            let program = place.copy("gone");
            let mut spins = start(Command::new(&program).args(["spin", "60000"]), user);
            let pid = spins.0.id().to_string();
            assert!(runs(&mut spins, "gone"));
            fs::remove_file(&program).unwrap();
            if is_replaced {
                testkit::copy("/bin/true", &program).unwrap();
            }
            let ran = place.record(user, &["-p", &pid, "-d", "0.5", "-o", "out.folded"]);
            match ran {
                Ok(ran) => place.is_named("out.folded", &ran),
                Err(reason) => return skip(&reason),
            }
            let _ = fs::remove_file(&program);
            fs::remove_file(place.path("out.folded")).unwrap();
        }
    }
}

/// The shell deletes it while it is recorded; at the end, neither process is there.
#[test]
fn a_program_that_is_deleted_while_it_is_recorded_has_names() {
    let place = match Place::new() {
        Ok(place) => place,
        Err(reason) => return skip(&reason),
    };
    for user in users() {
        let program = place.copy("goes");
        // It is found by its path no more once it has run for a second.
        let script = "./goes spin 2000 & sleep 1; rm goes; wait";
        let ran = place.record(user, &["-o", "out.folded", "--", "sh", "-c", script]);
        match ran {
            Ok(ran) => place.is_named("out.folded", &ran),
            Err(reason) => return skip(&reason),
        }
        assert!(!program.exists());
        fs::remove_file(place.path("out.folded")).unwrap();
    }
}

#[test]
fn a_program_without_a_file_name_has_names() {
    const SOURCE: &str = r#"
#define _GNU_SOURCE
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>
int main(int count, char **args) {
    extern char **environ;
    char bytes[65536];
    int from = open(args[1], O_RDONLY), to = memfd_create("nameless", 0);
    for (ssize_t n; (n = read(from, bytes, sizeof bytes)) > 0;)
        if (write(to, bytes, n) != n) return 3;
    return fexecve(to, args + 1, environ), 4;
}
"#;
    let place = match Place::new() {
        Ok(place) => place,
        Err(reason) => return skip(&reason),
    };
    let program = match compile("run-nameless", SOURCE, &[]) {
        Ok(program) => program,
        Err(reason) => return skip(&reason),
    };
    testkit::copy(program, place.path("run")).unwrap();
    place.copy("busy");
    let args = ["-o", "out.folded", "--", "./run", "busy", "spin", "1000"];
    for user in users() {
        match place.record(user, &args) {
            Ok(ran) => place.is_named("out.folded", &ran),
            Err(reason) => return skip(&reason),
        }
        fs::remove_file(place.path("out.folded")).unwrap();
    }
}

/// Its program is on a filesystem that only its mount namespace has.
#[test]
fn a_program_in_another_mount_namespace_has_names() {
    let place = match Place::new() {
        Ok(place) => place,
        Err(reason) => return skip(&reason),
    };
    place.copy("busy");
    fs::create_dir(place.path("mnt")).unwrap();
    let script = "mount -t tmpfs none mnt && cp busy mnt/inside && exec mnt/inside spin $0";
    let unshare = |spin: &str| {
        let mut command = Command::new("unshare");
        command.args(["-rm", "sh", "-c", script, spin]);
        command.current_dir(place.dir.path());
        command
    };
    let mut lives = start(&mut unshare("60000"), None);
    if !runs(&mut lives, "inside") {
        return skip("no mount namespaces of users");
    }
    let pid = lives.0.id().to_string();
    match place.record(None, &["-p", &pid, "-d", "0.5", "-o", "out.folded"]) {
        Ok(ran) => place.is_named("out.folded", &ran),
        Err(reason) => return skip(&reason),
    }
    // At the end of this one, the filesystem is gone.
    let args = [
        "-o",
        "ended.folded",
        "--",
        "unshare",
        "-rm",
        "sh",
        "-c",
        script,
        "3000",
    ];
    let ran = place.record(None, &args).unwrap();
    place.is_named("ended.folded", &ran);
}

/// Makes a directory that a process can have as its root: the program is its `/usr/bin/env`.
fn root_with(place: &Place, name: &str) -> Result<PathBuf, String> {
    let root = place.path(name);
    fs::create_dir(&root).unwrap();
    let needed = Command::new("ldd").arg(&place.busy).output();
    let needed = needed.map_err(|error| format!("no ldd: {error}"))?;
    let needed = String::from_utf8(needed.stdout).unwrap();
    for library in needed
        .split_whitespace()
        .filter(|word| word.starts_with('/'))
    {
        let to = root.join(library.trim_start_matches('/'));
        fs::create_dir_all(to.parent().unwrap()).unwrap();
        testkit::copy(library, to).unwrap();
    }
    fs::create_dir_all(root.join("usr/bin")).unwrap();
    testkit::copy(&place.busy, root.join("usr/bin/env")).unwrap();
    let tried = Command::new("unshare")
        .args(["-r", "chroot"])
        .arg(&root)
        .args(["/usr/bin/env", "spin", "1"])
        .status();
    match tried.is_ok_and(|it| it.success()) {
        true => Ok(root),
        false => Err("no user namespaces".to_owned()),
    }
}

/// Records a program in another root from its start to its end.
fn record_in_root(place: &Place, root: &Path) -> Result<Ran, String> {
    let root = root.to_str().unwrap();
    let args = ["-o", "out.folded", "--", "unshare", "-r", "chroot", root];
    let args = args.into_iter().chain(["/usr/bin/env", "spin", "1500"]);
    place.record(None, &args.collect::<Vec<_>>())
}

/// The path of its records leads to another program of the recorder's root, or to none.
#[test]
fn a_program_in_another_root_has_names() {
    let place = match Place::new() {
        Ok(place) => place,
        Err(reason) => return skip(&reason),
    };
    let ran = root_with(&place, "root").and_then(|root| record_in_root(&place, &root));
    match ran {
        Ok(ran) => place.is_named("out.folded", &ran),
        Err(reason) => skip(&reason),
    }
}

/// The host has no debug file of it.
#[test]
fn a_stripped_program_in_another_root_has_the_names_of_its_debug_file() {
    let place = match Place::new() {
        Ok(place) => place,
        Err(reason) => return skip(&reason),
    };
    let root = match root_with(&place, "root") {
        Ok(root) => root,
        Err(reason) => return skip(&reason),
    };
    let program = root.join("usr/bin/env");
    let Some(Some(id)) = testkit::tools::readelf_build_id(&program) else {
        return skip("no readelf, or no build ID");
    };
    let debug = place.path("env.debug");
    let tool = |name: &str, args: &[&std::ffi::OsStr]| {
        let ran = Command::new(name).args(args).status();
        ran.is_ok_and(|status| status.success())
    };
    let (only, link) = (
        "--only-keep-debug".as_ref(),
        "--add-gnu-debuglink=env.debug",
    );
    if !tool("objcopy", &[only, program.as_ref(), debug.as_ref()])
        || !tool("strip", &[program.as_ref()])
    {
        return skip("no objcopy");
    }
    let (first, rest) = id.split_at(2);
    let by_id = format!("usr/lib/debug/.build-id/{first}/{rest}.debug");
    for at in [&*by_id, "usr/bin/.debug/env.debug"] {
        let at = root.join(at);
        fs::create_dir_all(at.parent().unwrap()).unwrap();
        if at.ends_with("env.debug") {
            let mut linked = Command::new("objcopy");
            let linked = linked.arg(link).arg(&program).current_dir(place.dir.path());
            assert!(linked.status().unwrap().success());
        }
        testkit::copy(&debug, &at).unwrap();
        match record_in_root(&place, &root) {
            Ok(ran) => place.is_named("out.folded", &ran),
            Err(reason) => return skip(&reason),
        }
        fs::remove_file(&at).unwrap();
    }
}

/// Asks for the time, again and again.
const CLOCK: &str = r#"
#include <stdlib.h>
#include <time.h>
int main(int count, char **args) {
    struct timespec time;
    for (long i = 0; i < 1000 || clock() < atol(args[1]) * (CLOCKS_PER_SEC / 1000); i++)
        for (int j = 0; j < 10000; j++) clock_gettime(CLOCK_REALTIME, &time);
    return 0;
}
"#;

/// Returns the samples that end in `clock_gettime` of the vDSO, and all that do in the vDSO.
fn of_the_vdso(stacks: &str) -> (u64, u64) {
    let (mut named, mut all) = (0, 0);
    for line in stacks.lines() {
        let (stack, count) = line.rsplit_once(' ').expect("a value");
        let leaf = stack.rsplit(';').next().expect("a frame");
        let count: u64 = count.parse().expect("a number");
        let is_named = [
            "clock_gettime",
            "__vdso_clock_gettime",
            "__vdso_clock_gettime64",
        ]
        .contains(&leaf);
        named += if is_named { count } else { 0 };
        all += if is_named || leaf.contains("vdso") {
            count
        } else {
            0
        };
    }
    (named, all)
}

#[test]
fn the_vdso_has_names_here_and_where_a_recording_is_converted() {
    let place = match Place::new() {
        Ok(place) => place,
        Err(reason) => return skip(&reason),
    };
    let mut programs = Vec::new();
    for (name, args) in [("clock-64", &["-O1"][..]), ("clock-32", &["-O1", "-m32"])] {
        match compile(name, CLOCK, args) {
            Ok(program) => programs.push(program),
            Err(reason) => skip(&reason),
        }
    }
    for program in &programs {
        let program = program.to_str().unwrap();
        let ran = match place.record(None, &["-o", "out.folded", "--", program, "1500"]) {
            Ok(ran) => ran,
            Err(reason) => return skip(&reason),
        };
        assert_eq!(ran.code, Some(0), "{ran:?}");
        let stacks = fs::read_to_string(place.path("out.folded")).unwrap();
        let (named, all) = of_the_vdso(&stacks);
        // In the image of 32 bits, the function that reads the instruction pointer has no
        // symbol (`readelf --dyn-syms`).
        let is_32_bit = program.contains("clock-32");
        let unnamed = if is_32_bit { all / 20 } else { 0 };
        assert!(
            named > 10 && named + unnamed >= all,
            "{named} of {all}: {stacks}"
        );
        let has_unnamed = ran.stderr.contains("vdso-no-symbols");
        assert!(is_32_bit || !has_unnamed, "{ran:?}");
    }
    let program = programs.first().and_then(|it| it.to_str()).unwrap_or("");
    for file in ["out.ndjson", "out.pb.gz"] {
        let args = ["--normalize-only", "-o", file, "--", program, "500"];
        let ran = place.record(None, &args).unwrap();
        assert_eq!(ran.code, Some(0), "{ran:?}");
        let (named, all) = of_the_vdso(&convert(&place.path(file)));
        assert!(named > 10 && named == all, "{file}: {named} of {all}");
    }
}

fn convert(input: &Path) -> String {
    let mut command = backsight();
    command.arg("convert").arg("-i").arg(input);
    command.args(["-o", "-", "--to", "folded", "--sample-type", "samples"]);
    let ran = Ran::from(command.output().unwrap());
    assert_eq!(ran.code, Some(0), "{ran:?}");
    ran.stdout
}

/// A recording of perf lists the build ID of the vDSO or of the kernel, or neither.
#[test]
fn the_vdso_of_a_recording_of_perf_has_names_if_it_is_proven() {
    let program = match compile("clock-64", CLOCK, &["-O1"]) {
        Ok(program) => program,
        Err(reason) => return skip(&reason),
    };
    let program = program.to_str().unwrap();
    for (args, is_proven) in [
        (&["-e", "cpu-clock"][..], true),
        (&["-e", "cpu-clock", "--buildid-mmap"], true),
        (&["-e", "cpu-clock:u", "-N", "-B"], false),
    ] {
        let recording = match testkit::perf::record(args, &[program, "500"]) {
            Ok(recording) => recording,
            Err(reason) => return skip(&reason),
        };
        let mut command = backsight();
        command.arg("convert").arg("-i").arg(&recording.data);
        command.args(["-o", "-", "--to", "folded", "--account", "always"]);
        command.args(["--sample-type", "samples"]);
        let ran = Ran::from(command.output().unwrap());
        let (named, all) = of_the_vdso(&ran.stdout);
        assert!(all > 10, "{args:?}: {ran:?}");
        assert_eq!(named, if is_proven { all } else { 0 }, "{args:?}: {ran:?}");
        let advice = "before it is restarted with another kernel";
        assert_eq!(ran.stderr.contains(advice), !is_proven, "{args:?}: {ran:?}");
        assert!(!ran.stderr.contains("debug package"), "{args:?}: {ran:?}");
    }
}
