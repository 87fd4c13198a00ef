//! Tools of the host: a C compiler for inputs, `readelf` for checking outputs.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::process::Command;

/// Returns the path of a tool in `PATH`.
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
    /// Its name.
    pub name: &'a str,
    /// Its source code, in one file.
    pub source: &'a str,
    /// Additional arguments of the compiler.
    pub args: &'a [&'a str],
}

impl Program<'_> {
    /// Returns the name of its executable beside the tests. The name has a hash of everything
    /// that determines the result, so that a changed program has another name.
    ///
    /// Where there is no compiler, an executable of that name may be put there beforehand.
    #[must_use]
    pub fn file_name(&self) -> String {
        let mut hash = DefaultHasher::new();
        (self.source, self.args).hash(&mut hash);
        format!("testkit-{}-{:016x}", self.name, hash.finish())
    }

    /// Compiles it with `cc`, which may be a cross compiler.
    ///
    /// Concurrent callers each compile their own copy and link it to `to`. The first one wins,
    /// because an executable that is already running must keep its name.
    ///
    /// # Errors
    /// What the compiler had to say, or that there is none.
    pub fn compile(&self, cc: &str, to: &Path) -> Result<(), String> {
        let say = |why: std::io::Error| format!("{cc}: {why}");
        let dir = tempfile::tempdir_in(to.parent().unwrap_or(Path::new("."))).map_err(say)?;
        let input = dir.path().join("input.c");
        std::fs::write(&input, self.source).map_err(say)?;
        // Relative names keep this machine's paths out of the debug information.
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
/// It is kept beside the test executable, and reused by later calls and runs.
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

/// A `PT_LOAD` header as printed by `readelf -lW`.
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
    /// Which of `R`, `W` and `E` are set, in this order.
    pub flags: String,
}

/// What `readelf` prints about a file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    /// The `PT_LOAD` headers, in file order.
    pub loads: Vec<Load>,
    /// The first build ID printed, in hexadecimal: that of a note section if there is one,
    /// otherwise of a note segment.
    pub build_id: Option<String>,
}

/// Returns the facts about these files, in order; `None` if `readelf` is not installed. A file
/// that is not ELF has no facts.
///
/// # Panics
/// When `readelf` cannot be run.
#[must_use]
pub fn readelf(files: &[impl AsRef<Path>]) -> Option<Vec<Facts>> {
    let program = tool("readelf")?;
    // Several files per run for speed; not all, because the length of arguments is limited.
    let runs = files.chunks(100).flat_map(|files| {
        let mut command = Command::new(&program);
        command.env("LC_ALL", "C").arg("-lnW");
        // With two files or more, the output for each starts with its name.
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

/// Returns the `PT_LOAD` headers of one file from [`readelf`].
#[must_use]
pub fn readelf_segments(path: &Path) -> Option<Vec<Load>> {
    readelf(&[path])?.pop().map(|facts| facts.loads)
}

/// Returns the build ID of one file from [`readelf`], in hexadecimal. The outer `None` means
/// that it is not installed.
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
    // Unset flags leave blanks between the others; the alignment follows.
    let flags = words.filter(|word| !word.starts_with("0x")).collect();
    Some(Load {
        offset,
        virt,
        file_size,
        memory_size,
        flags,
    })
}
