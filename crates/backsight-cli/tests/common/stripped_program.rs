//! A program, its debug file, and the same program without symbols.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use backsight_types::BuildId;
use object::{Object as _, ObjectSymbol as _};

const SOURCE: &str = "__attribute__((noinline)) int called(int x) {\n    return x + 1;\n}\n\
                      int main(int argc, char **argv) {\n    (void)argv;\n    \
                      return called(argc);\n}\n";

/// A program `full`; the same stripped, `a`; and its debug file, `a.debug`.
pub(crate) struct Program {
    pub(crate) dir: tempfile::TempDir,
    pub(crate) build_id: BuildId,
    /// The address of the function `called`.
    pub(crate) addr: u64,
}

impl Program {
    /// # Errors
    /// What the tools said.
    pub(crate) fn made() -> Result<Self, String> {
        let dir = tempfile::tempdir().expect("a directory");
        fs::write(dir.path().join("a.c"), SOURCE).expect("ours");
        for words in [
            "cc -g -O1 -fno-inline -Wl,--build-id -o full a.c",
            "objcopy --only-keep-debug full a.debug",
            "strip -o a full",
        ] {
            run_tool(dir.path(), words)?;
        }
        let bytes = fs::read(dir.path().join("full")).expect("readable");
        let file = object::File::parse(&*bytes).expect("an ELF file");
        let id = file.build_id().expect("notes").expect("a build ID");
        let called = file.symbol_by_name("called").expect("a symbol");
        Ok(Self {
            build_id: BuildId::from_bytes(id).expect("20 bytes"),
            addr: called.address(),
            dir,
        })
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }
}

/// Runs a tool in a directory.
///
/// # Errors
/// What it said, if it fails or is not installed.
pub(crate) fn run_tool(dir: &Path, words: &str) -> Result<(), String> {
    let mut words = words.split_whitespace();
    let mut command = Command::new(words.next().expect("a tool"));
    let output = command.args(words).current_dir(dir).output();
    let output = output.map_err(|error| error.to_string())?;
    let done = output.status.success();
    done.then_some(())
        .ok_or_else(|| String::from_utf8_lossy(&output.stderr).into_owned())
}
