//! The kernel that runs here, compared with its own list of symbols.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::LazyLock;

use backsight::formats::ndjson::{AddressLine, JsonLine, Reader, Writer};
use backsight::symbolize::Symbolizer;
use backsight::types::{AbsAddr, FileOffset, Lookup, Module, ModuleIdx, Outcome};
use backsight::{
    KernelError, KernelOptions, Known, Live, LiveKernel, Lookups, ModuleFiles, RunningKernel,
};
use testkit::bpf::LoadedBpf;

/// As many addresses as are looked up.
const ADDRESSES: u64 = 10_000;

/// The names of code by address, read without our code; an address with data alone has none.
type ByHand = BTreeMap<u64, Vec<(String, Option<String>)>>;

fn by_hand(text: &str) -> ByHand {
    let mut all = ByHand::new();
    for line in text.lines() {
        let words: Vec<&str> = line.split_ascii_whitespace().collect();
        let addr = u64::from_str_radix(words[0], 16).expect("an address");
        let names = all.entry(addr).or_default();
        // What is behind the end of a section has no name, as data has none.
        let is_end = matches!(
            words[2],
            "_etext" | "_einittext" | "_end" | "__init_end" | "__indirect_thunk_end"
        ) || (words[2].starts_with("__") && words[2].ends_with("text_end"));
        if matches!(words[1], "t" | "T" | "w" | "W") && !is_end {
            let module = words.get(3).map(|name| name[1..name.len() - 1].to_owned());
            names.push((words[2].to_owned(), module));
        }
    }
    all.remove(&0);
    all
}

/// A BPF program that stays loaded while the tests run, so that there is one.
static BPF: LazyLock<Result<LoadedBpf, String>> = LazyLock::new(LoadedBpf::load);

/// Opens the kernel, and lists it by hand. Says why not if the kernel lists nothing.
fn kernel() -> Option<(RunningKernel, ByHand)> {
    if let Err(why) = &*BPF {
        testkit::skip(why);
    }
    let kernel = match RunningKernel::open(KernelOptions::default()) {
        Ok(kernel) => kernel,
        Err(error @ (KernelError::List(_) | KernelError::Symbols(_))) => {
            testkit::skip(&error.to_string());
            return None;
        }
        Err(error) => panic!("{error}"),
    };
    let text = std::fs::read_to_string("/proc/kallsyms").expect("read before");
    Some((kernel, by_hand(&text)))
}

/// Numbers that differ, and are the same in each run.
fn scattered(count: u64) -> impl Iterator<Item = u64> {
    (0..count).scan(0x9e37_79b9_7f4a_7c15_u64, |state, _| {
        *state ^= *state << 13;
        *state ^= *state >> 7;
        *state ^= *state << 17;
        Some(*state)
    })
}

/// Returns addresses in functions of all kinds, spread over the list, and one in each function
/// of a module, of a BPF program, and in each trampoline. Functions without an end that is
/// listed are asked for in their first bytes.
fn addresses(want: &ByHand) -> Vec<u64> {
    let spans: Vec<_> = want.iter().zip(want.keys().skip(1)).collect();
    let code: Vec<_> = spans
        .into_iter()
        .filter(|((_, names), _)| !names.is_empty())
        .collect();
    let count = u64::try_from(code.len()).expect("fits");
    let scattered = scattered(ADDRESSES).map(|number| {
        let index = usize::try_from((number >> 32) % count).expect("fits");
        let ((start, _), next) = code[index];
        start + number % (next - start).min(0x1000)
    });
    let outside = want
        .iter()
        .filter(|(_, names)| names.iter().any(|(_, module)| module.is_some()));
    scattered.chain(outside.map(|(addr, _)| addr + 1)).collect()
}

/// Where each module begins, read without our code.
fn bases() -> BTreeMap<String, u64> {
    let text = std::fs::read_to_string("/proc/modules").unwrap_or_default();
    let module = |line: &str| {
        let words: Vec<&str> = line.split(' ').collect();
        let base = words[5].trim_start_matches("0x");
        (
            words[0].to_owned(),
            u64::from_str_radix(base, 16).expect("an address"),
        )
    };
    text.lines().map(module).collect()
}

#[test]
fn places_are_those_of_an_independent_search() {
    let Some((kernel, want)) = kernel() else {
        return;
    };
    let bases = bases();
    let text = want.iter().find(|(_, names)| {
        names
            .iter()
            .any(|(name, _)| name == "_text" || name == "_stext")
    });
    let (text, _) = text.expect("a kernel has _text");
    let mut kinds = BTreeMap::<String, u64>::new();
    for addr in addresses(&want) {
        let place = kernel.locate(AbsAddr(addr), Lookup::Exact);
        let Outcome::Located {
            module,
            file_offset: FileOffset(offset),
        } = place.outcome
        else {
            panic!("{addr:x}: {:?}", place.outcome);
        };
        let (start, names) = want.range(..=addr).next_back().expect("behind the first");
        let symbol = place.symbol.expect("a function");
        assert_eq!(symbol.start.0, *start, "{addr:x}");
        let found = (symbol.name.to_owned(), symbol.module.map(str::to_owned));
        assert!(
            names.contains(&found),
            "{addr:x} is {found:?}, of {names:?}"
        );
        let (kind, base) = match symbol.module {
            None => ("image", *text),
            Some(module) => match bases.get(module) {
                Some(base) => ("modules", *base),
                None => (module, 0),
            },
        };
        assert_eq!(offset, addr - base, "{addr:x} in {kind}");
        assert_eq!(module == ModuleIdx(0), kind == "image", "{addr:x}");
        *kinds.entry(kind.to_owned()).or_default() += 1;
    }
    println!("{kinds:?}");
    assert!(kinds["image"] > ADDRESSES / 2, "{kinds:?}");
    let has_bpf = want.values().flatten().any(|(name, module)| {
        name.starts_with("bpf_prog_") && name.ends_with("_busy") && module.as_deref() == Some("bpf")
    });
    assert_eq!(has_bpf, BPF.is_ok() && is_compiled(), "{kinds:?}");
    assert_eq!(kinds.contains_key("bpf"), has_bpf, "{kinds:?}");
    assert_eq!(
        kinds.contains_key("modules"),
        !bases.is_empty(),
        "{kinds:?}"
    );
}

/// Whether the kernel compiles BPF programs, and lists them.
fn is_compiled() -> bool {
    let functions = BPF
        .as_ref()
        .map(|loaded| loaded.functions().expect("it is ours"));
    functions.is_ok_and(|functions| !functions.is_empty())
}

/// What another host would get: the lines of NDJSON, and nothing of this kernel.
#[test]
fn normalized_and_symbolized_elsewhere_is_the_same() {
    let Some((kernel, want)) = kernel() else {
        return;
    };
    let asked: Vec<AbsAddr> = addresses(&want).into_iter().map(AbsAddr).collect();
    let mut lines = Vec::new();
    let mut writer = Writer::new(&mut lines);
    let mut introduced = Vec::new();
    for addr in &asked {
        let answer = kernel.answer(*addr, Lookup::Exact);
        let index = answer.module.expect("located");
        if !introduced.contains(&index) {
            introduced.push(index);
            let module = kernel.module(index).expect("described");
            writer.module(index, module).expect("written");
        }
        writer.address(&answer).expect("written");
    }
    let here = names_here(&asked);
    let elsewhere = names_elsewhere(&lines);
    assert_eq!(here.len(), asked.len());
    for ((addr, here), elsewhere) in asked.iter().zip(&here).zip(&elsewhere) {
        assert_eq!(here, elsewhere, "{addr}");
    }
}

fn names_here(asked: &[AbsAddr]) -> Vec<String> {
    let live = LiveKernel::open(KernelOptions::default());
    let mut live = live.expect("opened before");
    let asked = asked.iter().map(|addr| (*addr, Lookup::Exact));
    let lookups = live.begin(asked);
    shown(lookups, live.symbolizer())
}

fn names_elsewhere(lines: &[u8]) -> Vec<String> {
    // Knows nothing of a host.
    let files = ModuleFiles::default();
    let symbolizer = Symbolizer::new(files.symbols().clone());
    let mut modules: BTreeMap<u32, (Module, Known)> = BTreeMap::new();
    let mut lookups = Lookups::default();
    for line in Reader::new(lines) {
        match line.expect("well-formed") {
            (_, JsonLine::Module { index, module }) => {
                let known = files.introduce(&symbolizer, &module);
                modules.insert(index.0, (module, known));
            }
            (_, JsonLine::Address(address)) => {
                let index = address.module.expect("located").0;
                lookups.push(address, modules.get(&index).map(|(_, known)| *known));
            }
            (_, other) => panic!("{other:?}"),
        }
    }
    shown(lookups, &symbolizer)
}

fn shown(lookups: Lookups<'_>, symbolizer: &Symbolizer) -> Vec<String> {
    let mut shown = Vec::new();
    let never = lookups
        .look_up(symbolizer)
        .each(|answer: &AddressLine<'_>| {
            shown.push(format!("{:?} {:?}", answer.file_offset, answer.frames));
            Ok::<(), Infallible>(())
        });
    let Ok(()) = never;
    shown
}

#[test]
fn kernel_addresses_in_stacks_of_a_process_have_names() {
    let Some((_, want)) = kernel() else {
        return;
    };
    let (addr, names) = want
        .iter()
        .find(|(_, names)| names.iter().any(|(name, _)| name == "schedule"))
        .expect("a kernel has a scheduler");
    let mut live = Live::of_this().expect("this process");
    let own = kernel as fn() -> Option<(RunningKernel, ByHand)> as usize as u64;
    let mut answers = Vec::new();
    live.stack(&[AbsAddr(addr + 1), AbsAddr(own + 1)], |answer, module| {
        let function = answer
            .frames
            .last()
            .and_then(|frame| frame.function.as_deref());
        let path = module.map(|module| module.path_lossy().into_owned());
        answers.push((function.unwrap_or("?").to_owned(), path.unwrap_or_default()));
    })
    .expect("it runs");
    let [(function, path), (other, _)] = &answers[..] else {
        panic!("{answers:?}");
    };
    assert!(names.iter().any(|(name, _)| name == function), "{function}");
    assert_eq!(path, "[kernel.kallsyms]");
    assert!(other.ends_with("kernel"), "{other}");
    assert!(matches!(live.kernel(), Some(Ok(_))));
}
