//! Traces of Perfetto: symbols for them, compared with binutils' addr2line, and reports of them.

mod common;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use common::run;
use testkit::perfetto::{
    Field, Message, callstack, fields, frame, mapping, packet, perf_sample, text, trace,
};
use testkit::skip;

const SOURCE: &str = "\
static inline __attribute__((always_inline)) int inner(int x) {
    return x * x + 1;
}
__attribute__((noinline)) int work(int x) {
    return inner(x) * 3;
}
int main(int count, char **args) {
    return args == 0 ? 1 : work(count) + 1;
}
";

/// A program, and a trace in which each byte of `work` and `main` was sampled.
struct Traced {
    dir: tempfile::TempDir,
    program: PathBuf,
    trace: PathBuf,
    addresses: Vec<u64>,
}

impl Traced {
    fn new() -> Option<Self> {
        ["cc", "nm", "addr2line"]
            .iter()
            .try_for_each(|name| testkit::tools::tool(name).map(|_| ()))?;
        let dir = tempfile::tempdir().expect("a folder");
        let program = dir.path().join("prog");
        fs::write(dir.path().join("a.c"), SOURCE).expect("ours");
        let args = ["-g", "-O1", "-Wl,--build-id", "-o", "prog", "a.c"];
        let mut cc = Command::new("cc");
        let made = cc.args(args).current_dir(dir.path()).status();
        assert!(made.expect("cc").success());
        let listed = Command::new("nm").arg("-S").arg(&program).output();
        let listed = String::from_utf8(listed.expect("nm").stdout).expect("text");
        let mut addresses = Vec::new();
        for line in listed.lines() {
            let words: Vec<&str> = line.split(' ').collect();
            if let [start, size, _, "main" | "work"] = words[..] {
                let number = |digits| u64::from_str_radix(digits, 16).expect("hexadecimal");
                addresses.extend((0..number(size)).map(|at| number(start) + at));
            }
        }
        assert!(addresses.len() > 10, "{listed}");
        let trace = dir.path().join("it.perfetto-trace");
        fs::write(&trace, made_trace(&program, &addresses)).expect("ours");
        Some(Self {
            dir,
            program,
            trace,
            addresses,
        })
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn text(path: &Path) -> &str {
        path.to_str().expect("text")
    }
}

fn made_trace(program: &Path, addresses: &[u64]) -> Vec<u8> {
    let id = run(["buildid", Traced::text(program)]).ok();
    let id = id.split(' ').next().expect("an ID").trim();
    let bytes = (0..id.len()).step_by(2);
    let bytes = bytes.map(|at| u8::from_str_radix(&id[at..at + 2], 16).expect("hexadecimal"));
    let mut data = Message::default()
        .bytes(16, text(1, bytes.collect::<Vec<u8>>()))
        .bytes(5, text(1, "recorded_name"));
    let mut parts = Vec::new();
    for part in Traced::text(program).split('/').skip(1) {
        parts.push(parts.len() as u64 + 1);
        data = data.bytes(17, text(parts.len() as u64, part));
    }
    data = data.bytes(19, mapping(1, 1, &parts));
    let mut packets = Vec::new();
    for (at, address) in (1..).zip(addresses) {
        // Half of the addresses have a name of the recorder.
        data = data.bytes(6, frame(at, at % 2, 1, *address));
        data = data.bytes(7, callstack(at, &[at], true));
        packets.push(packet(1, at).bytes(66, perf_sample(7, 7, at)));
    }
    packets.insert(0, packet(1, 0).number(13, 1).bytes(12, data));
    trace(&packets)
}

/// The function, file and line of each level at an address, innermost first.
type Lines = Vec<(String, String, u64)>;

fn by_addr2line(program: &Path, addresses: &[u64]) -> Vec<(u64, Lines)> {
    let mut tool = Command::new("addr2line");
    tool.args(["-a", "-i", "-f", "-e"]).arg(program);
    tool.args(addresses.iter().map(|address| format!("{address:x}")));
    let said = String::from_utf8(tool.output().expect("it runs").stdout).expect("text");
    let mut all: Vec<(u64, Lines)> = Vec::new();
    let mut lines = said.lines();
    while let Some(line) = lines.next() {
        if let Some(address) = line.strip_prefix("0x") {
            let address = u64::from_str_radix(address, 16).expect("hexadecimal");
            all.push((address, Vec::new()));
            continue;
        }
        let place = lines.next().expect("a place");
        let (file, number) = place.rsplit_once(':').expect("a line");
        let number = number.split(' ').next().and_then(|it| it.parse().ok());
        let level = (line.to_owned(), file.to_owned(), number.unwrap_or(0));
        all.last_mut().expect("an address").1.push(level);
    }
    all
}

fn decoded(symbols: &[u8], program: &Path) -> Vec<(u64, Lines)> {
    let message = |field: &Field| match field {
        Field::Bytes(bytes) => bytes.clone(),
        Field::Number(number) => panic!("{number} is no message"),
    };
    let named = |bytes: &[u8], name: u64| {
        let all = fields(bytes).into_iter();
        all.filter(move |(number, _)| *number == name)
            .map(|(_, value)| value)
    };
    let utf8 = |bytes: Vec<u8>| String::from_utf8(bytes).expect("UTF-8");
    let mut all = Vec::new();
    for packet in named(symbols, 1) {
        for module in named(&message(&packet), 61).map(|module| message(&module)) {
            let path = named(&module, 1).next().expect("a path");
            assert_eq!(utf8(message(&path)), Traced::text(program));
            assert_eq!(message(&named(&module, 2).next().expect("an ID")).len(), 20);
            for row in named(&module, 3).map(|row| message(&row)) {
                let Some(Field::Number(address)) = named(&row, 1).next() else {
                    panic!("an address");
                };
                let line = |line: Vec<u8>| {
                    let text = |name| named(&line, name).next().map(|it| utf8(message(&it)));
                    let number = match named(&line, 3).next() {
                        Some(Field::Number(number)) => number,
                        _ => 0,
                    };
                    (
                        text(1).expect("a function"),
                        text(2).unwrap_or_default(),
                        number,
                    )
                };
                let lines = named(&row, 2).map(|it| line(message(&it))).collect();
                all.push((address, lines));
            }
        }
    }
    all
}

#[test]
fn symbols_are_those_of_addr2line_and_are_appended() {
    let Some(traced) = Traced::new() else {
        return skip("no compiler, nm or addr2line");
    };
    let symbols = traced.path("it.perfetto-symbols");
    let paths = [&traced.trace, &symbols].map(|path| Traced::text(path));
    let ran = run(["convert", paths[0], paths[1]]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let symbols = fs::read(&symbols).expect("written");
    let mut ours = decoded(&symbols, &traced.program);
    ours.sort();
    let mut theirs = by_addr2line(&traced.program, &traced.addresses);
    theirs.sort();
    assert_eq!(ours, theirs);
    assert!(ours.iter().any(|(_, lines)| lines.len() == 2), "{ours:?}");

    // The recorder's names are kept, until symbols are appended.
    let folded = |trace: &str| run(["convert", trace, "-", "--to", "folded"]).stdout;
    let before = folded(paths[0]);
    let count = traced.addresses.len().div_ceil(2);
    assert!(
        before.contains(&format!("recorded_name {count}\n")),
        "{before}"
    );
    let whole = traced.path("symbolized.pftrace");
    let trace = fs::read(&traced.trace).expect("ours");
    fs::write(&whole, [trace, symbols].concat()).expect("ours");
    fs::remove_file(&traced.program).expect("ours");
    let after = folded(Traced::text(&whole));
    assert!(
        after.contains("work;inner ") && !after.contains("recorded_name"),
        "{after}"
    );
    let sum = after.lines().filter_map(|line| line.rsplit_once(' '));
    let sum: usize = sum
        .filter_map(|(_, count)| count.parse::<usize>().ok())
        .sum();
    assert_eq!(sum, traced.addresses.len());
    // Without the program, the report has the names of the symbols, too.
    let report = run(["report", Traced::text(&whole)]);
    assert!(report.stdout.contains("inner"), "{report:?}");

    // Nothing is left to look up.
    let again = traced.path("again.perfetto-symbols");
    let ran = run(["convert", Traced::text(&whole), Traced::text(&again)]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert_eq!(fs::read(&again).expect("written"), b"");
    // Where the program is gone, it is said.
    let ran = run(["convert", paths[0], Traced::text(&again)]);
    let all = traced.addresses.len();
    let said = format!("{all} of {all} addresses without symbols in the trace have none here");
    assert!(ran.code == Some(0) && ran.stderr.contains(&said), "{ran:?}");
}

#[test]
fn what_is_no_trace_gets_no_symbols() {
    let dir = tempfile::tempdir().expect("a folder");
    let input = dir.path().join("a.folded");
    fs::write(&input, "main;work 3\n").expect("ours");
    let output = dir.path().join("a.perfetto-symbols");
    let [input, output] = [&input, &output].map(|path| Traced::text(path));
    let ran = run(["convert", input, output]);
    ran.fails(1, &["a.folded", "a trace of Perfetto, and this is none"]);
    let ran = run(["convert", input, output, "--no-symbols"]);
    ran.fails(2, &["--no-symbols leaves nothing to write"]);
    let ran = run(["record", "-o", output, "--", "true"]);
    ran.fails(2, &["backsight convert TRACE"]);
    assert!(!Path::new(output).exists());
}
