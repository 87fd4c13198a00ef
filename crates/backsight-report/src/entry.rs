//! What a row of a table or a node of a tree stands for.

use std::borrow::Cow;
use std::collections::HashMap;

use backsight_profile::{Location, Profile, ProfileFrame, StrIdx, ThreadIdx};
use backsight_types::{AddrKind, ModuleIdx, Reason};

/// What rows stand for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum RowKind {
    /// A function in a module.
    #[default]
    Function,
    /// A module: a file, the kernel, or memory without a file.
    Module,
    /// A line of a source file in a function.
    Line,
    /// A thread.
    Thread,
    /// A process.
    Process,
}

impl RowKind {
    /// Returns the word for a row: `function`, `module`, `line`, `thread`, `process`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Function => "function",
            Self::Module => "module",
            Self::Line => "line",
            Self::Thread => "thread",
            Self::Process => "process",
        }
    }
}

/// Which function has the code of an inlined call.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Inlines {
    /// The inlined function, which has a frame of its own: as `go tool pprof` counts.
    #[default]
    Apart,
    /// The function that it was inlined into: as a list of symbols tells, and as
    /// `perf report` counts.
    Merged,
}

/// A row's function, module, line, thread or process. What the kind of row does not tell apart is
/// `None`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct ReportEntry {
    /// The function.
    pub function: Option<StrIdx>,
    /// The module: the first of those with the same path.
    pub module: Option<ModuleIdx>,
    /// The source file.
    pub file: Option<StrIdx>,
    /// The line.
    pub line: Option<u32>,
    /// The line on which the function starts, if it alone is known.
    pub start_line: Option<u32>,
    /// The function with the place of its source, as the runtime that made its code wrote it:
    /// `JS:*next /srv/list.js:12:5`. Functions of one name and different places have rows of
    /// their own.
    pub placed_name: Option<StrIdx>,
    /// The thread, or one thread of the process.
    pub thread: Option<ThreadIdx>,
    /// Why there is no function.
    pub reason: Option<Reason>,
    /// The kind of memory, if it is no file.
    pub kind: Option<AddrKind>,
}

impl ReportEntry {
    /// The row of a thread, or of its process.
    #[must_use]
    pub fn of_thread(thread: ThreadIdx) -> Self {
        Self {
            thread: Some(thread),
            ..Self::default()
        }
    }

    /// Returns its name for display: the function, module, line, thread or process; what is not
    /// known in brackets. A function that has a [`placed_name`](Self::placed_name) has the place
    /// behind it, without folders: `JS:*next list.js:12:5`.
    #[must_use]
    pub fn name<'p>(&self, profile: &'p Profile, by: RowKind) -> Cow<'p, str> {
        let text = |at: Option<StrIdx>| at.and_then(|at| profile.strings.get(at));
        match by {
            RowKind::Function => match text(self.function) {
                Some(name) => match text(self.placed_name) {
                    Some(placed) => with_place(name, placed),
                    None => name.into(),
                },
                None => self.unknown(),
            },
            RowKind::Module => self.module_name(profile).unwrap_or_else(|| self.unknown()),
            RowKind::Line => match (text(self.file), self.line) {
                (Some(file), Some(line)) => format!("{file}:{line}").into(),
                (Some(file), None) => match (text(self.function), self.start_line) {
                    (Some(name), Some(line)) => format!("{file}, {name} from line {line}").into(),
                    _ => file.into(),
                },
                (None, _) => match text(self.function) {
                    Some(name) => format!("{name}, no line").into(),
                    None => self.unknown(),
                },
            },
            RowKind::Thread | RowKind::Process => self.task_name(profile, by),
        }
    }

    /// Returns its name as in another recording: a thread or process has other numbers there.
    pub(crate) fn name_in_any_run<'p>(&self, profile: &'p Profile, by: RowKind) -> Cow<'p, str> {
        match by {
            RowKind::Thread | RowKind::Process => match self.task(profile, by) {
                Some((Some(name), _)) => name.into(),
                _ => self.task_name(profile, by),
            },
            _ => self.name(profile, by),
        }
    }

    /// Returns the path of its module; `None` without a module.
    #[must_use]
    pub fn module_name<'p>(&self, profile: &'p Profile) -> Option<Cow<'p, str>> {
        let module = profile.module(self.module?)?;
        Some(module.path_lossy())
    }

    /// Orders entries with equal names.
    pub(crate) fn rank(&self) -> impl Ord + use<> {
        let module = self.module.map(ModuleIdx::as_usize);
        let line = self.line.or(self.start_line);
        (module, self.file, line, self.placed_name, self.thread)
    }

    fn unknown(&self) -> Cow<'static, str> {
        match (self.reason, self.kind) {
            (Some(reason), _) => format!("[{reason}]").into(),
            (None, Some(kind)) => format!("[{}]", kind.as_str()).into(),
            (None, None) => "[unknown]".into(),
        }
    }

    /// Returns the name and the number of its thread or process.
    fn task<'p>(
        &self,
        profile: &'p Profile,
        by: RowKind,
    ) -> Option<(Option<&'p str>, Option<u32>)> {
        let thread = profile.thread(self.thread?)?;
        let process = profile.process(thread.process);
        let name = |at: Option<StrIdx>| at.and_then(|at| profile.strings.get(at));
        let of_process = process.and_then(|process| name(process.name));
        Some(match by {
            RowKind::Thread => (name(thread.name).or(of_process), thread.tid),
            _ => (of_process, process.map(|process| process.pid)),
        })
    }

    fn task_name<'p>(&self, profile: &'p Profile, by: RowKind) -> Cow<'p, str> {
        match (self.task(profile, by), by) {
            (Some((Some(name), Some(id))), _) => format!("{name} ({id})").into(),
            (Some((Some(name), None)), _) => name.into(),
            (Some((None, Some(id))), _) => format!("({id})").into(),
            (Some((None, None)), _) => "[no name]".into(),
            (None, RowKind::Process) => "[no process]".into(),
            (None, _) => "[no thread]".into(),
        }
    }
}

/// The module that stands for all with its path.
#[derive(Debug)]
pub(crate) struct SamePaths(Vec<ModuleIdx>);

impl SamePaths {
    pub(crate) fn of(profile: &Profile) -> Self {
        let mut firsts: HashMap<&[u8], ModuleIdx> = HashMap::new();
        let modules = profile.modules.iter().zip(0_u32..);
        let same = modules.map(|(module, at)| {
            *firsts
                .entry(module.path.as_slice())
                .or_insert(ModuleIdx(at))
        });
        Self(same.collect())
    }

    fn first(&self, module: ModuleIdx) -> ModuleIdx {
        self.0.get(module.as_usize()).copied().unwrap_or(module)
    }

    /// Returns the entry of a frame; without a frame, that of a location without names.
    pub(crate) fn entry(
        &self,
        profile: &Profile,
        location: &Location,
        frame: Option<&ProfileFrame>,
        by: RowKind,
    ) -> ReportEntry {
        let module = location.module.map(|module| self.first(module));
        let function = frame.and_then(|frame| frame.function);
        let nameless = ReportEntry {
            module,
            reason: location.reason.filter(|_| function.is_none()),
            kind: location
                .kind
                .filter(|_| module.is_none() && function.is_none()),
            ..ReportEntry::default()
        };
        match by {
            RowKind::Module => match module {
                Some(_) => ReportEntry {
                    module,
                    ..ReportEntry::default()
                },
                None => ReportEntry {
                    kind: location.kind,
                    reason: location.reason,
                    ..ReportEntry::default()
                },
            },
            RowKind::Line => ReportEntry {
                function,
                file: frame.and_then(|frame| frame.file),
                line: frame.and_then(|frame| frame.line),
                start_line: frame
                    .filter(|frame| frame.line.is_none())
                    .and_then(|frame| frame.start_line),
                ..nameless
            },
            _ => ReportEntry {
                function,
                placed_name: frame.and_then(|frame| placed_name(profile, frame)),
                ..nameless
            },
        }
    }
}

/// Returns the name by which reports show the function of a frame: see [`ReportEntry::name`].
/// `None` if it has none.
#[must_use]
pub fn function_name<'p>(profile: &'p Profile, frame: &ProfileFrame) -> Option<Cow<'p, str>> {
    let name = profile.strings.get(frame.function?)?;
    let placed = placed_name(profile, frame).and_then(|at| profile.strings.get(at));
    Some(placed.map_or_else(|| name.into(), |placed| with_place(name, placed)))
}

/// Returns the linkage name of a frame if it is one that has its source file in it, behind a blank
/// or a colon.
fn placed_name(profile: &Profile, frame: &ProfileFrame) -> Option<StrIdx> {
    let text = |at: Option<StrIdx>| profile.strings.get(at?).filter(|text| !text.is_empty());
    let (name, file) = (text(frame.linkage_name)?, text(frame.file)?);
    text(frame.function)?;
    let (before, after) = name.split_once(file)?;
    let is_it = before.ends_with([' ', ':']) && (after.is_empty() || after.starts_with(':'));
    frame.linkage_name.filter(|_| is_it)
}

/// Returns `JS:*next list.js:12:5` for `JS:*next` and `JS:*next /srv/list.js:12:5`. A function
/// without a name of its own is called by its place already.
fn with_place<'p>(name: &'p str, placed: &'p str) -> Cow<'p, str> {
    let rest = placed.strip_prefix(name);
    let place = rest.and_then(|rest| rest.strip_prefix([' ', ':']));
    let base = place.map(|place| place.rsplit('/').next().unwrap_or(place));
    match base.filter(|base| !base.is_empty()) {
        Some(base) => format!("{name} {base}").into(),
        None => name.into(),
    }
}
