//! Code that is made in shared memory, which the kernel calls files that nobody can open, or in a
//! file without a name: live,
//! recorded here and recorded by `perf`, it has the name that its process tells.

mod common;

use std::fs;
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use common::{Ran, backsight, json, of_type, run};
use testkit::child::KillOnDrop;
use testkit::skip;
use testkit::tools::compile;

/// Runs code that it made in memory of one kind, and tells its name. Prints where it is.
const SOURCE: &str = r#"
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/shm.h>
#include <time.h>
#include <unistd.h>

/* 1: dec rdi; jnz 1b; ret */
static const unsigned char code[] = { 0x48, 0xff, 0xcf, 0x75, 0xfb, 0xc3 };

static void *room(const char *kind) {
    int all = PROT_READ | PROT_WRITE | PROT_EXEC;
    if (!strcmp(kind, "private"))
        return mmap(0, 4096, all, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (!strcmp(kind, "shared"))
        return mmap(0, 4096, all, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    int is_nameless = !strcmp(kind, "nameless"), is_unlinked = !strcmp(kind, "unlinked");
    if (!strcmp(kind, "memfd") || is_nameless || is_unlinked) {
        char path[] = "./made-XXXXXX";
        int file = is_nameless ? open(".", O_TMPFILE | O_RDWR, 0600)
            : is_unlinked ? mkstemp(path) : memfd_create("doublemapper", 0);
        if (is_unlinked) unlink(path);
        if (file < 0 || ftruncate(file, 4096)) return MAP_FAILED;
        char *writable = mmap(0, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
        memcpy(writable, code, sizeof code);
        return mmap(0, 4096, PROT_READ | PROT_EXEC, MAP_SHARED, file, 0);
    }
    int segment = shmget(IPC_PRIVATE, 4096, IPC_CREAT | 0700);
    if (segment < 0) return MAP_FAILED;
    void *at = shmat(segment, 0, SHM_EXEC);
    shmctl(segment, IPC_RMID, 0);
    return at;
}

int main(int count, char **words) {
    void *at = room(words[1]);
    if (at == MAP_FAILED) return 3;
    const char *filled[] = { "private", "shared", "sysv" };
    for (int i = 0; i < 3; i++) if (!strcmp(words[1], filled[i])) memcpy(at, code, sizeof code);
    char path[64];
    snprintf(path, sizeof path, "/tmp/perf-%d.map", (int)getpid());
    FILE *list = fopen(path, "w");
    if (!list) return 4;
    fprintf(list, "%lx 40 made_in_%s\n", (unsigned long)at, words[1]);
    fclose(list);
    printf("%lx\n", (unsigned long)at);
    fflush(stdout);
    while (clock() < CLOCKS_PER_SEC * 120) ((void (*)(unsigned long))at)(1000000);
    return 0;
}
"#;

/// Takes the list away, whatever became of the test.
struct Removed(String);

impl Drop for Removed {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

#[test]
fn code_in_shared_memory_has_its_name_by_every_way() {
    if !cfg!(target_arch = "x86_64") {
        return skip("the code is of x86-64");
    }
    let program = match compile("made-shared", SOURCE, &["-O1"]) {
        Ok(program) => program,
        Err(reason) => return skip(&reason),
    };
    let dir = tempfile::tempdir().expect("a directory");
    for kind in ["private", "shared", "memfd", "sysv", "nameless", "unlinked"] {
        let mut command = Command::new(&program);
        let mut process = KillOnDrop(
            command
                .arg(kind)
                .current_dir(dir.path())
                .stdout(Stdio::piped())
                .spawn()
                .expect("runs"),
        );
        let pid = process.pid();
        let _list = Removed(format!("/tmp/perf-{pid}.map"));
        let mut line = String::new();
        let mut out = BufReader::new(process.0.stdout.take().expect("a pipe"));
        out.read_line(&mut line).expect("a line");
        let Ok(addr) = u64::from_str_radix(line.trim(), 16) else {
            skip(&format!("no {kind} memory for code"));
            continue;
        };
        let (addr, pid) = (format!("{:#x}", addr + 3), pid.to_string());
        let name = format!("made_in_{kind}");

        for command in ["symbolize", "normalize"] {
            let ran = run([command, "-p", &pid, "--format", "json", &addr]);
            let answer = of_type(&json(&ran.stdout), "address")[0].clone();
            assert_eq!(answer["frames"][0]["function"], name, "{command}: {ran:?}");
        }
        let mut record = backsight();
        record
            .current_dir(dir.path())
            .args(["record", "-F", "499", "-p", &pid]);
        record.args(["-d", "0.5", "-o", "out.folded"]);
        let ran = Ran::from(record.output().expect("it runs"));
        let cannot = ["permission denied to sample", "no perf events"];
        if cannot.iter().any(|why| ran.stderr.contains(why)) {
            skip(&ran.stderr);
        } else {
            let stacks = fs::read_to_string(dir.path().join("out.folded")).expect("written");
            assert!(stacks.contains(&name), "record: {stacks} {ran:?}");
            assert!(!stacks.contains("[anonymous]"), "record: {stacks} {ran:?}");
            fs::remove_file(dir.path().join("out.folded")).expect("ours");
        }
        let data = dir.path().join("perf.data");
        let mut perf = Command::new("perf");
        perf.args(["record", "-q", "-e", "cpu-clock:u", "-p", &pid, "-o"]);
        perf.arg(&data).args(["--", "sleep", "0.5"]);
        match perf.output() {
            Ok(done) if done.status.success() => {}
            done => {
                skip(&format!("perf record: {done:?}"));
                continue;
            }
        }
        let ran = run([
            "convert",
            data.to_str().expect("text"),
            "-",
            "--to",
            "folded",
        ]);
        assert!(ran.stdout.contains(&name), "convert of {kind}: {ran:?}");
    }
}
