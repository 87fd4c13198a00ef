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

/// Compiles a C source with `cc` and these arguments, and returns the executable.
///
/// It is kept beside the test executable under a name that is a hash of all that
/// went into it, so that the next call and the next run find it. Side by side
/// callers each compile their own and rename it there: whoever comes last wins.
///
/// # Errors
/// What the compiler had to say, or that there is none.
pub fn compile(name: &str, source: &str, args: &[&str]) -> Result<PathBuf, String> {
    let tests = std::env::current_exe().map_err(|why| why.to_string())?;
    let dir = tests.parent().ok_or("the test executable has no folder")?;
    let mut hash = DefaultHasher::new();
    (source, args).hash(&mut hash);
    let program = dir.join(format!("testkit-{name}-{:016x}", hash.finish()));
    if !program.exists() {
        compile_to(&program, source, args)?;
    }
    Ok(program)
}

fn compile_to(program: &Path, source: &str, args: &[&str]) -> Result<(), String> {
    let say = |why: std::io::Error| format!("cc: {why}");
    let dir = tempfile::tempdir_in(program.parent().unwrap_or(Path::new("."))).map_err(say)?;
    let input = dir.path().join("input.c");
    std::fs::write(&input, source).map_err(say)?;
    // Relative names: none of this machine's paths enters the debug information.
    let mut cc = Command::new("cc");
    cc.current_dir(dir.path())
        .args(["-O1", "-g", "-o", "output", "input.c"]);
    let done = cc.args(args).output().map_err(say)?;
    if !done.status.success() {
        return Err(format!("cc: {}", String::from_utf8_lossy(&done.stderr)));
    }
    std::fs::rename(dir.path().join("output"), program).map_err(say)
}
