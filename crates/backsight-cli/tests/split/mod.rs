//! A program and its debug file in a directory.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use crate::common::{Ran, backsight};

/// `bare` without DWARF, with its debug file by build ID and by link.
pub(crate) struct Split {
    pub(crate) dir: tempfile::TempDir,
    pub(crate) addr: String,
    pub(crate) id: String,
}

impl Split {
    pub(crate) fn new() -> Option<Self> {
        for tool in ["cc", "objcopy", "nm"] {
            testkit::tools::tool(tool)?;
        }
        let dir = tempfile::tempdir().expect("a folder");
        let it = Self {
            dir,
            addr: String::new(),
            id: "1234567812345678123456781234567812345678".into(),
        };
        let source =
            "int work(int n) {\n    return n * 3;\n}\nint main(void) { return work(1); }\n";
        fs::write(it.path("a.c"), source).expect("ours");
        let id = format!("-Wl,--build-id=0x{}", it.id);
        it.run("cc", &["-g", "-O0", &id, "-o", "whole", "a.c"]);
        it.run("objcopy", &["--only-keep-debug", "whole", "a.debug"]);
        it.run(
            "objcopy",
            &[
                "--strip-debug",
                "--add-gnu-debuglink=a.debug",
                "whole",
                "bare",
            ],
        );
        fs::rename(it.path("a.debug"), it.path("kept")).expect("ours");
        let listed = Command::new("nm")
            .arg(it.path("whole"))
            .output()
            .expect("nm");
        let listed = String::from_utf8(listed.stdout).expect("text");
        let line = listed.lines().find(|line| line.ends_with(" T work"));
        let addr = line
            .and_then(|line| line.split(' ').next())
            .expect("it is defined");
        Some(Self {
            addr: addr.to_owned(),
            ..it
        })
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub(crate) fn run(&self, tool: &str, args: &[&str]) {
        let status = Command::new(tool)
            .args(args)
            .current_dir(&self.dir)
            .status();
        assert!(status.expect("it runs").success(), "{tool} {args:?}");
    }

    /// Copies a file to the path of its build ID in one of the directories.
    pub(crate) fn put(&self, file: &str, folder: &str) -> PathBuf {
        let (first, rest) = self.id.split_at(2);
        let home = self.path(folder).join(".build-id").join(first);
        fs::create_dir_all(&home).expect("ours");
        let to = home.join(format!("{rest}.debug"));
        testkit::copy(self.path(file), &to).expect("ours");
        to
    }

    pub(crate) fn ask(&self, args: &[&str]) -> Ran {
        let mut command = backsight();
        command
            .current_dir(&self.dir)
            .env("PERF_BUILDID_DIR", self.path("cache"));
        command.args(args).output().expect("it runs").into()
    }
}
