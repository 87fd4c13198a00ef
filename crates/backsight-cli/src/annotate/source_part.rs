//! The source lines of a function, with their samples.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::rc::Rc;

use backsight_profile::{Profile, StrIdx};
use backsight_report::FunctionShares;
use backsight_types::BuildId;

use super::code_part::CodePart;
use super::source_file::{NoSource, SourceFile, SourceFiles};

/// Of a function with more lines, those around its samples are taken.
const MAX_LINES: u32 = 50_000;

/// So many lines are taken around samples then.
const CONTEXT: u32 = 5;

/// The lines of a function in one file.
#[derive(Debug)]
pub(super) struct SourcePart {
    /// The file, as debug information names it; `None` if it does not.
    pub(super) file: Option<String>,
    /// The same in the profile's strings.
    name: Option<StrIdx>,
    pub(super) text: Result<Rc<SourceFile>, NoSource>,
    pub(super) rows: Vec<AnnotatedLine>,
}

/// A line.
#[derive(Clone, Copy, Debug)]
pub(super) struct AnnotatedLine {
    pub(super) line: u32,
    pub(super) own: i64,
    pub(super) total: i64,
}

impl SourcePart {
    fn own(&self) -> i64 {
        let own = self.rows.iter().map(|row| row.own);
        own.fold(0, i64::saturating_add)
    }

    /// Returns the totals of groups of its lines: a sample in whose stack are several lines of a
    /// group counts once.
    pub(super) fn totals_by(
        &self,
        of: &FunctionShares,
        groups: &[Option<usize>],
    ) -> HashMap<usize, i64> {
        let rows = self.rows.iter().zip(groups);
        let groups: HashMap<u32, usize> = rows
            .filter_map(|(row, group)| Some((row.line, (*group)?)))
            .collect();
        of.line_totals(|share| {
            let line = share.line.filter(|_| share.file == self.name)?;
            groups.get(&line).copied()
        })
    }

    /// Returns the last line with samples.
    pub(super) fn last_with_samples(&self) -> Option<u32> {
        let rows = self.rows.iter();
        let rows = rows.filter(|row| (row.own, row.total) != (0, 0));
        rows.map(|row| row.line).max()
    }

    /// Returns the lines of a function, file by file, that with most samples first.
    pub(super) fn all(
        of: &FunctionShares,
        code: &[CodePart],
        profile: &Profile,
        sources: &mut SourceFiles<'_>,
    ) -> Vec<Self> {
        let mut files: BTreeMap<Option<StrIdx>, BTreeMap<u32, (i64, i64)>> = BTreeMap::new();
        for share in &of.lines {
            if let Some(line) = share.line {
                let lines = files.entry(share.file).or_default();
                lines.insert(line, (share.own, share.total));
            }
        }
        // The code tells which lines the function has beside those with samples.
        let mut known: BTreeMap<Option<StrIdx>, BTreeSet<u32>> = BTreeMap::new();
        let instructions = code.iter().flat_map(|part| &part.code.instructions);
        for frame in instructions.flat_map(|of| &of.frames) {
            if let (true, Some(line)) = (frame.function == of.entry.function, frame.line) {
                known.entry(frame.file).or_default().insert(line);
            }
        }
        if let Some((file, line)) = of.start {
            known.entry(Some(file)).or_default().insert(line);
        }
        let programs = programs_of(of, profile);
        let mut parts: Vec<Self> = Vec::new();
        for (file, lines) in files {
            let known = known.remove(&file).unwrap_or_default();
            let all = || known.iter().chain(lines.keys()).copied();
            let (first, last) = (all().min().unwrap_or(1), all().max().unwrap_or(1));
            let taken: BTreeSet<u32> = match last.saturating_sub(first) < MAX_LINES {
                true => (first..=last).collect(),
                false => lines
                    .keys()
                    .flat_map(|line| line.saturating_sub(CONTEXT)..=line.saturating_add(CONTEXT))
                    .collect(),
            };
            let rows = taken.into_iter().map(|line| {
                let (own, total) = lines.get(&line).copied().unwrap_or_default();
                AnnotatedLine { line, own, total }
            });
            let name = file;
            let file = name.and_then(|file| profile.strings.get(file));
            let text = match file {
                Some(name) => sources.get(name, &programs),
                None => Err(NoSource("no file is known for these lines".to_owned())),
            };
            parts.push(Self {
                file: file.map(str::to_owned),
                name,
                text,
                rows: rows.collect(),
            });
        }
        parts.sort_by_key(|part| std::cmp::Reverse(part.own()));
        parts
    }
}

/// Returns the build IDs of the modules that the function is in.
fn programs_of(of: &FunctionShares, profile: &Profile) -> Vec<BuildId> {
    let locations = of.places.iter();
    let modules = locations.filter_map(|place| profile.location(place.location)?.module);
    let ids = modules.filter_map(|module| profile.module(module)?.build_id);
    let mut ids: Vec<BuildId> = ids.collect();
    ids.dedup();
    ids
}
