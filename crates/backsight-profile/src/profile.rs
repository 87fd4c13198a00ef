//! The tables of a profile.

use backsight_types::{
    AbsAddr, AbsRange, AddrKind, FileOffset, Lookup, Module, ModuleIdx, Perms, Reason, VirtOffset,
};

use crate::index::{LocationIdx, ProcessIdx, ThreadIdx};
use crate::samples::{Label, Sample, Samples};
use crate::stacks::Stacks;
use crate::strings::{StrIdx, Strings};

/// The profile of one capture.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Profile {
    /// What the values of the samples measure.
    pub sample_types: Vec<ValueType>,
    /// The index of the sample type that is shown by default. `None` means the first.
    pub default_type: Option<u32>,
    /// The thread that is shown first, if the input names one.
    pub default_thread: Option<ThreadIdx>,
    /// The sampling period: the number of units between two samples.
    pub period: Option<(ValueType, i64)>,
    /// The start of the recording, in nanoseconds since 1970.
    pub start_ns: Option<u64>,
    /// The duration of the recording, in nanoseconds.
    pub duration_ns: Option<u64>,
    /// Text for people: the tool that made the capture, and its notes.
    pub comments: Vec<StrIdx>,
    /// The processes. A process ID that was reused occurs twice.
    pub processes: Vec<Process>,
    /// Their threads.
    pub threads: Vec<Thread>,
    /// The files that contain addresses.
    pub modules: Vec<Module>,
    /// The addresses at which modules were mapped, and the times.
    pub mappings: Vec<Mapping>,
    /// The locations that stacks consist of.
    pub locations: Vec<Location>,
    /// The frames of all locations.
    pub frames: Vec<ProfileFrame>,
    /// Further properties of modules and locations.
    pub attributes: Vec<Attribute>,
    /// The stacks, each once.
    pub stacks: Stacks,
    /// The samples, with their values and labels.
    pub samples: Samples,
    /// Names and paths, each once.
    pub strings: Strings,
}

/// What a value measures, and its unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ValueType {
    /// What is measured: `samples`, `cpu-clock`, `alloc_space`.
    pub kind: StrIdx,
    /// The unit: `count`, `nanoseconds`, `bytes`.
    pub unit: StrIdx,
}

/// A process.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Process {
    /// Its ID; [`KERNEL_PID`](backsight_types::trace::KERNEL_PID) for the kernel's own mappings.
    pub pid: u32,
    /// Its name.
    pub name: Option<StrIdx>,
    /// When it started, in nanoseconds on the clock of the samples.
    pub start_ns: Option<u64>,
    /// When it ended, on the same clock.
    pub end_ns: Option<u64>,
}

/// A thread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Thread {
    /// The process.
    pub process: ProcessIdx,
    /// Its ID, if the format has threads.
    pub tid: Option<u32>,
    /// Its name.
    pub name: Option<StrIdx>,
}

/// A mapping of a module in a process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mapping {
    /// The process; `None` if the format has no processes.
    pub process: Option<ProcessIdx>,
    /// The range of addresses.
    pub range: AbsRange,
    /// The offset in the file of the first address.
    pub file_offset: FileOffset,
    /// The access permissions.
    pub perms: Perms,
    /// The module.
    pub module: Option<ModuleIdx>,
    /// When it was mapped, in nanoseconds on the clock of the samples.
    pub start_ns: Option<u64>,
}

/// A code address, with all that is known of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Location {
    /// The address in the process. `None` if the place in the module is sufficient: then
    /// all processes share the location.
    pub address: Option<AbsAddr>,
    /// How to look it up.
    pub lookup: Lookup,
    /// The kind of memory.
    pub kind: Option<AddrKind>,
    /// The module.
    pub module: Option<ModuleIdx>,
    /// The offset in the module's file.
    pub file_offset: Option<FileOffset>,
    /// The same place in the address space of the file's symbols and DWARF.
    pub virt_offset: Option<VirtOffset>,
    /// Why the location was not resolved, or only in part.
    pub reason: Option<Reason>,
    /// Its frames in [`Profile::frames`], innermost first; empty before symbolization.
    pub frames: FrameRange,
}

/// A property of a row that its type has no field for. Few rows have one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Attribute {
    /// The row that it belongs to.
    pub of: Subject,
    /// The property.
    pub label: Label,
}

/// The row that an attribute belongs to. It is exhaustive, so that every writer handles
/// all variants and none is lost silently.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Subject {
    /// A module.
    Module(ModuleIdx),
    /// A location.
    Location(LocationIdx),
}

/// A range of consecutive rows in [`Profile::frames`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct FrameRange {
    /// The index of the first.
    pub start: u32,
    /// The number of rows.
    pub len: u32,
}

/// One call level.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct ProfileFrame {
    /// The function's name for display.
    pub function: Option<StrIdx>,
    /// Its name in the symbol table, if it differs.
    pub linkage_name: Option<StrIdx>,
    /// The source file.
    pub file: Option<StrIdx>,
    /// The line, counted from 1.
    pub line: Option<u32>,
    /// The column, counted from 1.
    pub column: Option<u32>,
    /// The line where the function starts, counted from 1.
    pub start_line: Option<u32>,
    /// Whether the compiler inlined it into the next frame.
    pub inlined: bool,
    /// The start of the function.
    pub start: Option<VirtOffset>,
    /// The start of the function as an offset in the module, if its virtual offset is not known:
    /// in the kernel's image, whose offsets count from its first byte.
    pub start_file_offset: Option<FileOffset>,
}

impl Profile {
    /// Returns a module.
    #[must_use]
    pub fn module(&self, index: ModuleIdx) -> Option<&Module> {
        self.modules.get(index.as_usize())
    }

    /// Returns a process.
    #[must_use]
    pub fn process(&self, index: ProcessIdx) -> Option<&Process> {
        self.processes.get(index.as_usize())
    }

    /// Returns a thread.
    #[must_use]
    pub fn thread(&self, index: ThreadIdx) -> Option<&Thread> {
        self.threads.get(index.as_usize())
    }

    /// Returns how many samples of the input a row of samples stands for. Equal samples may have
    /// been summed to one row; if the first value is a count of samples, it is that number,
    /// otherwise 1.
    #[must_use]
    pub fn sample_count(&self, sample: &Sample, values: &[i64]) -> u64 {
        let kind = usize::try_from(sample.first_type).ok();
        let kind = kind.and_then(|at| self.sample_types.get(at));
        let is_count = kind.is_some_and(|kind| {
            let text = |index| self.strings.get(index).unwrap_or_default();
            text(kind.unit) == "count" && text(kind.kind).ends_with("samples")
        });
        let first = values.first().copied().filter(|_| is_count);
        first.map_or(1, |count| u64::try_from(count).unwrap_or_default())
    }

    /// Returns a location.
    #[must_use]
    pub fn location(&self, index: LocationIdx) -> Option<&Location> {
        self.locations.get(index.as_usize())
    }

    /// Returns the frames of a location, innermost first; empty if it has none.
    #[must_use]
    pub fn frames_of(&self, location: &Location) -> &[ProfileFrame] {
        let FrameRange { start, len } = location.frames;
        let all = usize::try_from(start)
            .ok()
            .and_then(|start| self.frames.get(start..));
        let len = usize::try_from(len).ok();
        all.zip(len)
            .and_then(|(all, len)| all.get(..len))
            .unwrap_or_default()
    }

    /// Adds a location; returns `None` if there are 2^32.
    ///
    /// It does not search for an equal one, because each format has a cheaper key to do
    /// so.
    pub fn add_location(&mut self, location: Location) -> Option<LocationIdx> {
        let index = LocationIdx::behind(self.locations.len())?;
        self.locations.push(location);
        Some(index)
    }

    /// Adds the frames of one location, innermost first; returns `None` if there are
    /// 2^32. A function name that is empty or blank is no name: the linkage name takes its place.
    pub fn add_frames(
        &mut self,
        frames: impl IntoIterator<Item = ProfileFrame>,
    ) -> Option<FrameRange> {
        let start = u32::try_from(self.frames.len()).ok()?;
        let strings = &self.strings;
        let named = |name: &StrIdx| {
            let text = strings.get(*name);
            text.is_none_or(|text| !text.trim().is_empty())
        };
        self.frames.extend(frames.into_iter().map(|frame| {
            let linkage_name = frame.linkage_name.filter(named);
            match frame.function {
                Some(blank) if !named(&blank) => ProfileFrame {
                    function: linkage_name,
                    linkage_name: None,
                    ..frame
                },
                function => ProfileFrame {
                    function,
                    linkage_name,
                    ..frame
                },
            }
        }));
        let end = u32::try_from(self.frames.len()).ok()?;
        let len = end.checked_sub(start)?;
        Some(FrameRange { start, len })
    }
}

#[cfg(test)]
mod tests {
    use super::{FrameRange, Location, Profile, ProfileFrame};

    #[test]
    fn frames_that_are_not_there_are_none() {
        let mut profile = Profile::default();
        let frame = |line| ProfileFrame {
            line: Some(line),
            ..ProfileFrame::default()
        };
        profile.add_frames([frame(1)]);
        let frames = profile.add_frames([frame(2), frame(3)]).unwrap();
        let of = |frames| {
            let location = Location {
                frames,
                ..Location::default()
            };
            let frames = profile.frames_of(&location);
            frames
                .iter()
                .filter_map(|frame| frame.line)
                .collect::<Vec<_>>()
        };
        assert_eq!(of(frames), [2, 3]);
        assert_eq!(of(FrameRange { start: 2, len: 2 }), []);
        assert_eq!(
            of(FrameRange {
                start: u32::MAX,
                len: u32::MAX
            }),
            []
        );
    }
}
