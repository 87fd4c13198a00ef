//! Our pprof files, read by the format's own tool, `go tool pprof`.

mod go;
mod profiles;
mod said;

use std::collections::{BTreeMap, BTreeSet};

use backsight_formats::pprof::{self, Limits, Options};
use backsight_profile::{
    FrameRange, Location, LocationIdx, Process, ProcessIdx, Profile, ProfileFrame, Sample, Thread,
    ThreadIdx, ValueType,
};
use backsight_types::{
    AbsAddr, FileOffset, Lookup, Module, ModuleIdx, ModuleKind, Reason, VirtOffset,
};
use go::Go;
use profiles::profiles;
use proptest::strategy::{Strategy as _, ValueTree as _};
use proptest::test_runner::TestRunner;
use said::{Said, said};

fn written(profile: &Profile, times: bool) -> Vec<u8> {
    let mut bytes = Vec::new();
    let options = Options::default().with_times(times);
    let flaws = pprof::write(profile, &mut bytes, &options).unwrap();
    assert!(flaws.is_empty(), "{flaws:?}");
    bytes
}

/// Pseudorandom numbers that are the same in every run.
struct Chance(u64);

impl Chance {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6364136223846793005)
            .wrapping_add(1442695040888963407);
        (self.0 >> 33) % limit
    }
}

/// Stacks of functions, some of them inlined, of locations without names, and of reasons.
fn busy() -> Profile {
    let mut profile = Profile::default();
    let mut chance = Chance(1);
    let count = profile.strings.intern("count");
    profile.sample_types = ["samples", "faults"]
        .map(|kind| ValueType {
            kind: profile.strings.intern(kind),
            unit: count,
        })
        .to_vec();
    for (path, kind) in [
        ("/usr/bin/program", ModuleKind::File),
        ("/usr/lib/libc.so.6", ModuleKind::File),
        ("[kernel.kallsyms]", ModuleKind::Kernel),
        ("[vdso]", ModuleKind::Vdso),
    ] {
        profile
            .modules
            .push(Module::default().with_kind(kind).with_path(path));
    }
    for at in 0..120 {
        // One in eight has no name, and one in ten has no module either.
        let named = if at % 8 == 0 { 0 } else { 1 + chance.below(3) };
        let frames: Vec<ProfileFrame> = (0..named)
            .map(|level| ProfileFrame {
                function: Some(profile.strings.intern(&format!("f{}", chance.below(40)))),
                file: Some(profile.strings.intern("/src/f.rs")),
                line: Some(u32::try_from(1 + chance.below(100)).unwrap()),
                inlined: level + 1 < named,
                ..ProfileFrame::default()
            })
            .collect();
        let lookup = [Lookup::Exact, Lookup::Return][at % 2];
        let offset = 0x1000 + chance.below(0x4000);
        let location = if at % 10 == 0 {
            Location {
                lookup,
                address: Some(AbsAddr(0x7f00_0000_0000 + offset)),
                reason: Some(Reason::ALL[at / 10 % Reason::ALL.len()]),
                ..Location::default()
            }
        } else {
            let module = chance.below(4);
            Location {
                lookup,
                module: Some(ModuleIdx(u32::try_from(module).unwrap())),
                file_offset: Some(FileOffset(offset)),
                virt_offset: (module != 2).then_some(VirtOffset(offset + 0x40_0000)),
                frames: profile.add_frames(frames).unwrap(),
                ..Location::default()
            }
        };
        profile.add_location(location).unwrap();
    }
    for pid in [7, 8] {
        let process = ProcessIdx::behind(profile.processes.len()).unwrap();
        profile.processes.push(Process {
            pid,
            name: Some(profile.strings.intern("worker")),
            ..Process::default()
        });
        profile.threads.push(Thread {
            process,
            tid: Some(pid),
            name: None,
        });
    }
    for time in 1..=3000 {
        let stack: Vec<LocationIdx> = (0..=chance.below(6))
            .map(|_| LocationIdx(u32::try_from(chance.below(120)).unwrap()))
            .collect();
        let sample = Sample {
            thread: Some(ThreadIdx(u32::try_from(chance.below(2)).unwrap())),
            time_ns: Some(time),
            stack: profile.stacks.intern(stack),
            first_type: u32::try_from(chance.below(2)).unwrap(),
        };
        let value = i64::try_from(1 + chance.below(9)).unwrap();
        profile.samples.push(sample, &[value], &[]);
    }
    profile
}

/// Returns the tool's names for the call levels of a location, innermost first, and whether each is
/// inlined.
fn names(profile: &Profile, location: LocationIdx) -> Vec<(String, bool)> {
    let location = profile.location(location).unwrap();
    let frames = profile.frames_of(location).iter();
    let text = |index| profile.strings.get(index).unwrap();
    let mut names: Vec<_> = frames
        .map(|frame| (frame.function.map_or("", text).to_owned(), frame.inlined))
        .collect();
    if names.is_empty() {
        let module = location.module.and_then(|module| profile.module(module));
        let name = match module {
            Some(module) => {
                let path = module.path_lossy();
                format!("[{}]", path.rsplit('/').next().unwrap())
            }
            None => format!("[{}]", location.reason.unwrap()),
        };
        names.push((name, false));
    }
    names
}

#[test]
fn top_says_what_we_say() {
    let Some(go) = Go::find() else { return };
    let profile = busy();
    let mut want: BTreeMap<String, (i64, i64)> = BTreeMap::new();
    for (sample, values, _) in profile.samples.iter() {
        let value = if sample.first_type == 0 { values[0] } else { 0 };
        let stack = profile.stacks.iter(sample.stack);
        let levels: Vec<String> = stack
            .flat_map(|location| names(&profile, location))
            .map(|(name, _)| name)
            .collect();
        want.entry(levels[0].clone()).or_default().0 += value;
        // A recursive function counts once.
        for name in levels.into_iter().collect::<BTreeSet<_>>() {
            want.entry(name).or_default().1 += value;
        }
    }
    let args = ["-top", "-trim=false", "-sample_index=samples"];
    let text = go.pprof(&args, &written(&profile, false));
    let lines = text
        .lines()
        .skip_while(|line| !line.contains("flat%"))
        .skip(1);
    let got: BTreeMap<String, (i64, i64)> = lines
        .map(|line| {
            let words: Vec<&str> = line.split_whitespace().collect();
            let [flat, cum] = [words[0], words[3]].map(|number| number.parse().unwrap());
            (words[5].to_owned(), (flat, cum))
        })
        .collect();
    assert_eq!(got, want);
    // The main program is the file, not the kernel.
    assert!(text.contains("File: program\n"), "{text}");
}

#[test]
fn traces_are_ours_with_their_inlined_frames() {
    let Some(go) = Go::find() else { return };
    let profile = busy();
    let mut want: BTreeMap<(u32, Vec<String>), i64> = BTreeMap::new();
    for (sample, values, _) in profile.samples.iter() {
        let stack = profile.stacks.iter(sample.stack);
        let levels = stack.flat_map(|location| names(&profile, location));
        let levels = levels.map(|(name, inlined)| name + if inlined { " (inline)" } else { "" });
        let thread = profile.thread(sample.thread.unwrap()).unwrap();
        let value = if sample.first_type == 1 { values[0] } else { 0 };
        *want
            .entry((thread.tid.unwrap(), levels.collect()))
            .or_default() += value;
    }
    want.retain(|_, value| *value != 0);
    let args = ["-traces", "-trim=false", "-sample_index=faults"];
    let text = go.pprof(&args, &written(&profile, false));
    let mut got: BTreeMap<(u32, Vec<String>), i64> = BTreeMap::new();
    for trace in text.split("-----------+-").skip(1) {
        let (mut value, mut tid, mut levels) = (0, 0, Vec::new());
        for line in trace.lines().skip(1) {
            let line = line.trim();
            match line.split_once(char::is_whitespace) {
                Some(("tid:", thread)) => tid = thread.trim().parse().unwrap(),
                Some(("pid:" | "comm:", _)) => {}
                Some((number, name)) if levels.is_empty() && value == 0 => {
                    value = number.parse().unwrap();
                    levels.push(name.trim().to_owned());
                }
                _ if line.is_empty() => {}
                _ => levels.push(line.to_owned()),
            }
        }
        *got.entry((tid, levels)).or_default() += value;
    }
    got.retain(|_, value| *value != 0);
    assert_eq!(got, want);
}

/// What the tool keeps: it has no columns, sorts labels, and removes empty labels, labels with the
/// value 0, and samples without a stack.
fn kept(profile: &Profile) -> BTreeMap<String, Vec<i64>> {
    let mut kept: BTreeMap<String, Vec<i64>> = BTreeMap::new();
    for sample in said(profile, true) {
        let Said {
            values,
            time_ns,
            thread,
            mut labels,
            stack,
        } = sample;
        if stack.is_empty() {
            continue;
        }
        labels.retain(|label| !label.ends_with("=\"\"") && !label.ends_with("=0 \"\""));
        labels.sort();
        let key = format!("{time_ns:?} {thread:?} {labels:?} {stack:#?}");
        let sums = kept.entry(key).or_insert_with(|| vec![0; values.len()]);
        for (sum, value) in sums.iter_mut().zip(values) {
            *sum = sum.wrapping_add(value);
        }
    }
    kept
}

#[test]
fn hostile_names_pass_through_go_s_encoder() {
    let Some(go) = Go::find() else { return };
    let mut runner = TestRunner::deterministic();
    for round in 0..16 {
        let mut profile = profiles().new_tree(&mut runner).unwrap().current();
        for frame in &mut profile.frames {
            frame.column = None;
        }
        for process in &mut profile.processes {
            process.pid += 1;
        }
        for thread in &mut profile.threads {
            thread.tid = thread.tid.map(|tid| tid + 1);
        }
        let bytes = go.pprof_bytes(&["-proto"], &written(&profile, true));
        let (again, flaws) = pprof::read(&*bytes, &Limits::default()).unwrap();
        assert!(flaws.is_empty(), "{flaws:?}");
        let (got, want) = (kept(&again), kept(&profile));
        let lost: Vec<_> = want
            .iter()
            .filter(|it| got.get(it.0) != Some(it.1))
            .collect();
        let new: Vec<_> = got
            .iter()
            .filter(|it| want.get(it.0) != Some(it.1))
            .collect();
        assert!(
            lost.is_empty() && new.is_empty(),
            "round {round}: {lost:#?} became {new:#?}"
        );
    }
}

#[test]
fn go_tool_pprof_symbolizes_our_mappings() {
    let Some(go) = Go::find() else { return };
    let source = "int inner(int x) { return x * 3; }\nint main(void) { return inner(0); }\n";
    for args in [["-O0", "-no-pie"], ["-O0", "-pie"]] {
        let file = testkit::tools::compile("pprof-names", source, &args).unwrap();
        let text_of = |symbol: &str| go.symbol(&file, symbol);
        let loads = testkit::tools::readelf_segments(&file).expect("binutils");
        let code = loads.iter().find(|load| load.flags.contains('E')).unwrap();
        for virt_known in [true, false] {
            let mut profile = Profile::default();
            let [kind, unit] = ["samples", "count"].map(|text| profile.strings.intern(text));
            profile.sample_types.push(ValueType { kind, unit });
            profile
                .modules
                .push(Module::default().with_path(file.to_str().unwrap()));
            // The first instruction of one function, and the return address of a call in the other.
            for (symbol, into, lookup) in
                [("inner", 0, Lookup::Exact), ("main", 10, Lookup::Return)]
            {
                let virt = text_of(symbol) + into;
                profile.add_location(Location {
                    lookup,
                    module: Some(ModuleIdx(0)),
                    file_offset: Some(FileOffset(virt - code.virt + code.offset)),
                    virt_offset: virt_known.then_some(VirtOffset(virt)),
                    frames: FrameRange::default(),
                    ..Location::default()
                });
            }
            let stack = profile.stacks.intern([1, 0].map(LocationIdx));
            let sample = Sample {
                stack,
                ..Sample::default()
            };
            profile.samples.push(sample, &[5], &[]);
            let text = go.pprof_symbolizing(&["-traces"], &written(&profile, false));
            let trace = text.split("-----------+-").nth(1).unwrap();
            let levels: Vec<&str> = trace.split_whitespace().skip(1).collect();
            assert_eq!(levels, ["5", "inner", "main"], "{args:?}, {virt_known}");
        }
    }
}

/// The output of `-raw`, with addresses as file offsets, and without the flags of mappings: Go sets
/// only that for functions, and we set all of them.
fn raw(text: &str) -> Vec<String> {
    let (head, mappings) = text.split_once("\nMappings\n").unwrap();
    let (head, locations) = head.split_once("\nLocations\n").unwrap();
    let hex = |digits: &str| u64::from_str_radix(digits.trim_start_matches("0x"), 16).unwrap();
    let mut bases = BTreeMap::new();
    let mut lines: Vec<String> = head.lines().map(str::to_owned).collect();
    for mapping in mappings.lines() {
        let (id, rest) = mapping.trim().split_once(": ").unwrap();
        let (range, name) = rest.split_once(' ').unwrap();
        let [start, limit, offset] =
            <[u64; 3]>::try_from(range.split('/').map(hex).collect::<Vec<_>>()).unwrap();
        bases.insert(format!("M={id}"), start.wrapping_sub(offset));
        let name = name.split(" [FN]").next().unwrap().trim();
        lines.push(format!(
            "{id}: {:#x} bytes at {offset:#x} {name}",
            limit - start
        ));
    }
    for location in locations.lines() {
        // `1: 0x45f3a2 M=1 main.main …`; callers of inlined functions are on the following lines.
        let words: Vec<&str> = location.split_whitespace().collect();
        match bases.get(words[2]) {
            Some(base) if words[0].ends_with(':') => {
                let offset = format!("{:#x}", hex(words[1]).wrapping_sub(*base));
                lines.push(location.replacen(words[1], &offset, 1));
            }
            _ => lines.push(location.to_owned()),
        }
    }
    lines
}

#[test]
fn profiles_of_go_come_out_as_they_went_in() {
    let Some(go) = Go::find() else { return };
    for bytes in go.runtime_profiles() {
        let (profile, flaws) = pprof::read(&*bytes, &Limits::default()).unwrap();
        assert!(flaws.is_empty(), "{flaws:?}");
        assert!(!profile.samples.is_empty());
        let ours = go.pprof(&["-raw"], &written(&profile, false));
        assert_eq!(raw(&ours), raw(&go.pprof(&["-raw"], &bytes)));
    }
}
