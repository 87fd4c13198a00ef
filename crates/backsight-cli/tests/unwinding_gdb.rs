//! Whole stacks, compared with those of gdb: a program is stopped after every few instructions,
//! including prologues, the C library, the dynamic linker and signal handlers, and both unwind
//! from the same registers and memory.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use backsight_types::{AbsAddr, AbsRange, FileOffset};
use backsight_unwind::{CallFrames, CodeMap, Machine, MappedCode, Registers, Walker};
use object::{Object as _, ObjectSection as _};
use testkit::skip;
use testkit::tools::{compile, tool};

/// The state of a stopped program according to gdb.
#[derive(Debug, Default)]
struct Stop {
    machine: Option<Machine>,
    pc: u64,
    registers: Vec<(u16, u64)>,
    stack: (u64, Vec<u8>),
    /// The address of each frame, innermost first, and its name.
    frames: Vec<(u64, String)>,
}

/// The stops of a program, and its mapped code.
#[derive(Debug, Default)]
struct Told {
    code: Vec<(AbsRange, FileOffset, String)>,
    vdso: Vec<u8>,
    stops: Vec<Stop>,
}

fn hex(text: &str) -> u64 {
    u64::from_str_radix(text, 16).expect("hexadecimal")
}

fn bytes(text: &str) -> Vec<u8> {
    let pairs = text.as_bytes().chunks_exact(2);
    let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16);
    pairs.map(|pair| byte(pair).expect("hexadecimal")).collect()
}

/// Runs a program under gdb; an error if tracing is not permitted.
fn stops(program: &Path, way: &str, every: u32, count: u32) -> Result<Told, String> {
    let dir = tempfile::tempdir().expect("a directory");
    let script = dir.path().join("stops.py");
    std::fs::write(&script, include_str!("unwinding/stops.py")).expect("written");
    let mut gdb = Command::new("gdb");
    gdb.args(["-batch", "-nx", "-q"]);
    for command in [
        "set debuginfod enabled off",
        "set backtrace past-main on",
        "set backtrace past-entry on",
        "handle SIGUSR1 nostop noprint pass",
        "set breakpoint pending on",
        "break main",
        &format!("run {way} 2"),
        &format!("set $every = {every}"),
        &format!("set $stops = {count}"),
        &format!("source {}", script.display()),
        "kill",
    ] {
        gdb.args(["-ex", command]);
    }
    let found = dir.path().join("found");
    gdb.arg(program).env("STOPS", &found);
    let done = gdb.output().map_err(|why| why.to_string())?;
    let text = std::fs::read_to_string(&found).unwrap_or_default();
    let mut told = Told::default();
    for line in text.lines() {
        let words: Vec<&str> = line.split(' ').collect();
        match (words.as_slice(), told.stops.last_mut()) {
            (["M", start, end, offset, path], _) => {
                let [start, end] = [start, end].map(|text| AbsAddr(hex(text)));
                let range = AbsRange { start, end };
                let offset = FileOffset(hex(offset));
                told.code.push((range, offset, (*path).to_owned()));
            }
            (["V", image], _) => told.vdso = bytes(image),
            (["S", size, pc], _) => told.stops.push(Stop {
                machine: Some(match *size {
                    "4" => Machine::X86,
                    _ => Machine::X86_64,
                }),
                pc: hex(pc),
                ..Stop::default()
            }),
            (["R", number, value], Some(stop)) => {
                let number = number.parse().expect("a number");
                stop.registers.push((number, hex(value)));
            }
            (["T", sp, memory], Some(stop)) => stop.stack = (hex(sp), bytes(memory)),
            (["F", pc, name @ ..], Some(stop)) => stop.frames.push((hex(pc), name.join(" "))),
            _ => {}
        }
    }
    if told.stops.is_empty() {
        return Err(format!(
            "gdb does not run programs here: {}",
            String::from_utf8_lossy(&done.stderr)
        ));
    }
    Ok(told)
}

/// Returns our frames at each stop.
fn walked(told: &Told) -> Vec<Vec<u64>> {
    let mut walker = Walker::new();
    let mut files = BTreeMap::new();
    let mut pieces = Vec::new();
    for (range, offset, path) in &told.code {
        let image = match path.as_str() {
            "[vdso]" => told.vdso.clone(),
            _ => std::fs::read(path).unwrap_or_default(),
        };
        let read = || CallFrames::parse(&image).and_then(|file| walker.add(file));
        let file = *files.entry(path.clone()).or_insert_with(read);
        // The vDSO in memory is laid out like a file.
        let offset = if path == "[vdso]" {
            FileOffset(0)
        } else {
            *offset
        };
        let bias = file.and_then(|index| walker.file(index)?.bias(*range, offset));
        pieces.push(MappedCode {
            range: *range,
            file: file.zip(bias),
        });
    }
    let code = CodeMap::new(pieces);
    let walk = |stop: &Stop| {
        let machine = stop.machine.expect("known");
        let mut registers = Registers::at(stop.pc);
        for (number, value) in &stop.registers {
            registers.set(*number, Some(*value));
        }
        let (sp, memory) = &stop.stack;
        let mut word = |addr: u64| {
            let at = usize::try_from(addr.checked_sub(*sp)?).ok()?;
            let size = usize::from(machine.word_size());
            let found = memory.get(at..at.checked_add(size)?)?;
            let mut all = [0; 8];
            all[..size].copy_from_slice(found);
            Some(u64::from_le_bytes(all))
        };
        let mut frames = Vec::new();
        walker.walk(machine, &code, registers, &mut word, |frame| {
            frames.push(frame.addr.0);
        });
        frames
    };
    told.stops.iter().map(walk).collect()
}

fn program(flags: &[&str]) -> Result<PathBuf, String> {
    let mut args = vec!["-O2", "-g", "-fomit-frame-pointer", "-DBURN=3"];
    args.extend(flags);
    compile("stopped", include_str!("unwinding/stacks.c"), &args)
}

/// Compares the stacks of a program at many stops.
fn compare(flags: &[&str]) {
    if tool("gdb").is_none() {
        return skip("there is no gdb");
    }
    let program = match program(flags) {
        Ok(program) => program,
        Err(why) => return skip(&format!("no compiler for {flags:?}: {why}")),
    };
    let mut differences = Vec::new();
    let (mut totals, mut misled) = ([0, 0, 0], 0);
    for (way, every) in [
        ("sorts", 37),
        ("aligned", 5),
        ("deeps", 7),
        ("signals", 11),
        ("vforks", 13),
    ] {
        let told = match stops(&program, way, every, 150) {
            Ok(told) => told,
            Err(why) => return skip(&why),
        };
        for (stop, ours) in told.stops.iter().zip(walked(&told)) {
            let theirs: Vec<u64> = stop.frames.iter().map(|(pc, _)| *pc).collect();
            totals = [
                totals[0] + 1,
                totals[1] + ours.len(),
                totals[2] + theirs.len(),
            ];
            // The CFI of some hand-written code in the C library is wrong and leads both to an
            // address that is not code; gdb then continues by analyzing the instructions.
            let is_code = |pc: &u64| told.code.iter().any(|it| it.0.contains(AbsAddr(*pc)));
            let wrong = ours.last().filter(|last| !is_code(last)).is_some();
            if wrong && theirs.starts_with(&ours) {
                misled += 1;
                continue;
            }
            if ours != theirs {
                differences.push(format!("{way}: ours {ours:x?}, gdb's {:x?}", stop.frames));
            }
        }
    }
    println!(
        "{flags:?}: {} stops, {} frames of ours, {} of gdb's, {misled} where the CFI is wrong, {} differences",
        totals[0],
        totals[1],
        totals[2],
        differences.len()
    );
    assert!(totals[0] > 300, "{totals:?}");
    assert!(misled * 100 < totals[0], "{misled} of {totals:?}");
    assert!(
        differences.is_empty(),
        "{:#?}",
        differences.get(..differences.len().min(8))
    );
}

#[test]
fn stacks_of_64_bits_are_those_of_gdb() {
    compare(&[]);
}

#[test]
fn stacks_of_32_bits_are_those_of_gdb() {
    compare(&["-m32"]);
}

/// With only `.debug_frame`, plain and compressed.
#[test]
fn debug_frame_alone_gives_the_stacks_of_gdb() {
    for packing in [None, Some("-gz=zlib"), Some("-gz=zlib-gnu")] {
        let mut flags = vec!["-fno-asynchronous-unwind-tables"];
        flags.extend(packing);
        let Ok(program) = program(&flags) else {
            return skip(&format!("no compiler that takes {flags:?}"));
        };
        let image = std::fs::read(program).expect("readable");
        let elf = object::File::parse(&*image).expect("an ELF file");
        let section = elf.section_by_name(".debug_frame").expect("it is there");
        let format = section.compressed_file_range().expect("a header").format;
        let is_packed = format != object::CompressionFormat::None;
        assert_eq!(is_packed, packing.is_some(), "{flags:?}: {format:?}");
        compare(&flags);
    }
}
