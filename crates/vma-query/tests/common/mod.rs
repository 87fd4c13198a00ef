//! Functions that the tests of this crate share.

#![allow(dead_code, reason = "each test file uses a part of it")]

use std::fs::File;
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::Path;
use std::process::Command;

use nix::fcntl::{OFlag, openat};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::sys::stat::{Mode, mkdirat};
use testkit::kernel::Ioctl;
use testkit::maps::Line;
use vma_query::{AbsAddr, Backend, Filter, NameBuf, OpenOptions, ProcMaps, Query, Result, Vma};

/// A query for the first VMA, which every process has.
pub(crate) const FIRST: Query = Query::covering_or_next(AbsAddr(0));

/// Returns whether the ioctl works here. Every test passes either way.
pub(crate) fn ioctl_answers() -> bool {
    testkit::kernel::ioctl() == Ioctl::Answers
}

/// Returns the backends that work on this kernel.
pub(crate) fn backends() -> Vec<Backend> {
    let mut all = vec![Backend::Auto, Backend::Text];
    all.extend(ioctl_answers().then_some(Backend::Ioctl));
    all
}

/// Opens a process with one backend.
pub(crate) fn open(pid: u32, backend: Backend) -> ProcMaps {
    let opened = OpenOptions::new().backend(backend).open(pid);
    opened.expect("the process is there and ours")
}

/// Converts a VMA and its name to a line of the oracle.
pub(crate) fn line(vma: Vma, name: &[u8]) -> Line {
    Line {
        start: vma.start.0,
        end: vma.end.0,
        perms: vma.perms.to_bytes(),
        offset: vma.offset.0,
        major: vma.device.major,
        minor: vma.device.minor,
        inode: vma.inode,
        name: name.to_vec(),
    }
}

/// Returns a line without its name.
pub(crate) fn nameless(line: &Line) -> Line {
    Line {
        name: Vec::new(),
        ..line.clone()
    }
}

/// Walks over all VMAs with their names.
pub(crate) fn walk(maps: &ProcMaps) -> Result<Vec<Line>> {
    let mut vmas = maps.vmas();
    let mut name = NameBuf::new();
    let mut all = Vec::new();
    while let Some(vma) = vmas.next_named(&mut name) {
        all.push(line(vma?, name.as_bytes()));
    }
    Ok(all)
}

/// Runs every kind of query on `maps` and returns the results without their contents.
pub(crate) fn ask_all(maps: &ProcMaps) -> Vec<(&'static str, Result<()>)> {
    let mut name = NameBuf::new();
    let mut answers = vec![
        ("query", maps.query(FIRST).map(drop)),
        ("query_named", maps.query_named(FIRST, &mut name).map(drop)),
        ("seek", maps.cursor().seek(AbsAddr(0)).map(drop)),
        ("vmas", maps.vmas().next().expect("an answer").map(drop)),
        ("snapshot", maps.snapshot().map(drop)),
    ];
    if ioctl_answers() && maps.backend() == Backend::Ioctl {
        answers.push(("query_build_id", maps.query_build_id(FIRST).map(drop)));
    }
    answers
}

/// Returns the first line that ends above `addr` and matches: the answer to "covering or
/// next".
pub(crate) fn first_reaching(
    lines: &[Line],
    addr: AbsAddr,
    passes: impl Fn(&Line) -> bool,
) -> Option<&Line> {
    lines.iter().find(|line| line.end > addr.0 && passes(line))
}

/// Returns the line whose range contains `addr`.
pub(crate) fn covering(lines: &[Line], addr: AbsAddr) -> Option<&Line> {
    lines
        .iter()
        .find(|line| (line.start..line.end).contains(&addr.0))
}

/// Returns the addresses where answers may change, sorted: around both ends of every
/// line, in its middle, and at both ends of the address space.
pub(crate) fn telling_addresses(lines: &[Line]) -> Vec<AbsAddr> {
    let around = |line: &Line| {
        let middle = line.start + (line.end - line.start) / 2;
        [
            line.start.saturating_sub(1),
            line.start,
            middle,
            line.end - 1,
            line.end,
        ]
    };
    let mut all: Vec<u64> = lines.iter().flat_map(around).collect();
    all.extend([0, 1 << 32, 1 << 47, u64::MAX]);
    all.sort_unstable();
    all.dedup();
    all.into_iter().map(AbsAddr).collect()
}

/// All sets of the five conditions, each with a simple implementation on lines.
pub(crate) fn filters() -> impl Iterator<Item = (Filter, impl Fn(&Line) -> bool)> {
    (0..32_u8).map(|set| {
        let conditions = [
            Filter::READABLE,
            Filter::WRITABLE,
            Filter::EXECUTABLE,
            Filter::SHARED,
            Filter::FILE_BACKED,
        ];
        let wanted = move |nth: usize| set >> nth & 1 == 1;
        let filter = (0..5)
            .filter(|nth| wanted(*nth))
            .fold(Filter::ANY, |sum, nth| sum | conditions[nth]);
        let passes = move |line: &Line| {
            let holds = [
                line.perms[0] == b'r',
                line.perms[1] == b'w',
                line.perms[2] == b'x',
                line.perms[3] == b's',
                (line.inode, line.major, line.minor) != (0, 0, 0),
            ];
            (0..5).all(|nth| holds[nth] || !wanted(nth))
        };
        (filter, passes)
    })
}

/// Creates nested directories until the path is longer than any system call accepts, and
/// a file in the innermost.
pub(crate) fn file_below_deep_folders(dir: &Path, levels: usize) -> OwnedFd {
    let name = "d".repeat(250);
    let flags = OFlag::O_RDONLY | OFlag::O_CLOEXEC | OFlag::O_DIRECTORY;
    let mut folder = OwnedFd::from(File::open(dir).unwrap());
    for _ in 0..levels {
        mkdirat(&folder, name.as_str(), Mode::S_IRWXU).unwrap();
        folder = openat(&folder, name.as_str(), flags, Mode::empty()).unwrap();
    }
    let flags = OFlag::O_RDWR | OFlag::O_CREAT | OFlag::O_CLOEXEC;
    let file = openat(&folder, "file", flags, Mode::S_IRUSR).unwrap();
    nix::unistd::write(&file, b"x").unwrap();
    file
}

/// The environment variable that is set in a process that runs only one test.
const ALONE: &str = "VMA_QUERY_TEST_ALONE";

/// Runs `test`, named `name`, in its own process, because descriptors, limits and what is
/// remembered about the kernel are per process.
pub(crate) fn alone(name: &str, test: impl FnOnce()) {
    if std::env::var_os(ALONE).is_some() {
        return test();
    }
    let done = again(name).output().expect("a second process");
    let said = String::from_utf8_lossy(&done.stdout);
    let err = String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success(), "{said}{err}");
    // A test that is skipped there is skipped here.
    for line in err.lines().filter(|line| line.starts_with("SKIPPED")) {
        testkit::skip(line.rsplit(": ").next().unwrap_or(line));
    }
}

/// Returns a command that runs only one test of this file.
pub(crate) fn again(name: &str) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", name, "--nocapture", "--test-threads=1"]);
    command.env(ALONE, "1");
    command
}

/// Runs `see` while this process can open `room` more files. Call it in [`alone`].
pub(crate) fn with_room_for<T>(room: u64, see: impl FnOnce() -> T) -> T {
    let null = || File::open("/dev/null").unwrap();
    let numbers = std::fs::read_dir("/proc/self/fd").unwrap();
    let numbers = numbers.map(|it| it.unwrap().file_name().into_string().unwrap());
    let highest: i32 = numbers.map(|it| it.parse().unwrap()).max().unwrap();
    // Free descriptor numbers below the limit can be used too.
    let mut filled = vec![null()];
    while filled.last().unwrap().as_raw_fd() < highest {
        filled.push(null());
    }
    let first_free = filled.last().unwrap().as_raw_fd() + 1;
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
    let limit = u64::try_from(first_free).unwrap() + room;
    setrlimit(Resource::RLIMIT_NOFILE, limit, hard).unwrap();
    let seen = see();
    setrlimit(Resource::RLIMIT_NOFILE, soft, hard).unwrap();
    seen
}
