//! `record`: programs that no path of the recorder leads to: deleted, replaced, without a file
//! name, in another mount namespace or root, and the vDSO.

mod common;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use common::{Ran, backsight, wait_until};
use testkit::busy::busy;
use testkit::child::KillOnDrop;
use testkit::skip;
use testkit::tools::compile;
use testkit::user::is_root;

/// A directory that each user may write to, and the program to sample.
struct Place {
    dir: tempfile::TempDir,
    busy: PathBuf,
}

impl Place {
    fn new() -> Result<Self, String> {
        let busy = busy(true)?;
        let dir = tempfile::tempdir().map_err(|error| error.to_string())?;
        fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o777)).expect("ours");
        Ok(Self { dir, busy })
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn copy(&self, name: &str) -> PathBuf {
        let path = self.path(name);
        fs::copy(&self.busy, &path).expect("it is copied");
        path
    }

    /// Runs `record` with these arguments; `Err` if nothing can be sampled here.
    fn record(&self, user: Option<u32>, args: &[&str]) -> Result<Ran, String> {
        let mut command = backsight();
        command.current_dir(self.dir.path()).arg("record");
        command
            .args(["-F", "499", "--account", "always"])
            .args(args);
        if let Some(user) = user {
            command.uid(user).gid(user);
        }
        let ran = Ran::from(command.output().map_err(|error| error.to_string())?);
        let cannot = ["permission denied to sample", "no perf events"];
        match cannot.iter().any(|why| ran.stderr.contains(why)) {
            true => Err(ran.stderr),
            false => Ok(ran),
        }
    }

    /// Checks that nearly all samples of the program have its functions.
    fn is_named(&self, file: &str, ran: &Ran) {
        assert_eq!(ran.code, Some(0), "{ran:?}");
        let text = fs::read_to_string(self.path(file)).expect("it was written");
        let (mut named, mut all) = (0_u64, 0_u64);
        for line in text.lines() {
            let (stack, count) = line.rsplit_once(' ').expect("a value");
            let count: u64 = count.parse().expect("a number");
            all += count;
            let is_named = stack.contains(";hot") || stack.contains(";warm");
            named += if is_named { count } else { 0 };
        }
        assert!(all > 10 && named * 10 >= all * 6, "{text}\n{ran:?}");
        for reason in ["[deleted]", "[unreadable]", "[identity-unproven]"] {
            assert!(!text.contains(reason), "{text}\n{ran:?}");
        }
    }
}

/// Root, and an ordinary user; or who runs the tests.
fn users() -> Vec<Option<u32>> {
    match is_root() {
        true => vec![None, Some(65534)],
        false => vec![None],
    }
}

fn start(command: &mut Command, user: Option<u32>) -> KillOnDrop {
    command.stdin(Stdio::null()).stdout(Stdio::null());
    if let Some(user) = user {
        command.uid(user).gid(user);
    }
    KillOnDrop(command.spawn().expect("it starts"))
}

/// Waits until a process runs the program with this name; `false` if it ends instead.
fn runs(process: &mut KillOnDrop, name: &str) -> bool {
    let comm = format!("/proc/{}/comm", process.pid());
    let is_it = || fs::read(&comm).is_ok_and(|it| it.trim_ascii() == name.as_bytes());
    let mut has_ended = false;
    wait_until(name, || {
        has_ended = process.0.try_wait().is_ok_and(|ended| ended.is_some());
        has_ended || is_it()
    });
    !has_ended
}

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
                fs::copy("/bin/true", &program).unwrap();
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
    fs::copy(program, place.path("run")).unwrap();
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

/// The path of its records leads to another program of the recorder's root, or to none.
#[test]
fn a_program_in_another_root_has_names() {
    let place = match Place::new() {
        Ok(place) => place,
        Err(reason) => return skip(&reason),
    };
    let root = place.path("root");
    fs::create_dir(&root).unwrap();
    let needed = Command::new("ldd").arg(&place.busy).output();
    let Ok(needed) = needed else {
        return skip("no ldd");
    };
    let needed = String::from_utf8(needed.stdout).unwrap();
    for library in needed
        .split_whitespace()
        .filter(|word| word.starts_with('/'))
    {
        let to = root.join(library.trim_start_matches('/'));
        fs::create_dir_all(to.parent().unwrap()).unwrap();
        fs::copy(library, to).unwrap();
    }
    fs::create_dir_all(root.join("usr/bin")).unwrap();
    fs::copy(&place.busy, root.join("usr/bin/env")).unwrap();
    let root = root.to_str().unwrap();
    let tried = Command::new("unshare")
        .args(["-r", "chroot", root, "/usr/bin/env", "spin", "1"])
        .status();
    if !tried.is_ok_and(|it| it.success()) {
        return skip("no user namespaces");
    }
    let args = ["-o", "out.folded", "--", "unshare", "-r", "chroot", root];
    let args: Vec<&str> = args
        .into_iter()
        .chain(["/usr/bin/env", "spin", "1500"])
        .collect();
    match place.record(None, &args) {
        Ok(ran) => place.is_named("out.folded", &ran),
        Err(reason) => skip(&reason),
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
        let unnamed = if program.ends_with("32") { all / 20 } else { 0 };
        assert!(
            named > 10 && named + unnamed >= all,
            "{named} of {all}: {stacks}"
        );
        assert!(!ran.stderr.contains("vdso-no-symbols"), "{ran:?}");
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
