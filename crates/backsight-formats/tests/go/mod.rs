//! Debian's Go: its pprof, and programs with its runtime.

use std::path::Path;
use std::process::{Command, Output};

/// Go, and a directory for its output.
pub(crate) struct Go {
    dir: tempfile::TempDir,
}

impl Go {
    /// Finds Go; if it is not installed, reports that the test is skipped.
    pub(crate) fn find() -> Option<Self> {
        if testkit::tools::tool("go").is_none() {
            testkit::skip("go is not installed");
            return None;
        }
        let dir = tempfile::tempdir().unwrap();
        Some(Self { dir })
    }

    fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = Command::new(program);
        let dir = self.dir.path();
        command
            .current_dir(dir)
            .env("HOME", dir)
            .env("GOCACHE", dir.join("cache"));
        command
            .env("PPROF_TMPDIR", dir)
            .env("GOTOOLCHAIN", "local")
            .env("LC_ALL", "C.UTF-8");
        command
    }

    /// Returns the output of `go tool pprof` for a profile.
    pub(crate) fn pprof(&self, args: &[&str], profile: &[u8]) -> String {
        self.run(&[&["-symbolize=none"], args].concat(), profile)
    }

    /// The same, with the symbols that the tool finds in the files.
    pub(crate) fn pprof_symbolizing(&self, args: &[&str], profile: &[u8]) -> String {
        self.run(&[&["-symbolize=local"], args].concat(), profile)
    }

    /// Returns the file that `go tool pprof` writes for a profile.
    pub(crate) fn pprof_bytes(&self, args: &[&str], profile: &[u8]) -> Vec<u8> {
        let output = self.dir.path().join("output");
        let to = format!("-output={}", output.display());
        self.run(&[&["-symbolize=none", &to], args].concat(), profile);
        std::fs::read(output).unwrap()
    }

    fn run(&self, args: &[&str], profile: &[u8]) -> String {
        let input = self.dir.path().join("input.pb.gz");
        std::fs::write(&input, profile).unwrap();
        let mut command = self.command("go");
        let done = command
            .args(["tool", "pprof"])
            .args(args)
            .arg(input)
            .output();
        printed(done.unwrap())
    }

    /// Returns a CPU profile and a heap profile written by Go's runtime.
    pub(crate) fn runtime_profiles(&self) -> [Vec<u8>; 2] {
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/go/profiles.go");
        let program = self.dir.path().join("program");
        let mut build = self.command("go");
        build.args(["build", "-o"]).arg(&program).arg(source);
        printed(build.output().unwrap());
        let files = ["cpu", "heap"].map(|name| self.dir.path().join(name));
        printed(self.command(&program).args(&files).output().unwrap());
        files.map(|file| std::fs::read(file).unwrap())
    }

    /// Returns the address of a symbol, as printed by `nm`.
    pub(crate) fn symbol(&self, file: &Path, name: &str) -> u64 {
        let text = printed(self.command("nm").arg(file).output().unwrap());
        let line = text
            .lines()
            .find(|line| line.ends_with(&format!(" {name}")));
        let digits = line
            .and_then(|line| line.split(' ').next())
            .expect("the symbol");
        u64::from_str_radix(digits, 16).unwrap()
    }
}

fn printed(done: Output) -> String {
    let said = String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success(), "{said}");
    String::from_utf8_lossy(&done.stdout).into_owned()
}
