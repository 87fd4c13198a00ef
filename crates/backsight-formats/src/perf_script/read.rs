//! Line by line into a profile.

use std::collections::HashMap;
use std::io::{self, BufRead};

use backsight_types::profile::{
    Frame, Location, LocationIdx, Process, ProcessIdx, Profile, Sample, Thread, ThreadIdx,
    ValueType,
};
use backsight_types::{
    AbsAddr, AddrKind, FileOffset, Lookup, Module, ModuleIdx, ModuleKind, Reason,
};

use super::frame::{self, FrameLine};
use super::head::{self, First, Head};
use crate::lines::{Line, Lines};

/// A name of C++ has a hundredth of this.
const MAX_LINE: u64 = 1 << 20;

/// No stack has more frames.
const MAX_FRAMES: usize = 1 << 16;

/// A line that is not understood. It is skipped; reading goes on.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {cause}")]
pub struct Error {
    /// The line, counted from 1.
    pub line: u64,
    /// What is wrong with it.
    pub cause: &'static str,
}

/// Reads what `perf script` printed, and hands what is malformed to `malformed`. With
/// `summed`, samples that are alike but for their time become one.
///
/// What is not UTF-8 becomes �.
///
/// # Errors
/// Those of the input.
pub fn read(
    input: impl BufRead,
    summed: bool,
    mut malformed: impl FnMut(&Error),
) -> io::Result<Profile> {
    let mut text = Text {
        summed,
        ..Text::default()
    };
    let mut lines = Lines::new(input, MAX_LINE);
    while let Some((line, whole)) = lines.next()? {
        let taken = match whole {
            Line::Whole(bytes) => text.take(&String::from_utf8_lossy(bytes)),
            Line::TooLong => Err("longer than 1 MiB"),
        };
        if let Err(cause) = taken {
            malformed(&Error { line, cause });
        }
    }
    text.finish_sample();
    Ok(text.into_profile())
}

/// Returns whether a text that begins so is one of `perf script`: whether the first line
/// that is no comment begins a sample.
#[must_use]
pub fn is_one(begin: &[u8]) -> bool {
    let mut lines = begin.split(|byte| *byte == b'\n');
    let first = lines.find(|line| !line.trim_ascii().is_empty() && !line.starts_with(b"#"));
    first.is_some_and(|line| head::parse(&String::from_utf8_lossy(line)).is_some())
}

/// What makes a location: all its lines.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
struct Key {
    place: (u64, Option<ModuleIdx>, Lookup, bool),
    frames: Vec<Named>,
}

/// A frame in perf's words.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
struct Named {
    function: Option<String>,
    source: Option<(String, u32)>,
    inlined: bool,
}

#[derive(Debug, Default)]
struct Text {
    profile: Profile,
    summed: bool,
    events: HashMap<String, u32>,
    modules: HashMap<String, ModuleIdx>,
    processes: HashMap<u32, ProcessIdx>,
    threads: HashMap<(u32, u32, String), ThreadIdx>,
    locations: HashMap<Key, LocationIdx>,
    /// The sample that is being read, its period, and its locations, innermost first.
    sample: Option<(Sample, Option<i64>)>,
    stack: Vec<LocationIdx>,
    /// The location that is being read: its frames so far, and its last line once that
    /// has come.
    key: Key,
    place: Option<Place>,
}

/// Where a location is, as its last line says.
#[derive(Clone, Copy, Debug)]
struct Place {
    addr: u64,
    /// Whether that is an offset in the file.
    is_offset: bool,
    module: Option<ModuleIdx>,
}

impl Text {
    fn take(&mut self, line: &str) -> Result<(), &'static str> {
        if line.trim_ascii().is_empty() {
            self.finish_sample();
            return Ok(());
        }
        if let Some(comment) = line.strip_prefix('#') {
            self.comment(comment.trim_ascii());
            return Ok(());
        }
        if !line.starts_with('\t') {
            match head::parse(line) {
                Some(First::Sample(head)) => {
                    self.finish_sample();
                    return self.begin(&head);
                }
                Some(First::Record) => {
                    self.finish_sample();
                    return Ok(());
                }
                None if !line.starts_with(' ') => {
                    self.finish_sample();
                    return Err("neither a sample with its time nor a part of one");
                }
                None => {}
            }
        }
        if self.sample.is_none() {
            return Err("a frame before the first sample");
        }
        match frame::parse(line) {
            Some(frame) => self.frame(&frame, true),
            None if line.starts_with('\t') => Err("no frame: its address is not hexadecimal"),
            None => {
                self.source_line(line);
                Ok(())
            }
        }
    }

    /// Keeps what a header says of the command.
    fn comment(&mut self, text: &str) {
        for wanted in ["cmdline : ", "hostname : ", "os release : "] {
            if text.starts_with(wanted) {
                let text = self.profile.strings.intern(text);
                self.profile.comments.push(text);
            }
        }
    }

    fn begin(&mut self, head: &Head<'_>) -> Result<(), &'static str> {
        let first_type = self.event(head.event);
        let thread = self
            .thread(head)
            .ok_or("there are 2^32 threads before it")?;
        let sample = Sample {
            thread: Some(thread),
            time_ns: Some(head.time_ns),
            stack: None,
            first_type,
        };
        self.sample = Some((sample, head.period));
        // The words of a tracepoint are no frame.
        if let Some(frame) = frame::parse(head.rest)
            && (frame.function.is_some() || frame.dso.is_some() || head.rest.ends_with(')'))
        {
            self.frame(&frame, false)?;
        }
        Ok(())
    }

    /// Each event has two values: how many samples, and how much they stand for.
    fn event(&mut self, name: &str) -> u32 {
        if let Some(first) = self.events.get(name) {
            return *first;
        }
        let Profile {
            strings,
            sample_types,
            ..
        } = &mut self.profile;
        let first = u32::try_from(sample_types.len()).unwrap_or(u32::MAX);
        let base = name.split(':').next().unwrap_or_default();
        let unit = match base {
            "cpu-clock" | "task-clock" => "nanoseconds",
            _ => "count",
        };
        let mut value = |kind: &str, unit| ValueType {
            kind: strings.intern(kind),
            unit: strings.intern(unit),
        };
        let count = value(&format!("{name}-samples"), "count");
        let amount = value(name, unit);
        sample_types.extend([count, amount]);
        self.events.insert(name.to_owned(), first);
        first
    }

    fn thread(&mut self, head: &Head<'_>) -> Option<ThreadIdx> {
        let key = (head.pid, head.tid, head.comm.to_owned());
        if let Some(thread) = self.threads.get(&key) {
            return Some(*thread);
        }
        let Profile {
            strings,
            processes,
            threads,
            ..
        } = &mut self.profile;
        let name = Some(head.comm).filter(|name| !name.is_empty());
        let name = name.map(|name| strings.intern(name));
        let process = match self.processes.get(&head.pid) {
            Some(process) => *process,
            None => {
                let process = ProcessIdx::behind(processes.len())?;
                processes.push(Process {
                    pid: head.pid,
                    name,
                    ..Process::default()
                });
                self.processes.insert(head.pid, process);
                process
            }
        };
        let thread = ThreadIdx::behind(threads.len())?;
        threads.push(Thread {
            process,
            tid: Some(head.tid),
            name,
        });
        self.threads.insert(key, thread);
        Some(thread)
    }

    /// Takes the line of a frame. In a chain user code has offsets in its file.
    fn frame(&mut self, frame: &FrameLine<'_>, in_chain: bool) -> Result<(), &'static str> {
        self.finish_location();
        if self.stack.len() >= MAX_FRAMES || self.key.frames.len() >= MAX_FRAMES {
            return Err("more than 65,536 frames in one stack");
        }
        self.key.frames.push(Named {
            function: frame.function.map(str::to_owned),
            source: None,
            inlined: frame.inlined,
        });
        if frame.inlined {
            return Ok(());
        }
        let is_kernel = frame.dso.is_some_and(is_kernel);
        self.place = Some(Place {
            addr: frame.addr,
            is_offset: in_chain && frame.dso.is_some() && !is_kernel,
            module: frame.dso.and_then(|dso| self.module(dso)),
        });
        Ok(())
    }

    /// Takes the line of source of the frame before it.
    fn source_line(&mut self, line: &str) {
        if let Some((file, line)) = frame::source_line(line)
            && let Some(last) = self.key.frames.last_mut()
        {
            last.source = Some((file.to_owned(), line));
        }
    }

    fn module(&mut self, dso: &str) -> Option<ModuleIdx> {
        if let Some(module) = self.modules.get(dso) {
            return Some(*module);
        }
        let modules = &mut self.profile.modules;
        let index = ModuleIdx(u32::try_from(modules.len()).ok()?);
        let path = dso.strip_suffix(" (deleted)").unwrap_or(dso);
        modules.push(Module {
            kind: match dso {
                "[vdso]" => ModuleKind::Vdso,
                _ if is_kernel(dso) => ModuleKind::Kernel,
                _ => ModuleKind::File,
            },
            path: path.as_bytes().to_vec(),
            deleted: path != dso,
            ..Module::default()
        });
        self.modules.insert(dso.to_owned(), index);
        Some(index)
    }

    /// Ends a location whose last line has come, with its line of source.
    fn finish_location(&mut self) {
        let Some(place) = self.place.take() else {
            return;
        };
        let mut key = std::mem::take(&mut self.key);
        let lookup = match self.stack.is_empty() {
            true => Lookup::Exact,
            false => Lookup::Return,
        };
        key.place = (place.addr, place.module, lookup, place.is_offset);
        let known = self.locations.get(&key).copied();
        let location = known.or_else(|| {
            let location = self.new_location(&key, &place)?;
            self.locations.insert(key, location);
            Some(location)
        });
        self.stack.extend(location);
    }

    fn new_location(&mut self, key: &Key, place: &Place) -> Option<LocationIdx> {
        let Profile {
            strings, modules, ..
        } = &mut self.profile;
        let is_named = key.frames.iter().any(|frame| frame.function.is_some());
        let named = key.frames.iter().filter(|_| is_named);
        let frames: Vec<Frame> = named
            .map(|frame| Frame {
                function: frame.function.as_deref().map(|name| strings.intern(name)),
                file: frame.source.as_ref().map(|(file, _)| strings.intern(file)),
                line: frame.source.as_ref().map(|(_, line)| *line),
                inlined: frame.inlined,
                ..Frame::default()
            })
            .collect();
        let kind = place.module.and_then(|index| modules.get(index.as_usize()));
        let kind = kind.map(|module| AddrKind::from(module.kind));
        let frames = self.profile.add_frames(frames)?;
        self.profile.add_location(Location {
            address: (!place.is_offset).then_some(AbsAddr(place.addr)),
            lookup: key.place.2,
            kind,
            module: place.module,
            file_offset: place.is_offset.then_some(FileOffset(place.addr)),
            reason: match place.module {
                None => Some(Reason::Unmapped),
                Some(_) => None,
            }
            .filter(|_| !is_named),
            frames,
            ..Location::default()
        })
    }

    fn finish_sample(&mut self) {
        self.finish_location();
        // Inlined functions without the one they are folded into.
        self.key = Key::default();
        let Some((sample, period)) = self.sample.take() else {
            return;
        };
        let stack = self.stack.iter().rev().copied();
        let stack = self.profile.stacks.intern(stack);
        self.stack.clear();
        let sample = Sample { stack, ..sample };
        let values = [1, period.unwrap_or_default()];
        let values = if period.is_some() {
            &values[..]
        } else {
            &values[..1]
        };
        match self.summed {
            true => self.profile.samples.sum(sample, values, &[]),
            false => self.profile.samples.push(sample, values, &[]),
        }
    }

    fn into_profile(mut self) -> Profile {
        // Of one event alone, samples need no other name.
        if self.events.len() == 1 {
            let samples = self.profile.strings.intern("samples");
            if let Some(first) = self.profile.sample_types.first_mut() {
                first.kind = samples;
            }
        }
        self.profile
    }
}

/// Returns whether perf means the kernel, or a module of it.
fn is_kernel(dso: &str) -> bool {
    let is_in_brackets = dso.starts_with('[') && dso.ends_with(']');
    let known = ["[vdso]", "[vsyscall]", "[heap]", "[stack]"];
    let is_module = dso.ends_with(".ko") || dso.contains(".ko.");
    (is_in_brackets && !known.contains(&dso)) || is_module || dso.ends_with("/vmlinux")
}
