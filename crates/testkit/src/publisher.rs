//! A program that publishes a context of itself, as OpenTelemetry's libraries do, or a hostile one.

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Command, Stdio};

use crate::child::KillOnDrop;
use crate::tools;

/// Its source code: `publisher KIND CASE`. It prints the address of the mapping, and then runs
/// until it is killed.
const SOURCE: &str = r#"
#define _GNU_SOURCE
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

#ifndef PR_SET_VMA
#define PR_SET_VMA 0x53564d41
#define PR_SET_VMA_ANON_NAME 0
#endif

struct header {
    char signature[8];
    uint32_t version, size;
    uint64_t published, payload;
};

volatile uint64_t sink;
static char payload[512];
static unsigned used;

static void put(const void *bytes, unsigned count) {
    memcpy(payload + used, bytes, count);
    used += count;
}

/* One attribute of a Resource, as field 1: name and text. */
static void attribute(const char *name, const char *value) {
    unsigned n = strlen(name), v = strlen(value);
    unsigned char head[] = { 0x0a, n + v + 6, 0x0a, n };
    unsigned char between[] = { 0x12, v + 2, 0x0a, v };
    put(head, 4);
    put(name, n);
    put(between, 4);
    put(value, v);
}

int main(int count, char **words) {
    if (count < 3) return 2;
#define is_case(name) (!strcmp(words[2], name))
    void *at;
    if (!strcmp(words[1], "memfd")) {
        int fd = memfd_create("OTEL_CTX", 0);
        if (fd < 0 || ftruncate(fd, 4096)) return 3;
        at = mmap(0, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
        close(fd);
    } else {
        int shared = !strcmp(words[1], "shared") ? MAP_SHARED : MAP_PRIVATE;
        at = mmap(0, 4096, PROT_READ | PROT_WRITE, shared | MAP_ANONYMOUS, -1, 0);
    }
    if (at == MAP_FAILED) return 3;
    attribute("service.name", "shop");
    attribute("service.instance.id", "42-a");
    if (is_case("malformed")) memset(payload, 0xff, used);
    struct header *header = at;
    header->version = is_case("version") ? 1 : 2;
    header->size = is_case("size") ? 0xffffffff : used;
    header->published = is_case("changing") ? 0 : 1234;
    header->payload = is_case("outside") ? 0xfffffffffffff000 : (uint64_t)payload;
    if (!is_case("unsigned")) memcpy(header->signature, "OTEL_CTX", 8);
    int named = !prctl(PR_SET_VMA, PR_SET_VMA_ANON_NAME, at, 4096, "OTEL_CTX");
    /* Kernels without CONFIG_ANON_VMA_NAME. */
    printf("%s %lx\n", named || !strcmp(words[1], "memfd") ? "named" : "nameless", (unsigned long)at);
    fflush(stdout);
    for (;;) for (int i = 0; i < 20000; i++) sink = sink * 31 + i;
}
"#;

/// A running program.
#[derive(Debug)]
pub struct Publisher {
    /// Its process.
    pub process: KillOnDrop,
    /// The address of its mapping.
    pub at: u64,
}

/// Compiles the program.
///
/// # Errors
/// If there is no C compiler.
pub fn program() -> Result<PathBuf, String> {
    tools::compile(
        "publisher",
        SOURCE,
        &["-O1", "-g", "-fno-omit-frame-pointer"],
    )
}

/// Starts the program, and waits until it has published: with a mapping of a `kind` (`memfd`,
/// `private`, `shared`), and what `case` says (`right`, `size`, `outside`, `version`, `changing`,
/// `malformed`, `unsigned`). `Ok(None)` if this kernel gives such memory no name.
///
/// # Errors
/// If there is no C compiler, or the program fails.
pub fn start(kind: &str, case: &str) -> Result<Option<Publisher>, String> {
    let mut command = Command::new(program()?);
    let command = command.args([kind, case]).stdout(Stdio::piped());
    let mut process = KillOnDrop(command.spawn().map_err(|why| why.to_string())?);
    let out = process.0.stdout.take().ok_or("no output")?;
    let mut line = String::new();
    let read = BufReader::new(out).read_line(&mut line);
    read.map_err(|why| why.to_string())?;
    let (named, at) = line.trim().split_once(' ').ok_or("it printed nothing")?;
    let at = u64::from_str_radix(at, 16).map_err(|why| why.to_string())?;
    Ok((named == "named").then_some(Publisher { process, at }))
}
