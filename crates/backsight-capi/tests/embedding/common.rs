//! The library as it is installed, and programs of C that use it.

use std::env;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::OnceLock;

use tempfile::TempDir;
use testkit::tools::tool;

/// What every program is compiled with.
const WARNINGS: [&str; 4] = ["-Wall", "-Wextra", "-Werror", "-g"];

/// An installation of the library that was built with this test.
pub(crate) struct Installed {
    dir: TempDir,
}

impl Installed {
    /// Installs it once for each program of tests.
    pub(crate) fn get() -> &'static Self {
        static INSTALLED: OnceLock<Installed> = OnceLock::new();
        INSTALLED.get_or_init(|| {
            let dir = tempfile::tempdir().unwrap();
            let mut install = Command::new(here("install.sh"));
            install.arg("--from").arg(built());
            install.arg("--prefix").arg(dir.path());
            let done = install.output().unwrap();
            assert!(done.status.success(), "{}", text(&done.stderr));
            Self { dir }
        })
    }

    pub(crate) fn prefix(&self) -> &Path {
        self.dir.path()
    }

    pub(crate) fn lib(&self) -> PathBuf {
        self.prefix().join("lib")
    }
}

/// Where cargo has put the libraries: beside the program of the test.
pub(crate) fn built() -> PathBuf {
    let program = env::current_exe().unwrap();
    program.parent().unwrap().to_owned()
}

/// A file of the crate.
pub(crate) fn here(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// How a program is linked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Link {
    Shared,
    Static,
}

/// Compiles a program with the flags that pkg-config says. Says why if there is no compiler.
pub(crate) fn compile(source: &Path, link: Link, more: &[&str]) -> Result<PathBuf, String> {
    let is_cpp = source.extension().is_some_and(|end| end == "cpp");
    let compiler = if is_cpp { "c++" } else { "cc" };
    let standard = if is_cpp { "-std=c++17" } else { "-std=c11" };
    let compiler_path = tool(compiler).ok_or_else(|| format!("there is no {compiler}"))?;
    let installed = Installed::get();
    let flags = pkg_config(link)?;
    let name = source.file_stem().unwrap().to_string_lossy();
    let number = more.join("");
    let out = installed.prefix().join(format!(
        "{name}-{compiler}-{link:?}{}",
        number.replace(['/', '='], "_")
    ));
    let mut cc = Command::new(compiler_path);
    cc.arg(standard)
        .args(WARNINGS)
        .args(more)
        .arg(source)
        .arg("-o")
        .arg(&out);
    cc.args(flags);
    let done = cc.output().map_err(|why| format!("{compiler}: {why}"))?;
    assert!(
        done.status.success(),
        "{}: {}",
        source.display(),
        text(&done.stderr)
    );
    Ok(out)
}

/// Returns what pkg-config says of the library.
pub(crate) fn pkg_config(link: Link) -> Result<Vec<String>, String> {
    let installed = Installed::get();
    let pkg_config = tool("pkg-config").ok_or("there is no pkg-config")?;
    let mut asked = Command::new(pkg_config);
    asked.env("PKG_CONFIG_PATH", installed.lib().join("pkgconfig"));
    asked.args(["--cflags", "--libs"]);
    if link == Link::Static {
        asked.arg("--static");
    }
    let told = asked
        .arg("backsight")
        .output()
        .map_err(|why| why.to_string())?;
    assert!(told.status.success(), "{}", text(&told.stderr));
    let flags = text(&told.stdout);
    let flags = flags.split_whitespace();
    Ok(match link {
        Link::Shared => flags.map(str::to_owned).collect(),
        Link::Static => {
            let archive = installed.lib().join("libbacksight.a").display().to_string();
            let one = |flag: &str| match flag {
                "-lbacksight" => archive.clone(),
                other => other.to_owned(),
            };
            flags.map(one).collect()
        }
    })
}

/// A program that finds the library where it was installed.
pub(crate) fn program(path: &Path) -> Command {
    let mut command = Command::new(path);
    command.env("LD_LIBRARY_PATH", Installed::get().lib());
    command.stdin(Stdio::null());
    command
}

/// Runs a program that must succeed, and returns what it printed.
pub(crate) fn run(command: &mut Command) -> String {
    let done: Output = command.output().unwrap();
    let (out, error) = (text(&done.stdout), text(&done.stderr));
    assert!(
        done.status.success(),
        "{command:?}: {}\n{out}\n{error}",
        done.status
    );
    out
}

pub(crate) fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
