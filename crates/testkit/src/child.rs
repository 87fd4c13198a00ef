//! A child process with a memory map that the test controls.
//!
//! ```no_run
//! let mut child = testkit::child::Child::spawn();
//! let code = child.map("/bin/true", "r-xp");
//! let jit = child.anon("rwxp", 0x3000);
//! // … inspect code.start and jit.end - 1 in child.pid(): its memory map does not change.
//! child.unmap(code);
//! child.exec_itself(); // the same process, another address space
//! child.exit(); // a zombie, until it is reaped or dropped
//! ```
//!
//! The process runs `child.c`, which is compiled once and kept beside the test executable. It is
//! a C program of its own because a fork of a multi-threaded test harness can do little, and so
//! that it is the same under `cargo test` and nextest.
//!
//! Permissions are written as in the maps text, `r-xp`; `s` means shared. A step that fails
//! panics with its errno; steps that some kernels do not support return `Option`.

use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Read, Write};
use std::ops::Range;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::process::{self, ChildStdin, ChildStdout, Command, Stdio};

use nix::errno::Errno;
use nix::sys::wait::{Id, WaitPidFlag, waitid};
use nix::unistd::Pid;

use crate::tools::{Program, compile};

/// The program of [`Child`]. Where tests have no compiler, it is compiled beforehand and put
/// beside them under its [`file_name`](Program::file_name).
pub const CHILD: Program<'static> = Program {
    name: "child",
    source: include_str!("child.c"),
    // The same layout by each linker and for each machine: its text adjoins other segments on
    // both sides. AArch64's default leaves gaps of up to 64 KiB, and nothing below the text.
    args: &[
        "-pthread",
        "-Wl,-z,separate-code",
        "-Wl,-z,max-page-size=4096",
    ],
};

/// The program of [`spawn_32_bit`], on x86-64 only.
pub const CHILD_32_BIT: Program<'static> = Program {
    name: "child32",
    source: include_str!("child32.c"),
    args: &[
        "-m32",
        "-ffreestanding",
        "-fno-stack-protector",
        "-nostdlib",
        "-static",
    ],
};

/// A child process that is killed and reaped when this is dropped.
#[derive(Debug)]
pub struct Child {
    process: KillOnDrop,
    commands: ChildStdin,
    answers: BufReader<ChildStdout>,
}

/// Any process, killed and reaped when this is dropped.
#[derive(Debug)]
pub struct KillOnDrop(pub process::Child);

impl KillOnDrop {
    /// Returns the process ID.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.0.id()
    }
}

impl Drop for KillOnDrop {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Child {
    /// Starts a process as the current user.
    ///
    /// # Panics
    /// When there is no C compiler, or no process to be had.
    #[must_use]
    pub fn spawn() -> Self {
        Self::start(&mut Command::new(program()))
    }

    /// Starts a process of the user and group `uid`, which only root may do.
    ///
    /// # Panics
    /// As [`spawn`](Self::spawn), and when the user may not be changed.
    #[must_use]
    pub fn spawn_as(uid: u32) -> Self {
        Self::start(Command::new(program()).arg(format!("{uid:x}")))
    }

    /// Starts a process with `command`, which must finally run [`program`]: for example under
    /// `setpriv`, in a namespace, or with a filter.
    ///
    /// # Panics
    /// When it does not run.
    #[must_use]
    pub fn start(command: &mut Command) -> Self {
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut process = command.spawn().expect("the child's program runs");
        let commands = process.stdin.take().expect("stdin is a pipe");
        let answers = BufReader::new(process.stdout.take().expect("stdout is a pipe"));
        let mut child = Self {
            process: KillOnDrop(process),
            commands,
            answers,
        };
        child.answer().expect("the child is ready");
        child
    }

    /// Returns the process ID.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.process.pid()
    }

    /// Maps a whole file.
    pub fn map(&mut self, path: impl AsRef<Path>, perms: &str) -> Range<u64> {
        self.map_part(path, perms, 0..0)
    }

    /// Maps a part of a file, from a page boundary to the end of the last page. An empty range
    /// means up to the end of the file.
    pub fn map_part(
        &mut self,
        path: impl AsRef<Path>,
        perms: &str,
        bytes: Range<u64>,
    ) -> Range<u64> {
        self.map_at(0, path, perms, bytes)
    }

    /// Maps a part of a file at an address, replacing what is mapped there.
    pub fn map_at(
        &mut self,
        start: u64,
        path: impl AsRef<Path>,
        perms: &str,
        bytes: Range<u64>,
    ) -> Range<u64> {
        let (path, offset) = (hex(path), bytes.start);
        let len = bytes.end - bytes.start;
        self.does(&format!("map {path} {perms} {offset:x} {len:x} {start:x}"))
    }

    /// Maps memory without a file: `rwxp` as for JIT code, or `rw-s`, which the kernel names
    /// `/dev/zero (deleted)`.
    pub fn anon(&mut self, perms: &str, len: u64) -> Range<u64> {
        self.does(&format!("anon {perms} {len:x} 0"))
    }

    /// Maps huge pages without a file; `None` if there are none. They are not reserved, so do
    /// not access them.
    pub fn anon_huge(&mut self, perms: &str, len: u64) -> Option<Range<u64>> {
        self.ask(&format!("anon {perms} {len:x} 1")).ok()
    }

    /// Names memory without a file, as in `[anon:name]`; `None` on a kernel without
    /// `CONFIG_ANON_VMA_NAME`.
    pub fn name_anon(&mut self, range: &Range<u64>, name: &str) -> Option<()> {
        let (Range { start, end }, name) = (range, hex(name));
        self.ask(&format!("name {start:x} {end:x} {name}"))
            .ok()
            .map(drop)
    }

    /// Maps a memfd with this name and the content of the file `content`.
    pub fn memfd(&mut self, name: &str, perms: &str, content: impl AsRef<Path>) -> Range<u64> {
        let (name, content) = (hex(name), hex(content));
        self.does(&format!("memfd {name} {perms} {content}"))
    }

    /// Maps a memfd of huge pages; `None` if there are none. They are not reserved, so do not
    /// access them.
    pub fn memfd_huge(&mut self, name: &str, perms: &str, len: u64) -> Option<Range<u64>> {
        let name = hex(name);
        self.ask(&format!("memfd_huge {name} {perms} {len:x}")).ok()
    }

    /// Maps a System V shared memory segment.
    pub fn sysv(&mut self, perms: &str, len: u64) -> Range<u64> {
        self.does(&format!("sysv {perms} {len:x}"))
    }

    /// Maps `count` adjacent VMAs of one page each in the pattern of a loader: `r--`, `r-x`,
    /// `r--` and `rw-` of the file, then `rw-` without a file, repeatedly.
    pub fn layout(&mut self, path: impl AsRef<Path>, count: u64) -> Range<u64> {
        let path = hex(path);
        self.does(&format!("layout {path} {count:x}"))
    }

    /// Maps the first page of the file `r-x` at every other page of a range: `count` VMAs and as
    /// many gaps.
    pub fn gaps(&mut self, path: impl AsRef<Path>, count: u64) -> Range<u64> {
        let path = hex(path);
        self.does(&format!("gaps {path} {count:x}"))
    }

    /// Changes permissions.
    pub fn protect(&mut self, range: &Range<u64>, perms: &str) {
        let Range { start, end } = range;
        self.does(&format!("protect {start:x} {end:x} {perms}"));
    }

    /// Unmaps memory.
    pub fn unmap(&mut self, range: Range<u64>) {
        let Range { start, end } = range;
        self.does(&format!("unmap {start:x} {end:x}"));
    }

    /// Replaces pages by a copy of them in anonymous `r-x` memory, as programs do that move their
    /// text to huge pages. The pages may be the child's own text.
    pub fn remap(&mut self, range: &Range<u64>) {
        let Range { start, end } = range;
        self.does(&format!("remap {start:x} {end:x}"));
    }

    /// Inverts bytes of private pages, which become writable.
    pub fn poke(&mut self, range: Range<u64>) {
        let Range { start, end } = range;
        self.does(&format!("poke {start:x} {end:x}"));
    }

    /// Returns `len` bytes of the heap.
    pub fn heap(&mut self, len: u64) -> Range<u64> {
        self.does(&format!("heap {len:x}"))
    }

    /// Returns a page of the stack.
    pub fn stack(&mut self) -> Range<u64> {
        self.does("stack")
    }

    /// Starts a thread that endlessly maps, unmaps and protects pages in a range, and returns
    /// that range. Other mappings do not change.
    pub fn churn(&mut self) -> Range<u64> {
        self.does("churn")
    }

    /// Sets a uprobe on a function of the child and calls it, so that the kernel maps the page
    /// for displaced instructions; or, with `five_bytes`, on a function that starts with a
    /// five-byte `nop`, for which Linux 6.18 maps a trampoline. Returns `None` without the
    /// permission for uprobes, and on machines other than x86-64.
    pub fn uprobe(&mut self, five_bytes: bool) -> Option<Range<u64>> {
        self.ask(&format!("uprobe {:x}", u8::from(five_bytes))).ok()
    }

    /// Makes the process undumpable with `prctl(PR_SET_DUMPABLE)`, as a change of user does.
    /// Then only privileged users can open its maps, but not its owner.
    pub fn close(&mut self) {
        self.does("close");
    }

    /// Forks a copy that sleeps as long as this process lives, and returns its process ID.
    pub fn fork(&mut self) -> u32 {
        u32::try_from(self.does("fork").start).expect("a process ID")
    }

    /// Ends the main thread while another one continues.
    pub fn end_leader(&mut self) {
        self.tell("leave");
        self.stack(); // the other thread answers
        let status = format!("/proc/{}/stat", self.pid());
        while !std::fs::read_to_string(&status)
            .expect("the process is there")
            .contains(") Z ")
        {
            std::thread::yield_now();
        }
    }

    /// Executes the same program again: the same process with a new address space, which accepts
    /// the same commands.
    pub fn exec_itself(&mut self) {
        self.does(&format!("exec {}", hex("/proc/self/exe")));
    }

    /// Executes `/bin/cat`, which waits for input. It accepts no more commands.
    pub fn exec_cat(&mut self) {
        self.tell(&format!("exec {}", hex("/bin/cat")));
        let line = "a line that cat repeats";
        self.tell(line);
        let mut echo = String::new();
        self.answers.read_line(&mut echo).expect("cat answers");
        assert_eq!(echo.trim_end(), line);
    }

    /// Ends the process without reaping it: it becomes a zombie and keeps its process ID.
    pub fn exit(&mut self) {
        self.tell("exit 0");
        let pid = i32::try_from(self.pid()).expect("a process ID");
        let flags = WaitPidFlag::WEXITED | WaitPidFlag::WNOWAIT;
        waitid(Id::Pid(Pid::from_raw(pid)), flags).expect("a child of ours");
    }

    /// Kills and reaps the process. The process ID is free again.
    pub fn kill(&mut self) {
        self.process.0.kill().expect("a child of ours");
        self.process.0.wait().expect("a child of ours");
    }

    /// Sends a command, and returns the range it created, or the errno.
    fn ask(&mut self, command: &str) -> Result<Range<u64>, Errno> {
        self.tell(command);
        self.answer()
    }

    fn does(&mut self, command: &str) -> Range<u64> {
        self.ask(command)
            .unwrap_or_else(|errno| panic!("child: {command}: {errno}"))
    }

    fn tell(&mut self, command: &str) {
        let line = format!("{command}\n");
        let written = self.commands.write_all(line.as_bytes());
        written.expect("the child reads");
    }

    fn answer(&mut self) -> Result<Range<u64>, Errno> {
        let mut line = String::new();
        self.answers.read_line(&mut line).expect("the child writes");
        let words: Vec<&str> = line.split_whitespace().collect();
        let hex = |word| u64::from_str_radix(word, 16).expect("a hexadecimal number");
        match words[..] {
            ["ok", start, end] => Ok(hex(start)..hex(end)),
            ["no", errno, _] => Err(Errno::from_raw(errno.parse().expect("an errno"))),
            _ => panic!("the child answered {line:?}"),
        }
    }
}

/// Starts a 32-bit process that sleeps: with short addresses and its own `[vdso]`. It accepts no
/// commands.
///
/// Returns `None` when the C compiler or the kernel cannot do that, and on other
/// machines than x86-64; the caller then calls [`skip`](crate::skip).
#[must_use]
pub fn spawn_32_bit() -> Option<KillOnDrop> {
    if !cfg!(target_arch = "x86_64") {
        return None;
    }
    let program = compiled(&CHILD_32_BIT).ok()?;
    let mut command = Command::new(program);
    command.stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut process = KillOnDrop(command.spawn().ok()?);
    // A kernel without 32-bit system calls kills it here.
    let ready = process.0.stdout.as_mut()?.read_exact(&mut [0]);
    ready.ok().map(|()| process)
}

/// Returns the program of [`Child`].
///
/// # Panics
/// When there is no C compiler.
#[must_use]
pub fn program() -> PathBuf {
    compiled(&CHILD).unwrap_or_else(|why| panic!("{why}"))
}

fn compiled(program: &Program<'_>) -> Result<PathBuf, String> {
    compile(program.name, program.source, program.args)
}

/// Encodes a name in hexadecimal, because it may contain any byte but zero, including the
/// command separator.
fn hex(name: impl AsRef<Path>) -> String {
    let bytes = name.as_ref().as_os_str().as_bytes();
    if bytes.is_empty() {
        return "-".to_owned();
    }
    bytes.iter().fold(String::new(), |mut digits, byte| {
        let _ = write!(digits, "{byte:02x}");
        digits
    })
}
