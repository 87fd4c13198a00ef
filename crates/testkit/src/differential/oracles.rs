//! The others, each asked in its own way and answering in one shape.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use super::Level;

/// Who is asked besides us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Oracle {
    /// The addr2line crate: its loader, which asks the symbol table too.
    Addr2lineCrate,
    /// `llvm-symbolizer`.
    LlvmSymbolizer,
    /// `addr2line` of binutils.
    BinutilsAddr2line,
}

impl Oracle {
    /// All of them.
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
    pub fn ask(self, path: &Path, debug: &Path, addrs: &[u64]) -> Result<Vec<Vec<Level>>, String> {
        self.ask_with(path, debug, None, addrs)
    }

    /// The same of a file with a supplementary file, which the crate is told of; the
    /// others find it.
    ///
    /// # Errors
    /// Says why it cannot be asked: the tool is not there.
    ///
    /// # Panics
    /// When it says what cannot be understood.
    pub fn ask_with(
        self,
        path: &Path,
        debug: &Path,
        supplementary: Option<&Path>,
        addrs: &[u64],
    ) -> Result<Vec<Vec<Level>>, String> {
        let answers = match self {
            Self::Addr2lineCrate => ask_crate(debug, supplementary, addrs),
            Self::LlvmSymbolizer => ask_llvm(path, debug, addrs)?,
            Self::BinutilsAddr2line => ask_binutils(path, addrs)?,
        };
        let known = |level: &Level| *level != Level::default();
        let levels = answers.into_iter();
        Ok(levels
            .map(|levels| levels.into_iter().filter(known).collect())
            .collect())
    }
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

fn ask_llvm(path: &Path, debug: &Path, addrs: &[u64]) -> Result<Vec<Vec<Level>>, String> {
    let args = ["--output-style=JSON", "--inlines", "--no-demangle"];
    let mut command = Command::new("llvm-symbolizer");
    command.args(args).arg(format!("--obj={}", path.display()));
    // It appends `.build-id/xx/rest.debug` itself.
    let dir = debug.ancestors().nth(3).filter(|_| debug != path);
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
        column: number(&value["Column"]),
    };
    let answers = output.lines().map(|line| {
        let value: serde_json::Value = serde_json::from_str(line).expect("JSON");
        let levels = value["Symbol"].as_array();
        levels
            .map(|levels| levels.iter().map(level).collect())
            .unwrap_or_default()
    });
    Ok(answers.collect())
}

fn ask_binutils(path: &Path, addrs: &[u64]) -> Result<Vec<Vec<Level>>, String> {
    let output = feed(
        Command::new("addr2line")
            .args(["-a", "-f", "-i", "-e"])
            .arg(path),
        addrs,
    )?;
    let known = |text: &str| Some(String::from(text)).filter(|text| text != "??");
    let mut answers: Vec<Vec<Level>> = Vec::new();
    let mut lines = output.lines();
    while let Some(first) = lines.next() {
        if first.starts_with("0x") {
            answers.push(Vec::new());
            continue;
        }
        let place = lines.next().expect("a place follows each function");
        // It may add " (discriminator 3)", and writes "?" for no line.
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
    Ok(answers)
}

/// Writes the addresses to the tool's standard input and returns what it writes.
fn feed(command: &mut Command, addrs: &[u64]) -> Result<String, String> {
    let name = command.get_program().to_string_lossy().into_owned();
    let command = command.stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command
        .spawn()
        .map_err(|error| format!("{name}: {error}"))?;
    let mut stdin = child.stdin.take().expect("piped");
    let text: String = addrs.iter().map(|addr| format!("{addr:#x}\n")).collect();
    // Its answers fill the pipe while we still ask.
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
