//! The process or kernel of an address is determined by the processor mode and the markers in
//! the chain, never by the address itself; and inside `execve`, it is the old program.
//!
//! The recordings are handwritten in both byte orders, as a file and as a pipe, and `perf
//! script` reads the same bytes.

mod common;

use common::{json, of_type, run};
use testkit::perf;
use testkit::perf_file::{Event, KERNEL, PerfFile, USER, sample};
use testkit::skip;
use testkit::tools::tool;

const ID: u64 = 7;
const COMM_EXEC: u16 = 1 << 13;

/// `PERF_CONTEXT_*`.
const IN_KERNEL: u64 = (-128_i64).cast_unsigned();
const IN_USER: u64 = (-512_i64).cast_unsigned();
const IN_HYPERVISOR: u64 = (-32_i64).cast_unsigned();
const IN_GUEST_KERNEL: u64 = (-2176_i64).cast_unsigned();
const IN_GUEST_USER: u64 = (-2560_i64).cast_unsigned();

struct Written {
    file: PerfFile,
    time: u64,
}

impl Written {
    fn new(big: bool) -> Self {
        let event = Event {
            name: "cpu-clock",
            kind: 1,
            period: 1,
            sample_type: sample::IDENTIFIER
                | sample::IP
                | sample::TID
                | sample::TIME
                | sample::CALLCHAIN,
            ids: vec![ID],
            ..Event::default()
        };
        Self {
            file: PerfFile::new(big, &[event]),
            time: 100,
        }
    }

    fn kernel(&mut self, start: u64, size: u64, name: &str) -> &mut Self {
        let offset = if name.ends_with("_text") { start } else { 0 };
        self.file.record(1, KERNEL, |at| {
            at.u32(u32::MAX).u32(u32::MAX).words(&[start, size, offset]);
            at.text(name).trailer(u32::MAX, u32::MAX, 0, ID);
        });
        self
    }

    fn map(&mut self, pid: u32, start: u64, path: &str) -> &mut Self {
        self.time += 1;
        let time = self.time;
        self.file.record(1, USER, |at| {
            at.u32(pid).u32(pid).words(&[start, 0x4000, 0]).text(path);
            at.trailer(pid, pid, time, ID);
        });
        self
    }

    fn comm(&mut self, pid: u32, misc: u16, name: &str) -> &mut Self {
        self.time += 1;
        let time = self.time;
        self.file.record(3, misc, |at| {
            at.u32(pid).u32(pid).text(name).trailer(pid, pid, time, ID);
        });
        self
    }

    fn exit(&mut self, pid: u32) -> &mut Self {
        self.time += 1;
        let time = self.time;
        self.file.record(4, 0, |at| {
            at.u32(pid).u32(1).u32(pid).u32(1).u64(time);
            at.trailer(pid, pid, time, ID);
        });
        self
    }

    fn sample(&mut self, pid: u32, mode: u16, pc: u64, chain: &[u64]) -> &mut Self {
        self.time += 1;
        let time = self.time;
        self.file.record(9, mode, |at| {
            at.words(&[ID, pc]).u32(pid).u32(pid).u64(time);
            at.u64(chain.len() as u64).words(chain);
        });
        self
    }
}

/// Converts the recording of `write` in both byte orders and both forms; all must give the same
/// result, which is returned: the locations of each sample, innermost first.
fn places(write: impl Fn(&mut Written)) -> Vec<Vec<String>> {
    let dir = tempfile::tempdir().unwrap();
    let mut all = Vec::new();
    for big in [false, true] {
        let mut written = Written::new(big);
        write(&mut written);
        for bytes in [written.file.file(), written.file.pipe()] {
            let [data, out] = ["perf.data", "out.ndjson"].map(|name| dir.path().join(name));
            std::fs::write(&data, bytes).unwrap();
            let [from, to] = [&data, &out].map(|path| path.to_str().unwrap());
            assert_eq!(run(["convert", "-i", from, "-o", to]).code, Some(0));
            let lines = json(&std::fs::read_to_string(out).unwrap());
            let (modules, places) = (of_type(&lines, "module"), of_type(&lines, "address"));
            let place = |index: &serde_json::Value| {
                let place = &places[index.as_u64().unwrap() as usize];
                match place["module"].as_u64() {
                    Some(module) => format!(
                        "{}+{}",
                        modules[module as usize]["path"].as_str().unwrap(),
                        place["file_offset"].as_str().unwrap()
                    ),
                    None => format!("[{}]", place["reason"].as_str().unwrap()),
                }
            };
            let samples = of_type(&lines, "sample");
            let stacks = samples.iter().map(|sample| {
                let stack = sample["stack"].as_array().unwrap();
                stack.iter().map(place).collect::<Vec<_>>()
            });
            all.push(stacks.collect::<Vec<_>>());
        }
    }
    assert!(all.windows(2).all(|two| two[0] == two[1]), "{all:#?}");
    all.swap_remove(0)
}

/// Returns the module of each frame according to `perf script` on the same bytes.
fn of_perf(write: impl Fn(&mut Written)) -> Option<Vec<Vec<String>>> {
    if tool("perf").is_none() {
        skip("no perf");
        return None;
    }
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("perf.data");
    let mut written = Written::new(false);
    write(&mut written);
    std::fs::write(&data, written.file.file()).unwrap();
    let text = perf::script(&data, &["-F", "pid,ip,dso"]);
    let mut stacks: Vec<Vec<String>> = Vec::new();
    for line in text.lines().filter(|line| !line.trim().is_empty()) {
        match line.rsplit_once('(') {
            Some((_, module)) => {
                let module = module.trim_end_matches(')').to_owned();
                stacks.last_mut().unwrap().push(module);
            }
            None => stacks.push(Vec::new()),
        }
    }
    Some(stacks)
}

fn modules(stacks: &[Vec<String>]) -> Vec<Vec<&str>> {
    let name = |place| str::split(place, '+').next().unwrap_or_default();
    stacks
        .iter()
        .map(|stack| stack.iter().map(|place| name(place.as_str())).collect())
        .collect()
}

/// A 32-bit kernel at 0xc0008000 with a module below it, and a program that has mapped code from
/// 0 on, where the kernel is on s390x.
fn low_kernel(written: &mut Written) {
    written
        .kernel(0xc000_8000, 0x80_0000, "[kernel.kallsyms]_text")
        .kernel(0xbf00_0000, 0x1_0000, "[disk]")
        .comm(5, 0, "prog")
        .map(5, 0x1_0000, "/bin/prog")
        .map(5, 0xc001_0000, "/lib/libhigh.so");
    let chain = [
        IN_KERNEL,
        0xc001_0123,
        0xbf00_0040,
        IN_USER,
        0x1_0123,
        0xc001_1010,
    ];
    written.sample(5, KERNEL, 0xc001_0123, &chain);
    // The same addresses, all of the process.
    written.sample(
        5,
        USER,
        0xc001_0123,
        &[IN_USER, 0xc001_0123, 0x1_0123, 0xbf00_0040],
    );
}

#[test]
fn kernels_of_any_addresses_are_told_by_mode_and_markers() {
    let found = places(low_kernel);
    let (kernel, high) = ("[kernel.kallsyms]+0x8123", "/lib/libhigh.so+0x123");
    let (disk, prog) = ("[disk]+0x40", "/bin/prog+0x123");
    assert_eq!(
        found,
        [
            vec![kernel, disk, prog, "/lib/libhigh.so+0x1010"],
            vec![high, prog, "[unmapped]"]
        ]
    );
    let Some(theirs) = of_perf(low_kernel) else {
        return;
    };
    let ours = modules(&found);
    assert_eq!(ours.len(), theirs.len());
    for (ours, theirs) in ours.iter().zip(&theirs) {
        let ours: Vec<_> = ours
            .iter()
            .map(|it| it.replace("[unmapped]", "[unknown]"))
            .collect();
        assert_eq!(&ours, theirs);
    }
}

#[test]
fn a_kernel_in_the_range_of_processes_is_told_by_mode_and_markers() {
    // As on s390x: the kernel from 1 MiB on, and a program at the same addresses.
    let write = |written: &mut Written| {
        written
            .kernel(0x10_0000, 0xf0_0000, "[kernel.kallsyms]_text")
            .comm(5, 0, "prog")
            .map(5, 0x10_0000, "/bin/prog");
        let chain = [
            IN_KERNEL, 0x10_0010, 0x10_0020, IN_USER, 0x10_0010, 0x10_0020,
        ];
        written.sample(5, KERNEL, 0x10_0010, &chain);
        // The location of an unmapped kernel address is unknown.
        written.sample(5, KERNEL, 0xfff_0000, &[IN_KERNEL, 0x8000_0000_0000]);
    };
    let (kernel, prog) = ("[kernel.kallsyms]", "/bin/prog");
    let at = |name: &str, offset: u64| format!("{name}+{offset:#x}");
    let found = places(write);
    let first = [
        at(kernel, 0x10),
        at(kernel, 0x20),
        at(prog, 0x10),
        at(prog, 0x20),
    ];
    assert_eq!(found[0], first);
    assert_eq!(found[1], ["[kernel]"]);
    if let Some(theirs) = of_perf(write) {
        assert_eq!(modules(&found)[0], theirs[0]);
    }
}

#[test]
fn guests_and_hypervisors_are_said() {
    const GUEST_KERNEL: u16 = 4;
    const GUEST_USER: u16 = 5;
    const HYPERVISOR: u16 = 3;
    let write = |written: &mut Written| {
        written
            .kernel(0xffff_ffff_8100_0000, 0x80_0000, "[kernel.kallsyms]_text")
            .comm(5, 0, "qemu")
            .map(5, 0x40_0000, "/bin/qemu")
            .sample(5, GUEST_KERNEL, 0xffff_ffff_8100_0010, &[])
            .sample(5, GUEST_USER, 0x40_0010, &[])
            .sample(5, HYPERVISOR, 0x40_0010, &[]);
        let chain = [
            IN_HYPERVISOR,
            0x40_0010,
            IN_GUEST_KERNEL,
            0x40_0010,
            IN_GUEST_USER,
            0x40_0010,
            IN_USER,
            0x40_0010,
        ];
        written.sample(5, HYPERVISOR, 0x40_0010, &chain);
    };
    let found = places(write);
    let (kernel, user, below) = ("[guest-kernel]", "[guest-user]", "[hypervisor]");
    let alone = [[kernel], [user], [below]];
    assert_eq!(found[..3], alone.map(|one| one.map(str::to_owned).to_vec()));
    assert_eq!(found[3], [below, kernel, user, "/bin/qemu+0x10"]);
    if let Some(theirs) = of_perf(write) {
        // perf does not resolve these in the host either.
        let host = ["/bin/qemu", "[kernel.kallsyms]"];
        let named = theirs.iter().take(3).flatten();
        assert!(
            named.clone().all(|it| !host.contains(&it.as_str())),
            "{theirs:?}"
        );
    }
}

#[test]
fn a_process_within_execve_is_in_the_program_before() {
    let inside = |at| [IN_KERNEL, 0xffff_ffff_8100_0010, IN_USER, at];
    let write = |written: &mut Written| {
        written
            .kernel(0xffff_ffff_8100_0000, 0x80_0000, "[kernel.kallsyms]_text")
            .comm(5, 0, "shell")
            .map(5, 0x40_0000, "/bin/prog")
            .map(5, 0x7f00_0000, "/lib/libc.so");
        written.sample(5, KERNEL, 0xffff_ffff_8100_0010, &inside(0x40_1000));
        written.comm(5, COMM_EXEC, "new");
        // Before and after the first mapping, the registers are those of the old program.
        written.sample(5, KERNEL, 0xffff_ffff_8100_0010, &inside(0x40_1000));
        written.map(5, 0x40_0000, "/bin/new");
        written.map(5, 0x7e00_0000, "/lib/ld.so");
        written.sample(5, KERNEL, 0xffff_ffff_8100_0010, &inside(0x40_1000));
        // A page fault of the new program's first instruction: the user address has changed.
        written.sample(5, KERNEL, 0xffff_ffff_8100_0010, &inside(0x7e00_0020));
        written.sample(5, KERNEL, 0xffff_ffff_8100_0010, &inside(0x40_1000));
        // After a sample in user mode, nothing of the old program is left.
        written.comm(5, COMM_EXEC, "next");
        written.map(5, 0x40_0000, "/bin/next");
        written.sample(5, KERNEL, 0xffff_ffff_8100_0010, &inside(0x40_1000));
        written.sample(5, USER, 0x40_1000, &[IN_USER, 0x40_1000]);
        written.sample(5, KERNEL, 0xffff_ffff_8100_0010, &inside(0x40_1000));
        written.sample(5, KERNEL, 0xffff_ffff_8100_0010, &inside(0x7e00_0020));
        // Nor after it has loaded libraries itself.
        written.comm(5, COMM_EXEC, "third");
        for (at, file) in [(0x40_0000, "/bin/third"), (0x7d00_0000, "/lib/ld.so")] {
            written.map(5, at, file);
        }
        written.sample(5, KERNEL, 0xffff_ffff_8100_0010, &inside(0x40_1000));
        written.map(5, 0x7c00_0000, "/lib/libc.so");
        written.sample(5, KERNEL, 0xffff_ffff_8100_0010, &inside(0x40_1000));
        // Two programs in succession, and an exit during the second `execve`.
        written.comm(5, COMM_EXEC, "fourth");
        written.comm(5, COMM_EXEC, "last");
        written.sample(5, KERNEL, 0xffff_ffff_8100_0010, &inside(0x40_1000));
        written.exit(5);
        written.sample(5, KERNEL, 0xffff_ffff_8100_0010, &inside(0x40_1000));
    };
    let found = places(write);
    let user: Vec<&str> = found
        .iter()
        .map(|stack| stack.last().unwrap().as_str())
        .collect();
    let at = |name: &str, offset: u64| format!("{name}+{offset:#x}");
    let [old, new, next, third] = ["/bin/prog", "/bin/new", "/bin/next", "/bin/third"];
    assert_eq!(
        user,
        [
            at(old, 0x1000),
            at(old, 0x1000),
            at(old, 0x1000),
            at("/lib/ld.so", 0x20),
            at(new, 0x1000),
            at(new, 0x1000),
            at(next, 0x1000),
            at(next, 0x1000),
            "[unmapped]".to_owned(),
            at(next, 0x1000),
            at(third, 0x1000),
            "[unmapped]".to_owned(),
            "[unmapped]".to_owned(),
        ]
    );
}
