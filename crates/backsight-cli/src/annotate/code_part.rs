//! The instructions of a function, with their samples.

use std::collections::BTreeMap;

use backsight::{FoundCode, FunctionCode, ModuleCode, ModuleFiles, NoCode};
use backsight_profile::Profile;
use backsight_report::{FunctionShares, PlaceShare};
use backsight_symbolize::Symbolizer;
use backsight_types::{AddrKind, Lookup, ModuleIdx, ModuleKind, Reason, VirtOffset};

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
}

/// Samples of the function that no instruction is shown for.
#[derive(Debug, Default)]
pub(super) struct Unplaced {
    pub(super) own: i64,
    pub(super) total: i64,
    pub(super) why: String,
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
    own: i64,
    total: i64,
}

impl CodePart {
    pub(super) fn sum(&self) -> (i64, i64) {
        let sum = |(own, total): (i64, i64), of: &(i64, i64)| {
            (own.saturating_add(of.0), total.saturating_add(of.1))
        };
        self.amounts.iter().fold((self.between, 0), sum)
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
                    found.leave(place.own, place.total, why);
                }
            }
        }
        for (module, places) in by_module {
            found.add_module(module, &places, profile, files);
        }
        found
            .parts
            .sort_by_key(|part| std::cmp::Reverse(part.sum()));
        found
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
                found.leave(place.own, place.total, why);
            }
        };
        let code = match ModuleCode::open(&module, files) {
            Ok(code) => code,
            Err(why) => {
                let way_out = match &why {
                    NoCode::Missing(reason) if module.kind == ModuleKind::File => {
                        let advice = module_advice(&module, Some(*reason));
                        format!(" ({} gives it)", advice.trim_end_matches(','))
                    }
                    _ => String::new(),
                };
                return all(self, &format!("no code of {name}: {why}{way_out}"));
            }
        };
        let mut placed = Vec::new();
        for place in places {
            let location = profile.location(place.location).copied();
            let location = location.unwrap_or_default();
            let from_file = || code.virt_offset_of(location.file_offset?);
            let Some(address) = location.virt_offset.or_else(from_file) else {
                self.leave(place.own, place.total, &format!("no offset in {name}"));
                continue;
            };
            let address = match location.lookup {
                Lookup::Return => VirtOffset(address.0.saturating_sub(1)),
                _ => address,
            };
            let PlaceShare { own, total, .. } = *place;
            placed.push(Placed {
                address,
                own,
                total,
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
                    self.leave(place.own, place.total, &why);
                }
            }
        }
    }

    fn leave(&mut self, own: i64, total: i64, why: &str) {
        let known = self.unplaced.iter().position(|of| of.why == why);
        let at = known.unwrap_or_else(|| {
            self.unplaced.push(Unplaced {
                why: why.to_owned(),
                ..Unplaced::default()
            });
            self.unplaced.len().saturating_sub(1)
        });
        if let Some(of) = self.unplaced.get_mut(at) {
            of.own = of.own.saturating_add(own);
            of.total = of.total.saturating_add(total);
        }
    }
}

impl CodePart {
    fn add(&mut self, at: usize, place: Placed) {
        let start = self.code.instructions.get(at);
        let start = start.map(|of| of.instruction.address);
        let Some((own, total)) = self.amounts.get_mut(at) else {
            return;
        };
        *total = total.saturating_add(place.total);
        match start == Some(place.address) {
            true => *own = own.saturating_add(place.own),
            false => self.between = self.between.saturating_add(place.own),
        }
    }
}
