//! What other tools say of a file.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

/// A call level.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Level {
    /// The function.
    pub name: String,
    /// Empty when it is not known.
    pub file: String,
    /// 0 when it is not known.
    pub line: u32,
}

/// Whether two answers have the same levels, called from the same places. The innermost line
/// may be another one: Go's compiler makes its line table and debug information each by
/// itself, and moves some instructions to the line before in one of them.
#[must_use]
pub fn are_same_calls(ours: &[Level], theirs: &[Level]) -> bool {
    let same_place = |at: usize, ours: &Level, theirs: &Level| {
        ours.name == theirs.name
            && ours.file == theirs.file
            && (at == 0 || ours.line == theirs.line)
    };
    let mut pairs = ours.iter().zip(theirs).enumerate();
    ours.len() == theirs.len() && pairs.all(|(at, (ours, theirs))| same_place(at, ours, theirs))
}

/// Returns what `go tool addr2line` says: the function, and the innermost line.
///
/// # Panics
/// When it cannot be run.
#[must_use]
pub fn addr2line(path: &Path, addresses: &[u64]) -> Vec<Level> {
    let text = ask(
        Command::new("go").args(["tool", "addr2line"]).arg(path),
        addresses,
    );
    let lines: Vec<&str> = text.lines().collect();
    let pairs = lines.chunks(2);
    pairs.map(|pair| level(pair[0], pair[1])).collect()
}

/// Returns what LLVM says of the debug information: all levels, innermost first.
///
/// # Panics
/// When it cannot be run.
#[must_use]
pub fn llvm(path: &Path, addresses: &[u64]) -> Vec<Vec<Level>> {
    let mut command = Command::new("llvm-symbolizer");
    command
        .args([
            "--inlines",
            "--no-demangle",
            "-a",
            "--functions=linkage",
            "-e",
        ])
        .arg(path);
    let text = ask(&mut command, addresses);
    let blocks = text
        .split("\n\n")
        .map(str::trim)
        .filter(|block| !block.is_empty());
    let levels = blocks.map(|block| {
        let lines: Vec<&str> = block.lines().skip(1).collect();
        let levels = lines.chunks(2).filter(|pair| pair[0] != "??");
        levels
            .map(|pair| {
                let place = pair[1].rsplit_once(':').expect("a column").0;
                let level = level(pair[0], place);
                Level {
                    name: printed(&level.name),
                    ..level
                }
            })
            .collect()
    });
    levels.collect()
}

fn level(name: &str, place: &str) -> Level {
    let (file, line) = place.rsplit_once(':').unwrap_or((place, "0"));
    Level {
        name: name.to_owned(),
        // LLVM joins what is no path to one.
        file: file.trim_matches('?').trim_start_matches("./").to_owned(),
        line: line.parse().unwrap_or(0),
    }
}

/// As `runtime.funcNameForPrint`, and without what symbols of assembly have behind them.
#[must_use]
pub fn printed(name: &str) -> String {
    let name = name.strip_suffix(".abi0").unwrap_or(name);
    match (name.find('['), name.rfind(']')) {
        (Some(first), Some(last)) if first < last => {
            format!("{}[...]{}", &name[..first], &name[last + 1..])
        }
        _ => name.to_owned(),
    }
}

fn ask(command: &mut Command, addresses: &[u64]) -> String {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the tool runs");
    let mut input = child.stdin.take().expect("piped");
    let text: String = addresses
        .iter()
        .map(|addr| format!("{addr:#x}\n"))
        .collect();
    let writer = std::thread::spawn(move || input.write_all(text.as_bytes()));
    let output = child.wait_with_output().expect("it ends");
    drop(writer.join());
    String::from_utf8(output.stdout).expect("text")
}
