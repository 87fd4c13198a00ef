//! The names of functions.
//!
//! A function's DIE often has no name of its own: it points to the abstract
//! instance (`DW_AT_abstract_origin`), and that to the declaration in its class
//! (`DW_AT_specification`). The first linkage name on the way counts, else the
//! first `DW_AT_name`. Forged links may form a circle, so their number is
//! limited.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use gimli::{AttributeValue, UnitOffset, UnitRef};

use super::index::Index;
use super::unit::Unit;
use super::{Fault, Fuel, Slice};
use crate::Options;

/// A function's name, ready to be handed out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Name {
    /// For people: demangled if so wished and possible.
    pub(crate) function: Option<Arc<str>>,
    /// For the linker.
    pub(crate) linkage: Option<Arc<str>>,
}

impl Name {
    /// Returns the name whose linkage name has these bytes.
    pub(crate) fn of_linkage(raw: &[u8], options: &Options) -> Self {
        let linkage: Arc<str> = String::from_utf8_lossy(raw).into();
        let wanted = options.demangle;
        let demangled = wanted.then(|| crate::demangle(&linkage, options.limits.name_bytes));
        let function = demangled.flatten().map(Arc::from);
        Self {
            function: Some(function.unwrap_or_else(|| Arc::clone(&linkage))),
            linkage: Some(linkage),
        }
    }
}

/// Names met so far: the same function folded into many others is demangled
/// once.
#[derive(Debug, Default)]
pub(super) struct Names<'d>(Mutex<HashMap<Found<'d>, Name>>);

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Found<'d> {
    Linkage(&'d [u8]),
    Plain(&'d [u8]),
}

/// Returns the name of the function that the DIE at `die` is, or is a copy of.
pub(super) fn of<'d>(die: UnitOffset, unit: &Unit<'d>, index: &Index<'d>, fuel: &mut Fuel) -> Name {
    let limits = &index.options.limits;
    let (mut unit, mut die) = (unit, die);
    let mut plain = None;
    let mut linkage = None;
    for _ in 0..=limits.name_links {
        let Ok(entry) = read(die, unit, index, fuel) else {
            break;
        };
        plain = plain.or(entry.plain);
        linkage = entry.linkage;
        if linkage.is_some() {
            break;
        }
        match entry.link.and_then(|link| index.target(unit, link)) {
            Some(target) => (unit, die) = target,
            None => break,
        }
    }
    let short = |name: &&[u8]| name.len() <= limits.name_bytes;
    let linkage = linkage.filter(short).map(Found::Linkage);
    match linkage.or(plain.filter(short).map(Found::Plain)) {
        Some(found) => index.names.get(found, index.options),
        None => Name::default(),
    }
}

struct Entry<'d> {
    linkage: Option<&'d [u8]>,
    plain: Option<&'d [u8]>,
    link: Option<AttributeValue<Slice<'d>>>,
}

fn read<'d>(
    die: UnitOffset,
    unit: &Unit<'d>,
    index: &Index<'d>,
    fuel: &mut Fuel,
) -> Result<Entry<'d>, Fault> {
    let unit = unit.own_root(index)?.unit_ref();
    let mut entries = unit.entries_raw(Some(die))?;
    let abbrev = entries.read_abbreviation()?.ok_or(Fault::Malformed)?;
    fuel.spend(abbrev.attributes().len().saturating_add(1))?;
    let mut entry = Entry {
        linkage: None,
        plain: None,
        link: None,
    };
    for spec in abbrev.attributes() {
        let attr = entries.read_attribute(*spec)?;
        match attr.name() {
            gimli::DW_AT_linkage_name | gimli::DW_AT_MIPS_linkage_name => {
                entry.linkage = text(unit, attr.value());
            }
            gimli::DW_AT_name => entry.plain = text(unit, attr.value()),
            gimli::DW_AT_abstract_origin | gimli::DW_AT_specification => {
                entry.link = Some(attr.value());
            }
            _ => {}
        }
    }
    Ok(entry)
}

fn text<'d>(unit: UnitRef<'_, Slice<'d>>, value: AttributeValue<Slice<'d>>) -> Option<&'d [u8]> {
    let text = unit.attr_string(value).ok()?.slice();
    (!text.is_empty()).then_some(text)
}

impl<'d> Names<'d> {
    fn get(&self, found: Found<'d>, options: &Options) -> Name {
        let lock = || self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = lock().get(&found) {
            return known.clone();
        }
        // Two threads may both get here; the names are equal.
        let name = match found {
            Found::Linkage(raw) => Name::of_linkage(raw, options),
            Found::Plain(raw) => Name {
                function: Some(String::from_utf8_lossy(raw).into()),
                linkage: None,
            },
        };
        lock().entry(found).or_insert(name).clone()
    }
}
