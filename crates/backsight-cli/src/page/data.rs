//! What the scripts of the page read. Tables are columns; a name is its place in `strings`.

use std::collections::HashMap;

use backsight_formats::escape::Terminal;
use backsight_profile::{Location, LocationIdx, Profile, StackIdx, ThreadIdx};
use backsight_report::{FrameEntries, Inlines, ReportEntry, RowKind};
use backsight_types::AddrKind;
use serde::Serialize;

/// The place of a text in `strings`.
type Text = usize;

#[derive(Debug, Default, Serialize)]
pub(super) struct PageData {
    title: Text,
    /// What is known of the recording.
    about: Vec<Text>,
    /// The index of the value that is shown first.
    shown: usize,
    types: Vec<TypeRow>,
    entries: EntryColumns,
    stacks: StackColumns,
    threads: Vec<ThreadRow>,
    /// The names of processes with their IDs.
    processes: Vec<Text>,
    samples: SampleColumns,
    strings: Vec<String>,
    /// Of two profiles, which are the types 0 and 1: what the shares of each are of.
    compared: Option<[i64; 2]>,
}

#[derive(Debug, Serialize)]
struct TypeRow {
    name: Text,
    unit: Text,
}

/// The functions.
#[derive(Debug, Default, Serialize)]
struct EntryColumns {
    name: Vec<Text>,
    /// −1 without a module.
    module: Vec<i64>,
    /// 1 if there is no function, and the name says why.
    nameless: Vec<u8>,
}

/// The stacks, callers before what they call.
#[derive(Debug, Default, Serialize)]
struct StackColumns {
    /// −1 for the outermost.
    caller: Vec<i64>,
    entry: Vec<u32>,
    kind: Vec<FrameKind>,
}

/// What code a frame is of: the index of a colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
enum FrameKind {
    Program,
    Kernel,
    Inlined,
    MadeAtRunTime,
    Nameless,
}

impl Serialize for FrameKind {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_u8(*self as u8)
    }
}

#[derive(Debug, Serialize)]
struct ThreadRow {
    name: Text,
    process: usize,
}

/// The sums of samples with the same stack, thread and type.
#[derive(Debug, Default, Serialize)]
struct SampleColumns {
    stack: Vec<usize>,
    /// −1 without a thread.
    thread: Vec<i64>,
    #[serde(rename = "type")]
    kind: Vec<usize>,
    value: Vec<i64>,
}

impl PageData {
    pub(super) fn of(profile: &Profile, title: Option<&str>, shown: usize) -> Self {
        let mut texts = Texts::default();
        let about = profile.comments.iter();
        let about = about.filter_map(|at| profile.strings.get(*at));
        let about: Vec<&str> = about.collect();
        let command = about.iter().find_map(|text| text.strip_prefix("command: "));
        let title_of_page = title.or(command);
        let title = texts.add(title_of_page.unwrap_or("Profile"));
        // The command is not said twice.
        let is_title = |text: &str| {
            let command = text.strip_prefix("command: ");
            command.is_some() && command == title_of_page
        };
        let about = about.iter().filter(|text| !is_title(text));
        let about = about.map(|text| texts.add(text)).collect();
        let types = profile.sample_types.iter().map(|of| TypeRow {
            name: texts.add(profile.strings.get(of.kind).unwrap_or_default()),
            unit: texts.add(profile.strings.get(of.unit).unwrap_or_default()),
        });
        let mut types: Vec<_> = types.collect();
        if types.is_empty() {
            types.push(TypeRow {
                name: texts.add("samples"),
                unit: texts.add("count"),
            });
        }
        let mut tasks = Tasks::default();
        let mut tree = StackTree::new(profile);
        let mut sums: HashMap<(usize, i64, usize), i64> = HashMap::new();
        for (sample, values, _) in profile.samples.iter() {
            let stack = tree.stack(sample.stack);
            let thread = tasks.thread(profile, sample.thread, &mut texts);
            let first = usize::try_from(sample.first_type).unwrap_or(usize::MAX);
            for (nth, value) in values.iter().enumerate().filter(|(_, value)| **value != 0) {
                let key = (stack, thread, first.saturating_add(nth));
                let sum = sums.entry(key).or_default();
                *sum = sum.saturating_add(*value);
            }
        }
        let mut rows: Vec<_> = sums.into_iter().collect();
        // The same profile gives the same page.
        rows.sort_unstable();
        let mut samples = SampleColumns::default();
        for ((stack, thread, kind), value) in rows {
            samples.stack.push(stack);
            samples.thread.push(thread);
            samples.kind.push(kind);
            samples.value.push(value);
        }
        let entries = entries(profile, tree.frames.entries(), &mut texts);
        Self {
            title,
            about,
            shown: shown.min(types.len().saturating_sub(1)),
            types,
            entries,
            stacks: tree.stacks,
            threads: tasks.threads,
            processes: tasks.processes,
            samples,
            strings: texts.all,
            compared: None,
        }
    }

    /// The same, as a comparison of its first two types. `wholes` are what the shares are of.
    pub(super) fn compared(mut self, wholes: [i64; 2]) -> Self {
        self.compared = Some(wholes);
        self.merge_entries();
        self
    }

    /// Makes functions of one name in modules of one path one, as `diff` does: what else tells them
    /// apart, such as the place of a closure, may have moved.
    fn merge_entries(&mut self) {
        let mut firsts: HashMap<(Text, i64), u32> = HashMap::new();
        let names = self.entries.name.iter().zip(&self.entries.module);
        let merged = names.zip(0_u32..).map(|((name, module), at)| {
            let first = firsts.entry((*name, *module));
            *first.or_insert(at)
        });
        let merged: Vec<u32> = merged.collect();
        for entry in &mut self.stacks.entry {
            let to = usize::try_from(*entry).ok().and_then(|at| merged.get(at));
            *entry = to.copied().unwrap_or(*entry);
        }
    }
}

fn entries(profile: &Profile, all: &[ReportEntry], texts: &mut Texts) -> EntryColumns {
    let mut rows = EntryColumns::default();
    for entry in all {
        rows.name
            .push(texts.add(&entry.name(profile, RowKind::Function)));
        let module = entry.module_name(profile).map(|path| texts.add(&path));
        rows.module.push(index(module));
        rows.nameless.push(u8::from(entry.function.is_none()));
    }
    rows
}

/// Texts, each once.
#[derive(Debug, Default)]
struct Texts {
    all: Vec<String>,
    places: HashMap<String, Text>,
}

impl Texts {
    fn add(&mut self, text: &str) -> Text {
        let text = Terminal(text.as_bytes()).to_string();
        if let Some(at) = self.places.get(&text) {
            return *at;
        }
        let at = self.all.len();
        self.all.push(text.clone());
        self.places.insert(text, at);
        at
    }
}

/// The threads that have samples, and their processes.
#[derive(Debug, Default)]
struct Tasks {
    threads: Vec<ThreadRow>,
    processes: Vec<Text>,
    of_threads: HashMap<ThreadIdx, i64>,
    of_processes: HashMap<backsight_profile::ProcessIdx, usize>,
}

impl Tasks {
    fn thread(&mut self, profile: &Profile, thread: Option<ThreadIdx>, texts: &mut Texts) -> i64 {
        let Some((at, thread)) = thread.and_then(|at| Some((at, profile.thread(at)?))) else {
            return -1;
        };
        if let Some(known) = self.of_threads.get(&at) {
            return *known;
        }
        let entry = ReportEntry::of_thread(at);
        let process = *self.of_processes.entry(thread.process).or_insert_with(|| {
            let name = texts.add(&entry.name(profile, RowKind::Process));
            self.processes.push(name);
            self.processes.len().saturating_sub(1)
        });
        let name = texts.add(&entry.name(profile, RowKind::Thread));
        let place = index(Some(self.threads.len()));
        self.threads.push(ThreadRow { name, process });
        self.of_threads.insert(at, place);
        place
    }
}

/// The stacks as a tree of frames.
struct StackTree<'p> {
    profile: &'p Profile,
    frames: FrameEntries<'p>,
    stacks: StackColumns,
    /// The frame that each stack of the profile ends with.
    ends: HashMap<StackIdx, usize>,
    places: HashMap<(i64, u32, FrameKind), usize>,
}

impl<'p> StackTree<'p> {
    fn new(profile: &'p Profile) -> Self {
        Self {
            profile,
            frames: FrameEntries::new(profile, RowKind::Function, Inlines::Apart),
            stacks: StackColumns::default(),
            ends: HashMap::new(),
            places: HashMap::new(),
        }
    }

    /// Returns the innermost frame of a stack.
    fn stack(&mut self, stack: Option<StackIdx>) -> usize {
        // Follow the callers up to a known one, and then add what they call.
        let mut new = Vec::new();
        let mut at = stack;
        let mut frame: i64 = loop {
            let Some(here) = at else { break -1 };
            if let Some(known) = self.ends.get(&here) {
                break index(Some(*known));
            }
            let Some((location, caller)) = self.profile.stacks.get(here) else {
                break -1;
            };
            new.push((here, location));
            at = caller;
        };
        for (stack, location) in new.into_iter().rev() {
            let numbers = self.frames.of_location(location).to_vec();
            for (depth, number) in numbers.iter().enumerate().rev() {
                let kind = self.kind(location, depth);
                frame = index(Some(self.call(frame, *number, kind)));
            }
            if let Ok(end) = usize::try_from(frame) {
                self.ends.insert(stack, end);
            }
        }
        usize::try_from(frame).unwrap_or_else(|_| {
            // A stack without locations has one entry without anything.
            let mut numbers = Vec::new();
            self.frames.of_stack(None, &mut numbers);
            let number = numbers.first().copied().unwrap_or_default();
            self.call(-1, number, FrameKind::Nameless)
        })
    }

    fn call(&mut self, caller: i64, entry: u32, kind: FrameKind) -> usize {
        let new = self.stacks.entry.len();
        let at = *self.places.entry((caller, entry, kind)).or_insert(new);
        if at == new {
            self.stacks.caller.push(caller);
            self.stacks.entry.push(entry);
            self.stacks.kind.push(kind);
        }
        at
    }

    /// What the frame of a location at this depth, from the innermost, is of.
    fn kind(&self, location: LocationIdx, depth: usize) -> FrameKind {
        let missing = Location::default();
        let location = self.profile.location(location).unwrap_or(&missing);
        let frame = self.profile.frames_of(location).get(depth);
        let has_name = frame.is_some_and(|frame| frame.function.is_some());
        match (location.kind, frame) {
            _ if !has_name => FrameKind::Nameless,
            (_, Some(frame)) if frame.inlined => FrameKind::Inlined,
            (Some(AddrKind::Kernel), _) => FrameKind::Kernel,
            (Some(AddrKind::Anonymous), _) => FrameKind::MadeAtRunTime,
            _ => FrameKind::Program,
        }
    }
}

/// An index as scripts read it: −1 for none.
fn index(at: Option<usize>) -> i64 {
    at.and_then(|at| i64::try_from(at).ok()).unwrap_or(-1)
}
