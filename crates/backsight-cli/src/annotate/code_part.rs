//! The instructions of a function, with their samples.

use std::collections::{BTreeMap, HashMap, HashSet};

use backsight::{FoundCode, FunctionCode, ModuleCode, ModuleFiles, NoCode};
use backsight_profile::{LocationIdx, Profile};
use backsight_report::{FunctionShares, PlaceShare};
use backsight_symbolize::Symbolizer;
use backsight_types::{AddrKind, Lookup, Module, ModuleIdx, ModuleKind, Reason, VirtOffset};

use crate::account::module_advice;

/// The instructions of a function, or of one that it is inlined into.
#[derive(Debug)]
pub(super) struct CodePart {
    pub(super) module: ModuleIdx,
    pub(super) code: FunctionCode,
    /// For each instruction, the samples of the annotated function: those that were taken on it,
    /// and those in whose stack it is.
    pub(super) amounts: Vec<(i64, i64)>,
    /// Samples that were taken between the begins of two instructions.
    pub(super) between: i64,
    /// The samples of all its instructions.
    pub(super) sum: (i64, i64),
    /// The addresses of samples, each with the position of its instruction.
    places: Vec<(LocationIdx, usize)>,
}

/// Samples of the function that no instruction is shown for.
#[derive(Debug, Default)]
pub(super) struct Unplaced {
    pub(super) own: i64,
    pub(super) total: i64,
    pub(super) why: String,
    places: Vec<LocationIdx>,
}

/// The code of a function.
#[derive(Debug, Default)]
pub(super) struct CodeParts {
    /// Those with most samples first.
    pub(super) parts: Vec<CodePart>,
    pub(super) unplaced: Vec<Unplaced>,
}

/// An address in a module, with its samples.
#[derive(Clone, Copy, Debug)]
struct Placed {
    address: VirtOffset,
    /// Whether the address is the last byte of a call, and not the begin of an instruction.
    is_in_call: bool,
    location: LocationIdx,
    own: i64,
}

impl Unplaced {
    pub(super) fn new(own: i64, total: i64, why: &str) -> Self {
        Self {
            own,
            total,
            why: why.to_owned(),
            places: Vec::new(),
        }
    }
}

impl CodePart {
    /// Returns the totals of groups of its instructions, which are given by their positions: a
    /// sample in whose stack are several instructions of a group counts once.
    pub(super) fn totals_by(
        &self,
        of: &FunctionShares,
        group: impl Fn(usize) -> Option<usize>,
    ) -> HashMap<usize, i64> {
        let places = self.places.iter();
        let places: HashMap<LocationIdx, usize> = places
            .filter_map(|(location, at)| Some((*location, group(*at)?)))
            .collect();
        of.place_totals(|location| places.get(&location).copied())
    }
}

impl CodeParts {
    /// Finds the code of a function in the files of its modules.
    pub(super) fn of(of: &FunctionShares, profile: &mut Profile, files: &ModuleFiles) -> Self {
        let mut found = Self::default();
        let mut by_module: BTreeMap<ModuleIdx, Vec<PlaceShare>> = BTreeMap::new();
        for place in &of.places {
            let location = profile.location(place.location).copied();
            let location = location.unwrap_or_default();
            match location.module {
                Some(module) if profile.module(module).is_some() => {
                    by_module.entry(module).or_default().push(*place);
                }
                _ => {
                    let is_made = location.kind == Some(AddrKind::Anonymous)
                        || location.reason == Some(Reason::Anonymous);
                    let why = match location.address {
                        Some(_) if is_made => {
                            "code that was made at run time, whose bytes the input has not"
                        }
                        Some(_) => "addresses that are in no file",
                        None => "the input has no addresses, only names",
                    };
                    found.leave(place.location, place.own, why);
                }
            }
        }
        for (module, places) in by_module {
            found.add_module(module, &places, profile, files);
        }
        found.count_totals(of);
        found.parts.sort_by_key(|part| std::cmp::Reverse(part.sum));
        found
    }

    /// Counts a sample once for each row, also where several addresses are in its stack that are
    /// of this row: those of one instruction, for example, which are that of the sample and that
    /// of a return.
    fn count_totals(&mut self, of: &FunctionShares) {
        #[derive(Clone, Copy, PartialEq, Eq, Hash)]
        enum Row {
            Instruction(usize, usize),
            Unplaced(usize),
        }
        let mut rows: HashMap<LocationIdx, Row> = HashMap::new();
        for (nth, part) in self.parts.iter().enumerate() {
            let places = part.places.iter();
            rows.extend(places.map(|(place, at)| (*place, Row::Instruction(nth, *at))));
        }
        for (nth, left) in self.unplaced.iter().enumerate() {
            rows.extend(left.places.iter().map(|place| (*place, Row::Unplaced(nth))));
        }
        for (row, total) in of.place_totals(|location| rows.get(&location).copied()) {
            match row {
                Row::Instruction(nth, at) => {
                    let part = self.parts.get_mut(nth);
                    if let Some(amounts) = part.and_then(|part| part.amounts.get_mut(at)) {
                        amounts.1 = total;
                    }
                }
                Row::Unplaced(nth) => {
                    if let Some(left) = self.unplaced.get_mut(nth) {
                        left.total = total;
                    }
                }
            }
        }
        let parts = of.place_totals(|location| match rows.get(&location)? {
            Row::Instruction(nth, _) => Some(*nth),
            Row::Unplaced(_) => None,
        });
        for (nth, part) in self.parts.iter_mut().enumerate() {
            let own = part.amounts.iter().map(|(own, _)| *own);
            let own = own.fold(part.between, i64::saturating_add);
            part.sum = (own, parts.get(&nth).copied().unwrap_or_default());
        }
    }

    /// Returns the samples of all parts from the one at this position on.
    pub(super) fn sum_from(&self, first: usize, of: &FunctionShares) -> (i64, i64) {
        let rest = || self.parts.iter().skip(first);
        let own = rest().map(|part| part.sum.0).fold(0, i64::saturating_add);
        let places = rest().flat_map(|part| &part.places);
        let places: HashSet<LocationIdx> = places.map(|(location, _)| *location).collect();
        let totals = of.place_totals(|location| places.contains(&location).then_some(()));
        (own, totals.get(&()).copied().unwrap_or_default())
    }

    fn add_module(
        &mut self,
        index: ModuleIdx,
        places: &[PlaceShare],
        profile: &mut Profile,
        files: &ModuleFiles,
    ) {
        let Some(module) = profile.module(index).cloned() else {
            return;
        };
        let name = module.path_lossy().into_owned();
        let all = |found: &mut Self, why: &str| {
            for place in places {
                found.leave(place.location, place.own, why);
            }
        };
        let code = match ModuleCode::open(&module, files) {
            Ok(code) => code,
            Err(why) => return all(self, &without_code(&module, &why)),
        };
        let mut placed = Vec::new();
        for place in places {
            let location = profile.location(place.location).copied();
            let location = location.unwrap_or_default();
            let from_file = || code.virt_offset_of(location.file_offset?);
            let Some(address) = location.virt_offset.or_else(from_file) else {
                self.leave(place.location, place.own, &format!("no offset in {name}"));
                continue;
            };
            let is_in_call = location.lookup == Lookup::Return;
            let address = VirtOffset(address.0.saturating_sub(is_in_call.into()));
            placed.push(Placed {
                address,
                is_in_call,
                location: place.location,
                own: place.own,
            });
        }
        placed.sort_unstable_by_key(|place| place.address);
        let mut addresses: Vec<VirtOffset> = placed.iter().map(|place| place.address).collect();
        addresses.dedup();
        let symbolizer = Symbolizer::new(files.symbols().clone());
        let Some(id) = files.introduce(&symbolizer, &module).id else {
            return all(self, &format!("no functions are known of {name}"));
        };
        let strings = &mut profile.strings;
        let found = FoundCode::of(&addresses, &code, &symbolizer, id, strings);
        let Some(found) = found else {
            let arch = code.arch();
            return all(
                self,
                &format!("{name}: instructions of {arch} are not known"),
            );
        };
        let first = self.parts.len();
        self.parts
            .extend(found.functions.into_iter().map(|of| CodePart {
                module: index,
                amounts: vec![(0, 0); of.instructions.len()],
                code: of,
                between: 0,
                sum: (0, 0),
                places: Vec::new(),
            }));
        for place in placed {
            let parts = self.parts.iter_mut().skip(first);
            let mut at = parts.filter_map(|part| {
                let at = part.code.position_of(place.address)?;
                Some((part, at))
            });
            match at.next() {
                Some((part, at)) => part.add(at, place),
                None => {
                    let mut parts = self.parts.iter().skip(first);
                    let why = match parts.any(|part| part.code.is_cut) {
                        true => format!("after the first 4 MiB of a function in {name}"),
                        false => format!("no function's code is known there in {name}"),
                    };
                    self.leave(place.location, place.own, &why);
                }
            }
        }
    }

    fn leave(&mut self, place: LocationIdx, own: i64, why: &str) {
        let known = self.unplaced.iter().position(|of| of.why == why);
        let at = known.unwrap_or_else(|| {
            self.unplaced.push(Unplaced::new(0, 0, why));
            self.unplaced.len().saturating_sub(1)
        });
        if let Some(of) = self.unplaced.get_mut(at) {
            of.own = of.own.saturating_add(own);
            of.places.push(place);
        }
    }
}

impl CodePart {
    fn add(&mut self, at: usize, place: Placed) {
        let start = self.code.instructions.get(at);
        let start = start.map(|of| of.instruction.address);
        let Some((own, _)) = self.amounts.get_mut(at) else {
            return;
        };
        // With --hide, the innermost frame may be that of a call.
        match place.is_in_call || start == Some(place.address) {
            true => *own = own.saturating_add(place.own),
            false => self.between = self.between.saturating_add(place.own),
        }
        self.places.push((place.location, at));
    }
}

/// Returns why there is no code of a module, and the way out.
fn without_code(module: &Module, why: &NoCode) -> String {
    let name = module.path_lossy();
    match (why, module.build_id) {
        (NoCode::Missing(Reason::IdentityUnproven), Some(id)) => format!(
            "the file at {name} is of another build than the one that was sampled: put the file \
             with build ID {id} below a --root or in a --debug-dir"
        ),
        (NoCode::Missing(Reason::IdentityUnproven), None) => format!(
            "nothing proves that the file at {name} is the one that was sampled, as the input has \
             no build ID of it: record with build IDs (perf has them by --buildid-mmap), or take the \
             file at its path, or at that path below a --root, unproven with --trust-paths"
        ),
        (NoCode::Missing(reason), _) if module.kind == ModuleKind::File => {
            let advice = module_advice(module, Some(*reason));
            let advice = advice.trim_end_matches(',');
            format!("no code of {name}: {why}; what would give it: {advice}")
        }
        _ => format!("no code of {name}: {why}"),
    }
}
