//! A Python that writes a perf map.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::skip;
use crate::tools::tool;

/// Returns such a Python, or says that a test is skipped. With `BACKSIGHT_PYTHON_PERF=none`, a
/// machine that cannot have one, it is said and is no skip: recorded maps are tested all the same.
#[must_use]
pub fn perf_python_or_skip() -> Option<PathBuf> {
    let found = perf_python();
    if found.is_none() {
        let what = "no Python of 3.12 or later, which -X perf needs: BACKSIGHT_PYTHON_PERF";
        match std::env::var_os("BACKSIGHT_PYTHON_PERF").is_some_and(|named| named == "none") {
            true => eprintln!("left out: {what}"),
            false => skip(what),
        }
    }
    found
}

/// Returns a Python of 3.12 or later that takes `-X perf`: the one that `BACKSIGHT_PYTHON_PERF`
/// names, one in `PATH`, or one of those that pyenv built.
fn perf_python() -> Option<PathBuf> {
    if let Some(named) = std::env::var_os("BACKSIGHT_PYTHON_PERF") {
        return Some(PathBuf::from(named)).filter(|python| takes_perf(python));
    }
    let names = ["python3", "python3.12", "python3.13", "python3.14"];
    let in_path = names.into_iter().filter_map(tool);
    let mut all = in_path.chain(of_pyenv());
    all.find(|python| takes_perf(python))
}

fn of_pyenv() -> Vec<PathBuf> {
    let home = || Some(Path::new(&std::env::var_os("HOME")?).join(".pyenv"));
    let root = std::env::var_os("PYENV_ROOT").map(PathBuf::from);
    let Some(root) = root.or_else(home) else {
        return Vec::new();
    };
    let versions = std::fs::read_dir(root.join("versions"));
    let versions = versions.into_iter().flatten().flatten();
    let mut all: Vec<_> = versions
        .map(|version| version.path().join("bin/python3"))
        .collect();
    all.sort();
    all
}

/// Whether it writes a map. One that does not know `-X perf` passes over it.
fn takes_perf(python: &Path) -> bool {
    let code = "import sys; sys.exit(not (sys.version_info >= (3, 12) \
                and sys.is_stack_trampoline_active()))";
    let mut command = Command::new(python);
    command.args(["-X", "perf", "-c", code]);
    command.stdout(Stdio::null()).stderr(Stdio::null());
    let Ok(mut child) = command.spawn() else {
        return false;
    };
    let map = format!("/tmp/perf-{}.map", child.id());
    let status = child.wait();
    drop(std::fs::remove_file(map));
    status.is_ok_and(|status| status.success())
}
