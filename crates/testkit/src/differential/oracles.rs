//! The other symbolizers, with a common form of answers.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use super::level::Level;

/// A symbolizer to compare with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Oracle {
    /// The addr2line crate: its loader, which also uses the symbol table.
    Addr2lineCrate,
    /// `llvm-symbolizer`.
    LlvmSymbolizer,
    /// `addr2line` of binutils.
    BinutilsAddr2line,
}

impl Oracle {
    /// All oracles.
    pub const ALL: [Self; 3] = [
        Self::Addr2lineCrate,
        Self::LlvmSymbolizer,
        Self::BinutilsAddr2line,
    ];

    pub(super) fn has_columns(self) -> bool {
        self != Self::BinutilsAddr2line
    }

    /// Returns the levels at each address, innermost first.
    ///
    /// # Errors
    /// Says why it cannot be asked: the tool is not there.
    ///
    /// # Panics
    /// When it says what cannot be understood.
    pub fn ask(self, of: &Asked<'_>, addrs: &[u64]) -> Result<Vec<Vec<Level>>, String> {
        match self {
            Self::Addr2lineCrate => {
                let answers = ask_crate(of.debug, of.supplementary, addrs);
                Ok(answers.into_iter().map(without_unknown).collect())
            }
            Self::LlvmSymbolizer => ask_llvm(of, addrs),
            Self::BinutilsAddr2line => {
                let mut command = Command::new(of.addr2line);
                // It looks for debug files in only one directory of the system.
                let file = if of.is_debug_elsewhere() {
                    of.debug
                } else {
                    of.path
                };
                listing(command.args(["-a", "-f", "-i", "-e"]).arg(file), addrs)
            }
        }
    }
}

/// The files for an oracle, and its tools.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    /// The file that contains the addresses.
    pub path: &'a Path,
    /// The file with its debug information; the same one if it contains it.
    pub debug: &'a Path,
    /// The supplementary file; only the crate needs it, the others find it themselves.
    pub supplementary: Option<&'a Path>,
    /// Whether columns are wanted: the format of addr2line has none.
    pub columns: bool,
    /// The path of `llvm-symbolizer`.
    pub llvm_symbolizer: &'a str,
    /// The path of `addr2line`: binutils for one machine do not support others.
    pub addr2line: &'a str,
}

impl<'a> Asked<'a> {
    /// Uses the tools of the system.
    #[must_use]
    pub fn new(path: &'a Path, debug: &'a Path) -> Self {
        Self {
            path,
            debug,
            supplementary: None,
            columns: true,
            llvm_symbolizer: "llvm-symbolizer",
            addr2line: "addr2line",
        }
    }

    fn is_debug_elsewhere(&self) -> bool {
        self.debug != self.path && !self.debug.starts_with("/usr/lib/debug")
    }
}

fn without_unknown(levels: Vec<Level>) -> Vec<Level> {
    let known = |level: &Level| *level != Level::default();
    levels.into_iter().filter(known).collect()
}

fn ask_crate(debug: &Path, supplementary: Option<&Path>, addrs: &[u64]) -> Vec<Vec<Level>> {
    let loader = addr2line::Loader::new_with_sup(debug, supplementary);
    let loader = loader.expect("it can read the files");
    let levels_at = |addr: &u64| {
        let mut levels = Vec::new();
        let mut frames = loader.find_frames(*addr).expect("it can read the DWARF");
        while let Some(frame) = frames.next().expect("it can read the DWARF") {
            let place = frame.location.as_ref();
            levels.push(Level {
                name: frame
                    .function
                    .map(|name| name.raw_name().expect("text").into_owned()),
                file: place.and_then(|place| place.file).map(String::from),
                line: place.and_then(|place| place.line).unwrap_or(0),
                column: place.and_then(|place| place.column).unwrap_or(0),
            });
        }
        // It leaves the symbol table to its caller.
        let symbol = || loader.find_symbol(*addr).map(String::from);
        match levels.last_mut() {
            Some(last) => last.name = last.name.take().or_else(symbol),
            None => levels.push(Level {
                name: symbol(),
                ..Level::default()
            }),
        }
        levels
    };
    addrs.iter().map(levels_at).collect()
}

fn ask_llvm(of: &Asked<'_>, addrs: &[u64]) -> Result<Vec<Vec<Level>>, String> {
    let args = ["--output-style=JSON", "--inlines", "--no-demangle"];
    let mut command = Command::new(of.llvm_symbolizer);
    command
        .args(args)
        .arg(format!("--obj={}", of.path.display()));
    // It appends `.build-id/xx/rest.debug` itself.
    let dir = of.debug.ancestors().nth(3);
    let dir = dir.filter(|_| of.debug != of.path);
    let dir = dir.map(|dir| format!("--debug-file-directory={}", dir.display()));
    let output = feed(command.args(dir), addrs)?;
    let text = |value: &serde_json::Value| {
        value
            .as_str()
            .filter(|text| !text.is_empty())
            .map(String::from)
    };
    let number =
        |value: &serde_json::Value| u32::try_from(value.as_u64().unwrap_or(0)).expect("32 bits");
    let level = |value: &serde_json::Value| Level {
        name: text(&value["FunctionName"]),
        file: text(&value["FileName"]),
        line: number(&value["Line"]),
        column: number(&value["Column"]) * u32::from(of.columns),
    };
    let answers = output.lines().map(|line| {
        let value: serde_json::Value = serde_json::from_str(line).expect("JSON");
        let levels = value["Symbol"].as_array();
        let levels = levels.map(|levels| levels.iter().map(level).collect());
        without_unknown(levels.unwrap_or_default())
    });
    Ok(answers.collect())
}

/// Returns the answers of a command that prints as binutils' `addr2line -a -f -i`.
///
/// # Errors
/// Says why it cannot be asked.
///
/// # Panics
/// When its listing cannot be understood.
pub fn listing(command: &mut Command, addrs: &[u64]) -> Result<Vec<Vec<Level>>, String> {
    let output = feed(command, addrs)?;
    let known = |text: &str| Some(String::from(text)).filter(|text| text != "??");
    let mut answers: Vec<Vec<Level>> = Vec::new();
    let mut lines = output.lines();
    while let Some(first) = lines.next() {
        if first.starts_with("0x") {
            answers.push(Vec::new());
            continue;
        }
        let place = lines.next().expect("a place follows each function");
        // A line may end in " (discriminator 3)", and "?" means no line.
        let place = place.split(" (discriminator").next().unwrap_or(place);
        let (file, line) = place.rsplit_once(':').expect("file:line");
        let levels = answers.last_mut().expect("an address goes first");
        levels.push(Level {
            name: known(first),
            file: known(file),
            line: line.parse().unwrap_or(0),
            column: 0,
        });
    }
    Ok(answers.into_iter().map(without_unknown).collect())
}

/// Writes the addresses to the tool's standard input and returns its output.
fn feed(command: &mut Command, addrs: &[u64]) -> Result<String, String> {
    let name = command.get_program().to_string_lossy().into_owned();
    let command = command.stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command
        .spawn()
        .map_err(|error| format!("{name}: {error}"))?;
    let mut stdin = child.stdin.take().expect("piped");
    let text: String = addrs.iter().map(|addr| format!("{addr:#x}\n")).collect();
    // Write from another thread: the tool's output may fill the pipe before all input is
    // written.
    let asking = std::thread::spawn(move || stdin.write_all(text.as_bytes()));
    let output = child
        .wait_with_output()
        .map_err(|error| format!("{name}: {error}"))?;
    asking
        .join()
        .expect("no panic")
        .map_err(|error| format!("{name}: {error}"))?;
    String::from_utf8(output.stdout).map_err(|error| format!("{name}: {error}"))
}
