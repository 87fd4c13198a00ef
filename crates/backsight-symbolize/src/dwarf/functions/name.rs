//! The names of functions.
//!
//! A function's DIE often has no name of its own: it points to the abstract
//! instance (`DW_AT_abstract_origin`), and that to the declaration in its class
//! (`DW_AT_specification`). The first linkage name on the way counts, else the
//! first `DW_AT_name`. Forged links may form a circle, so their number is
//! limited.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use backsight_index::engine::{ByteCount, Name, RawName, Spelling};
use gimli::UnitOffset;

use crate::dwarf::die::form::AttrValue;
use crate::dwarf::die::fuel::Fuel;
use crate::dwarf::die::text;
use crate::dwarf::die::walk::CodeDie;
use crate::dwarf::fault::Fault;
use crate::dwarf::units::die_links::DieLinks;
use crate::dwarf::units::unit::Unit;

/// Names found so far: a function that is inlined into many others is demangled once.
#[derive(Debug)]
pub(in crate::dwarf) struct NameCache<'d> {
    spelling: Spelling,
    known: Mutex<HashMap<NameKey<'d>, Name>>,
    /// What they take.
    pub(in crate::dwarf) kept: ByteCount,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum NameKey<'d> {
    Linkage(&'d [u8]),
    Ada(&'d [u8]),
    /// With how many of its bytes are scopes.
    Plain(&'d [u8], u32),
}

/// Reads the names of the function that this DIE is, or is a copy of.
///
/// Names longer than the limit are absent. A linkage name ends the search: what
/// lies behind it is the same function's.
pub(in crate::dwarf) fn raw<'d>(
    die: &CodeDie,
    unit: &Unit<'d>,
    links: &DieLinks<'d>,
    fuel: &mut Fuel,
) -> RawName<'d> {
    let limits = unit.unit_file.limits;
    let short = |name: &&[u8]| name.len() <= limits.name_bytes;
    let is_mangled = unit.mangles();
    let (mut unit, mut die) = (unit, *die);
    let mut raw = RawName::default();
    let mut last = (unit, die.die);
    for _ in 0..=limits.name_links {
        last = (unit, die.die);
        let Ok(root) = unit.own_root() else {
            break;
        };
        let text = |value: Option<AttrValue>| {
            let text = text::of(value?, root.unit_ref(), unit.unit_file.damage)?;
            Some(text).filter(|text| !text.is_empty())
        };
        if raw.line == 0 {
            raw.line = die.decl_line();
        }
        let linkage = text(die.linkage_name());
        raw.linkage = linkage.filter(short);
        if raw.linkage.is_none() {
            raw.plain = raw.plain.or_else(|| text(die.name()));
        }
        if linkage.is_some() {
            break;
        }
        let Some(link) = die.origin() else {
            break;
        };
        let damage = unit.unit_file.damage;
        let Some((next, at)) = links.target(unit, link) else {
            if links.should_have(link) {
                damage.note();
            }
            break;
        };
        // Names link functions to functions; whatever else is named, no frame is.
        match die.read(at, next, fuel) {
            Ok(true) => unit = next,
            Ok(false) | Err(Fault::Malformed) => {
                damage.note();
                break;
            }
            Err(Fault::Limit) => break,
        }
    }
    raw.plain = raw.plain.filter(short);
    if unit.is_ada() {
        // GNAT's DIEs have the encoded name as their name, and linkers know it by that.
        raw.linkage = raw.linkage.or(raw.plain);
        raw.plain = raw.linkage;
    } else if raw.linkage.is_some() {
        raw.plain = None;
    } else if let Some(plain) = raw.plain.filter(|_| is_mangled) {
        // The last DIE is the declaration, which stands where the source has it.
        let (unit, declaration) = last;
        if let Some(scoped) = links.scoped.of(declaration, plain, unit, fuel) {
            (raw.plain, raw.scopes) = (Some(scoped.text), scoped.scopes);
        }
    }
    raw
}

impl<'d> NameCache<'d> {
    pub(in crate::dwarf) fn new(spelling: Spelling) -> Self {
        Self {
            spelling,
            known: Mutex::default(),
            kept: ByteCount::default(),
        }
    }

    /// Returns the name of the function that the DIE at `die` is, or is a copy of.
    pub(in crate::dwarf) fn of(
        &self,
        die: UnitOffset,
        unit: &Unit<'d>,
        links: &DieLinks<'d>,
        fuel: &mut Fuel,
    ) -> Name {
        let mut named = CodeDie::NONE;
        let read = named.read(die, unit, fuel);
        if unit.unit_file.damage.sound(read) != Some(true) {
            return Name::default();
        }
        let raw = raw(&named, unit, links, fuel);
        let key = if raw.is_ada() {
            NameKey::Ada
        } else {
            NameKey::Linkage
        };
        let linkage = raw.linkage.map(key);
        let name = match linkage.or(raw.plain.map(|plain| NameKey::Plain(plain, raw.scopes))) {
            Some(key) => self.get(key),
            None => Name::default(),
        };
        name.at_line(raw.line)
    }

    fn get(&self, key: NameKey<'d>) -> Name {
        let lock = || self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = lock().get(&key) {
            return known.clone();
        }
        // Two threads may both get here; the names are equal.
        let name = match key {
            NameKey::Linkage(raw) => Name::of_linkage(raw, self.spelling),
            NameKey::Ada(raw) => Name::of_ada(raw, self.spelling),
            NameKey::Plain(raw, scopes) => Name::of_plain(raw, scopes),
        };
        self.kept.add(
            name.bytes()
                .saturating_add(size_of::<(NameKey<'d>, Name)>()),
        );
        lock().entry(key).or_insert(name).clone()
    }
}
