//! What one capture came to: all tables of it.

use backsight_types::{
    AbsAddr, AbsRange, AddrKind, FileOffset, Lookup, Module, ModuleIdx, Perms, Reason, VirtOffset,
};

use crate::index::{LocationIdx, ProcessIdx, ThreadIdx};
use crate::samples::{Label, Samples};
use crate::stacks::Stacks;
use crate::strings::{StrIdx, Strings};

/// What one capture came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Profile {
    /// What the values of the samples count.
    pub sample_types: Vec<ValueType>,
    /// Which of them is shown when nobody asks for another: a place among them. `None`
    /// is the first.
    pub default_type: Option<u32>,
    /// How often samples were taken: one for each so many units.
    pub period: Option<(ValueType, i64)>,
    /// When the first sample could have been taken, in nanoseconds since 1970.
    pub start_ns: Option<u64>,
    /// For how long samples were taken, in nanoseconds.
    pub duration_ns: Option<u64>,
    /// What made the capture, and what it says of itself, for people.
    pub comments: Vec<StrIdx>,
    /// The processes. A process ID that was used twice stands twice.
    pub processes: Vec<Process>,
    /// Their threads.
    pub threads: Vec<Thread>,
    /// The files that addresses lie in.
    pub modules: Vec<Module>,
    /// Where they were mapped, and when.
    pub mappings: Vec<Mapping>,
    /// What stacks are made of.
    pub locations: Vec<Location>,
    /// The frames of all locations.
    pub frames: Vec<ProfileFrame>,
    /// What else is known of modules and locations.
    pub attributes: Vec<Attribute>,
    /// The stacks, each once.
    pub stacks: Stacks,
    /// The samples, with their values and labels.
    pub samples: Samples,
    /// Names and paths, each once.
    pub strings: Strings,
}

/// What a value counts, and in what.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ValueType {
    /// What is counted: `samples`, `cpu-clock`, `alloc_space`.
    pub kind: StrIdx,
    /// In what: `count`, `nanoseconds`, `bytes`.
    pub unit: StrIdx,
}

/// A process.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Process {
    /// Its ID; [`KERNEL_PID`](backsight_types::trace::KERNEL_PID) for the kernel's own mappings.
    pub pid: u32,
    /// Its name.
    pub name: Option<StrIdx>,
    /// When it began, in nanoseconds on the clock of the samples.
    pub start_ns: Option<u64>,
    /// When it ended, on the same clock.
    pub end_ns: Option<u64>,
}

/// A thread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Thread {
    /// The process.
    pub process: ProcessIdx,
    /// Its ID, when the format knows threads.
    pub tid: Option<u32>,
    /// Its name.
    pub name: Option<StrIdx>,
}

/// Where a module was mapped in a process, and when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mapping {
    /// The process; `None` where the format knows no processes.
    pub process: Option<ProcessIdx>,
    /// The addresses.
    pub range: AbsRange,
    /// The byte of the file at the first of them.
    pub file_offset: FileOffset,
    /// What may be done with it.
    pub perms: Perms,
    /// The module.
    pub module: Option<ModuleIdx>,
    /// Since when, in nanoseconds on the clock of the samples.
    pub start_ns: Option<u64>,
}

/// A place in code, as far as it is known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Location {
    /// What the process saw. Absent where the place in the module says it all: then a
    /// location is shared by all processes.
    pub address: Option<AbsAddr>,
    /// How to look it up.
    pub lookup: Lookup,
    /// The kind of memory.
    pub kind: Option<AddrKind>,
    /// The module.
    pub module: Option<ModuleIdx>,
    /// The byte of the module's file.
    pub file_offset: Option<FileOffset>,
    /// The same place as the file's symbols and DWARF call it.
    pub virt_offset: Option<VirtOffset>,
    /// Why there is no answer, or why there is no more of one.
    pub reason: Option<Reason>,
    /// Its frames in [`Profile::frames`], innermost first; none before symbolization.
    pub frames: FrameRange,
}

/// What is known of a row besides what its type tells: few rows have one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Attribute {
    /// The row.
    pub of: Subject,
    /// What is known of it.
    pub label: Label,
}

/// What an attribute is of. All are to be matched: a writer that passes over one would
/// lose it in silence.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Subject {
    /// A module.
    Module(ModuleIdx),
    /// A location.
    Location(LocationIdx),
}

/// Places in [`Profile::frames`] that follow each other.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct FrameRange {
    /// The first.
    pub start: u32,
    /// How many.
    pub len: u32,
}

/// One call level.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct ProfileFrame {
    /// The function's name for people.
    pub function: Option<StrIdx>,
    /// Its name for the linker, when it is another one.
    pub linkage_name: Option<StrIdx>,
    /// The source file.
    pub file: Option<StrIdx>,
    /// The line, from 1.
    pub line: Option<u32>,
    /// The column, from 1.
    pub column: Option<u32>,
    /// The line that the function begins on, from 1.
    pub start_line: Option<u32>,
    /// Whether the compiler folded it into the frame that follows.
    pub inlined: bool,
    /// Where the function begins.
    pub start: Option<VirtOffset>,
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

    /// Returns a location.
    #[must_use]
    pub fn location(&self, index: LocationIdx) -> Option<&Location> {
        self.locations.get(index.as_usize())
    }

    /// Returns the frames of a location, innermost first; none when it has none.
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

    /// Adds a location; `None` when there are 2^32.
    ///
    /// Equal ones are not looked for: each format has a key of its own that is cheaper.
    pub fn add_location(&mut self, location: Location) -> Option<LocationIdx> {
        let index = LocationIdx::behind(self.locations.len())?;
        self.locations.push(location);
        Some(index)
    }

    /// Adds the frames of one location, innermost first; `None` when there are 2^32.
    pub fn add_frames(
        &mut self,
        frames: impl IntoIterator<Item = ProfileFrame>,
    ) -> Option<FrameRange> {
        let start = u32::try_from(self.frames.len()).ok()?;
        self.frames.extend(frames);
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
