//! Tools of the host: a C compiler to make inputs, `readelf` to judge outputs.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::process::Command;

/// Returns where a tool is, if it is in `PATH`.
#[must_use]
pub fn tool(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path)
        .map(|dir| dir.join(name))
        .find(|file| file.is_file())
}

/// A C program that tests run.
#[derive(Clone, Copy, Debug)]
pub struct Program<'a> {
    /// What it is, in a word.
    pub name: &'a str,
    /// Its only file.
    pub source: &'a str,
    /// What the compiler is told besides.
    pub args: &'a [&'a str],
}

impl Program<'_> {
    /// Returns the name under which it stands beside the tests that run it: it tells
    /// all that went into it, so that a change of it is another file.
    ///
    /// Where there is no compiler, a program of that name may be put there before.
    #[must_use]
    pub fn file_name(&self) -> String {
        let mut hash = DefaultHasher::new();
        (self.source, self.args).hash(&mut hash);
        format!("testkit-{}-{:016x}", self.name, hash.finish())
    }

    /// Compiles it by `cc`, which may be one for another machine.
    ///
    /// Side by side callers each compile their own and link it to `to`: whoever comes
    /// first wins, as what runs already must keep its name.
    ///
    /// # Errors
    /// What the compiler had to say, or that there is none.
    pub fn compile(&self, cc: &str, to: &Path) -> Result<(), String> {
        let say = |why: std::io::Error| format!("{cc}: {why}");
        let dir = tempfile::tempdir_in(to.parent().unwrap_or(Path::new("."))).map_err(say)?;
        let input = dir.path().join("input.c");
        std::fs::write(&input, self.source).map_err(say)?;
        // Relative names: none of this machine's paths enters the debug information.
        let mut command = Command::new(cc);
        command
            .current_dir(dir.path())
            .args(["-O1", "-g", "-o", "output", "input.c"]);
        let done = command.args(self.args).output().map_err(say)?;
        if !done.status.success() {
            return Err(format!("{cc}: {}", String::from_utf8_lossy(&done.stderr)));
        }
        match std::fs::hard_link(dir.path().join("output"), to) {
            Err(why) if why.kind() != std::io::ErrorKind::AlreadyExists => Err(say(why)),
            _ => Ok(()),
        }
    }
}

/// Compiles a C source with `cc` and these arguments, and returns the executable.
///
/// It is kept beside the test executable, so that the next call and the next run
/// find it.
///
/// # Errors
/// What the compiler had to say, or that there is none.
pub fn compile(name: &str, source: &str, args: &[&str]) -> Result<PathBuf, String> {
    let tests = std::env::current_exe().map_err(|why| why.to_string())?;
    let dir = tests.parent().ok_or("the test executable has no folder")?;
    let program = Program { name, source, args };
    let file = dir.join(program.file_name());
    if !file.exists() {
        program.compile("cc", &file)?;
    }
    Ok(file)
}

/// A `PT_LOAD` header as `readelf -lW` prints it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Load {
    /// `p_offset`.
    pub offset: u64,
    /// `p_vaddr`.
    pub virt: u64,
    /// `p_filesz`.
    pub file_size: u64,
    /// `p_memsz`.
    pub memory_size: u64,
    /// Which of `R`, `W` and `E` stand there, in this order.
    pub flags: String,
}

/// What `readelf` says of a file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    /// The `PT_LOAD` headers, in the file's order.
    pub loads: Vec<Load>,
    /// The digits of the first build ID printed. It is one of the sections' notes
    /// if there are any, else of the segments'.
    pub build_id: Option<String>,
}

/// Returns what `readelf` says of these files, in their order, or `None` when it is
/// not installed. A file that is not ELF has no facts.
///
/// # Panics
/// When `readelf` cannot be run.
#[must_use]
pub fn readelf(files: &[impl AsRef<Path>]) -> Option<Vec<Facts>> {
    let program = tool("readelf")?;
    // Many files a run, for speed; not all of them, for arguments are limited.
    let runs = files.chunks(100).flat_map(|files| {
        let mut command = Command::new(&program);
        command.env("LC_ALL", "C").arg("-lnW");
        // With a second file each begins with a line that names it.
        command
            .args(files.iter().map(AsRef::as_ref))
            .arg("/dev/null");
        let text = command.output().expect("readelf runs").stdout;
        let text = String::from_utf8_lossy(&text);
        let mut parts: Vec<Facts> = text.split("\nFile: ").skip(1).map(facts).collect();
        parts.resize(files.len(), Facts::default());
        parts
    });
    Some(runs.collect())
}

/// Returns the `PT_LOAD` headers of one file by [`readelf`].
#[must_use]
pub fn readelf_segments(path: &Path) -> Option<Vec<Load>> {
    readelf(&[path])?.pop().map(|facts| facts.loads)
}

/// Returns the digits of the build ID of one file by [`readelf`]. The outer `None`
/// says that it is not installed.
#[must_use]
pub fn readelf_build_id(path: &Path) -> Option<Option<String>> {
    readelf(&[path])?.pop().map(|facts| facts.build_id)
}

fn facts(text: &str) -> Facts {
    let build_id = text.lines().find_map(|line| line.split_once("Build ID: "));
    Facts {
        loads: text.lines().filter_map(load).collect(),
        build_id: build_id.map(|(_, digits)| digits.trim().to_owned()),
    }
}

/// Reads `  LOAD  0x001000 0x0000000000401000 0x… 0x000010 0x000010 R E 0x1000`.
fn load(line: &str) -> Option<Load> {
    let mut words = line.split_whitespace();
    (words.next() == Some("LOAD")).then_some(())?;
    let mut hex = || u64::from_str_radix(words.next()?.strip_prefix("0x")?, 16).ok();
    let (offset, virt, _phys) = (hex()?, hex()?, hex()?);
    let (file_size, memory_size) = (hex()?, hex()?);
    // Flags that are not set part the others; the alignment follows.
    let flags = words.filter(|word| !word.starts_with("0x")).collect();
    Some(Load {
        offset,
        virt,
        file_size,
        memory_size,
        flags,
    })
}
