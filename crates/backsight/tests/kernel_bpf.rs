//! Lines of BPF programs: live, normalized and symbolized elsewhere, and recorded by `perf`.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};

use backsight::types::{AbsAddr, Lookup};
use backsight::{
    KernelOptions, LiveKernel, ModuleFiles, PerfData, Profile, ProfileSymbolizer, RecordingOptions,
    RunningKernel,
};
use testkit::bpf::{FILE, JitedFunction, LoadedBpf, NAMES};
use testkit::{perf, skip};

/// Loads the program; says why not if the kernel does not let us, or does not compile it.
fn load() -> Option<(LoadedBpf, Vec<JitedFunction>)> {
    let loaded = LoadedBpf::load().map_err(|why| skip(&why)).ok()?;
    let functions = loaded.functions().expect("it is ours");
    if functions.is_empty() {
        skip("the kernel does not show the addresses of BPF programs");
        return None;
    }
    Some((loaded, functions))
}

/// Returns the line of an address, by a search that is not ours.
fn line_of(function: &JitedFunction, addr: u64) -> u32 {
    let mut lines = function.lines.iter().rev();
    let before = lines.find(|(start, _)| *start <= addr);
    let (_, line) = before.expect("the first line is that of the first byte");
    *line
}

/// What an answer shows.
type Shown = (String, Option<String>, Option<u32>, Option<u32>);

fn live(asked: &[(AbsAddr, Lookup)]) -> Vec<Shown> {
    let mut live = LiveKernel::open(KernelOptions::default()).expect("a list of symbols");
    let found = live.begin(asked.iter().copied()).look_up(live.symbolizer());
    let mut all = Vec::new();
    let never = found.each(|answer| {
        let [frame] = &answer.frames[..] else {
            panic!("{answer:?}");
        };
        let text = |text: &Option<std::borrow::Cow<'_, str>>| text.as_deref().map(str::to_owned);
        let function = text(&frame.function).expect("a name");
        all.push((function, text(&frame.file), frame.line, frame.column));
        Ok::<(), std::convert::Infallible>(())
    });
    let Ok(()) = never;
    assert_eq!(live.kernel().shortfalls(), []);
    all
}

#[test]
fn each_byte_of_a_program_has_its_line() {
    let Some((_loaded, functions)) = load() else {
        return;
    };
    if let Err(error) = RunningKernel::open(KernelOptions::default()) {
        return skip(&error.to_string());
    }
    let bytes = functions.iter().zip(NAMES).flat_map(|(function, name)| {
        let bytes = function.start..function.start + u64::from(function.size);
        bytes.map(move |addr| (function, name, addr))
    });
    let bytes: Vec<_> = bytes.collect();
    let exact = bytes
        .iter()
        .map(|(_, _, addr)| (AbsAddr(*addr), Lookup::Exact));
    let returns = (bytes.iter()).map(|(_, _, addr)| (AbsAddr(*addr + 1), Lookup::Return));
    let found = live(&exact.chain(returns).collect::<Vec<_>>());
    assert_eq!(found.len(), bytes.len() * 2);
    for (found, (function, name, addr)) in found.iter().zip(bytes.iter().cycle()) {
        let (shown, file, line, column) = found;
        assert!(shown.starts_with("bpf_prog_"), "{found:?}");
        assert!(shown.ends_with(&format!("_{name}")), "{found:?}");
        assert_eq!(file.as_deref(), Some(FILE), "{addr:x}: {function:x?}");
        assert_eq!(
            *line,
            Some(line_of(function, *addr)),
            "{addr:x}: {function:x?}"
        );
        assert_eq!(*column, Some(3));
    }
}

/// A recording of the whole machine, while the program runs.
fn recorded(loaded: &LoadedBpf, args: &[&str]) -> Result<perf::Recording, String> {
    let is_over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !is_over.load(Ordering::Relaxed) {
                loaded.run(100_000).expect("it is ours");
            }
        });
        let all = ["-a", "-e", "cpu-clock", "-F", "2000"];
        let recording = perf::record(&[&all, args].concat(), &["sleep", "1"]);
        is_over.store(true, Ordering::Relaxed);
        recording
    })
}

/// Returns how many samples each line of the program has, by function.
fn lines_of_samples(
    profile: &Profile,
    functions: &[JitedFunction],
) -> BTreeMap<(String, u32), u64> {
    let mut counts = BTreeMap::new();
    for (sample, _, _) in profile.samples.iter() {
        let leaf = profile.stacks.iter(sample.stack).next();
        let Some(location) = leaf.and_then(|leaf| profile.location(leaf)) else {
            continue;
        };
        let text = |index| profile.strings.get(index).expect("interned");
        let Some(frame) = profile.frames_of(location).last() else {
            continue;
        };
        let name = frame.function.map(text).unwrap_or_default();
        let mine = NAMES.iter().zip(functions);
        let mut mine =
            mine.filter(|(own, _)| name.starts_with("bpf_prog_") && name.ends_with(*own));
        let Some((own, function)) = mine.next() else {
            continue;
        };
        assert_eq!(frame.file.map(text), Some(FILE), "{name}");
        let line = frame.line.expect("a line");
        let offset = location.file_offset.expect("located").0;
        assert_eq!(
            line,
            line_of(function, function.start + offset),
            "{name}+{offset:x}"
        );
        *counts.entry(((*own).to_owned(), line)).or_default() += 1;
    }
    counts
}

#[test]
fn recorded_programs_have_lines_after_they_are_gone() {
    let Some((loaded, functions)) = load() else {
        return;
    };
    let recording = match recorded(&loaded, &[]) {
        Ok(recording) => recording,
        Err(why) => return skip(&why),
    };
    let read = |files: ModuleFiles| {
        let read = PerfData::of_file(&recording.data, RecordingOptions::default(), files.clone());
        let mut profile = read.expect("a recording").finish().profile;
        ProfileSymbolizer::new(files).look_up(&mut profile);
        lines_of_samples(&profile, &functions)
    };
    let here = read(ModuleFiles::of_this_host());
    drop(loaded);
    let later = read(ModuleFiles::of_this_host());
    let elsewhere = read(ModuleFiles::default());
    assert!(!elsewhere.is_empty(), "no sample was in the program");
    println!("{elsewhere:?}");
    assert_eq!(here, elsewhere);
    assert_eq!(later, elsewhere);
}

/// A pipe has no information of programs, so the kernel that still has them is asked.
#[test]
fn programs_of_a_pipe_have_the_lines_of_those_that_are_loaded() {
    let Some((loaded, functions)) = load() else {
        return;
    };
    let recording = match recorded(&loaded, &["-o", "-"]) {
        Ok(recording) => recording,
        Err(why) => return skip(&why),
    };
    let files = ModuleFiles::of_this_host();
    let read = PerfData::of_file(&recording.data, RecordingOptions::default(), files);
    let profile = read.expect("a recording").finish().profile;
    assert!(!lines_of_samples(&profile, &functions).is_empty());
}
