//! Libraries in an archive, and a process that maps their code from inside of it.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tempfile::TempDir;

use crate::child::KillOnDrop;
use crate::tools::{compile, readelf_segments};
use crate::zip::Zip;

/// The names of the libraries; the functions that are called have the same, with `spin_` before.
pub const LIBRARIES: [&str; 2] = ["one", "two"];

/// An archive `base.apk` with libraries, which are also beside it.
#[derive(Debug)]
pub struct Archived {
    dir: TempDir,
    program: PathBuf,
    /// Offset in the archive, size and function, of the code of each library.
    code: Vec<[u64; 3]>,
    /// The same offsets in the libraries: of the code, and of the function.
    pub functions: Vec<u64>,
}

fn source(name: &str) -> String {
    format!(
        "static __attribute__((noinline)) int leaf_{name}(int x) {{
    volatile int at = 0;
    while (at < 1000)
        at = at + 1;
    return at + x;
}}
int spin_{name}(int x) {{
    return leaf_{name}(x) + 1;
}}
"
    )
}

/// What is unusual about an archive.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ArchiveShape {
    /// Nothing.
    #[default]
    Plain,
    /// A program is in front of it, as of one that unpacks itself.
    BehindProgram,
    /// Its comment has the signature of the end of an archive in it.
    SignatureInComment,
    /// Both libraries have the name of the first.
    SameNames,
    /// Its directory cannot be found.
    WithoutEnd,
}

/// Builds the libraries and the archive. `None` without a C compiler for this machine.
///
/// # Panics
/// When what the compiler made is not as expected.
#[must_use]
pub fn archived() -> Option<Archived> {
    archived_as(ArchiveShape::Plain)
}

/// The same, with an archive of this shape.
///
/// # Panics
/// As [`archived`].
#[must_use]
pub fn archived_as(shape: ArchiveShape) -> Option<Archived> {
    let args = ["-fno-omit-frame-pointer"];
    let program = compile("mapper", include_str!("mapper.c"), &args).ok()?;
    let dir = tempfile::tempdir().expect("a directory");
    let mut zip = Zip::new().deflated("AndroidManifest.xml", b"<manifest/>");
    let mut parts = Vec::new();
    for name in LIBRARIES {
        std::fs::write(dir.path().join("a.c"), source(name)).expect("written");
        let library = format!("lib{name}.so");
        let mut cc = Command::new("cc");
        cc.current_dir(dir.path())
            .args(["-g", "-O1", "-shared", "-fPIC", "-nostdlib"])
            .args(["-fno-omit-frame-pointer", "-fno-stack-protector"])
            .arg("-Wl,--build-id")
            .args(["-o", &library, "a.c"]);
        let made = cc.output().ok()?;
        assert!(made.status.success(), "{made:?}");
        let path = dir.path().join(&library);
        let bytes = std::fs::read(&path).expect("linked");
        let segments = readelf_segments(&path)?;
        let code = segments.iter().find(|it| it.flags.contains('E'))?;
        let function = symbol(&path, &format!("spin_{name}"))? - code.virt;
        parts.push((bytes.clone(), code.offset, code.file_size, function));
        let shown = match shape {
            ArchiveShape::SameNames => LIBRARIES[0],
            _ => name,
        };
        zip = zip.stored(&member(shown), &bytes, 4096);
    }
    let mut bytes = zip.build();
    let end = bytes.len() - 22;
    match shape {
        ArchiveShape::Plain | ArchiveShape::SameNames => {}
        ArchiveShape::BehindProgram => {
            let mut before = std::fs::read(&program).expect("made");
            before.resize(before.len().next_multiple_of(4096), 0);
            bytes = [before, bytes].concat();
        }
        ArchiveShape::SignatureInComment => {
            let comment = b"signed PK\x05\x06, and more behind the signature";
            let size = u16::try_from(comment.len()).expect("short");
            bytes[end + 20..].copy_from_slice(&size.to_le_bytes());
            bytes.extend(comment);
        }
        ArchiveShape::WithoutEnd => bytes.truncate(end),
    }
    let code = parts.iter().map(|(library, offset, size, function)| {
        let start = bytes.windows(library.len()).position(|it| it == library);
        let start = u64::try_from(start.expect("it is stored")).expect("64 bits");
        [start + offset, *size, *function]
    });
    let code = code.collect();
    std::fs::write(dir.path().join("base.apk"), bytes).expect("written");
    Some(Archived {
        code,
        functions: parts.iter().map(|(_, offset, _, at)| offset + at).collect(),
        program,
        dir,
    })
}

/// Returns the name of a library in the archive.
#[must_use]
pub fn member(library: &str) -> String {
    format!("lib/x86_64/lib{library}.so")
}

/// Returns the address of a function, as `nm` prints it.
fn symbol(path: &Path, name: &str) -> Option<u64> {
    let nm = Command::new("nm").arg(path).output().ok()?;
    let text = String::from_utf8_lossy(&nm.stdout).into_owned();
    let line = text.lines().find(|line| line.ends_with(name))?;
    u64::from_str_radix(line.split(' ').next()?, 16).ok()
}

impl Archived {
    /// Returns the directory of the archive and the libraries.
    #[must_use]
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// Returns the archive.
    #[must_use]
    pub fn archive(&self) -> PathBuf {
        self.dir().join("base.apk")
    }

    /// Returns the command that maps all libraries and calls their functions, or waits if there
    /// are no turns.
    #[must_use]
    pub fn command(&self, turns: u32) -> Vec<String> {
        let paths = [self.program.clone(), self.archive()];
        let paths = paths.map(|path| path.display().to_string());
        let code = self
            .code
            .iter()
            .flatten()
            .map(|number| format!("{number:x}"));
        paths
            .into_iter()
            .chain([turns.to_string()])
            .chain(code)
            .collect()
    }

    /// Starts a process that has mapped all libraries; returns the addresses of the functions.
    ///
    /// # Panics
    /// When it does not.
    #[must_use]
    pub fn mapped(&self) -> (KillOnDrop, Vec<u64>) {
        let command = self.command(0);
        let mut process = Command::new(&command[0]);
        process
            .args(&command[1..])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped());
        let mut process = KillOnDrop(process.spawn().expect("it runs"));
        let output = BufReader::new(process.0.stdout.take().expect("piped"));
        let lines = output.lines().take(LIBRARIES.len());
        let function = |line: std::io::Result<String>| {
            let line = line.expect("a line");
            let address = line.split(' ').nth(1).expect("two addresses").to_owned();
            u64::from_str_radix(address.trim_start_matches("0x"), 16).expect("hexadecimal")
        };
        let functions: Vec<u64> = lines.map(function).collect();
        assert_eq!(functions.len(), LIBRARIES.len(), "it maps them");
        (process, functions)
    }
}
