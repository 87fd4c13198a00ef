//! The example `on_device`, as a process of its own: its answers are ours, and it is small.
//!
//! `BACKSIGHT_ON_DEVICE` names the program; else it is beside the tests, as in the guests of
//! `cargo xtask kernels`, or the example that was built with them.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use backsight_formats::ndjson::{AddressLine, JsonLine, Reader};
use backsight_normalize::{AbsAddr, Options, Outcome, Session};
use backsight_types::{Lookup, Module};
use testkit::child::{Child, KillOnDrop};
use testkit::{naive, skip};

/// The most bytes of the static program, and of its memory.
const MAX_FILE: u64 = 600_000;
const MAX_MEMORY: u64 = 1 << 20;

fn program() -> Option<PathBuf> {
    if let Some(named) = std::env::var_os("BACKSIGHT_ON_DEVICE") {
        return Some(named.into());
    }
    let tests = std::env::current_exe().unwrap();
    let folder = tests.parent()?;
    let places = [
        folder.join("on_device"),
        folder.parent()?.join("examples/on_device"),
    ];
    places.into_iter().find(|path| path.is_file())
}

/// Whether a program needs no dynamic linker.
fn is_static(path: &Path) -> bool {
    let bytes = fs::read(path).unwrap();
    let needle = b"/ld-linux";
    !bytes.windows(needle.len()).any(|window| window == needle)
}

/// Returns the most memory that a process had, in bytes.
fn peak_memory(pid: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib: u64 = line
        .unwrap()
        .trim()
        .strip_suffix(" kB")
        .unwrap()
        .parse()
        .unwrap();
    kib << 10
}

#[test]
fn its_answers_are_ours_and_it_is_small() {
    let Some(program) = program() else {
        return skip("the example on_device is not built");
    };
    let mut child = Child::spawn();
    child.map("/proc/self/exe", "r-xp");
    child.gaps("/proc/self/exe", 3);
    child.anon("rwxp", 0x3000);
    let text = naive::text_of(child.pid()).unwrap();
    let lines = naive::lines(&text);
    let stacks: Vec<Vec<AbsAddr>> = lines
        .map(|line| {
            [
                line.start - 1,
                line.start,
                line.start + 8,
                line.end - 1,
                line.end,
            ]
        })
        .map(|stack| stack.map(AbsAddr).to_vec())
        .collect();
    let mut command = Command::new(&program);
    command.arg(child.pid().to_string());
    let command = command.stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut device = KillOnDrop(command.spawn().unwrap());
    let mut input = device.0.stdin.take().unwrap();
    let mut output = BufReader::new(device.0.stdout.take().unwrap());
    let mut written = Vec::new();
    // Each answer comes before the next question.
    for stack in &stacks {
        let words: Vec<String> = stack.iter().map(AbsAddr::to_string).collect();
        writeln!(input, "{}", words.join(" ")).unwrap();
        let mut missing = stack.len();
        while missing > 0 {
            let begin = written.len();
            assert!(
                output.read_until(b'\n', &mut written).unwrap() > 0,
                "it ended"
            );
            let line = &written[begin..];
            missing -= usize::from(line.starts_with(b"{\"type\":\"address\""));
        }
    }
    let memory = peak_memory(device.pid());
    writeln!(input, "nonsense").unwrap();
    let mut line = String::new();
    output.read_line(&mut line).unwrap();
    assert!(
        line.contains("\"malformed\"") && line.contains("nonsense"),
        "{line}"
    );
    drop(input);
    assert!(device.0.wait().unwrap().success());

    let mut session = Session::open(child.pid(), Options::default()).unwrap();
    let (mut modules, mut answers) = (Vec::<Module>::new(), Vec::<AddressLine<'static>>::new());
    for line in Reader::new(&written[..]) {
        match line.unwrap().1 {
            JsonLine::Module { index, module } => {
                assert_eq!(index.as_usize(), modules.len());
                modules.push(module);
            }
            JsonLine::Address(address) => answers.push(address),
            _ => {}
        }
    }
    let mut answers = answers.into_iter();
    let mut located = 0;
    for stack in &stacks {
        let mut outcomes = Vec::new();
        session.normalize(stack, &mut outcomes).unwrap();
        for (at, (addr, outcome)) in stack.iter().zip(outcomes).enumerate() {
            let lookup = if at == 0 {
                Lookup::Exact
            } else {
                Lookup::Return
            };
            let module = match outcome {
                Outcome::Located { module, .. } => {
                    Some(&session.modules()[module.as_usize()].module)
                }
                _ => None,
            };
            located += u32::from(module.is_some());
            let want = AddressLine::normalized(*addr, lookup, outcome, module);
            assert_eq!(answers.next(), Some(want));
        }
    }
    assert!(located > 10, "{located} addresses have a module");
    for (got, want) in modules.iter().zip(session.modules()) {
        let id = |module: &Module| (module.path.clone(), module.build_id, module.inode);
        assert_eq!(id(got), id(&want.module));
    }
    let size = fs::metadata(&program).unwrap().len();
    println!(
        "{}: {size} bytes, {memory} bytes of memory",
        program.display()
    );
    if is_static(&program) {
        assert!(size < MAX_FILE, "{size} bytes");
        assert!(memory < MAX_MEMORY, "{memory} bytes of memory");
    }
}
