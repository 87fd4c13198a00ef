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
        Self::linked(&[])
    }

    /// A program that was linked with more flags.
    fn linked(flags: &[&str]) -> Option<Self> {
        ["cc", "nm", "addr2line", "readelf"]
            .iter()
            .try_for_each(|name| testkit::tools::tool(name).map(|_| ()))?;
        let dir = tempfile::tempdir().expect("a folder");
        let program = dir.path().join("prog");
        fs::write(dir.path().join("a.c"), SOURCE).expect("ours");
        let args = ["-g", "-O1", "-Wl,--build-id", "-o", "prog", "a.c"];
        let mut cc = Command::new("cc");
        let made = cc.args(args).args(flags).current_dir(dir.path()).status();
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
        fs::write(&trace, made_trace(&program, &addresses, 0)).expect("ours");
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

/// A trace whose recorder took the load bias for so much less than it is.
fn made_trace(program: &Path, addresses: &[u64], less: u64) -> Vec<u8> {
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
    let bias = load_bias_of(program) - less;
    data = data.bytes(19, mapping(1, 1, &parts).number(6, bias));
    let mut packets = Vec::new();
    for (at, address) in (1..).zip(addresses) {
        // Half of the addresses have a name of the recorder.
        data = data.bytes(6, frame(at, at % 2, 1, *address - less));
        data = data.bytes(7, callstack(at, &[at], true));
        packets.push(packet(1, at).bytes(66, perf_sample(7, 7, at)));
    }
    packets.insert(0, packet(1, 0).number(13, 1).bytes(12, data));
    trace(&packets)
}

/// Returns by how much the addresses of code are above its offsets in the file, as readelf shows
/// the first executable segment.
fn load_bias_of(program: &Path) -> u64 {
    let shown = Command::new("readelf").arg("-lW").arg(program).output();
    let shown = String::from_utf8(shown.expect("readelf").stdout).expect("text");
    let mut lines = shown.lines().filter(|line| line.contains("LOAD"));
    let code = lines.find(|line| line.contains(" R E ")).expect("code");
    let words: Vec<&str> = code.split_whitespace().collect();
    let number = |text: &str| u64::from_str_radix(&text[2..], 16).expect("hexadecimal");
    number(words[2]) - number(words[1])
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

#[test]
fn a_wrong_load_bias_is_corrected_by_the_file() {
    // All addresses are far above their offsets in the file.
    let flags = ["-no-pie", "-Wl,-Ttext-segment=0x800000"];
    let Some(traced) = Traced::linked(&flags) else {
        return skip("there are no compiler and binutils");
    };
    let right = traced.path("right.perfetto-symbols");
    let [trace, right] = [&traced.trace, &right].map(|path| Traced::text(path));
    let ran = run(["convert", trace, right]);
    assert!(
        ran.code == Some(0) && !ran.stderr.contains("load bias"),
        "{ran:?}"
    );
    let mut wanted = by_addr2line(&traced.program, &traced.addresses);
    wanted.sort();
    assert_eq!(
        decoded(&fs::read(right).expect("written"), &traced.program),
        wanted
    );
    // Some recorders took a bias of 0.
    let less = load_bias_of(&traced.program);
    assert_eq!(less, 0x80_0000);
    let wrong = traced.path("wrong.perfetto-trace");
    fs::write(&wrong, made_trace(&traced.program, &traced.addresses, less)).expect("ours");
    let symbols = traced.path("wrong.perfetto-symbols");
    let [wrong, symbols] = [&wrong, &symbols].map(|path| Traced::text(path));
    let ran = run(["convert", wrong, symbols]);
    let said = format!(
        "{} addresses with a wrong load bias",
        traced.addresses.len()
    );
    assert!(ran.code == Some(0) && ran.stderr.contains(&said), "{ran:?}");
    // The symbols are for the addresses as the trace has them.
    let wanted: Vec<(u64, Lines)> = wanted
        .into_iter()
        .map(|(at, lines)| (at - less, lines))
        .collect();
    assert_eq!(
        decoded(&fs::read(symbols).expect("written"), &traced.program),
        wanted
    );
    // Other ways give the same.
    let folded = |trace| run(["convert", trace, "-", "--to", "folded"]).stdout;
    let right = folded(trace);
    assert!(right.contains("main"), "{right}");
    assert_eq!(folded(wrong), right);
}

#[test]
fn samples_and_a_heap_are_each_counted_in_samples() {
    let dir = tempfile::tempdir().expect("a folder");
    let path = dir.path().join("both.perfetto-trace");
    let data = Message::default()
        .bytes(5, text(1, "main"))
        .bytes(17, text(1, "app"))
        .bytes(19, mapping(1, 0, &[1]))
        .bytes(6, frame(1, 1, 1, 16))
        .bytes(7, callstack(1, &[1], true));
    // 4,000 bytes in 40 blocks, of which 1,000 bytes in 10 blocks are free again.
    let row = [(1, 1), (2, 4_000), (3, 1_000), (5, 40), (6, 10)];
    let row = row
        .into_iter()
        .fold(Message::default(), |row, (field, number)| {
            row.number(field, number)
        });
    let dump = Message::default()
        .number(1, 7)
        .bytes(11, "libc.malloc")
        .bytes(2, row);
    let packets = [
        packet(1, 0).number(13, 1).bytes(12, data),
        packet(1, 1).bytes(66, perf_sample(7, 7, 1)),
        packet(1, 2).bytes(66, perf_sample(7, 7, 1)),
        packet(1, 3).bytes(37, Message::default().number(7, 0).bytes(5, dump)),
    ];
    fs::write(&path, trace(&packets)).expect("ours");
    let ran = run(["report", Traced::text(&path), "--no-symbols"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let said = "samples shown: 2 of samples; left out: 1 of alloc_objects";
    assert!(ran.stderr.contains(said), "{ran:?}");
    let heap = run([
        "report",
        Traced::text(&path),
        "--no-symbols",
        "--sample-type",
        "inuse_space",
    ]);
    assert!(heap.stdout.contains("inuse_space: 2.93 KiB"), "{heap:?}");
}
