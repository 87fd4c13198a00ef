//! What is shown of one function.

use std::collections::BTreeSet;
use std::time::SystemTime;

use backsight::{ModuleCode, ModuleFiles};
use backsight_profile::Profile;
use backsight_report::{FunctionShares, RowKind};

use super::code_part::{CodeParts, Unplaced};
use super::shown_rows::ShownRows;
use super::source_file::SourceFiles;
use super::source_part::SourcePart;
use crate::failure::complain;

/// What is shown of one function.
#[derive(Debug)]
pub(super) struct FunctionListing {
    pub(super) name: String,
    pub(super) module: Option<String>,
    pub(super) shares: FunctionShares,
    pub(super) sources: Vec<SourcePart>,
    pub(super) code: CodeParts,
    /// When the oldest of its programs was last changed.
    built: Option<SystemTime>,
}

impl FunctionListing {
    /// Finds the source and the code of a function. What cannot be found is said.
    pub(super) fn of(
        shares: FunctionShares,
        profile: &mut Profile,
        files: &ModuleFiles,
        sources: &mut SourceFiles<'_>,
        view: ShownRows,
        has_symbols: bool,
    ) -> Self {
        // It also tells on which line the function ends.
        let is_read = view.has_code || (view.is_whole && has_symbols);
        let mut code = match (is_read, has_symbols) {
            (true, true) => CodeParts::of(&shares, profile, files),
            (true, false) => CodeParts {
                unplaced: vec![Unplaced::new(
                    shares.own,
                    shares.total,
                    "instructions are found by symbols (--no-symbols)",
                )],
                ..CodeParts::default()
            },
            (false, _) => CodeParts::default(),
        };
        let parts = match view.has_source {
            true => SourcePart::all(&shares, &code.parts, profile, sources),
            false => Vec::new(),
        };
        if !view.has_code {
            code = CodeParts::default();
        }
        let built = match view.has_source {
            true => built_at(&shares, profile, files),
            false => None,
        };
        let name = shares.entry.name(profile, RowKind::Function).into_owned();
        let module = shares.entry.module_name(profile);
        let listing = Self {
            name,
            module: module.map(std::borrow::Cow::into_owned),
            shares,
            sources: parts,
            code,
            built,
        };
        listing.complain();
        listing
    }

    /// Returns the samples that have no line.
    pub(super) fn without_line(&self) -> Option<(i64, i64)> {
        let mut rows = self.shares.lines.iter();
        let row = rows.find(|row| row.line.is_none());
        row.map(|row| (row.own, row.total))
    }

    fn complain(&self) {
        for part in &self.sources {
            match &part.text {
                Err(why) => complain(format_args!("{}: no source text: {}", self.name, why.0)),
                Ok(text) => {
                    let times = text.modified.zip(self.built);
                    if times.is_some_and(|(changed, built)| changed > built) {
                        complain(format_args!(
                            "{}: changed after the program was built: lines may be others",
                            text.path.display()
                        ));
                    }
                    let last = part.last_with_samples();
                    if let Some(last) = last.filter(|last| !text.has_line(*last)) {
                        complain(format_args!(
                            "{}: is too short: it has no line {last}, on which samples are: it is \
                             another version",
                            text.path.display()
                        ));
                    }
                }
            }
        }
        for Unplaced { why, .. } in &self.code.unplaced {
            complain(format_args!("{}: no instructions: {why}", self.name));
        }
        for part in &self.code.parts {
            if part.between != 0 {
                complain(format_args!(
                    "{}: samples within instructions, not at the begin of one: the file may be of \
                     another build, or the code was changed in memory",
                    self.name
                ));
            }
            if part.code.is_cut {
                complain(format_args!(
                    "{}: the function is longer than 4 MiB, and cut there",
                    self.name
                ));
            }
        }
    }
}

/// Returns when the oldest of the files was changed that a function is in.
fn built_at(shares: &FunctionShares, profile: &Profile, files: &ModuleFiles) -> Option<SystemTime> {
    let places = shares.places.iter();
    let modules = places.filter_map(|place| profile.location(place.location)?.module);
    let modules: BTreeSet<_> = modules.collect();
    let times = modules.into_iter().filter_map(|module| {
        let code = ModuleCode::open(profile.module(module)?, files).ok()?;
        code.modified()
    });
    times.min()
}
