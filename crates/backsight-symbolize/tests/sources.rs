//! Sources beside a module's files: names, lines and whole answers of one's own.

mod common;

use std::collections::BTreeMap;
use std::ops::Range;
use std::slice::from_ref;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use backsight_symbolize::{
    CallSite, Cause, Detail, Error, Frame, Frames, FunctionName, IndexBuilder, Kallsyms, LevelId,
    ModuleInput, Options, Place, Request, SymbolIndex, SymbolSource, Symbolizer, Tier, Turn,
};
use backsight_types::{FileOffset, Lookup, Reason, VirtOffset};
use common::{Fixture, at, find, symbol, symbolizer_of, symbolizer_with};

const SOURCE: &str = r#"
namespace shop {
static volatile int sink;
static inline __attribute__((always_inline)) int square(int x) { sink = x; return x * x; }
static inline __attribute__((always_inline)) int twice(int x) { return square(x) + square(x + 1); }
struct Till { __attribute__((noinline)) int add(int x) { sink = x; return twice(x) + square(x); } };
}
extern "C" __attribute__((noinline, cold)) int rare(int x) { shop::sink = -x; return x; }
int main(int argc, char **argv) { return shop::Till().add(argc) + rare(argc) + shop::twice(argc); }
"#;

/// A list of functions, with lines or without.
#[derive(Debug)]
struct Listed {
    functions: Vec<(Range<u64>, &'static str, Option<u32>)>,
    /// Whether it tells all in advance.
    tells: bool,
    asked: AtomicUsize,
}

impl Listed {
    fn new(functions: &[(Range<u64>, &'static str, Option<u32>)], tells: bool) -> Arc<Self> {
        Arc::new(Self {
            functions: functions.to_vec(),
            tells,
            asked: AtomicUsize::new(0),
        })
    }
}

impl SymbolSource for Listed {
    fn detail(&self) -> Detail {
        let has_line = self.functions.iter().any(|(_, _, line)| line.is_some());
        if has_line {
            Detail::Lines
        } else {
            Detail::Names
        }
    }

    fn find(&self, place: VirtOffset) -> Option<Frames> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        let mut functions = self.functions.iter();
        let (range, name, line) = functions.find(|(range, ..)| range.contains(&place.0))?;
        let mut frame = Frame::named(*name);
        frame.start = Some(VirtOffset(range.start));
        let frame = line.map_or(frame.clone(), |line| frame.at("made.up", line));
        Frames::of(vec![frame])
    }

    fn list(&self, index: &mut IndexBuilder) -> Result<bool, Error> {
        for (range, name, line) in &self.functions {
            index.function(from_ref(range), FunctionName::plain(name))?;
            if let Some(line) = line {
                index.line(range.clone(), "made.up", *line, 0)?;
            }
        }
        Ok(self.tells)
    }
}

/// A source that answers and one that tells all in advance say the same, in every tier.
#[test]
fn a_source_of_its_own_answers_in_every_way_alike() {
    let functions = [
        (0x100..0x140, "first", Some(3)),
        (0x140..0x150, "second", None),
        (0x7fff_ffff_0000..0x7fff_ffff_0010, "far", Some(9)),
    ];
    let mut all: Vec<Vec<Result<Frames, Reason>>> = Vec::new();
    for tells in [false, true] {
        for tier in [Tier::Auto, Tier::Lazy, Tier::Flat] {
            let options = Options::default().with_tier(tier);
            let symbolizer = Symbolizer::new(options);
            let source = Listed::new(&functions, tells);
            let module = symbolizer.add(ModuleInput::Symbols(source.clone()), None, None);
            symbolizer.load(module).expect("it can be asked");
            let places = (0xf0..0x160).chain(0x7fff_fffe_fff0..0x7fff_ffff_0020);
            let requests: Vec<Request> = places.map(|place| at(module, place)).collect();
            let answers = symbolizer.symbolize(&requests);
            assert_eq!(answers, symbolizer.symbolize(&requests));
            assert_eq!(source.asked.load(Ordering::Relaxed) == 0, tells);
            all.push(answers);
        }
    }
    let named = all[0].iter().flatten().count();
    assert_eq!(named, 0x40 + 0x10 + 0x10);
    assert!(all.iter().all(|other| *other == all[0]));
    // A file offset has no meaning without program headers.
    let symbolizer = Symbolizer::new(Options::default());
    let module = symbolizer.add(
        ModuleInput::Symbols(Listed::new(&functions, true)),
        None,
        None,
    );
    let request = Request::new(module, Place::File(FileOffset(0x100)), Lookup::Exact);
    let answer = symbolizer.symbolize(&[request]).remove(0);
    assert_eq!(answer, Err(Reason::NeedsProgramHeaders));
}

/// Before the files or after them; what has lines goes before what has a name alone.
#[test]
fn a_source_is_asked_in_its_turn() {
    let fixture = Fixture::new();
    fixture.write("a.cpp", SOURCE);
    fixture.must("g++", &["-O2", "-g", "-o", "full", "a.cpp"]);
    fixture.must("strip", &["-g", "-o", "bare", "full"]);
    let (start, size) = symbol(&fixture.path("full"), "rare");
    let gap = start..start + size;
    let nowhere = 0x10..0x20;
    for tier in [Tier::Lazy, Tier::Flat] {
        for (file, line) in [("full", Some(8)), ("bare", None)] {
            let ask = |turn: Turn, has_line: bool| {
                let mut options = Options::default();
                options.debug_dirs.clear();
                options.tier = tier;
                let (symbolizer, module) = symbolizer_with(options, &fixture.path(file));
                let line = has_line.then_some(77);
                let made = [(gap.clone(), "made", line), (nowhere.clone(), "low", line)];
                symbolizer.add_source(module, turn, Listed::new(&made, false));
                let name = |place| {
                    let frames = find(&symbolizer, module, place).ok()?;
                    let frame = frames.physical()?.clone();
                    Some((frame.function?.to_string(), frame.line))
                };
                (name(start), name(0x10), name(start + size + 0x40_0000))
            };
            let own = Some((String::from("rare"), line));
            for has_line in [false, true] {
                let said = |name: &str| Some((name.to_owned(), has_line.then_some(77)));
                let before = ask(Turn::Before, has_line);
                assert_eq!(before, (said("made"), said("low"), None), "{file} {tier:?}");
                let better = has_line && line.is_none();
                let first = if better { said("made") } else { own.clone() };
                let after = ask(Turn::After, has_line);
                assert_eq!(after, (first, said("low"), None), "{file} {tier:?}");
            }
        }
    }
}

/// An index made by hand of what the engine says at each address says the same as the
/// engine, from memory and from a file.
#[test]
fn an_index_made_by_hand_says_what_it_was_told() {
    let fixture = Fixture::new();
    fixture.write("a.cpp", SOURCE);
    let flags = [
        "-O2",
        "-g",
        "-freorder-blocks-and-partition",
        "-o",
        "a",
        "a.cpp",
    ];
    fixture.must("g++", &flags);
    let (symbolizer, module) = symbolizer_of(&fixture.path("a"));
    let places: Vec<u64> = (0x1000..0x1400).collect();
    let requests: Vec<Request> = places.iter().map(|place| at(module, *place)).collect();
    let want = symbolizer.symbolize(&requests);
    let index = told(&places, &want).finish().expect("little code");
    index.verify().expect("sound");
    let file = fixture.path("made.index");
    index.write(&file).expect("written");
    let again = SymbolIndex::open(&file, &Options::default()).expect("readable");
    for index in [index, again] {
        let symbolizer = Symbolizer::new(Options::default());
        let module = symbolizer.add_index(index, None);
        for (place, want) in places.iter().zip(&want) {
            let got = find(&symbolizer, module, *place);
            let want = want.as_ref().map(|frames| frames.to_vec());
            assert_eq!(
                got.map(|frames| frames.to_vec()),
                want.map_err(|it| *it),
                "{place:#x}"
            );
        }
    }
    let inlined = want.iter().flatten().map(|frames| frames.len()).max();
    assert!(inlined >= Some(3), "calls in calls: {inlined:?}");
}

/// What tells one level from another: the function that it is in, the calls on the way,
/// and its own name and call site.
type Path = Vec<(
    Option<String>,
    Option<String>,
    u32,
    Option<String>,
    u32,
    u32,
)>;

fn told(places: &[u64], answers: &[Result<Frames, Reason>]) -> IndexBuilder {
    let mut ranges: BTreeMap<(u64, Path), Vec<Range<u64>>> = BTreeMap::new();
    let mut index = IndexBuilder::default();
    for (place, frames) in places.iter().zip(answers) {
        let Ok(frames) = frames else { continue };
        let physical = frames.physical().expect("a function");
        let start = physical.start.map_or(*place, |start| start.0);
        let mut path = Path::new();
        let mut around: Option<&Frame> = None;
        for frame in frames.iter().rev() {
            let text = |text: &Option<Arc<str>>| text.as_ref().map(|text| text.to_string());
            let call = around.map(|outer| (text(&outer.file), outer.line, outer.column));
            let (file, line, column) = call.unwrap_or_default();
            path.push((
                text(&frame.function).filter(|_| frame.linkage_name.is_none()),
                text(&frame.linkage_name),
                frame.start_line.unwrap_or(0),
                file,
                line.unwrap_or(0),
                column.unwrap_or(0),
            ));
            let all = ranges.entry((start, path.clone())).or_default();
            match all.last_mut().filter(|last| last.end == *place) {
                Some(last) => last.end += 1,
                None => all.push(*place..*place + 1),
            }
            around = Some(frame);
        }
        let inner = frames.first().expect("a level");
        if let Some(file) = &inner.file {
            let column = inner.column.unwrap_or(0).try_into().expect("small");
            index
                .line(*place..*place + 1, file, inner.line.unwrap_or(0), column)
                .expect("room");
        }
    }
    let mut known: BTreeMap<(u64, Path), LevelId> = BTreeMap::new();
    for ((start, path), mut ranges) in ranges {
        let (plain, linkage, line, file, call_line, column) = path.last().expect("a level");
        let mut name = FunctionName::default().with_line(*line);
        (name.linkage, name.plain) = (linkage.as_deref(), plain.as_deref());
        let id = if path.len() == 1 {
            // It is entered where its first range begins.
            let first = ranges.iter().position(|range| range.contains(&start));
            ranges.swap(0, first.expect("its own start"));
            index.function(&ranges, name)
        } else {
            let outer = (start, path[..path.len() - 1].to_vec());
            let column = (*column).try_into().expect("small");
            let call = file.as_deref().map(|file| CallSite::at(file, *call_line));
            let call = call.unwrap_or_default().with_column(column);
            index.inlined(known[&outer], &ranges, name, call)
        };
        known.insert((start, path), id.expect("room"));
    }
    index
}

#[test]
fn the_kernels_list_is_a_source() {
    let list = "ffffffff81000000 T _text\nffffffff81000040 t do_it\nffffffff81000080 D data\n\
        ffffffffc0201000 t veth_xmit\t[veth]\n";
    let kernel = Kallsyms::read(list.as_bytes()).expect("text");
    let symbolizer = Symbolizer::new(Options::default());
    let module = symbolizer.add(ModuleInput::Symbols(Arc::new(kernel)), None, None);
    let name = |place| {
        let frames = find(&symbolizer, module, place).ok()?;
        let frame = frames.physical()?;
        Some((frame.function.as_deref()?.to_owned(), frame.start?.0))
    };
    let named = |name: &str, start| Some((name.to_owned(), start));
    assert_eq!(
        name(0xffff_ffff_8100_0041),
        named("do_it", 0xffff_ffff_8100_0040)
    );
    assert_eq!(
        name(0xffff_ffff_c020_1fff),
        named("veth_xmit", 0xffff_ffff_c020_1000)
    );
    assert_eq!(name(0xffff_ffff_8100_0081), None);
    assert_eq!(name(0x1000), None);
}

/// What cannot be laid out is refused, and a source that cannot be read gives its reason.
#[test]
fn a_source_that_fails_says_why() {
    #[derive(Debug)]
    struct Broken;
    impl SymbolSource for Broken {
        fn detail(&self) -> Detail {
            Detail::Names
        }
        fn find(&self, _: VirtOffset) -> Option<Frames> {
            None
        }
        fn list(&self, _: &mut IndexBuilder) -> Result<bool, Error> {
            Err(Cause::Packed.into())
        }
    }
    let symbolizer = Symbolizer::new(Options::default());
    let module = symbolizer.add(ModuleInput::Symbols(Arc::new(Broken)), None, None);
    assert_eq!(symbolizer.load(module), Err(Cause::Packed.into()));
    assert_eq!(find(&symbolizer, module, 0), Err(Cause::Packed.reason()));
    let mut index = IndexBuilder::default();
    let name = FunctionName::plain("huge");
    index.function(from_ref(&(0..1 << 33)), name).expect("room");
    let full = index.finish().expect_err("4 GiB of code and more");
    assert!(matches!(full.into(), Cause::TooLarge { .. }));
    // Ranges that are empty or backward are nowhere.
    let mut index = IndexBuilder::default();
    #[expect(clippy::reversed_empty_ranges, reason = "what a source may say")]
    index
        .function(&[20..10, 7..7], FunctionName::plain("no code"))
        .expect("room");
    let function = index
        .function(from_ref(&(4..8)), FunctionName::default())
        .expect("room");
    index
        .inlined(
            function,
            from_ref(&(0..100)),
            FunctionName::plain("wide"),
            CallSite::default(),
        )
        .expect("room");
    let index = index.finish().expect("little");
    let symbolizer = Symbolizer::new(Options::default());
    let module = symbolizer.add_index(index, None);
    let shown: Vec<Option<usize>> = (0..10)
        .map(|place| {
            find(&symbolizer, module, place)
                .ok()
                .map(|frames| frames.len())
        })
        .collect();
    assert_eq!(shown[4..8], [Some(2); 4]);
    assert!(
        shown[..4].iter().chain(&shown[8..]).all(Option::is_none),
        "{shown:?}"
    );
}
