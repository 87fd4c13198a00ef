//! SymCache, an index built beforehand: a separate program (`benches/peers`), which measures its
//! times itself.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use tempfile::TempDir;
use testkit::workload::{self, PEERS};

/// The running program; it exits when its input is closed.
#[derive(Debug)]
struct Peers {
    child: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
}

/// A cache in a temporary directory, and the program that looks up in it.
#[derive(Debug)]
pub(crate) struct SymCache {
    peers: Peers,
    directory: TempDir,
    /// The base address of the cache, in hexadecimal.
    bias: String,
    /// The size of the cache.
    pub(crate) bytes: u64,
}

/// The cost of looking up many addresses.
#[derive(Clone, Copy, Debug)]
pub(crate) struct All {
    pub(crate) ns: u64,
    pub(crate) levels: u64,
    pub(crate) peak_kib: u64,
}

impl Peers {
    fn start() -> Result<Self, String> {
        let program = workload::dir().unwrap_or_default().join(PEERS);
        let mut command = Command::new(&program);
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let started = command.spawn();
        let mut child = started.map_err(|why| {
            let program = program.display();
            format!("{program}: {why}; `cargo xtask workloads` builds it")
        })?;
        let input = child.stdin.take();
        let output = child.stdout.take().map(BufReader::new).expect("piped");
        Ok(Self {
            child,
            input,
            output,
        })
    }

    fn ask<const N: usize>(&mut self, words: &[&str]) -> Result<[String; N], String> {
        let asked = words.join("\t");
        let failed = |why: &dyn std::fmt::Display| format!("{asked}: {why}");
        let mut input = self.input.as_ref().expect("open until dropped");
        writeln!(input, "{asked}").map_err(|why| failed(&why))?;
        let mut answer = String::new();
        let read = self.output.read_line(&mut answer);
        read.map_err(|why| failed(&why))?;
        let words: Vec<String> = answer.split_whitespace().map(String::from).collect();
        let count = words.len();
        words
            .try_into()
            .map_err(|_| failed(&format!("{count} words")))
    }
}

impl Drop for Peers {
    fn drop(&mut self) {
        self.input = None;
        let _ = self.child.wait();
    }
}

impl SymCache {
    /// Builds the cache of a file with debug information.
    pub(crate) fn build(debug: &Path) -> Result<Self, String> {
        let mut this = Self {
            peers: Peers::start()?,
            directory: tempfile::tempdir().map_err(|why| why.to_string())?,
            bias: String::new(),
            bytes: 0,
        };
        this.rebuild(debug)?;
        Ok(this)
    }

    /// Builds it again, and returns the time in nanoseconds.
    pub(crate) fn rebuild(&mut self, debug: &Path) -> Result<u64, String> {
        let debug = debug.to_string_lossy();
        let [ns, bytes, bias] = self.peers.ask(&["build", &debug, &self.cache()])?;
        (self.bytes, self.bias) = (number(&bytes)?, bias);
        number(&ns)
    }

    /// Opens it and looks up an address, and returns the time in nanoseconds.
    pub(crate) fn first(&mut self, addr: u64) -> Result<u64, String> {
        let addr = format!("{addr:x}");
        let words = ["first", &self.cache(), &self.bias, &addr];
        let [ns, _levels] = self.peers.ask(&words)?;
        number(&ns)
    }

    /// Looks up many addresses, in a process that does nothing else.
    pub(crate) fn all(&self, addrs: &[u64]) -> Result<All, String> {
        let file = self.directory.path().join("addresses");
        if !file.exists() {
            let bytes: Vec<u8> = addrs.iter().flat_map(|addr| addr.to_le_bytes()).collect();
            std::fs::write(&file, bytes).map_err(|why| why.to_string())?;
        }
        let file = file.to_string_lossy();
        let words = ["all", &self.cache(), &self.bias, &file];
        let [ns, levels, peak] = Peers::start()?.ask(&words)?;
        Ok(All {
            ns: number(&ns)?,
            levels: number(&levels)?,
            peak_kib: number(&peak)?,
        })
    }

    fn cache(&self) -> String {
        let path: PathBuf = self.directory.path().join("symcache");
        path.to_string_lossy().into_owned()
    }
}

fn number(text: &str) -> Result<u64, String> {
    text.parse().map_err(|why| format!("{text:?}: {why}"))
}
