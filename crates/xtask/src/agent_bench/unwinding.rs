//! A4: unwinding of recorded stack memory by call frame information: what a frame and a table
//! cost, and how many frames there are beside perf's.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::BufReader;
use std::path::{Path, PathBuf};
use std::time::Duration;

use backsight::formats::perf_data::Reader;

use backsight::types::trace::{Event, Mmap, ProcessChange, UserStack};
use backsight_unwind::{
    CallFrames, CodeMap, FileIdx, Machine, MappedCode, Registers, WalkEnd, Walker,
};
use testkit::memory::thread_time;
use testkit::tools::compile;

use super::bench::{Bench, printed};
use super::stacks;

/// `down` calls itself 20 to 60 times, also through the library's `qsort`.
const DEEP: &str = r#"
#include <stdlib.h>
#include <time.h>
volatile unsigned long sink;
static long left;
__attribute__((noinline)) void bottom(void) {
    for (unsigned long i = 0; i < 20000; i++) sink = sink * 31 + i;
    sink++;
}
__attribute__((noinline)) void down(int levels);
static int compare(const void *a, const void *b) {
    down(left--);
    sink++;
    return *(const int *)a - *(const int *)b;
}
__attribute__((noinline)) void down(int levels) {
    int two[2] = { levels, 1 };
    if (levels <= 0) bottom();
    else if (levels == 10) { left = 9; qsort(two, 2, sizeof *two, compare); }
    else down(levels - 1);
    sink += two[0];
}
int main(int count, char **words) {
    for (int turn = 0; clock() < atol(words[1]) * CLOCKS_PER_SEC; turn++) down(20 + turn % 41);
    return count - 2;
}
"#;

/// Functions that may stand in a stack of the program, apart from those of the kernel: where it
/// starts, and the library's sort.
const KNOWN: [&str; 20] = [
    "__strtol",
    "__memmove",
    "free",
    "malloc",
    "bottom",
    "down",
    "compare",
    "main",
    "__libc_start_call_main",
    "__libc_start_main",
    "__libc_start_main_impl",
    "__libc_start_main@@GLIBC_2.34",
    "_start",
    "qsort",
    "__qsort_r",
    "qsort_r",
    "msort_with_tmp",
    "msort_with_tmp.part.0",
    "clock",
    "__GI_",
];

/// The stacks of one process.
struct Recorded {
    mappings: Vec<Mmap>,
    stacks: Vec<(Registers, u64, Vec<u8>)>,
}

pub(super) fn run(bench: &Bench) -> Result<String, String> {
    if !cfg!(target_arch = "x86_64") {
        return Err("registers are read on x86-64 only".to_owned());
    }
    let program = compile(
        "deep",
        DEEP,
        &["-O2", "-fomit-frame-pointer", "-fno-optimize-sibling-calls"],
    )?;
    let program = program.to_str().ok_or("a path that is no text")?;
    let seconds = bench.seconds.min(10).to_string();
    let words = [
        "perf",
        "record",
        "-e",
        "cpu-clock:u",
        "-F",
        "997",
        "--call-graph",
        "dwarf",
        "-o",
        "a4.data",
        "--",
        program,
        &seconds,
    ];
    printed(&mut bench.command(&words))?;
    let time = frame_time(&bench.path("a4.data"))?;
    let frames = compare_frames(bench)?;
    let table = table_time(&[program, &bench.program])?;
    Ok(format!("{time}; {frames}; {table}"))
}

/// Measures how long a frame takes once the rows of all addresses are known.
fn frame_time(path: &Path) -> Result<String, String> {
    let recorded = read(path)?;
    let (mut walker, mut files) = (Walker::new(), HashMap::new());
    let code = recorded.mappings.iter().map(|mapping| {
        let file = file_of(&mut walker, &mut files, mapping);
        let file = file.and_then(|index| {
            let bias = walker.file(index)?.bias(mapping.range, mapping.offset)?;
            Some((index, bias))
        });
        MappedCode {
            range: mapping.range,
            file,
        }
    });
    let code = CodeMap::new(code.collect());
    let mut best = Duration::MAX;
    let (mut frames, mut whole) = (0_u64, 0_usize);
    for _ in 0..20 {
        (frames, whole) = (0, 0);
        // What others run meanwhile does not count.
        let began = thread_time();
        for (registers, sp, stack) in &recorded.stacks {
            let mut word = |addr: u64| {
                let at = usize::try_from(addr.checked_sub(*sp)?).ok()?;
                let bytes = stack.get(at..)?.first_chunk()?;
                Some(u64::from_ne_bytes(*bytes))
            };
            let end = walker.walk(Machine::X86_64, &code, *registers, &mut word, |_| {
                frames += 1
            });
            whole += usize::from(matches!(end, WalkEnd::Outermost));
        }
        best = best.min(thread_time().saturating_sub(began));
    }
    let each = best.as_nanos() as f64 / frames.max(1) as f64;
    Ok(format!(
        "{each:.0} ns a frame warm, of the thread's processor time ({frames} frames of {} stacks, {whole} to the outermost)",
        recorded.stacks.len()
    ))
}

fn file_of(
    walker: &mut Walker,
    files: &mut HashMap<PathBuf, Option<FileIdx>>,
    mapping: &Mmap,
) -> Option<FileIdx> {
    let path = PathBuf::from(String::from_utf8_lossy(&mapping.name).into_owned());
    let mut read = |path: &PathBuf| walker.add(CallFrames::read(File::open(path).ok()?)?);
    *files.entry(path.clone()).or_insert_with(|| read(&path))
}

fn read(path: &Path) -> Result<Recorded, String> {
    let file = File::open(path).map_err(|why| why.to_string())?;
    let mut reader = Reader::open(BufReader::new(file)).map_err(|why| why.to_string())?;
    let mut recorded = Recorded {
        mappings: Vec::new(),
        stacks: Vec::new(),
    };
    let mut pid = None;
    while let Some(event) = reader.next() {
        match event {
            Event::Process(record) => match record.change {
                ProcessChange::Exec => {
                    pid = Some(record.pid);
                    recorded.mappings.clear();
                }
                ProcessChange::Mmap(mapping) if Some(record.pid) == pid => {
                    recorded.mappings.push(mapping)
                }
                _ => {}
            },
            Event::Sample(sample) if Some(sample.pid) == pid => {
                if let Some((registers, sp)) = sample.user.as_ref().and_then(registers_of) {
                    let stack = sample.user.map(|user| user.stack.to_vec());
                    recorded
                        .stacks
                        .push((registers, sp, stack.unwrap_or_default()));
                }
            }
            _ => {}
        }
    }
    match recorded.stacks.is_empty() {
        true => Err("no stacks were recorded".to_owned()),
        false => Ok(recorded),
    }
}

/// By the numbers of `arch/x86/include/uapi/asm/perf_regs.h`.
fn registers_of(user: &UserStack<'_>) -> Option<(Registers, u64)> {
    const PERF: [u32; 16] = [0, 3, 2, 1, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23];
    let mut registers = Registers::at(user.register(8)?);
    for (dwarf, perf) in (0..).zip(PERF) {
        registers.set(dwarf, user.register(perf));
    }
    Some((registers, user.register(7)?))
}

/// Compares the stacks of one recording, as we and as perf unwind them.
fn compare_frames(bench: &Bench) -> Result<String, String> {
    let mut convert = bench.command(&[
        &bench.program,
        "convert",
        "--no-inlines",
        "a4.data",
        "a4.folded",
    ]);
    let done = convert.status().map_err(|why| why.to_string())?;
    if done.code().is_none_or(|code| code > 1) {
        return Err(format!("convert: {done}"));
    }
    let (ours, theirs) = (
        stacks::folded(&bench.path("a4.folded"))?,
        stacks::of_perf(bench, "a4.data")?,
    );
    let count = |all: &[stacks::NamedStack]| {
        let frames = all.iter().map(|it| it.functions.len() as u64 * it.count);
        frames.sum::<u64>()
    };
    let whole = |all: &[stacks::NamedStack]| {
        let whole = all
            .iter()
            .filter(|it| it.functions.last().is_some_and(|name| name == "_start"));
        let samples: u64 = all.iter().map(|it| it.count).sum();
        format!(
            "{} of {samples} stacks to _start",
            whole.map(|it| it.count).sum::<u64>()
        )
    };
    let all = ours.iter().flat_map(|it| {
        let frames = it.functions.iter().enumerate();
        frames.map(move |(depth, name)| (depth, name, it.count))
    });
    let invented = all.filter(|(depth, name, _)| {
        // The program may be in the stub by which it calls a library; a stub calls nothing.
        let is_stub = *depth == 0 && name.ends_with("@plt");
        !is_stub && !KNOWN.iter().any(|known| name.starts_with(known))
    });
    let mut names: Vec<String> = invented
        .map(|(_, name, count)| format!("{name} ({count})"))
        .collect();
    names.sort();
    names.dedup();
    Ok(format!(
        "frames {} ({}), perf's {} ({}); frames of functions that the program does not call: {}",
        count(&ours),
        whole(&ours),
        count(&theirs),
        whole(&theirs),
        if names.is_empty() {
            "none".to_owned()
        } else {
            names.join(", ")
        }
    ))
}

/// Measures how long it takes to read the call frame information of the largest program at hand.
fn table_time(programs: &[&str]) -> Result<String, String> {
    let mut largest: Option<(u64, PathBuf)> = None;
    let known = ["/usr/lib", "/usr/bin", "/usr/local"].map(PathBuf::from);
    let mut folders: Vec<PathBuf> = known.into_iter().collect();
    let mut files: Vec<PathBuf> = programs.iter().map(PathBuf::from).collect();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).into_iter().flatten().flatten() {
            match entry.file_type() {
                Ok(kind) if kind.is_dir() => folders.push(entry.path()),
                Ok(kind) if kind.is_file() => files.push(entry.path()),
                _ => {}
            }
        }
    }
    for path in files {
        let size = fs::metadata(&path).map_or(0, |it| it.len());
        let is_larger = largest.as_ref().is_none_or(|(most, _)| size > *most);
        let is_program = || File::open(&path).ok().and_then(CallFrames::read).is_some();
        if is_larger && size > 1 << 20 && is_program() {
            largest = Some((size, path));
        }
    }
    let (size, path) = largest.ok_or("no program")?;
    let mut best = Duration::MAX;
    for _ in 0..3 {
        let began = thread_time();
        let file = File::open(&path).map_err(|why| why.to_string())?;
        let frames = CallFrames::read(file).ok_or("no call frame information")?;
        std::hint::black_box(&frames);
        best = best.min(thread_time().saturating_sub(began));
    }
    Ok(format!(
        "reading the table of {} ({} MB) {:.1} ms",
        path.file_name().unwrap_or_default().to_string_lossy(),
        size / 1_000_000,
        best.as_secs_f64() * 1e3
    ))
}
